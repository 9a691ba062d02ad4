"""How much of an HR-MSI nothing predicts: what a band holds at a pixel that neither its neighbours nor other bands do.

It is noise, or texture that bands do not share, and that the HR-HSI's bands will not share either. Each band is
regressed on its eight neighbours and on the nine pixels of every other band (Roger and Arnold, "Reliably estimating the
noise in AVIRIS hyperspectral images", Int. J. Remote Sensing 17, 1996, on one spatial and two spectral neighbours);
what is left is looked at where the scene is smoothest, as every other place adds texture (blocks: Gao, "An operational
method for estimating signal to noise ratios from data acquired with imaging spectrometers", Remote Sens. Environ. 43,
1993).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]

SIDE = 3  # pixels of the neighbourhood
BLOCK = 6  # pixels along the side of a block
SMOOTHEST = 0.05  # quantile of the blocks' mean squares
PIXELS_PER_VARIABLE = 2.0  # with fewer, a regression fits the noise


def unpredictable_variance(windows: Sequence[Array32]) -> Array64:
    """Variance of each band that nothing predicts, (M,), in squared pixel units.

    The residual of a band holds its own noise, and that of what it is regressed on: with coefficients b over the pixels
    of band j, var(residual_m) = sum_j |b_mj|^2 var_j, which is solved for variances that are not negative.

    Args:
        windows: Parts of the HR-MSI, (M, H, W) each, NaN where invalid; as much as tells the scene.

    Returns:
        Zeros where there are too few valid pixels to tell.
    """
    bands = len(windows[0])
    centre = _centre(windows)
    planes = [_neighbourhoods(window - centre[:, None, None]) for window in windows if min(window.shape[1:]) >= SIDE]
    size = bands * SIDE**2
    sums, pixels = np.zeros((size, size)), 0
    for plane in planes:
        known = plane[:, np.isfinite(plane).all(axis=0)]
        sums += known @ known.T
        pixels += known.shape[1]
    if pixels < PIXELS_PER_VARIABLE * size:
        return np.zeros(bands)
    combinations = np.stack([_residual_of(sums, band * SIDE**2 + SIDE**2 // 2) for band in range(bands)])
    squares = np.concatenate([_block_mean_squares(combinations, plane) for plane in planes], axis=1)
    if not squares.size:
        return np.zeros(bands)
    gains = np.square(combinations).reshape(bands, bands, -1).sum(axis=2)
    found = np.quantile(squares, SMOOTHEST, axis=1) * pixels / (pixels - size)
    scale = max(float(found.max()), np.finfo(np.float64).tiny)
    return np.asarray(nnls(gains, found / scale)[0] * scale)


def _centre(windows: Sequence[Array32]) -> Array64:
    """(M,) means over the valid pixels of all windows; zero where a band has none."""
    flat = np.concatenate([window.reshape(len(window), -1) for window in windows], axis=1).astype(np.float64)
    finite = np.isfinite(flat)
    return np.asarray(np.where(finite, flat, 0).sum(axis=1) / np.maximum(finite.sum(axis=1), 1))


def _neighbourhoods(window: Array64) -> Array64:
    """(9 M, H - 2, W - 2): every band's pixels around, in its rows from top left to bottom right, as float64."""
    parts = np.lib.stride_tricks.sliding_window_view(window, (SIDE, SIDE), axis=(1, 2))  # (M, H - 2, W - 2, 3, 3)
    return np.ascontiguousarray(parts.transpose(0, 3, 4, 1, 2)).reshape(-1, *parts.shape[1:3])


def _residual_of(sums: Array64, target: int) -> Array64:
    """(n,) coefficients whose sum over the variables is the residual of `target`, its own being one."""
    others = np.delete(np.arange(len(sums)), target)
    coefficients = np.zeros(len(sums))
    coefficients[target] = 1
    coefficients[others] = -np.linalg.lstsq(sums[np.ix_(others, others)], sums[others, target], rcond=None)[0]
    return coefficients


def _block_mean_squares(combinations: Array64, plane: Array64) -> Array64:
    """(M, blocks) of the residuals over whole blocks without an invalid pixel."""
    rows, columns = (side // BLOCK for side in plane.shape[1:])
    part = plane[:, : rows * BLOCK, : columns * BLOCK]
    residual = np.tensordot(combinations, part, 1).reshape(len(combinations), rows, BLOCK, columns, BLOCK)
    squares = np.square(residual).mean(axis=(2, 4)).reshape(len(combinations), -1)
    return np.asarray(squares[:, np.isfinite(squares).all(axis=0)])
