"""What a variant shows its network, asks of it, and makes of its answer."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from models.anchors.regression import Regression
from models.anchors.subspace import ResidualBasis, apply_correction, features, image_scale, target_coefficients
from pifnet_cli.pair import PairInputs
from pifnet_cli.scene import Pixels
from pifnet_cli.training.augment import mixed_components
from pifnet_cli.training.losses import (
    absolute_error,
    inverse_penalty,
    spectral_dissimilarity,
    weighted_squared_error,
)
from pifnet_cli.training.patches import Sample

Floats = NDArray[np.float32]
Network = Callable[[Floats, Floats], Floats]

ROTATION = 0.5  # of random component mixtures, radians


class Example(NamedTuple):
    """One patch as a network sees it, (channels, H, W) each; the target is NaN where it is unknown."""

    hsi: Floats
    msi: Floats
    target: Floats


class Batch(NamedTuple):
    """Several examples, (B, channels, H, W); `target` is zero where `mask` is false."""

    hsi: Tensor
    msi: Tensor
    target: Tensor
    mask: Tensor


class Losses(NamedTuple):
    """What is minimised, and its parts before weighting."""

    total: Tensor
    parts: dict[str, Tensor]


class Objective(Protocol):
    """A variant of training."""

    def example(self, sample: Sample, rng: Generator) -> Example:
        """A patch, augmented where that is done after degradation."""

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """Run the network and compare."""

    def fused(self, network: Network, inputs: PairInputs, regression: Regression) -> Pixels:
        """What the trained network is for: (C, H, W)."""


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Of the paper's terms beside the error itself."""

    inverse: float
    cosine: float

    @property
    def need_auxiliary(self) -> bool:
        """Whether more than the network's answer is compared."""
        return self.inverse > 0 or self.cosine > 0


def collate(examples: list[Example]) -> Batch:
    """Examples of one size -> a batch."""
    hsi, msi, target = (torch.from_numpy(np.stack(planes)) for planes in zip(*examples, strict=True))
    mask = torch.isfinite(target)
    return Batch(hsi, msi, torch.where(mask, target, torch.zeros_like(target)), mask)


class CorrectionObjective:
    """`anchored`: the network corrects the regression anchor in the residual's subspace (DESIGN 4)."""

    def __init__(self, basis: ResidualBasis, *, weights: LossWeights, input_noise: float) -> None:
        self.basis = basis
        self._weights, self._noise = weights, np.float32(input_noise)
        self._energy = torch.from_numpy(basis.energy)

    def example(self, sample: Sample, rng: Generator) -> Example:
        """Components of the residual and of what the anchor misses, randomly mixed; a little noise on the inputs."""
        inputs = sample.inputs
        hsi, msi = self._features(inputs, sample.regression)
        anchor = sample.regression.apply(inputs.upsampled, inputs.hr_msi, inputs.msi_smooth)
        target = target_coefficients(sample.reference, anchor, regression=sample.regression, basis=self.basis)
        hsi, target = mixed_components(hsi, target, rng, rotation=ROTATION)
        hsi = hsi + self._noise * rng.standard_normal(hsi.shape, dtype=np.float32)
        return Example(hsi, msi + self._noise * rng.standard_normal(msi.shape, dtype=np.float32), target)

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """Squared error weighted by the components' energy, and the paper's terms on the completed residuals."""

        def error(answer: Tensor) -> Tensor:
            energy = self._energy.to(answer.device)
            return weighted_squared_error(answer, batch.target, batch.mask, weights=energy)

        # The correction starts at zero, where it has no direction: angles are those of the residual it completes.
        return _with_paper_terms(network, batch, error, self._weights, base=batch.hsi[:, : len(self._energy)])

    def fused(self, network: Network, inputs: PairInputs, regression: Regression) -> Pixels:
        """The anchor plus the network's correction."""
        anchor = regression.apply(inputs.upsampled, inputs.hr_msi, inputs.msi_smooth)
        coefficients = network(*self._features(inputs, regression))
        return apply_correction(anchor, coefficients, regression=regression, basis=self.basis)

    def _features(self, inputs: PairInputs, regression: Regression) -> tuple[Floats, Floats]:
        return features(
            upsampled=inputs.upsampled,
            hr_msi=inputs.hr_msi,
            msi_smooth=inputs.msi_smooth,
            phase=inputs.phase,
            regression=regression,
            basis=self.basis,
        )


class ImageObjective:
    """`paper`: the network predicts the image itself, from the upsampled LR-HSI and the HR-MSI, in the pair's scale."""

    def __init__(self, *, weights: LossWeights, input_noise: float) -> None:
        self._weights, self._noise = weights, np.float32(input_noise)

    def example(self, sample: Sample, rng: Generator) -> Example:
        """Both inputs and the truth, divided by one number."""
        scale = image_scale(sample.regression)
        hsi, msi = _scaled(sample.inputs.upsampled, scale), _scaled(sample.inputs.hr_msi, scale)
        if self._noise:
            hsi = hsi + self._noise * rng.standard_normal(hsi.shape, dtype=np.float32)
            msi = msi + self._noise * rng.standard_normal(msi.shape, dtype=np.float32)
        return Example(hsi, msi, sample.reference / scale)

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """L1 + weighted L_inv + weighted (1 - cosine of Zbar and Zhat)."""

        def error(answer: Tensor) -> Tensor:
            return absolute_error(answer, batch.target, batch.mask)

        return _with_paper_terms(network, batch, error, self._weights, base=None)

    def fused(self, network: Network, inputs: PairInputs, regression: Regression) -> Pixels:
        """The network's image in the pair's units; NaN where the LR-HSI is."""
        scale = image_scale(regression)
        image = network(_scaled(inputs.upsampled, scale), _scaled(inputs.hr_msi, scale)) * scale
        is_valid = np.isfinite(inputs.upsampled) & np.isfinite(inputs.hr_msi).all(axis=0)
        return np.where(is_valid, image, np.float32(np.nan))


def _with_paper_terms(
    network: nn.Module,
    batch: Batch,
    error: Callable[[Tensor], Tensor],
    weights: LossWeights,
    *,
    base: Tensor | None,
) -> Losses:
    """`error` of the answer, with L_inv and the cosine term where they weigh anything.

    `base` is added to both images before their spectra are compared.
    """
    if not weights.need_auxiliary:
        total = error(network(batch.hsi, batch.msi).float())
        return Losses(total, {"error": total})
    output = cast("_WithAuxiliary", network).forward_with_auxiliary(batch.hsi, batch.msi)
    fused, preliminary = output.fused.float(), output.preliminary.float()
    first, second = (preliminary, fused) if base is None else (base + preliminary, base + fused)
    parts = {
        "error": error(fused),
        "inverse": inverse_penalty(output.log_det.float()),
        "cosine": spectral_dissimilarity(first, second, batch.mask),
    }
    total = parts["error"] + weights.inverse * parts["inverse"] + weights.cosine * parts["cosine"]
    return Losses(total, parts)


def _scaled(image: Pixels, scale: np.float32) -> Floats:
    """Divided by the scale; zero where invalid."""
    return np.where(np.isfinite(image), image / scale, np.float32(0))


class _Auxiliary(Protocol):
    fused: Tensor
    preliminary: Tensor
    log_det: Tensor


class _WithAuxiliary(Protocol):
    """A network that the paper's terms can be computed for."""

    def forward_with_auxiliary(self, hsi: Tensor, msi: Tensor) -> _Auxiliary: ...
