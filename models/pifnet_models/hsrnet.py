"""HSRnet: a residual network between spatial and spectral attention (Hu et al., TNNLS 2022)."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pifnet_models.interface import HyperParameter, OutputStart, SizeRule, require_sizes
from pifnet_models.layers.convolution import start_at_zero

SLOPE = 0.2  # of every leaky ReLU
SAME_KERNEL = 6  # side of the convolutions that read the HR-MSI alone
CUT_NORMAL_STD = 0.8796256610342398  # standard deviation of a unit normal cut at two


class HSRNet(nn.Module):
    """HSRnet, from the published TensorFlow graph; 2.15 M parameters at 103 and 4 bands, ratio 4.

    The LR-HSI meets the HR-MSI twice: on the coarse grid, before a pixel shuffle, and on the fine grid, before the
    residual blocks. Their answer corrects `upsampled`. Where we decide: every ratio, 8 too, is one pixel shuffle from
    C ratio^2 channels; the published cut to [0, 1], which was for testing alone, is left out. The spectral attention is
    a mean over the image that is given, so an answer depends on more than its neighbourhood.

    Args:
        hsi_channels: Bands of the LR-HSI, C.
        msi_channels: Bands of the HR-MSI, M.
        ratio: Fine pixels per coarse pixel along each axis, 1 or more.
        output_start: `zero` starts the last convolution at zero: the untrained network answers `upsampled`.
        width: Features D on the fine grid.
        blocks: Residual blocks.

    Raises:
        ValueError: The ratio is below 1, or `output_start` is unknown.
    """

    needs_lr_hsi: ClassVar[bool] = True
    # A 6 x 6 convolution with stride 4 after the spatial attention, one band to one, that nothing reads.
    dead_parameters: ClassVar[Mapping[str, int]] = MappingProxyType({"strided layer of the spatial attention": 37})

    def __init__(
        self,
        *,
        hsi_channels: int,
        msi_channels: int,
        ratio: int = 4,
        output_start: str = OutputStart.PUBLISHED,
        width: int = 64,
        blocks: int = 6,
    ) -> None:
        super().__init__()
        self.hyper_parameters: dict[str, HyperParameter] = {
            name: value for name, value in locals().items() if name not in ("self", "__class__")
        }
        if ratio < 1:
            raise ValueError(f"HSRnet takes a ratio of 1 or more, not {ratio}")
        self.size_rule = SizeRule(multiple_of=ratio, minimum=ratio)
        self.ratio = ratio
        both = hsi_channels + msi_channels
        self.gather_bands = nn.Conv2d(hsi_channels, 1, 1)
        self.weigh_bands = nn.Conv2d(1, hsi_channels, 1)
        self.weigh_pixels = _same_convolution(1, stride=1)
        self.to_coarse = _same_convolution(msi_channels, stride=ratio)
        self.coarse_fusion = nn.Conv2d(both, hsi_channels * ratio**2, 3, padding=1)
        self.fine_fusion = nn.Conv2d(both, width, 3, padding=1)
        self.blocks = nn.Sequential(*(_ResidualBlock(width=width) for _ in range(blocks)))
        self.tail = nn.Conv2d(width, hsi_channels, 3, padding=1)
        self._start_as_published()
        if OutputStart(output_start) is OutputStart.ZERO:
            start_at_zero(self.tail)

    def forward(self, upsampled: Tensor, hr_msi: Tensor, lr_hsi: Tensor) -> Tensor:
        """Add what the HR-MSI shows to the upsampled LR-HSI.

        Args:
            upsampled: (B, C, H, W), the LR-HSI on the fine grid, or an anchor; H and W multiples of the ratio.
            hr_msi: (B, M, H, W).
            lr_hsi: (B, C, H/ratio, W/ratio).

        Returns:
            (B, C, H, W), not cut to any range.

        Raises:
            ValueError: H or W breaks the size rule, or the LR-HSI is not on the grid of the blocks.
        """
        require_sizes(
            "HSRnet", self.size_rule, tuple(hr_msi.shape[2:]), coarse=tuple(lr_hsi.shape[2:]), ratio=self.ratio
        )
        # Channels last is the layout that the convolutions are fastest in.
        hr_msi = hr_msi.contiguous(memory_format=torch.channels_last)
        gathered = self.gather_bands(lr_hsi.mean(dim=(2, 3), keepdim=True))  # (B, 1, 1, 1)
        by_band = self.weigh_bands(F.leaky_relu(gathered, SLOPE)).sigmoid()  # (B, C, 1, 1)
        by_pixel = self.weigh_pixels(hr_msi.mean(dim=1, keepdim=True)).sigmoid()  # (B, 1, H, W)
        features = self.blocks(self._fused(hr_msi, lr_hsi))  # (B, D, H, W)
        return by_band * self.tail(by_pixel * features) + upsampled

    def _fused(self, hr_msi: Tensor, lr_hsi: Tensor) -> Tensor:
        """The features F0 of both images: (B, M, H, W), (B, C, h, w) -> (B, D, H, W)."""
        coarse = torch.cat((self.to_coarse(hr_msi), lr_hsi), dim=1)  # (B, M + C, h, w)
        coarse = F.leaky_relu(self.coarse_fusion(coarse), SLOPE)  # (B, C ratio^2, h, w)
        fine = torch.cat((hr_msi, F.pixel_shuffle(coarse, self.ratio)), dim=1)  # (B, M + C, H, W)
        return F.leaky_relu(self.fine_fusion(fine), SLOPE)

    def _start_as_published(self) -> None:
        """Cut normal weights of variance 2 / fan-in, uncut unit normal ones for the weights of bands, zero biases."""
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                start = math.sqrt(2 / layer.weight[0].numel()) / CUT_NORMAL_STD
                nn.init.trunc_normal_(layer.weight, std=start, a=-2 * start, b=2 * start)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)
        nn.init.normal_(self.weigh_bands.weight)


class _ResidualBlock(nn.Module):
    """Two convolutions beside a plain way through; no activation after the sum."""

    def __init__(self, *, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """(B, D, H, W) -> same."""
        return features + self.second(F.leaky_relu(self.first(features), SLOPE))


def _same_convolution(channels: int, *, stride: int) -> nn.Sequential:
    """6 x 6 with a stride that divides the sides: H -> H / stride, the smaller half of the padding before the image."""
    padding = max(SAME_KERNEL - stride, 0)
    before, after = padding // 2, padding - padding // 2
    convolution = nn.Conv2d(channels, channels, SAME_KERNEL, stride=stride)
    return nn.Sequential(nn.ZeroPad2d((before, after, before, after)), convolution)
