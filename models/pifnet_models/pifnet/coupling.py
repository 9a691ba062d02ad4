"""The invertible Mamba block: two halves of a feature map that transform each other (eq. 3)."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from pifnet_models.layers.convolution import start_at_zero
from pifnet_models.pifnet.state_space import SS2D

SCALE_BOUND = 1.0  # c: low is scaled by a factor between exp(-c) and exp(c)


class Halves(NamedTuple):
    """The low and the high frequencies of a map, each (B, D, h, w)."""

    low: Tensor
    high: Tensor


class SSMM(nn.Module):
    """LayerNorm over channels, an SS2D per channel segment, 3 x 3 convolution.

    The convolution starts at zero, so that an untrained coupling is the identity.
    """

    def __init__(self, *, width: int, segments: int, d_state: int, expand: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.scan = SS2D(channels=width, segments=segments, d_state=d_state, expand=expand)
        self.output = nn.Conv2d(width, width, 3, padding=1)
        start_at_zero(self.output)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D, h, w) -> (B, D, h, w)."""
        normal = self.norm(features.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.output(self.scan(normal))


class InvertibleMambaBlock(nn.Module):
    """high += I1(low); low = low * exp(s) + I3(high), s = c tanh(I2(high) / c), with the new high.

    The paper prints the second line with the old high: that is no coupling and has no inverse. The bound c on the
    exponent is ours as well (after IRN, Xiao et al. 2020): without it exp can overflow.
    """

    def __init__(self, *, width: int, segments: int, d_state: int, expand: int) -> None:
        super().__init__()
        self.shift_high = SSMM(width=width, segments=segments, d_state=d_state, expand=expand)  # I1
        self.scale_low = SSMM(width=width, segments=segments, d_state=d_state, expand=expand)  # I2
        self.shift_low = SSMM(width=width, segments=segments, d_state=d_state, expand=expand)  # I3

    def forward(self, halves: Halves) -> tuple[Halves, Tensor]:
        """The transformed halves, and s (B, D, h, w): its sum per sample is the log-determinant of the Jacobian."""
        high = halves.high + self.shift_high(halves.low)
        log_scale = self._log_scale(high)
        return Halves(halves.low * log_scale.exp() + self.shift_low(high), high), log_scale

    def inverse(self, halves: Halves) -> Halves:
        """The halves that `forward` turns into these."""
        low = (halves.low - self.shift_low(halves.high)) * torch.exp(-self._log_scale(halves.high))
        return Halves(low, halves.high - self.shift_high(low))

    def _log_scale(self, high: Tensor) -> Tensor:
        return SCALE_BOUND * torch.tanh(self.scale_low(high) / SCALE_BOUND)


class InvertibleMamba(nn.Module):
    """A chain of invertible Mamba blocks."""

    def __init__(self, *, blocks: int, width: int, segments: int, d_state: int, expand: int) -> None:
        super().__init__()
        chain = [
            InvertibleMambaBlock(width=width, segments=segments, d_state=d_state, expand=expand) for _ in range(blocks)
        ]
        self.blocks = nn.ModuleList(chain)

    def forward(self, halves: Halves) -> tuple[Halves, Tensor]:
        """The transformed halves, and the chain's log-determinant per element of `low` (B, D, h, w).

        Each block scales `low` element by element, so their logarithms add; summed over all but the batch they are the
        log-determinant of the chain's Jacobian.
        """
        log_det = torch.zeros_like(halves.low)
        for block in self.blocks:
            halves, log_scale = block(halves)
            log_det = log_det + log_scale
        return halves, log_det

    def inverse(self, halves: Halves) -> Halves:
        """The halves that `forward` turns into these."""
        for block in reversed(list(self.blocks)):
            assert isinstance(block, InvertibleMambaBlock)
            halves = block.inverse(halves)
        return halves
