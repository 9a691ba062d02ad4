"""How the bands of the two sensors go together: by selection, one MSI band each, or by synthesis, all of them at once.

After Yokoya, Grohnfeldt and Chanussot, "Hyperspectral and multispectral data fusion", IEEE GRSM 5(2), 2017, who adapt
pansharpening to several fine bands in these two ways. Everything is solved from centred moments at LR, so that a large
offset of the pixel values costs no digits.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import sgemm
from scipy.optimize import nnls

from pifnet_models.classical.moments import Array64, SceneMoments

Array32 = NDArray[np.float32]

SINGULAR = 1e-9  # eigenvalues of an MSI correlation matrix below this share of the largest are taken as zero
PIECE_VALUES = 2**16  # float32 values of one array that are worked on at once; they stay in a core's cache


class Group(NamedTuple):
    """The live hyperspectral bands (n,) that correlate best with one MSI band."""

    msi_band: int
    members: NDArray[np.intp]


class Synthesis(NamedTuple):
    """An affine map from MSI pixels to hyperspectral ones: weights (C, M) and offset (C,)."""

    weights: Array64
    offset: Array64


def selected_groups(moments: SceneMoments) -> list[Group]:
    """Live bands by the MSI band of the largest correlation; a band without variance goes with the first."""
    deviations = np.sqrt(np.outer(moments.hsi_covariance.diagonal(), moments.msi_covariance.diagonal()))
    correlation = np.divide(moments.cross_covariance, deviations, out=np.zeros_like(deviations), where=deviations > 0)
    choice = correlation.argmax(axis=1)
    groups = (Group(band, np.flatnonzero(moments.hsi_live & (choice == band))) for band in range(correlation.shape[1]))
    return [group for group in groups if group.members.size]


def least_squares_synthesis(moments: SceneMoments) -> Synthesis:
    """Each hyperspectral band regressed on all MSI bands and a constant; dead bands get zeros.

    MSI bands are scaled to unit variance first. Directions in which they do not vary get no weight.
    """
    scale = _deviation(moments.msi_covariance)
    correlation = moments.msi_covariance / np.outer(scale, scale)
    weights = minimum_norm(correlation, moments.cross_covariance.T / scale[:, None], cutoff=SINGULAR).T / scale
    return Synthesis(weights, _live_mean(moments) - weights @ moments.msi_mean)


def nonnegative_synthesis(moments: SceneMoments) -> Synthesis:
    """Each hyperspectral band from all MSI bands and a constant, no coefficient below zero; dead bands get zeros.

    The offset is first left free. Where it comes out below zero, the problem being convex, its best value is zero and
    the weights are solved again without it.
    """
    mean, msi_mean = _live_mean(moments), moments.msi_mean
    scale = _deviation(moments.msi_covariance)
    scaled_mean = msi_mean / scale
    root, solve_root = _square_root(moments.msi_covariance / np.outer(scale, scale))
    targets = solve_root @ (moments.cross_covariance.T / scale[:, None])  # (M, C)
    weights = np.zeros_like(moments.cross_covariance)
    for band in np.flatnonzero(moments.hsi_live):
        weights[band] = nnls(root, targets[:, band])[0]
        if mean[band] < weights[band] @ scaled_mean:
            weights[band] = nnls(np.vstack([scaled_mean, root]), np.r_[mean[band], targets[:, band]])[0]
    weights /= scale
    return Synthesis(weights, np.maximum(mean - weights @ msi_mean, 0.0))


def nonnegative_weights(covariance: Array64, cross: Array64) -> Array64:
    """Weights (n,) of n bands, none below zero, that fit a target best up to a constant.

    Args:
        covariance: (n, n) of the bands.
        cross: (n,), covariance of the bands with the target.
    """
    scale = _deviation(covariance)
    root, solve_root = _square_root(covariance / np.outer(scale, scale))
    return np.asarray(nnls(root, solve_root @ (cross / scale))[0]) / scale


def minimum_norm(matrix: Array64, right: Array64, *, cutoff: float) -> Array64:
    """The smallest solution of symmetric semi-definite `matrix` (n, n) times solution = `right` (n, ...).

    Eigenvalues below `cutoff` times the largest are taken as zero.
    """
    values, vectors = np.linalg.eigh(matrix)
    inverse = _inverse(values, cutoff)
    return vectors @ ((vectors * inverse).T @ right)


def pieces(bands: int, pixels: int) -> Iterator[slice]:
    """Runs of pixels that cover all; `bands` planes of one fit in a core's cache."""
    step = max(PIECE_VALUES // max(bands, 1), 512)
    return (slice(start, min(start + step, pixels)) for start in range(0, pixels, step))


def flat(image: Array32) -> Array32:
    """(B, H, W) -> (B, H W), float32."""
    return np.asarray(image, dtype=np.float32).reshape(len(image), -1)


def column(values: Array64) -> Array32:
    """(n,) -> (n, 1), float32, to stand beside planes."""
    return values.astype(np.float32)[:, None]


def finite_product(weights: Array32, planes: Array32) -> Array32:
    """(G, C) by (C, P), invalid values counted as zero."""
    product = weights @ planes
    return product if np.isfinite(product).all() else weights @ np.nan_to_num(planes, nan=0.0)


def add_product(planes: Array32, weights: Array32, detail: Array32) -> None:
    """Add (C, G) by (G, P) to `planes` (C, P), contiguous, in one pass over them.

    Raises:
        ValueError: `planes` is not contiguous, so that BLAS would work on a copy.
    """
    if not planes.flags.c_contiguous:
        raise ValueError(f"planes with strides {planes.strides} are not contiguous")
    # BLAS counts columns first: what it sees is the transposed sum.
    sgemm(1.0, detail.T, weights.T, beta=1.0, c=planes.T, overwrite_c=True)


def invalid_pixels(sharp: Array32, smooth: Array32) -> NDArray[np.bool_]:
    """(P,), True where any plane of the HR-MSI (M, P), as it is or smooth, is invalid."""
    return ~np.isfinite(sharp + smooth).all(axis=0)


def _live_mean(moments: SceneMoments) -> Array64:
    return np.where(moments.hsi_live, moments.hsi_mean, 0.0)


def _deviation(covariance: Array64) -> Array64:
    """(n,) standard deviations, one where there is none."""
    deviation = np.sqrt(np.maximum(covariance.diagonal(), 0.0))
    return np.where(deviation > 0, deviation, 1.0)


def _square_root(matrix: Array64) -> tuple[Array64, Array64]:
    """R with R' R = matrix (n, n), and the pseudo-inverse of R'; directions without variance are left out."""
    values, vectors = np.linalg.eigh(matrix)
    kept = _inverse(values, SINGULAR) > 0
    deviations, directions = np.sqrt(values[kept])[:, None], vectors[:, kept].T
    return deviations * directions, directions / deviations


def _inverse(values: Array64, cutoff: float) -> Array64:
    kept = values > cutoff * max(float(values.max(initial=0.0)), 0.0)
    return np.divide(1.0, values, out=np.zeros_like(values), where=kept)
