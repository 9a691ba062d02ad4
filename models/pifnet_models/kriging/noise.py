"""What the moments of a scene pair say of the noise in its LR-HSI: how much in each band, and whose it is.

Everything follows from the streamed `Regression`: the covariance of the LR-HSI is that of what the LR-MSI explains plus
that of the residual.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pifnet_models.kriging.regression import Regression

Array64 = NDArray[np.float64]

REACH = 5  # live bands on either side that a band is regressed on
FEWEST_NEIGHBOURS = 3  # with fewer, a band's own signal would pass for noise
PIXELS_PER_BAND = 1.5  # with fewer, a regression of the LR-MSI on all bands says nothing of its residual
EIGENVALUE_CUTOFF = 1e-12  # of the largest
NOISE_FLOOR = 0.2  # of the median: where bands are weighed by their noise, none counts as less noisy
SENSOR_SHARE = 0.01  # unpredictable noise over all noise from which on it counts as the sensor's


def hsi_covariance(regression: Regression) -> Array64:
    """(C, C) covariance of the LR-HSI over the scene; zero for bands without a valid pixel."""
    weights = regression.weights
    both = weights @ regression.msi_cross_covariance.T
    return np.asarray(regression.residual_covariance + both + both.T - weights @ regression.msi_covariance @ weights.T)


def hsi_noise_std(regression: Regression) -> Array64:
    """Noise of each band of the LR-HSI, (C,), from `noise_about_neighbours`; zero where that cannot be told."""
    live = np.diag(regression.residual_covariance) > 0
    return np.nan_to_num(noise_about_neighbours(hsi_covariance(regression), live=live, pixels=regression.pixels))


def noise_about_neighbours(covariance: Array64, *, live: NDArray[np.bool_], pixels: int) -> Array64:
    """Standard deviation of each band about its regression on its neighbours, (C,).

    Spectra are smooth, noise is not (Roger and Arnold, "Reliably estimating the noise in AVIRIS hyperspectral images",
    Int. J. Remote Sensing 17, 1996, regress on two neighbours).

    Args:
        covariance: (C, C), of the bands.
        live: (C,), those that have valid pixels; the others are nobody's neighbours.
        pixels: That the covariance is of.

    Returns:
        NaN for bands that are not live, and where a band has too few neighbours, or these too few pixels, to tell.
    """
    std, order = np.full(len(covariance), np.nan), np.flatnonzero(live)
    for position, band in enumerate(order):
        near = np.delete(order[max(position - REACH, 0) : position + REACH + 1], min(position, REACH))
        degrees = pixels - len(near) - 1
        if len(near) >= FEWEST_NEIGHBOURS and degrees > 0:
            rest = _unexplained(covariance[band, band], covariance[np.ix_(near, near)], covariance[near, band])[0]
            std[band] = np.sqrt(rest * pixels / degrees)
    return std


def faithfulness(regression: Regression, std: Array64) -> float:
    """How far the LR-HSI's noise belongs to the scene and not to the measurement, from 0 to 1.

    The HR-MSI sees the same ground. Had the LR-HSI noise of its own, no combination of its bands could predict a band
    of the LR-MSI any better than the noise in that combination allows. Where one does, what looks like noise is in both
    images: the pair was simulated from one scene, without noise, and the LR-HSI is to be reproduced to the letter.
    Between real sensors, and where pixels are too few to tell, the answer is 0.

    Args:
        regression: Of the pair.
        std: (C,), from `hsi_noise_std`.
    """
    found = seen_alike(regression, std)
    if found is None:
        return 0.0
    noise = np.square(found.combinations * std).sum(axis=1)
    shares = np.divide(found.unexplained, noise, out=np.ones_like(noise), where=noise > 0)
    return float(np.clip(1 - shares.min() / SENSOR_SHARE, 0, 1))


class SeenAlike(NamedTuple):
    """The bands of the LR-MSI as the LR-HSI predicts them.

    Attributes:
        unexplained: (M,), variance that is left, of as many pixels as were used.
        combinations: (M, C), weights on the bands of the LR-HSI.
    """

    unexplained: Array64
    combinations: Array64


def seen_alike(regression: Regression, std: Array64) -> SeenAlike | None:
    """How far the LR-HSI shows what the LR-MSI does; None where pixels are too few to tell.

    Args:
        regression: Of the pair.
        std: (C,), from `hsi_noise_std`; bands of which nothing is known are left out.
    """
    live = np.flatnonzero((np.diag(regression.residual_covariance) > 0) & (std > 0))
    degrees = regression.pixels - len(live) - 1
    if not live.size or regression.pixels < PIXELS_PER_BAND * len(live):
        return None
    covariance, bands = hsi_covariance(regression)[np.ix_(live, live)], len(regression.msi_mean)
    rest, combinations = np.zeros(bands), np.zeros((bands, len(std)))
    for band, cross in enumerate(regression.msi_cross_covariance.T):
        variance = float(regression.msi_covariance[band, band])
        left, combinations[band, live] = _unexplained(variance, covariance, cross[live])
        rest[band] = left * regression.pixels / degrees
    return SeenAlike(rest, combinations)


def _unexplained(variance: float, covariance: Array64, cross: Array64) -> tuple[float, Array64]:
    """Variance that a regression on variables of `covariance` (n, n) leaves, and its coefficients (n,)."""
    scale = np.sqrt(np.maximum(np.diag(covariance), np.finfo(np.float64).tiny))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    kept = values > EIGENVALUE_CUTOFF * max(values[-1], 0.0)
    along = vectors.T[kept] @ (cross / scale)
    coefficients = vectors[:, kept] @ (along / values[kept]) / scale
    return max(float(variance - (along**2 / values[kept]).sum()), 0.0), coefficients
