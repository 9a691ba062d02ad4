"""U2Net: two U-shaped streams that meet in attention over pixels and over channels (Peng et al., ACM MM 2023)."""

import math
from collections.abc import Mapping
from enum import StrEnum
from itertools import pairwise
from types import MappingProxyType
from typing import Annotated, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pifnet_models.interface import AtLeast, HyperParameter, OutputStart, SizeRule, require_sizes
from pifnet_models.layers.convolution import start_at_zero

HEAD_WIDTH = 16  # features of one attention head
HALVINGS = 2  # of the image, on the way down


class Skip(StrEnum):
    """What the last layer's answer is added to."""

    LEARNED = "learned"
    UPSAMPLED = "upsampled"


class U2Net(nn.Module):
    """U2Net with its published widths; 2.11 M parameters at 103 and 4 bands, ratio 4, and 0.11 M dead ones not built.

    The spectral stream starts at x0, a learned upsampling (convolution, pixel shuffle) of the LR-HSI, and takes up the
    spatial stream in five S2 blocks; both streams go through the same Down and Up. As published, x0 is also what the
    answer is added to, and `upsampled` is then not read at all. With `skip="upsampled"` the answer is the last layer
    plus `upsampled` (x0 only feeds the stream): the network on an anchor needs that.

    Attention weighs every pixel against every other. An image with a side above `attention_tile` plus two margins is
    therefore cut in windows of that side, which are fused one after the other, as the published test does; of two
    neighbours each keeps its half of the overlap of two margins. Where we leave the published tiling: windows stay
    inside the image instead of mirroring it, so the outermost have no margin there, and the last of a row reaches back.

    Args:
        hsi_channels: Bands of the LR-HSI, C.
        msi_channels: Bands of the HR-MSI, M.
        ratio: Fine pixels per coarse pixel along each axis, 1 or more.
        output_start: `zero` starts the last convolution at zero: the untrained network answers its skip, which is
            `upsampled` or the untrained learned upsampling x0.
        skip: `learned` (published), or `upsampled`.
        width: Features D at full size, a multiple of 16; twice and four times as many at the halves and quarters.
        attention_tile: Distance between windows, in fine pixels; rounded up to the size rule.
        attention_margin: Pixels around it that a window sees besides; rounded up to the size rule.

    Raises:
        ValueError: A number is out of its range, or a word is unknown.
    """

    needs_lr_hsi: ClassVar[bool] = True
    dead_parameters: ClassVar[Mapping[str, int]] = MappingProxyType({"alternative branches of Down and Up": 105_760})

    def __init__(
        self,
        *,
        hsi_channels: int,
        msi_channels: int,
        ratio: int = 4,
        output_start: str = OutputStart.PUBLISHED,
        skip: str = Skip.LEARNED,
        width: int = 32,
        attention_tile: int = 64,
        attention_margin: Annotated[int, AtLeast(0)] = 4,
    ) -> None:
        super().__init__()
        self.hyper_parameters: dict[str, HyperParameter] = {
            name: value for name, value in locals().items() if name not in ("self", "__class__")
        }
        _require_numbers(ratio=ratio, width=width, tile=attention_tile, margin=attention_margin)
        side = math.lcm(2**HALVINGS, ratio)
        self.size_rule = SizeRule(multiple_of=side, minimum=side)
        self.tile = self.size_rule.grown(attention_tile)
        self.margin = self.size_rule.grown(attention_margin) if attention_margin else 0
        self.ratio, self.skip = ratio, Skip(skip)
        self.upsampling = nn.Conv2d(hsi_channels, hsi_channels * ratio**2, 3, padding=1, bias=False)
        self.spectral_head = nn.Conv2d(hsi_channels, width, 3, padding=1)
        self.spatial_head = nn.Conv2d(msi_channels, width, 3, padding=1)
        self.streams = _Streams(width=width)
        self.tail = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.LeakyReLU(), nn.Conv2d(width, hsi_channels, 3, padding=1)
        )
        if OutputStart(output_start) is OutputStart.ZERO:
            start_at_zero(self.tail[-1])

    def forward(self, upsampled: Tensor, hr_msi: Tensor, lr_hsi: Tensor) -> Tensor:
        """Fuse an image, in windows where it is large.

        Args:
            upsampled: (B, C, H, W), the LR-HSI on the fine grid, or an anchor; read with `skip="upsampled"` only.
            hr_msi: (B, M, H, W); H and W multiples of 4 and of the ratio.
            lr_hsi: (B, C, H/ratio, W/ratio).

        Returns:
            (B, C, H, W), not cut to any range.

        Raises:
            ValueError: H or W breaks the size rule, or the LR-HSI is not on the grid of the blocks.
        """
        require_sizes(
            "U2Net", self.size_rule, tuple(hr_msi.shape[2:]), coarse=tuple(lr_hsi.shape[2:]), ratio=self.ratio
        )
        rows, columns = (plan_windows(side, tile=self.tile, margin=self.margin) for side in hr_msi.shape[2:])
        strips = [
            torch.cat([self._window(upsampled, hr_msi, lr_hsi, at=(row, column)) for column in columns], dim=3)
            for row in rows
        ]
        return torch.cat(strips, dim=2)

    def _window(self, upsampled: Tensor, hr_msi: Tensor, lr_hsi: Tensor, *, at: tuple["Window", "Window"]) -> Tensor:
        """Fuse what one window sees; return what it keeps."""
        row, column = at
        rows, columns = row.seen(), column.seen()
        coarse = lr_hsi[:, :, row.seen(per=self.ratio), column.seen(per=self.ratio)]
        fused = self._fused(upsampled[:, :, rows, columns], hr_msi[:, :, rows, columns], coarse)
        return fused[:, :, row.kept(), column.kept()]

    def _fused(self, upsampled: Tensor, hr_msi: Tensor, lr_hsi: Tensor) -> Tensor:
        """The network itself, on one window."""
        # Channels last is the layout of tokens, and the one that the convolutions are fastest in.
        lr_hsi = lr_hsi.contiguous(memory_format=torch.channels_last)
        hr_msi = hr_msi.contiguous(memory_format=torch.channels_last)
        learned = F.pixel_shuffle(self.upsampling(lr_hsi), self.ratio)  # x0: (B, C, H, W)
        spectral = F.leaky_relu(self.spectral_head(learned))
        spatial = F.leaky_relu(self.spatial_head(hr_msi))
        skip = learned if self.skip is Skip.LEARNED else upsampled
        return self.tail(self.streams(spectral, spatial)) + skip


class Window(NamedTuple):
    """Along one axis, the pixels that are fused together (`start` to `stop`), and those of them that are kept."""

    start: int
    stop: int
    kept_from: int
    kept_to: int

    def seen(self, *, per: int = 1) -> slice:
        """What is fused together, in units of `per` pixels."""
        return slice(self.start // per, self.stop // per)

    def kept(self) -> slice:
        """What is kept, counted from the window's start."""
        return slice(self.kept_from - self.start, self.kept_to - self.start)


def plan_windows(side: int, *, tile: int, margin: int) -> list[Window]:
    """Cover an axis with windows of `tile` + 2 `margin` pixels; a side up to that length is one window.

    Args:
        side: Length of the axis, in pixels.
        tile: Distance between windows; the last one is shifted back to end with the axis.
        margin: Pixels that a window sees besides those it keeps, at least, but at the ends of the axis.

    Returns:
        Windows in order; what they keep meets in the middle of what two neighbours see, and covers the axis. Starts and
        stops are multiples of what `side`, `tile` and `margin` are multiples of.
    """
    length = min(tile + 2 * margin, side)
    starts = [min(start, side - length) for start in range(0, max(side - 2 * margin, 1), tile)]
    middles = [(before + length + after) // 2 for before, after in pairwise(starts)]
    kept = pairwise([0, *middles, side])
    return [Window(start, start + length, *edges) for start, edges in zip(starts, kept, strict=True)]


class _Streams(nn.Module):
    """The two U shapes: down two levels and up again, meeting before every change of size."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        widths = (width, 2 * width, 4 * width, 2 * width, width)
        self.meet = nn.ModuleList(_SpatialSpectral(width=width) for width in widths)
        self.refine = nn.ModuleList(_Refine(width=width) for width in widths[:4])
        self.down = nn.ModuleList(_Down(channels_in=a, channels_out=b) for a, b in (widths[0:2], widths[1:3]))
        self.up = nn.ModuleList(_Up(channels_in=a, channels_out=b) for a, b in (widths[2:4], widths[3:5]))

    def forward(self, spectral: Tensor, spatial: Tensor) -> Tensor:
        """(B, D, H, W) of each stream -> (B, D, H, W), the spectral one."""
        kept: list[tuple[Tensor, Tensor]] = []
        for meet, refine, down in zip(self.meet[:2], self.refine[:2], self.down, strict=True):
            kept.append((meet(spectral, spatial), refine(spatial)))
            spectral, spatial = (down(features) for features in kept[-1])
        for meet, refine, up in zip(self.meet[2:4], self.refine[2:], self.up, strict=True):
            spectral_skip, spatial_skip = kept.pop()
            spectral, spatial = up(meet(spectral, spatial), spectral_skip), up(refine(spatial), spatial_skip)
        return self.meet[4](spectral, spatial)


class _SpatialSpectral(nn.Module):
    """S2 block: the spatial stream says which pixels belong together, the spectral one which channels."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.spatial = nn.Linear(width, 2 * width, bias=False)  # Y1 and Y2
        self.spectral = nn.Linear(width, 2 * width, bias=False)  # X1 and X2
        self.merge = nn.Linear(width, width)
        self.mix = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, width // 2), nn.LeakyReLU(), nn.Linear(width // 2, width)
        )

    def forward(self, spectral: Tensor, spatial: Tensor) -> Tensor:
        """(B, D, H, W) of each stream -> (B, D, H, W)."""
        tokens = spectral.permute(0, 2, 3, 1)  # (B, H, W, D)
        y1, y2 = _heads(self.spatial(self.norm(spatial.permute(0, 2, 3, 1))))  # each (B, heads, n, 16)
        x1, x2 = _heads(self.spectral(self.norm(tokens)))
        by_pixel = F.scaled_dot_product_attention(y1, y2, x1)  # S X1; never holds n x n
        by_channel = y1 @ _channel_weights(x1, x2)  # Y1 K
        merged = (by_pixel * by_channel).transpose(1, 2).reshape(tokens.shape)
        tokens = tokens + self.merge(merged)
        return (tokens + self.mix(tokens)).permute(0, 3, 1, 2)


def _heads(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """(B, H, W, 2 D) -> two of (B, heads, H W, 16)."""
    batch, height, width, features = tokens.shape
    parts = tokens.reshape(batch, height * width, 2, features // (2 * HEAD_WIDTH), HEAD_WIDTH)
    first, second = parts.transpose(1, 3).unbind(dim=2)
    return first, second


def _channel_weights(x1: Tensor, x2: Tensor) -> Tensor:
    """K = softmax(X1^T X2 / sqrt(16) * 16 / n), rows summing to one: two of (B, heads, n, 16) -> (B, heads, 16, 16)."""
    # Half of the factor goes to each side: a sum over n pixels would leave the range of half precision.
    factor = math.sqrt(math.sqrt(HEAD_WIDTH) / x1.shape[2])
    return ((x1 * factor).transpose(2, 3) @ (x2 * factor)).softmax(dim=3)


class _Refine(nn.Module):
    """Two convolutions through half the features, beside a plain way through."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(width, width // 2, 3, padding=1), nn.LeakyReLU(), nn.Conv2d(width // 2, width, 3, padding=1)
        )

    def forward(self, features: Tensor) -> Tensor:
        """(B, D, H, W) -> same."""
        return features + self.layers(features)


class _Down(nn.Sequential):
    """(B, a, H, W) -> (B, b, H/2, W/2)."""

    def __init__(self, *, channels_in: int, channels_out: int) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_in, 2, stride=2),
            nn.LeakyReLU(),
            nn.Conv2d(channels_in, channels_out, 1),
            nn.Conv2d(channels_out, channels_out, 3, padding=1, groups=channels_out),
            nn.LeakyReLU(),
        )


class _Up(nn.Module):
    """Twice the size, plus what was kept on the way down."""

    def __init__(self, *, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.enlarge = nn.ConvTranspose2d(channels_in, channels_out, 2, stride=2)
        self.smooth = nn.Conv2d(channels_out, channels_out, 3, padding=1)

    def forward(self, features: Tensor, skip: Tensor) -> Tensor:
        """(B, a, H, W) and (B, b, 2 H, 2 W) -> (B, b, 2 H, 2 W)."""
        return F.leaky_relu(self.smooth(F.leaky_relu(self.enlarge(features)) + skip))


def _require_numbers(*, ratio: int, width: int, tile: int, margin: int) -> None:
    if ratio < 1:
        raise ValueError(f"U2Net takes a ratio of 1 or more, not {ratio}")
    if width < 1 or width % HEAD_WIDTH:
        raise ValueError(f"U2Net takes a width that is a multiple of {HEAD_WIDTH}, not {width}")
    if tile < 1 or margin < 0:
        raise ValueError(f"U2Net takes an attention_tile of 1 or more and a margin of 0 or more, not {tile}, {margin}")
