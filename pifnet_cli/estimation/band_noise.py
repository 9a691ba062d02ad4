"""Noise of every band of an LR-HSI: what its neighbours in the spectrum do not tell.

As in HySime (Bioucas-Dias and Nascimento, IEEE TGRS 46(8), 2008, section III), with the ten nearest bands in the place
of all the others, so that few pixels are enough.
"""

import numpy as np
from numpy.typing import NDArray

from models.classical.moments import SceneMoments
from pifnet_cli.estimation.operator import FINEST_NOISE

NEIGHBOURS = 5  # on either side
RELATIVE_CUTOFF = 1e-12  # of the neighbours' covariance


def noise_std(moments: SceneMoments) -> NDArray[np.float64]:
    """(C,), standard deviations; what a band alone shows of the ground counts as noise too.

    NaN where there is no neighbour, no more pixels than neighbours, or less noise than arithmetic makes (80 dB).

    Args:
        moments: All bands live, in the order of their wavelengths or nearly so.
    """
    covariance, bands = moments.hsi_covariance, len(moments.hsi_mean)
    variances = np.full(bands, np.nan)
    for band in range(bands):
        near = [other for other in range(max(0, band - NEIGHBOURS), min(bands, band + NEIGHBOURS + 1)) if other != band]
        free = moments.pixels - len(near) - 1
        if near and free > 0:
            between, cross = covariance[np.ix_(near, near)], covariance[near, band]
            told = cross @ np.linalg.lstsq(between, cross, rcond=RELATIVE_CUTOFF)[0]
            variances[band] = max(covariance[band, band] - told, 0.0) * moments.pixels / free
    least = FINEST_NOISE**2 * (covariance.diagonal() + np.square(moments.hsi_mean))
    return np.sqrt(np.where(variances > least, variances, np.nan))
