"""SS2D: a selective state-space scan of an image along four directions (VMamba; the form used by MambaIR)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pifnet_models.kernels.selective_scan.dispatch import directional_scan
from pifnet_models.layers.convolution import block_diagonal

DIRECTIONS = 4  # row-major, column-major, and the reverse of each
SHORTEST_STEP, LONGEST_STEP, STEP_FLOOR = 1e-3, 1e-1, 1e-4  # range of the step size at the start, as in Mamba


class SS2D(nn.Module):
    """Scan each of S channel segments of a map along four directions, and gate what the scans return.

    A segment is an SS2D of its own: no weight is shared and nothing is exchanged between segments. They have equal
    shapes, so they are computed together, as S groups of one projection and as 4 S directions of one scan.

    Per segment of D/S channels, with E = expand D/S: linear to 2E without bias (values and gate); depthwise 3 x 3 and
    SiLU on the values; per direction a linear map to r + 2N (step, B, C), r = ceil(D/S / 16), and r -> E with bias
    (step size, through softplus); the scan; the sum of the directions; LayerNorm; gate; linear to D/S without bias.
    """

    def __init__(self, *, channels: int, segments: int = 1, d_state: int = 8, expand: int = 2) -> None:
        super().__init__()
        if channels % segments:
            raise ValueError(f"{channels} channels cannot be split into {segments} equal segments")
        self.segments, self.d_state = segments, d_state
        width = channels // segments
        inner, self.rank = expand * width, math.ceil(width / 16)
        scans = segments * DIRECTIONS
        self.input_weight = nn.Parameter(torch.empty(2, segments, inner, width))
        self.convolution = nn.Conv2d(segments * inner, segments * inner, 3, padding=1, groups=segments * inner)
        self.scan_weight = nn.Parameter(torch.empty(segments, DIRECTIONS * (self.rank + 2 * d_state), inner))
        self.step_weight = nn.Parameter(torch.empty(scans, self.rank, inner))
        self.step_bias = nn.Parameter(torch.empty(scans, inner))
        self.decay_log = nn.Parameter(torch.empty(scans, inner, d_state))  # A = -exp(decay_log)
        self.skip = nn.Parameter(torch.ones(scans, inner))
        self.norm_weight = nn.Parameter(torch.ones(segments, inner))
        self.norm_bias = nn.Parameter(torch.zeros(segments, inner))
        self.output_weight = nn.Parameter(torch.empty(segments, width, inner))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Linear maps as torch's `nn.Linear`, the scan as Mamba: steps log-uniform in [0.001, 0.1], A = -(1..N)."""
        for weight in (self.input_weight, self.scan_weight, self.output_weight):
            bound = weight.shape[-1] ** -0.5
            nn.init.uniform_(weight, -bound, bound)
        nn.init.uniform_(self.step_weight, -(self.rank**-0.5), self.rank**-0.5)
        with torch.no_grad():
            log_step = torch.empty_like(self.step_bias).uniform_(math.log(SHORTEST_STEP), math.log(LONGEST_STEP))
            step = log_step.exp().clamp_min(STEP_FLOOR)
            self.step_bias.copy_(step + torch.log(-torch.expm1(-step)))  # the inverse of softplus
            self.decay_log.copy_(torch.arange(1, self.d_state + 1).log().expand_as(self.decay_log))

    def forward(self, features: Tensor) -> Tensor:
        """(B, D, H, W) -> (B, D, H, W)."""
        pixels = features.permute(0, 2, 3, 1)  # channels last: every linear map below acts on the last axis
        values, gate = F.linear(pixels, block_diagonal(self.input_weight)).chunk(2, dim=-1)
        values = F.silu(self.convolution(values.permute(0, 3, 1, 2))).permute(0, 2, 3, 1)  # (B, H, W, S E)
        scanned = self._scanned(values).unflatten(-1, (self.segments, -1))  # (B, H, W, S, E)
        normal = torch.addcmul(self.norm_bias, F.layer_norm(scanned, scanned.shape[-1:]), self.norm_weight)
        gated = normal.flatten(-2) * F.silu(gate)
        return F.linear(gated, block_diagonal(self.output_weight[None])).permute(0, 3, 1, 2)

    def _scanned(self, values: Tensor) -> Tensor:
        """The sum over directions of the scans of (B, H, W, S E), in the same shape."""
        batch, height, width, _ = values.shape
        sequences = values.view(batch * height * width, self.segments, -1).transpose(0, 1)  # (S, B L, E)
        controls = torch.bmm(sequences, self.scan_weight.transpose(1, 2))  # (S, B L, 4 (r + 2N))
        controls = controls.view(self.segments, batch, height * width, DIRECTIONS, -1).permute(1, 0, 3, 2, 4)
        steps, b, c = controls.split((self.rank, self.d_state, self.d_state), dim=-1)  # (B, S, 4, L, .)
        scanned = directional_scan(
            sequences.unflatten(1, (batch, -1)).transpose(0, 1),
            steps,
            -self.decay_log.exp(),
            b,
            c,
            self.skip,
            step_weight=self.step_weight,
            step_bias=self.step_bias,
            order=scan_order(height, width, device=values.device),
        )
        return scanned.transpose(1, 2).reshape(values.shape)


def scan_order(height: int, width: int, *, device: torch.device) -> Tensor:
    """(4, H W): the row-major index of the pixel that each direction visits at each step."""
    rows = torch.arange(height * width, device=device)
    columns = rows.view(height, width).t().flatten()
    return torch.stack((rows, columns, rows.flip(0), columns.flip(0)))
