"""SMGU-Net: two unfolded iterations, guided by features of both images (Yan et al., Pattern Recognition 2025)."""

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pifnet_models.interface import HyperParameter, OutputStart, SizeRule, require_sizes
from pifnet_models.layers.convolution import start_at_zero

ITERATIONS = 2
POOLINGS = 2  # of the spectral guidance, by two each
SLOPE = 0.2  # of every leaky ReLU


class SMGUNet(nn.Module):
    """SMGU-Net; 6.23 M parameters at 103 and 4 bands, ratio 4.

    Each iteration draws the image H towards the LR-HSI (L, with S1) and towards the HR-MSI (M, with S2), both towards a
    prior, and fuses the two answers by each other's gates. H starts as `upsampled`, where the published code takes a
    bicubic with aligned corners. That is a phase error: up to (ratio - 1)/2 fine pixels at the image's edges where the
    LR-HSI samples block centres; from 0 at the first corner to ratio - 1 at the last where it keeps first pixels. The
    doublings inside the spectral guidance, aligned likewise, are kept: they are features. S1 and S2 do not depend on H
    and are computed once instead of in each iteration, with the same answer. Layers start as torch's do. The published
    code is for ratio 4; other ratios change the kernel and stride of the coarse layers. No clamp.

    No skip leads around the iterations. As published, with its four scalars at 1, each of them cancels H up to the
    prior's correction: the untrained network answers none of its inputs. With `output_start="zero"` it answers
    `upsampled`, to rounding: the layers whose sums are L, M, S1, S2 and the prior's correction start at zero, as do the
    last of both gates (so that these are 1/2), and the scalars mu and rho at 2/3: G1 = G2 = H/3, and H/3 three times is
    H again. It is the same network; the third training step reaches every parameter.

    Args:
        hsi_channels: Bands of the LR-HSI, C.
        msi_channels: Bands of the HR-MSI, M.
        ratio: Fine pixels per coarse pixel along each axis, 1 or more.
        output_start: `zero` lets the untrained network answer `upsampled`, see above.

    Raises:
        ValueError: The ratio is below 1, or `output_start` is unknown.
    """

    needs_lr_hsi: ClassVar[bool] = True
    dead_parameters: ClassVar[Mapping[str, int]] = MappingProxyType({})

    def __init__(
        self, *, hsi_channels: int, msi_channels: int, ratio: int = 4, output_start: str = OutputStart.PUBLISHED
    ) -> None:
        super().__init__()
        self.hyper_parameters: dict[str, HyperParameter] = {
            name: value for name, value in locals().items() if name not in ("self", "__class__")
        }
        if ratio < 1:
            raise ValueError(f"SMGU-Net takes a ratio of 1 or more, not {ratio}")
        self.ratio = ratio
        # Two poolings need multiples of 4; the widest reflection, 2 pixels, needs 3, and none is on a pooled image.
        side = math.lcm(2**POOLINGS, ratio)
        self.size_rule = SizeRule(multiple_of=side, minimum=side)
        self.upsample_spectra = SpectralUpsampling(hsi_channels=hsi_channels, msi_channels=msi_channels)
        self.upsample_space = SpatialUpsampling(channels=hsi_channels, ratio=ratio)
        self.guide_space = SpatialGuidance(channels=hsi_channels)
        self.guide_spectra = SpectralGuidance(channels=hsi_channels)
        self.prior = MultiscalePrior(channels=hsi_channels)
        self.fusion = GatedFusion(channels=hsi_channels)
        self.space_step, self.spectra_step = (nn.Parameter(torch.ones(())) for _ in range(2))  # mu, rho
        self.space_prior, self.spectra_prior = (nn.Parameter(torch.ones(())) for _ in range(2))  # alpha, beta
        if OutputStart(output_start) is OutputStart.ZERO:
            self._start_from_upsampled()

    def forward(self, upsampled: Tensor, hr_msi: Tensor, lr_hsi: Tensor) -> Tensor:
        """Fuse from `upsampled` on.

        Args:
            upsampled: (B, C, H, W), the LR-HSI on the fine grid, or an anchor; H and W multiples of 4 and of the ratio.
            hr_msi: (B, M, H, W).
            lr_hsi: (B, C, H/ratio, W/ratio).

        Returns:
            (B, C, H, W), not cut to any range.

        Raises:
            ValueError: H or W breaks the size rule, or the LR-HSI is not on the grid of the blocks.
        """
        require_sizes(
            "SMGU-Net", self.size_rule, tuple(hr_msi.shape[2:]), coarse=tuple(lr_hsi.shape[2:]), ratio=self.ratio
        )
        # Channels last is the layout that the convolutions are fastest in.
        image, hr_msi, lr_hsi = (x.contiguous(memory_format=torch.channels_last) for x in (upsampled, hr_msi, lr_hsi))
        to_space, to_spectra = self._targets(lr_hsi, hr_msi)
        for _ in range(ITERATIONS):
            prior = self.prior(image)
            alpha, beta = self.space_prior, self.spectra_prior
            by_space = image - self.space_step * ((1 + alpha) * image - to_space - alpha * prior)
            by_spectra = image - self.spectra_step * ((1 + beta) * image - to_spectra - beta * prior)
            image = self.fusion(by_space, by_spectra)
        return image.contiguous()

    def _targets(self, lr_hsi: Tensor, hr_msi: Tensor) -> tuple[Tensor, Tensor]:
        """What the data terms pull H to, L + S1 and M + S2: (B, C, H, W) each."""
        space, spectra = self.upsample_space(lr_hsi), self.upsample_spectra(hr_msi)
        return space + self.guide_space(space, spectra), spectra + self.guide_spectra(space, spectra)

    def _start_from_upsampled(self) -> None:
        """L, M, S1, S2, the prior's correction start at 0, the gates at 1/2, so that an iteration returns its H."""
        summands = (
            *self.upsample_space.summands(),
            *self.upsample_spectra.summands(),
            *self.guide_space.summands(),
            *self.guide_spectra.summands(),
            self.prior.merge,
            self.fusion.space_gate[-1],
            self.fusion.spectra_gate[-1],
        )
        for layer in summands:
            start_at_zero(layer)
        for step in (self.space_step, self.spectra_step):
            nn.init.constant_(step, 2 / 3)


class SpectralUpsampling(nn.Module):
    """SpeUB: the HR-MSI in C bands, corrected by what it fails to explain.

    Args:
        hsi_channels: C.
        msi_channels: M.
    """

    def __init__(self, *, hsi_channels: int, msi_channels: int) -> None:
        super().__init__()
        self.up = _convolution(msi_channels, hsi_channels)
        self.down = nn.Conv2d(hsi_channels, msi_channels, 1)
        self.up_again = _convolution(msi_channels, hsi_channels)

    def forward(self, hr_msi: Tensor) -> Tensor:
        """(B, M, H, W) -> (B, C, H, W)."""
        first = _leaky(self.up(hr_msi))
        return first + _leaky(self.up_again(hr_msi - _leaky(self.down(first))))

    def summands(self) -> tuple[nn.Module, ...]:
        """The layers whose sum it answers."""
        return self.up, self.up_again


class SpatialUpsampling(nn.Module):
    """SpaUB: the LR-HSI on the fine grid, corrected by what it fails to explain.

    Args:
        channels: C.
        ratio: Fine pixels per coarse pixel.
    """

    def __init__(self, *, channels: int, ratio: int) -> None:
        super().__init__()
        self.up = nn.ConvTranspose2d(channels, channels, ratio, stride=ratio)
        self.down = nn.Conv2d(channels, channels, ratio, stride=ratio)
        self.up_again = nn.ConvTranspose2d(channels, channels, ratio, stride=ratio)

    def forward(self, lr_hsi: Tensor) -> Tensor:
        """(B, C, h, w) -> (B, C, H, W)."""
        first = _leaky(self.up(lr_hsi))
        return first + _leaky(self.up_again(lr_hsi - _leaky(self.down(first))))

    def summands(self) -> tuple[nn.Module, ...]:
        """The layers whose sum it answers."""
        return self.up, self.up_again


class SpatialGuidance(nn.Module):
    """SpaIGM: S1, what the details of M say about L.

    Args:
        channels: C.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.shallow = _convolution(channels, 64)
        self.deep = _convolution(64, 128)
        self.gather = _convolution(192, 64)
        self.guide = _convolution(64 + channels, channels)
        self.enhance = Enhancement(channels=channels)
        self.residual = ResidualDense(channels=channels)

    def forward(self, space: Tensor, spectra: Tensor) -> Tensor:
        """L and M, (B, C, H, W) each -> S1, same."""
        shallow = _leaky(self.shallow(spectra))
        deep = _leaky(self.deep(shallow))
        gathered = _leaky(self.gather(torch.cat((deep, shallow), dim=1)))
        guide = _leaky(self.guide(torch.cat((spectra, gathered), dim=1)))
        return self.enhance(space, guide) + self.residual(space, spectra)

    def summands(self) -> tuple[nn.Module, ...]:
        """The layers whose sum it answers."""
        return self.enhance.merge, *self.residual.summands()


class SpectralGuidance(nn.Module):
    """SpeIGM: S2, what L at three resolutions says about M.

    Args:
        channels: C.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.guide = _convolution(3 * channels, channels)
        self.enhance = Enhancement(channels=channels)
        self.residual = ResidualDense(channels=channels)

    def forward(self, space: Tensor, spectra: Tensor) -> Tensor:
        """L and M, (B, C, H, W) each -> S2, same."""
        half = F.avg_pool2d(space, 2)
        coarse = _doubled(torch.cat((half, _doubled(F.avg_pool2d(half, 2))), dim=1))
        guide = _leaky(self.guide(torch.cat((space, coarse), dim=1)))
        return self.enhance(spectra, guide) + self.residual(space, spectra)

    def summands(self) -> tuple[nn.Module, ...]:
        """The layers whose sum it answers."""
        return self.enhance.merge, *self.residual.summands()


class Enhancement(nn.Module):
    """An image, gated by a guide.

    Args:
        channels: C.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.content = _convolution(channels, channels)
        self.gate = _convolution(channels, channels)
        self.merge = _convolution(3 * channels, channels)

    def forward(self, image: Tensor, guide: Tensor) -> Tensor:
        """(B, C, H, W) each -> same."""
        content, gate = self.content(image), self.gate(guide).sigmoid()
        return self.merge(torch.cat((content, content * gate, gate), dim=1))


class ResidualDense(nn.Module):
    """RDB: four convolutions, each of everything before it, and a fifth without activation beside a skip.

    Args:
        channels: C.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.enter = nn.Conv2d(2 * channels, channels, 1)
        self.dense = nn.ModuleList(_convolution(i * channels, channels) for i in range(1, 5))
        self.leave = _convolution(5 * channels, channels)

    def forward(self, space: Tensor, spectra: Tensor) -> Tensor:
        """L and M, (B, C, H, W) each -> same."""
        entered = _leaky(self.enter(torch.cat((space, spectra), dim=1)))
        known = entered
        for convolution in self.dense:
            known = torch.cat((known, _leaky(convolution(known))), dim=1)
        return self.leave(known) + entered

    def summands(self) -> tuple[nn.Module, ...]:
        """The layers whose sum it answers."""
        return self.enter, self.leave


class MultiscalePrior(nn.Module):
    """A: the image, corrected by what three kernels see.

    Args:
        channels: C.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.scales = nn.ModuleList(_convolution(channels, channels, side=side) for side in (1, 3, 5))
        self.merge = nn.Conv2d(3 * channels, channels, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(B, C, H, W) -> same."""
        return image + self.merge(torch.cat([_leaky(scale(image)) for scale in self.scales], dim=1))


class GatedFusion(nn.Module):
    """The sum of both answers, each raised by the gate of the other.

    Args:
        channels: C.
    """

    def __init__(self, *, channels: int) -> None:
        super().__init__()
        self.space_gate, self.spectra_gate = (
            nn.Sequential(
                _convolution(channels, 2 * channels), nn.LeakyReLU(SLOPE), _convolution(2 * channels, channels)
            )
            for _ in range(2)
        )

    def forward(self, by_space: Tensor, by_spectra: Tensor) -> Tensor:
        """G1 and G2, (B, C, H, W) each -> H, same."""
        raised_space = by_space + by_space * self.spectra_gate(by_spectra).sigmoid()
        return raised_space + by_spectra + by_spectra * self.space_gate(by_space).sigmoid()


def _convolution(channels_in: int, channels_out: int, *, side: int = 3) -> nn.Conv2d:
    """A convolution that sees the image reflected at its edges."""
    return nn.Conv2d(channels_in, channels_out, side, padding=side // 2, padding_mode="reflect")


def _leaky(features: Tensor) -> Tensor:
    return F.leaky_relu(features, SLOPE)


def _doubled(image: Tensor) -> Tensor:
    """(B, D, h, w) -> (B, D, 2h, 2w), corner on corner as published."""
    return F.interpolate(image, scale_factor=2, mode="bicubic", align_corners=True)
