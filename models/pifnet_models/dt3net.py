"""3DT-Net: three unfolded stages with one prior, of Swin blocks and 3-D convolutions (Ma et al., Inf. Fusion 2023)."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pifnet_models.interface import HyperParameter, OutputStart, SizeRule, require_sizes

STAGES = 3
HEAD_WIDTH, FEATURE_WIDTH = 64, 128  # of the prior's input, and of the features one call hands to the next
TOKEN_WIDTH, HEADS, BLOCKS = 180, 6, 6
WINDOW = 8
# Added to the attention between pixels that only the cyclic shift made neighbours. The published -100 leaves weights of
# about e^-100: nothing beside float32's rounding, but denormal, with which a processor takes 1.6 times as long.
MASKED = -math.inf
DEEPEST_DROP = 0.1  # stochastic depth of the last Swin block
FILTERS = 64  # of the 3-D convolutions
PIECES_TOGETHER = 16  # pieces of the volume that training computes again together


class DT3Net(nn.Module):
    """3DT-Net; 6.89 M parameters at 103 and 4 bands, 3.59 M of them in the two 13 x 13 operators.

    Signs are those of the published code. Of its seven pairs of scalars it reads two, which are built. `upsampled`
    stands for its bicubic; it has no clamp. Convolutions start Xavier-normal, linear layers as is usual in Swin blocks
    (normal, 0.02, cut), the rest as torch's. In training, stochastic depth draws from torch's global generator.

    Args:
        hsi_channels: Bands of the LR-HSI, C.
        msi_channels: Bands of the HR-MSI, M.
        ratio: Fine pixels per coarse pixel along each axis, 1 or more.
        output_start: `zero` starts the prior's last convolution and both step sizes delta at zero: the untrained
            network answers `upsampled`. The second training step reaches every parameter.
        operator_kernel: Side in pixels, odd, of the learned degradation and of its transpose. The published 13 came
            with ratio 8; elsewhere it is our choice. A transpose narrower than the ratio leaves gaps of fine pixels.

    Raises:
        ValueError: The ratio is below 1, the kernel is even, or `output_start` is unknown.
    """

    needs_lr_hsi: ClassVar[bool] = True
    dead_parameters: ClassVar[Mapping[str, int]] = MappingProxyType(
        {"five pairs of scalars": 10, "slope of a PReLU": 1}
    )

    def __init__(
        self,
        *,
        hsi_channels: int,
        msi_channels: int,
        ratio: int = 4,
        output_start: str = OutputStart.PUBLISHED,
        operator_kernel: int = 13,
    ) -> None:
        super().__init__()
        self.hyper_parameters: dict[str, HyperParameter] = {
            name: value for name, value in locals().items() if name not in ("self", "__class__")
        }
        if ratio < 1:
            raise ValueError(f"3DT-Net takes a ratio of 1 or more, not {ratio}")
        if operator_kernel < 1 or operator_kernel % 2 == 0:
            raise ValueError(f"3DT-Net takes an operator_kernel with a centre pixel, so odd, not {operator_kernel}")
        self.ratio = ratio
        side = math.lcm(WINDOW, ratio)
        self.size_rule = SizeRule(multiple_of=side, minimum=side)
        self.to_msi = nn.Conv2d(hsi_channels, msi_channels, 3, padding=1)  # R
        self.to_hsi = nn.Conv2d(msi_channels, hsi_channels, 3, padding=1)  # T
        reach = operator_kernel // 2
        self.degrade = nn.Conv2d(hsi_channels, hsi_channels, operator_kernel, stride=ratio, padding=reach)  # D
        self.spread = nn.ConvTranspose2d(  # D's transpose; the padding of its answer fills the last block
            hsi_channels, hsi_channels, operator_kernel, stride=ratio, padding=reach, output_padding=ratio - 1
        )
        self.embed = nn.Conv2d(hsi_channels, HEAD_WIDTH, 3, padding=1)  # E1
        self.detail_heads = nn.ModuleList([nn.Identity(), _head(features=1), _head(features=2)])  # none, E3, E5
        self.image_heads = nn.ModuleList(_head(features=1) for _ in range(STAGES))  # E2, E4, E6
        self.prior = Prior(hsi_channels=hsi_channels)
        self.detail_delta, self.image_delta = (nn.Parameter(torch.tensor(0.1)) for _ in range(2))
        self.detail_eta, self.image_eta = (nn.Parameter(torch.tensor(0.9)) for _ in range(2))
        self.apply(_start_as_published)
        if OutputStart(output_start) is OutputStart.ZERO:
            self._start_from_upsampled()

    def forward(self, upsampled: Tensor, hr_msi: Tensor, lr_hsi: Tensor) -> Tensor:
        """Correct `upsampled` in three stages.

        Args:
            upsampled: (B, C, H, W), the LR-HSI on the fine grid, or an anchor; H and W multiples of 8 and of the ratio.
            hr_msi: (B, M, H, W).
            lr_hsi: (B, C, H/ratio, W/ratio).

        Returns:
            (B, C, H, W), not cut to any range.

        Raises:
            ValueError: H or W breaks the size rule, or the LR-HSI is not on the grid of the blocks.
        """
        require_sizes(
            "3DT-Net", self.size_rule, tuple(hr_msi.shape[2:]), coarse=tuple(lr_hsi.shape[2:]), ratio=self.ratio
        )
        # Channels last is what the convolutions are fastest in, and what tokens are a view of.
        image, hr_msi, lr_hsi = (x.contiguous(memory_format=torch.channels_last) for x in (upsampled, hr_msi, lr_hsi))
        features: list[Tensor] = []
        for stage, (detail_head, image_head) in enumerate(zip(self.detail_heads, self.image_heads, strict=True), 1):
            correction, feature = self.prior(detail_head(torch.cat((self.embed(image), *features), dim=1)))
            detail = self._detail_step(image, hr_msi, image + correction)
            correction, _ = self.prior(image_head(torch.cat((self.embed(detail), feature), dim=1)))
            refined = detail + correction
            if stage < STAGES:
                features.append(feature)
                image = self._image_step(image, hr_msi, lr_hsi, refined)
        return refined.contiguous()

    def _detail_step(self, image: Tensor, hr_msi: Tensor, proposed: Tensor) -> Tensor:
        """The next z from z = x = `image` and v = `proposed`: (B, C, H, W) each."""
        delta, eta = self.detail_delta, self.detail_eta
        unexplained = self.to_hsi(hr_msi - self.to_msi(image))
        return (1 - delta - delta * eta) * image + delta * unexplained + delta * (image - eta * proposed)

    def _image_step(self, image: Tensor, hr_msi: Tensor, lr_hsi: Tensor, refined: Tensor) -> Tensor:
        """The next x from x = `image` and u = `refined`: (B, C, H, W) each; the learned transpose absorbs its sign."""
        delta, eta = self.image_delta, self.image_eta
        unexplained = self.to_hsi(hr_msi - self.to_msi(image)) + self.spread(self.degrade(image) - lr_hsi)
        return (1 - delta * eta) * image + delta * unexplained + delta * eta * refined

    def _start_from_upsampled(self) -> None:
        """No correction and no step: every stage returns its input."""
        self.prior.volume.start_at_zero()
        for delta in (self.detail_delta, self.image_delta):
            nn.init.zeros_(delta)


class Prior(nn.Module):
    """What turns 64 features into a correction of the image; all stages share it.

    Args:
        hsi_channels: Bands of the HSI, C.
    """

    def __init__(self, *, hsi_channels: int) -> None:
        super().__init__()
        self.features = nn.Conv2d(HEAD_WIDTH, FEATURE_WIDTH, 3, padding=1)
        self.enter = nn.Conv2d(FEATURE_WIDTH, TOKEN_WIDTH, 3, padding=1)
        self.norm_before, self.norm_after = nn.LayerNorm(TOKEN_WIDTH), nn.LayerNorm(TOKEN_WIDTH)
        self.transformer = ResidualSwin()
        self.leave = nn.Conv2d(TOKEN_WIDTH, TOKEN_WIDTH, 3, padding=1)
        self.to_bands = nn.Conv2d(TOKEN_WIDTH, hsi_channels, 3, padding=1)
        self.volume = VolumeConvolutions()

    def forward(self, entry: Tensor) -> tuple[Tensor, Tensor]:
        """(B, 64, H, W) -> (B, C, H, W) and the features (B, 128, H, W) that later calls read."""
        features = self.features(entry)
        spread = self.enter(features)
        tokens = self.norm_after(self.transformer(self.norm_before(spread.permute(0, 2, 3, 1))))
        spread = spread + self.leave(tokens.permute(0, 3, 1, 2))
        return self.volume(self.to_bands(spread).relu()), features


class ResidualSwin(nn.Module):
    """Swin blocks, every other one on shifted windows, and a convolution, beside a skip (RSTB)."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(SwinBlock(drop=DEEPEST_DROP * i / (BLOCKS - 1)) for i in range(BLOCKS))
        self.convolution = nn.Conv2d(TOKEN_WIDTH, TOKEN_WIDTH, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """(B, H, W, 180), H and W multiples of the window -> same."""
        tokens = image
        for index, block in enumerate(self.blocks):
            tokens = block(tokens, shift=WINDOW // 2 * (index % 2))
        return image + self.convolution(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


class SwinBlock(nn.Module):
    """Attention within windows, then an MLP pixel by pixel, each behind a norm and beside a skip.

    Args:
        drop: Probability that training leaves out a branch for a sample.
    """

    position_index: Tensor

    def __init__(self, *, drop: float) -> None:
        super().__init__()
        self.drop = drop
        self.attention_norm, self.mlp_norm = nn.LayerNorm(TOKEN_WIDTH), nn.LayerNorm(TOKEN_WIDTH)
        self.qkv = nn.Linear(TOKEN_WIDTH, 3 * TOKEN_WIDTH)
        self.position_table = nn.Parameter(torch.empty((2 * WINDOW - 1) ** 2, HEADS))
        self.projection = nn.Linear(TOKEN_WIDTH, TOKEN_WIDTH)
        self.mlp = nn.Sequential(
            nn.Linear(TOKEN_WIDTH, 2 * TOKEN_WIDTH), nn.GELU(), nn.Linear(2 * TOKEN_WIDTH, TOKEN_WIDTH)
        )
        self.register_buffer("position_index", _position_index(), persistent=False)

    def forward(self, image: Tensor, *, shift: int) -> Tensor:
        """(B, H, W, 180) -> same; `shift` in pixels, 0 for windows that start at the image's corner."""
        batch, height, width, _ = image.shape
        grid = (height // WINDOW, width // WINDOW)
        windows = _windows(image.roll((-shift, -shift), (1, 2))).flatten(0, 1)  # (B n, 64, 180)
        keep = self._kept(image).repeat_interleave(grid[0] * grid[1], dim=0)[:, :, None, None]  # (B n, 2, 1, 1)
        # Piece by piece everything stays in the cache, and nothing wide is ever held for the whole image.
        step = max(1, _pixels_at_once(image) // WINDOW**2)
        masks, kinds = _masks(shift=shift, like=image), _kinds(*grid, device=image.device).repeat(batch)
        answers = []
        for part, kind, kept in zip(windows.split(step), kinds.split(step), keep.split(step), strict=True):
            mask = masks[kind] if shift else masks[:1]
            answers.append(_remembering_inputs(self._within, part, mask, kept))
        merged = _merged(torch.cat(answers).unflatten(0, (batch, -1)), grid=grid)
        return merged.roll((shift, shift), (1, 2))

    def _within(self, windows: Tensor, mask: Tensor, keep: Tensor) -> Tensor:
        """(n, 64, 180); (n or 1, 1, 64, 64) is added to the attention, (n, 2, 1, 1) scales the branches."""
        query, key, value = self.qkv(self.attention_norm(windows)).unflatten(2, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)
        bias = self.position_table[self.position_index].permute(2, 0, 1) + mask  # (n or 1, 6, 64, 64)
        heads = F.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        windows = windows + keep[:, 0] * self.projection(heads.transpose(1, 2).flatten(2))
        return windows + keep[:, 1] * self.mlp(self.mlp_norm(windows))

    def _kept(self, image: Tensor) -> Tensor:
        """(B, 2): a sample's factor for each branch; 1, but in training now and then 0 and otherwise 1/(1 - drop)."""
        factors = image.new_ones(len(image), 2)
        if not self.training or self.drop == 0:
            return factors
        return (torch.rand_like(factors) >= self.drop) * (factors / (1 - self.drop))


class VolumeConvolutions(nn.Module):
    """3-D convolutions over an image as a volume of one channel, with bands as depth: 1 x 3 x 3, ReLU, 3 x 1 x 1.

    Their 64 C H W features are never held: the first is a 2-D convolution of each band, the second three sums over its
    filters, one for the band and one for each neighbour. A piece of a band lives in the cache, in training (where it is
    computed a second time on the way back) as well. Both are weight-normalised: a direction, and a magnitude a filter.
    """

    def __init__(self) -> None:
        super().__init__()
        spatial, spectral = 1 / 3, (3 * FILTERS) ** -0.5  # torch's start of such convolutions: uniform, 1/sqrt(taps)
        self.spatial_direction = nn.Parameter(torch.empty(FILTERS, 1, 3, 3).uniform_(-spatial, spatial))
        self.spatial_magnitude = nn.Parameter(self.spatial_direction.detach().flatten(1).norm(dim=1))
        self.spatial_bias = nn.Parameter(torch.empty(FILTERS).uniform_(-spatial, spatial))
        self.spectral_direction = nn.Parameter(torch.empty(FILTERS, 3).uniform_(-spectral, spectral))
        self.spectral_magnitude = nn.Parameter(self.spectral_direction.detach().norm().view(1))
        self.spectral_bias = nn.Parameter(torch.empty(1).uniform_(-spectral, spectral))

    def start_at_zero(self) -> None:
        """Answer zero until trained. The direction is kept: it would have no norm to be divided by."""
        nn.init.zeros_(self.spectral_magnitude)
        nn.init.zeros_(self.spectral_bias)

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, H, W) -> same."""
        planes = image.contiguous().flatten(0, 1)[:, None]  # (B C, 1, H, W)
        lengths = self.spatial_direction.flatten(1).norm(dim=1)
        spatial = self.spatial_direction * (self.spatial_magnitude / lengths).view(-1, 1, 1, 1)
        spectral = self.spectral_direction * (self.spectral_magnitude / self.spectral_direction.norm())
        spectral = spectral.t()[:, :, None, None]  # (3, 64, 1, 1)
        pieces = planes.split(max(1, PIECES_TOGETHER * _pixels_at_once(image) // planes[0].numel()))
        weights = (spatial, self.spatial_bias, spectral)
        sums = torch.cat([_remembering_inputs(_filter_sums, piece, *weights) for piece in pieces])
        to_next, own, to_previous = sums.unflatten(0, image.shape[:2]).unbind(2)  # each (B, C, H, W)
        below = F.pad(to_next[:, :-1], (0, 0, 0, 0, 1, 0))
        above = F.pad(to_previous[:, 1:], (0, 0, 0, 0, 0, 1))
        answer = own + below + above + self.spectral_bias
        return answer.contiguous(memory_format=torch.channels_last)


def _remembering_inputs(function: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """`function(*tensors)`, of which autograd keeps the tensors alone and computes the rest again on the way back."""
    if not torch.is_grad_enabled():
        return function(*tensors)
    answer: Tensor = checkpoint(function, *tensors, use_reentrant=False, preserve_rng_state=False)
    return answer


def _filter_sums(planes: Tensor, spatial: Tensor, bias: Tensor, spectral: Tensor) -> Tensor:
    """(n, 1, H, W) -> (n, 3, H, W): three weighted sums over the rectified filters; few bands or rows at once."""
    height, width = planes.shape[2:]
    bands, rows = (max(1, _pixels_at_once(planes) // length) for length in (height * width, width))
    sums = []
    for part in F.pad(planes, (1, 1, 1, 1)).split(bands):
        strips = [part[:, :, top : top + rows + 2] for top in range(0, height, rows)]
        sums.append(torch.cat([F.conv2d(F.conv2d(x, spatial, bias).relu(), spectral) for x in strips], dim=2))
    return torch.cat(sums)


def _pixels_at_once(like: Tensor) -> int:
    """Pixels whose 64 to 360 features are held together: what a processor's cache holds, more where there is none."""
    return 4096 if like.device.type == "cpu" else 1 << 18


def _windows(image: Tensor) -> Tensor:
    """(B, H, W, D) -> (B, n, 64, D), windows and their pixels row by row."""
    split = image.unflatten(2, (-1, WINDOW)).unflatten(1, (-1, WINDOW))  # (B, rows, 8, columns, 8, D)
    return split.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def _merged(windows: Tensor, *, grid: tuple[int, int]) -> Tensor:
    """Undo `_windows`: (B, n, 64, D), with `grid` rows and columns of windows -> (B, H, W, D)."""
    split = windows.unflatten(2, (WINDOW, WINDOW)).unflatten(1, grid)  # (B, rows, columns, 8, 8, D)
    return split.transpose(2, 3).flatten(3, 4).flatten(1, 2)


def _position_index() -> Tensor:
    """(64, 64): for each pair of pixels of a window, the row of the table that belongs to their offset."""
    row, column = torch.arange(WINDOW**2) // WINDOW, torch.arange(WINDOW**2) % WINDOW
    down, right = row[:, None] - row, column[:, None] - column
    return (down + WINDOW - 1) * (2 * WINDOW - 1) + right + WINDOW - 1


def _kinds(rows: int, columns: int, *, device: torch.device) -> Tensor:
    """(n,): which edges wrapped around into each shifted window: 0 none, 1 the columns', 2 the rows', 3 both."""
    last_row = torch.arange(rows, device=device) == rows - 1
    last_column = torch.arange(columns, device=device) == columns - 1
    return (2 * last_row[:, None] + last_column.to(torch.int64)).flatten()


def _masks(*, shift: int, like: Tensor) -> Tensor:
    """(4, 1, 64, 64), for each of `_kinds`: MASKED between pixels that only the shift made neighbours, else 0."""
    pixel = torch.arange(WINDOW**2, device=like.device)
    wrapped_row, wrapped_column = pixel // WINDOW >= WINDOW - shift, pixel % WINDOW >= WINDOW - shift
    rows_differ, columns_differ = (side[:, None] != side for side in (wrapped_row, wrapped_column))
    differ = torch.stack((torch.zeros_like(rows_differ), columns_differ, rows_differ, rows_differ | columns_differ))
    return torch.where(differ[:, None], MASKED, 0.0).to(like.dtype)


def _head(*, features: int) -> nn.Conv2d:
    """The convolution over the embedded image and the features of so many earlier calls."""
    return nn.Conv2d(HEAD_WIDTH + features * FEATURE_WIDTH, HEAD_WIDTH, 3, padding=1)


def _start_as_published(module: nn.Module) -> None:
    """How one layer starts."""
    match module:
        case nn.Conv2d():
            nn.init.xavier_normal_(module.weight)
        case nn.Linear():
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
        case SwinBlock():
            nn.init.trunc_normal_(module.position_table, std=0.02)
