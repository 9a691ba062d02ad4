"""Objectives, one per variant: a network's inputs and target, its losses, and the image that its answer stands for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor, nn

from pifnet_cli.networks.variants import RunNetwork, corrected_image, predicted_image, starting_image
from pifnet_cli.pair.network_inputs import image_planes
from pifnet_cli.scene import Pixels
from pifnet_cli.training.augment import mixed_components
from pifnet_cli.training.losses import absolute_error, inverse_penalty, spectral_dissimilarity, weighted_squared_error
from pifnet_cli.training.patches import TrainingPatch
from pifnet_models.pifnet.anchored import ResidualBasis, features, image_scales, target_coefficients

Floats = NDArray[np.float32]

ROTATION = 0.5  # of random component mixtures, radians


class Example(NamedTuple):
    """One patch as a network sees it, (channels, H, W) each; the target is NaN where it is unknown.

    `lr_hsi` (C, h, w) is None where the network does not ask for it.
    """

    hsi: Floats
    msi: Floats
    target: Floats
    lr_hsi: Floats | None = None


class Batch(NamedTuple):
    """Several examples, (B, channels, H, W); `target` is zero where `mask` is false."""

    hsi: Tensor
    msi: Tensor
    target: Tensor
    mask: Tensor
    lr_hsi: Tensor | None = None

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The network's arguments."""
        return (self.hsi, self.msi) if self.lr_hsi is None else (self.hsi, self.msi, self.lr_hsi)

    def to(self, device: torch.device) -> "Batch":
        """The batch on a device."""
        hsi, msi, target, mask = (part.to(device, non_blocking=True) for part in self[:4])
        lr_hsi = None if self.lr_hsi is None else self.lr_hsi.to(device, non_blocking=True)
        return Batch(hsi, msi, target, mask, lr_hsi)


class Losses(NamedTuple):
    """The loss, and its parts before weighting."""

    total: Tensor
    parts: dict[str, Tensor]


class Objective(Protocol):
    """What a network is trained for."""

    def example(self, patch: TrainingPatch) -> Example:
        """The network's inputs and target on a patch."""

    def augmented(self, example: Example, rng: Generator) -> Example:
        """The example with random changes that need no new degradation."""

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """Run the network on a batch and compare its answer with the target."""

    def fused(self, run: RunNetwork, patch: TrainingPatch) -> Pixels:
        """The image (C, H, W) that the network makes of a patch, as at inference; the reference is not looked at."""


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Weights of the paper's two terms beside the error itself."""

    inverse: float
    cosine: float

    @property
    def need_auxiliary(self) -> bool:
        """Whether the loss compares more than the network's answer."""
        return self.inverse > 0 or self.cosine > 0


def collate(examples: list[Example]) -> Batch:
    """Examples of one size -> a batch."""
    hsi, msi, target = (torch.from_numpy(np.stack(planes)) for planes in zip(*(e[:3] for e in examples), strict=True))
    coarse = [example.lr_hsi for example in examples if example.lr_hsi is not None]
    mask = torch.isfinite(target)
    zeroed = torch.where(mask, target, torch.zeros_like(target))
    return Batch(hsi, msi, zeroed, mask, torch.from_numpy(np.stack(coarse)) if coarse else None)


class CorrectionObjective:
    """`anchored`: the network corrects an anchor in the residual's subspace (docs/design.md 6.4)."""

    def __init__(self, basis: ResidualBasis, *, weights: LossWeights, input_noise: float) -> None:
        self.basis = basis
        self._weights, self._noise = weights, np.float32(input_noise)
        self._energy = torch.from_numpy(basis.energy)

    def example(self, patch: TrainingPatch) -> Example:
        """Components of the residual, and of what the anchor misses."""
        inputs, regression = patch.tile.inputs(), patch.regression
        hsi, msi = features(**inputs._asdict(), regression=regression, basis=self.basis, anchor=patch.anchor)
        start = starting_image(inputs, regression, patch.anchor)
        return Example(hsi, msi, target_coefficients(patch.reference, start, regression=regression, basis=self.basis))

    def augmented(self, example: Example, rng: Generator) -> Example:
        """Components randomly mixed; a little noise on the inputs."""
        hsi, target = mixed_components(example.hsi, example.target, rng, rotation=ROTATION)
        return _noisy(example._replace(hsi=hsi, target=target), self._noise, rng)

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """Squared error weighted by the components' energy, and the paper's terms on the completed residuals."""

        def error(answer: Tensor) -> Tensor:
            energy = self._energy.to(answer.device)
            return weighted_squared_error(answer, batch.target, batch.mask, weights=energy)

        # The correction starts at zero, where it has no direction: angles are those of the residual it completes.
        return _with_paper_terms(network, batch, error, self._weights, base=batch.hsi[:, : len(self._energy)])

    def fused(self, run: RunNetwork, patch: TrainingPatch) -> Pixels:
        """The anchor plus the network's correction."""
        return corrected_image(
            run, patch.tile.inputs(), regression=patch.regression, basis=self.basis, anchor=patch.anchor
        )


class ImageObjective:
    """The network predicts the image itself, in the pair's scale: `paper`, and the methods it is compared with.

    What it sees as the LR-HSI on the fine grid is the anchor, where there is one, else the interpolated LR-HSI.
    """

    def __init__(self, *, weights: LossWeights, input_noise: float, block_ratio: int | None = None) -> None:
        """`block_ratio`: HR pixels along the side of an LR pixel, where the network takes the LR-HSI itself."""
        self._weights, self._noise, self._block_ratio = weights, np.float32(input_noise), block_ratio

    def example(self, patch: TrainingPatch) -> Example:
        """Inputs and the truth, in the pair's scales."""
        scales = image_scales(patch.regression)
        planes = image_planes(patch.tile, block_ratio=self._block_ratio, anchor=patch.anchor, scales=scales)
        return Example(planes.hsi, planes.msi, patch.reference / scales[0], planes.lr_hsi)

    def augmented(self, example: Example, rng: Generator) -> Example:
        """A little noise on the inputs."""
        return _noisy(example, self._noise, rng) if self._noise else example

    def losses(self, network: nn.Module, batch: Batch) -> Losses:
        """L1 + weighted L_inv + weighted (1 - cosine of Zbar and Zhat)."""

        def error(answer: Tensor) -> Tensor:
            return absolute_error(answer, batch.target, batch.mask)

        return _with_paper_terms(network, batch, error, self._weights, base=None)

    def fused(self, run: RunNetwork, patch: TrainingPatch) -> Pixels:
        """The network's image in the pair's units; NaN where the inputs are."""
        scales = image_scales(patch.regression)
        return predicted_image(run, patch.tile, block_ratio=self._block_ratio, scales=scales, anchor=patch.anchor)


def _noisy(example: Example, std: np.float32, rng: Generator) -> Example:
    hsi, msi = (plane + std * rng.standard_normal(plane.shape, dtype=np.float32) for plane in example[:2])
    return example._replace(hsi=hsi, msi=msi)


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
        total = error(network(*batch.inputs).float())
        return Losses(total, {"error": total})
    output = cast("_WithAuxiliary", network).forward_with_auxiliary(*batch.inputs[:2])
    fused, preliminary = output.fused.float(), output.preliminary.float()
    first, second = (preliminary, fused) if base is None else (base + preliminary, base + fused)
    parts = {
        "error": error(fused),
        "inverse": inverse_penalty(output.log_det.float()),
        "cosine": spectral_dissimilarity(first, second, batch.mask),
    }
    total = parts["error"] + weights.inverse * parts["inverse"] + weights.cosine * parts["cosine"]
    return Losses(total, parts)


class _Auxiliary(Protocol):
    fused: Tensor
    preliminary: Tensor
    log_det: Tensor


class _WithAuxiliary(Protocol):
    """A network that the paper's terms can be computed for."""

    def forward_with_auxiliary(self, hsi: Tensor, msi: Tensor) -> _Auxiliary: ...
