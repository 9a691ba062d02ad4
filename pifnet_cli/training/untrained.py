"""The start of a training: the basis of corrections, the untrained network, its objective."""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from torch import nn

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Anchor
from pifnet_cli.degrade.noise import noise_std_at_snr
from pifnet_cli.errors import SettingsError
from pifnet_cli.networks.build import block_ratio, build_network
from pifnet_cli.recipe import Recipe
from pifnet_cli.training.loop import contained_randomness
from pifnet_cli.training.objectives import CorrectionObjective, ImageObjective, LossWeights, Objective
from pifnet_cli.training.patches import TrainingPair
from pifnet_models.interface import FusionNetwork, OutputStart
from pifnet_models.pifnet.anchored import ResidualBasis, band_mean_square, noise_scale, residual_basis


def basis_of_corrections(pairs: Sequence[TrainingPair], *, components: int) -> ResidualBasis:
    """The spectral subspace in which the anchored variant corrects, from what the pairs' regressions leave."""
    return residual_basis(
        [pair.regression.residual_covariance for pair in pairs],
        components=components,
        band_scale=_band_scale(pairs),
        ratio=pairs[0].alignment.ratio,
    )


def anchored_shape(basis: ResidualBasis, *, msi_bands: int) -> dict[str, Any]:
    """Numbers of the constructor of a network that corrects an anchor."""
    return basis.channels(msi_bands=msi_bands) | {"output_start": OutputStart.ZERO.value}


def image_shape(method: Method, anchor: Anchor, *, bands: tuple[int, int], ratio: float) -> dict[str, Any]:
    """Numbers of the constructor of a network that predicts the image; `bands` of the LR-HSI, then of the HR-MSI."""
    shape: dict[str, Any] = {"hsi_channels": bands[0], "msi_channels": bands[1]}
    if method.facts.takes_ratio:
        shape["ratio"] = round(ratio)
    if anchor is not Anchor.NONE:
        shape["output_start"] = OutputStart.ZERO.value  # an untrained network is its anchor
        shape |= method.facts.over_anchor
    return shape


def untrained_network(method: Method, hyper_parameters: dict[str, Any], *, patch_size: int, seed: int) -> nn.Module:
    """A network with random weights.

    Raises:
        SettingsError: It cannot be built from these numbers, or does not take patches of this size.
    """
    with contained_randomness(seed):
        network = build_network(method.value, hyper_parameters)
    rule = cast("FusionNetwork", network).size_rule
    if not rule.accepts(patch_size, patch_size):
        raise SettingsError(
            f"--patch-size {patch_size}: {method.value} takes multiples of {rule.multiple_of} from {rule.minimum}; "
            f"the nearest is {rule.grown(patch_size)}"
        )
    return network


def objective_of(network: nn.Module, basis: ResidualBasis | None, recipe: Recipe) -> Objective:
    """The network's objective: corrections in a basis, or images where there is none."""
    weights = LossWeights(inverse=recipe.inverse_weight, cosine=recipe.cosine_weight)
    if basis is None:
        ratio = block_ratio(network)
        return ImageObjective(weights=weights, input_noise=recipe.input_noise, block_ratio=ratio)
    return CorrectionObjective(basis, weights=weights, input_noise=recipe.input_noise)


def _band_scale(pairs: Sequence[TrainingPair]) -> NDArray[np.float64]:
    """Scales (C,) that whiten the LR-HSI's noise, where every pair's sensor model tells it; else ones."""
    variances = [
        np.square(noise_std_at_snr(band_mean_square(pair.regression), pair.sensor.hsi_snr_db).astype(np.float64))
        for pair in pairs
        if pair.sensor is not None and pair.sensor.hsi_snr_db is not None
    ]
    if len(variances) < len(pairs):
        return np.ones(len(pairs[0].regression.weights))
    return noise_scale(np.sqrt(np.mean(variances, axis=0)))
