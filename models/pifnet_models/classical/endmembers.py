"""How many materials a scene holds, and which of its spectra are pure: virtual dimensionality and VCA."""

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from pifnet_models.classical.moments import SceneMoments

Floats = NDArray[np.floating]
Array64 = NDArray[np.float64]

FALSE_ALARM = 1e-3  # probability with which a noise direction is taken for a signal


def virtual_dimensionality(moments: SceneMoments) -> int:
    """The number of spectrally distinct signals, by the test of Harsanyi, Farrand and Chang.

    The eigenvalues of the correlation matrix exceed those of the covariance matrix where a signal with a mean other
    than zero is present; a difference counts that noise would reach with probability `FALSE_ALARM` only (Chang and Du,
    "Estimation of number of spectrally distinct signal sources in hyperspectral imagery", IEEE TGRS 42, 2004).

    Returns:
        0 (a scene of constant zeros) up to the number of live bands.
    """
    live = moments.hsi_live
    mean, covariance = moments.hsi_mean[live], moments.hsi_covariance[np.ix_(live, live)]
    correlated = np.linalg.eigvalsh(covariance + np.outer(mean, mean))
    centred = np.linalg.eigvalsh(covariance)
    spread = np.sqrt(2 * (correlated**2 + centred**2) / moments.pixels)
    return int((correlated - centred > -norm.ppf(FALSE_ALARM) * spread).sum())


def extreme_spectra(spectra: Floats, count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """The pixels at the corners of the simplex that the spectra span, by vertex component analysis.

    Nascimento and Bioucas Dias, "Vertex component analysis: a fast algorithm to unmix hyperspectral data", IEEE TGRS
    43, 2005: one pixel after the other, the farthest along a random direction orthogonal to those found. A pixel comes
    more than once where the spectra have fewer corners than `count`.

    Args:
        spectra: (C, P), P at least one.
        count: At least one; above C + 1 corners repeat.
        rng: Draws the directions.

    Returns:
        (count,) indices of pixels.
    """
    cloud = _flattened(np.asarray(spectra, dtype=np.float64), count)  # (count, P)
    corners = np.zeros((count, count))
    corners[-1, 0] = 1.0
    found = np.zeros(count, dtype=np.intp)
    for index in range(count):
        known = np.linalg.qr(corners[:, : max(index, 1)])[0]  # the first corner replaces the start
        direction = rng.standard_normal(count)
        direction -= known @ (known.T @ direction)
        found[index] = np.argmax(np.abs(direction @ cloud))
        corners[:, index] = cloud[:, found[index]]
    return found


def _flattened(spectra: Array64, count: int) -> Array64:
    """(C, P) -> (count, P): the leading principal components, lifted to a plane off the origin.

    It is the form that the paper keeps for noisy spectra; its other one divides by the brightness, which no scene with
    pixels near zero (water, shadow) survives.
    """
    kept = min(count - 1, len(spectra))
    centred = spectra - spectra.mean(axis=1, keepdims=True)
    directions = np.linalg.eigh(centred @ centred.T)[1][:, ::-1][:, :kept]
    cloud = np.zeros((count, spectra.shape[1]))
    cloud[:kept] = directions.T @ centred
    cloud[-1] = np.sqrt(np.square(cloud[:kept]).sum(axis=0).max())
    return cloud
