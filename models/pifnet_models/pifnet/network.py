"""PIF-Net: prior-informed, invertible fusion of an upsampled LR-HSI with an HR-MSI."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from pifnet_models.interface import HyperParameter, OutputStart, SizeRule
from pifnet_models.layers.convolution import start_at_zero, two_convolutions
from pifnet_models.pifnet.adapter import GuidedAdapter
from pifnet_models.pifnet.coupling import Halves, InvertibleMamba
from pifnet_models.pifnet.prior import PriorExtraction
from pifnet_models.pifnet.wavelet import HaarBands, haar_forward, haar_inverse


class Coupling(StrEnum):
    """What stands between the wavelet transform and its inverse."""

    MAMBA = "mamba"
    NONE = "none"


class Adapter(StrEnum):
    """What refines the fused features before the last layers."""

    FAM_LORA = "fam-lora"
    NONE = "none"


class PIFNetOutput(NamedTuple):
    """What training needs to see.

    Attributes:
        fused: (B, Cout, H, W), the answer.
        preliminary: (B, Cout, H, W), Zbar, the answer before the adapter.
        log_det: (B, D, H/2, W/2), the couplings' log-determinant per element of the low frequencies; its sum over all
            but the batch is that of the Jacobian. Zero without couplings.
    """

    fused: Tensor
    preliminary: Tensor
    log_det: Tensor


class PIFNet(nn.Module):
    """PIF-Net with everything the paper leaves open decided; 1.73 M parameters at 103 and 4 bands.

    Where we leave the paper: the coupling uses the updated high frequencies and bounds its exponent (see
    `InvertibleMambaBlock`); `log_det` is kept per element, because the plain sum, minimised, runs to minus infinity.
    The image is predicted without a bicubic skip, as in the published code.

    Open readings (docs/design.md 6.3): the prior X_R is added to the HSI's features before the wavelet transform, where
    paper and published code have it in the spatial branch alone; the adapter refines the inverse transform of the
    spectral branch, and the MSI's features join it at the tail.

    Args:
        hsi_channels: Channels of the upsampled HSI, Ch.
        msi_channels: Channels of the MSI, Cm.
        out_channels: Channels of the answer, Cout; those of the HSI where None.
        width: Features D inside.
        blocks: Invertible Mamba blocks, and FAM-LoRA blocks, L.
        segments: Channel segments S that are scanned apart.
        d_state: States per channel of a scan, N.
        expand: Channels of a scan over channels of its segment.
        lora_rank: Rank of each head's correction.
        lora_heads: Heads of the low-rank correction.
        prior_strength: beta, the factor of the prior X_R wherever it enters; 0 (ablation) builds no prior.
        coupling: The invertible Mamba blocks, or (ablation) none.
        adapter: The FAM-LoRA blocks and their guidance, or (ablation) none.
        output_start: `zero` starts the last layer at zero: the untrained network answers exactly 0.
        pooling_window: Side in pixels, odd, of the mean in channel attention; the whole image where None.
    """

    needs_lr_hsi: ClassVar[bool] = False
    dead_parameters: ClassVar[Mapping[str, int]] = MappingProxyType({})
    size_rule: ClassVar[SizeRule] = SizeRule(multiple_of=2, minimum=2)

    def __init__(
        self,
        *,
        hsi_channels: int,
        msi_channels: int,
        out_channels: int | None = None,
        width: int = 64,
        blocks: int = 4,
        segments: int = 4,
        d_state: int = 8,
        expand: int = 2,
        lora_rank: int = 4,
        lora_heads: int = 4,
        prior_strength: float = 1.0,
        coupling: Coupling = Coupling.MAMBA,
        adapter: Adapter = Adapter.FAM_LORA,
        output_start: OutputStart = OutputStart.PUBLISHED,
        pooling_window: int | None = None,
    ) -> None:
        super().__init__()
        self.hyper_parameters: dict[str, HyperParameter] = {
            name: value for name, value in locals().items() if name not in ("self", "__class__")
        }
        out_channels = hsi_channels if out_channels is None else out_channels
        self.width, self.prior_strength = width, prior_strength
        self.spectral_head = two_convolutions(hsi_channels, width, width)
        self.spatial_head = two_convolutions(msi_channels, width, width)
        self.prior = PriorExtraction(width=width) if prior_strength else None
        self.gather_high = nn.Conv2d(3 * width, width, 3, padding=1)
        scan = {"width": width, "segments": segments, "d_state": d_state, "expand": expand}
        self.coupling = InvertibleMamba(blocks=blocks, **scan) if Coupling(coupling) is Coupling.MAMBA else None
        self.spread_high = nn.Conv2d(width, 3 * width, 3, padding=1)
        # Never narrower than the features: behind a ReLU, few channels cannot carry as many signed ones.
        between = max(width, out_channels)
        self.preliminary_tail = two_convolutions(width, between, out_channels)
        self.adapter = None
        if Adapter(adapter) is Adapter.FAM_LORA:
            self.adapter = GuidedAdapter(
                blocks=blocks, width=width, lora_heads=lora_heads, lora_rank=lora_rank, pooling_window=pooling_window
            )
        self.tail = two_convolutions(2 * width, between, out_channels)
        if OutputStart(output_start) is OutputStart.ZERO:
            start_at_zero(self.tail[-1])

    def forward(self, hsi: Tensor, msi: Tensor) -> Tensor:
        """HSI on the fine grid (B, Ch, H, W) and MSI (B, Cm, H, W), H and W even -> (B, Cout, H, W)."""
        return self._answer(self._fused(hsi, msi))

    def forward_with_auxiliary(self, hsi: Tensor, msi: Tensor) -> PIFNetOutput:
        """The same answer, with what the paper's losses compare it to."""
        features = self._fused(hsi, msi)
        return PIFNetOutput(self._answer(features), self.preliminary_tail(features.merged), features.log_det)

    def _fused(self, hsi: Tensor, msi: Tensor) -> "_Features":
        """Everything up to the preliminary features f0."""
        # Channels last is the layout that the convolutions and the scan's linear maps are fastest in.
        spectral = self.spectral_head(hsi.contiguous(memory_format=torch.channels_last))
        spatial = self.spatial_head(msi.contiguous(memory_format=torch.channels_last))
        prior = self._prior(spectral, spatial)
        bands = haar_forward(spectral + prior)
        halves = Halves(bands.low, self.gather_high(bands.high))
        log_det = torch.zeros_like(halves.low)
        if self.coupling is not None:
            halves, log_det = self.coupling(halves)
        merged = haar_inverse(HaarBands(halves.low, self.spread_high(halves.high)))
        return _Features(spatial, prior, halves.high, merged, log_det)

    def _prior(self, spectral: Tensor, spatial: Tensor) -> Tensor:
        if self.prior is None:
            return torch.zeros_like(spectral)
        return self.prior_strength * self.prior(spectral, spatial)

    def _answer(self, features: "_Features") -> Tensor:
        refined = features.merged
        if self.adapter is not None:
            refined = self.adapter(refined, features.high, features.prior)
        return self.tail(torch.cat((features.spatial, refined), dim=1))


class _Features(NamedTuple):
    """What the last layers read: (B, D, H, W), but `high` and `log_det` (B, D, H/2, W/2)."""

    spatial: Tensor
    prior: Tensor
    high: Tensor
    merged: Tensor
    log_det: Tensor
