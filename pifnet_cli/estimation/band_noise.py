"""Noise of every band of an LR-HSI, as far as it can be told."""

import numpy as np
from numpy.typing import NDArray

from models.anchors.noise import noise_about_neighbours
from models.classical.moments import SceneMoments
from pifnet_cli.estimation.operator import FINEST_NOISE


def noise_std(moments: SceneMoments) -> NDArray[np.float64]:
    """(C,), standard deviations; what a band alone shows of the ground counts as noise too.

    NaN where there are too few neighbours or pixels, or less noise than arithmetic makes (80 dB).

    Args:
        moments: All bands live, in the order of their wavelengths or nearly so.
    """
    covariance, bands = moments.hsi_covariance, len(moments.hsi_mean)
    std = noise_about_neighbours(covariance, live=np.full(bands, fill_value=True), pixels=moments.pixels)
    least = FINEST_NOISE * np.sqrt(covariance.diagonal() + np.square(moments.hsi_mean))
    return np.asarray(np.where(std > least, std, np.nan))
