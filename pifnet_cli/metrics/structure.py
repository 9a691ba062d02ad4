"""Structural similarity of two images, window by window (Wang et al. 2004)."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d, minimum_filter

RADIUS = 5
SIGMA = 1.5
LUMINANCE_CONSTANT = 0.01**2
CONTRAST_CONSTANT = 0.03**2


def gaussian_window() -> NDArray[np.float64]:
    """The eleven weights of one axis; their sum is 1."""
    weights = np.exp(-0.5 * (np.arange(-RADIUS, RADIUS + 1) / SIGMA) ** 2)
    return np.asarray(weights / weights.sum())


def ssim_map(fused: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """SSIM of every 11 x 11 Gaussian window that lies inside two images of range 1.

    Args:
        fused: (h, w), all finite.
        reference: The same shape.

    Returns:
        (h - 10, w - 10): entry (i, j) belongs to the window centred on pixel (i + 5, j + 5); empty where none fits.
    """
    if min(fused.shape) <= 2 * RADIUS:
        return np.empty((max(fused.shape[0] - 2 * RADIUS, 0), max(fused.shape[1] - 2 * RADIUS, 0)))
    fused_mean, reference_mean = _window_mean(fused), _window_mean(reference)
    mean_product, mean_squares = fused_mean * reference_mean, fused_mean**2 + reference_mean**2
    covariance = _window_mean(fused * reference) - mean_product
    variances = _window_mean(fused**2 + reference**2) - mean_squares
    numerator = (2 * mean_product + LUMINANCE_CONSTANT) * (2 * covariance + CONTRAST_CONSTANT)
    return numerator / ((mean_squares + LUMINANCE_CONSTANT) * (variances + CONTRAST_CONSTANT))


def whole_windows(is_valid: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which windows of `ssim_map` hold valid pixels only, (h - 10, w - 10)."""
    if min(is_valid.shape) <= 2 * RADIUS:
        return np.empty((max(is_valid.shape[0] - 2 * RADIUS, 0), max(is_valid.shape[1] - 2 * RADIUS, 0)), dtype=bool)
    inside = slice(RADIUS, -RADIUS)
    eroded: NDArray[np.bool_] = minimum_filter(is_valid, size=2 * RADIUS + 1)[inside, inside]
    return eroded


def _window_mean(image: NDArray[np.float64]) -> NDArray[np.float64]:
    weights = gaussian_window()
    inside = slice(RADIUS, -RADIUS)
    by_rows = correlate1d(image, weights, axis=0)[inside]
    means: NDArray[np.float64] = correlate1d(by_rows, weights, axis=1)[:, inside]
    return means
