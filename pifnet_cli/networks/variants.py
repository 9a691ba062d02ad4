"""A network's result on a tile, by variant: `anchored` corrects an estimate of the image, `paper` predicts it."""

from collections.abc import Callable

import numpy as np

from pifnet_cli.pair.network_inputs import image_planes
from pifnet_cli.pair.tile import PairInputs, PairTile
from pifnet_cli.scene import Pixels
from pifnet_models.kriging.regression import Regression
from pifnet_models.pifnet.anchored import ResidualBasis, apply_correction, features

RunNetwork = Callable[..., Pixels]  # (hsi, msi), and the LR-HSI where the network asks for it


def starting_image(inputs: PairInputs, regression: Regression, anchor: Pixels | None) -> Pixels:
    """The estimate (C, H, W) that is to be improved: the anchor that is given, or else the regression's."""
    if anchor is not None:
        return anchor
    return regression.apply(inputs.upsampled, inputs.hr_msi, inputs.msi_smooth)


def corrected_image(
    run: RunNetwork, inputs: PairInputs, *, regression: Regression, basis: ResidualBasis, anchor: Pixels | None
) -> Pixels:
    """The anchor plus the network's correction of it, (C, H, W); NaN where the anchor is.

    Args:
        run: The network.
        inputs: Both scenes on the tile's pixels.
        regression: Of the pair.
        basis: The checkpoint's spectral subspace, in which the network answers.
        anchor: (C, H, W), what is corrected; None for the regression.
    """
    coefficients = run(*features(**inputs._asdict(), regression=regression, basis=basis, anchor=anchor))
    start = starting_image(inputs, regression, anchor)
    return apply_correction(start, coefficients, regression=regression, basis=basis)


def predicted_image(
    run: RunNetwork,
    tile: PairTile,
    *,
    block_ratio: int | None,
    scales: tuple[np.float32, np.float32],
    anchor: Pixels | None,
) -> Pixels:
    """The network's image (C, H, W) in the pair's units; NaN where an input is.

    Args:
        run: The network.
        tile: Both scenes as they were read.
        block_ratio: HR pixels along the side of an LR pixel, where the network takes the LR-HSI itself; else None.
        scales: What the LR-HSI and the HR-MSI are divided by for the network.
        anchor: (C, H, W), takes the place of the interpolated LR-HSI; None for interpolation.
    """
    planes = image_planes(tile, block_ratio=block_ratio, anchor=anchor, scales=scales)
    return planes.answer(run(*planes.inputs), scales[0])
