"""Bring an image to other positions by Keys' cubic convolution (a = -1/2), invalid pixels respected.

Keys, "Cubic convolution interpolation for digital image processing", IEEE TASSP 29 (1981). With a = -1/2 a linear ramp
is reproduced exactly at any position, which a = -3/4 (the usual choice of deep learning frameworks) is not.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from pifnet_cli.scene import Pixels, Positions

KEYS_SLOPE = -0.5
SUPPORT = 2  # pixels that the kernel reaches on either side


class CubicResampler:
    """Interpolates any number of bands of `height` x `width` pixels at fixed positions.

    `reach` is how far the image may be continued beyond its outermost pixel centres, in its own pixels.
    """

    def __init__(self, positions: Positions, *, height: int, width: int, reach: float) -> None:
        self._positions = positions
        self._size = (height, width)
        self._inside = positions.within(height, width, reach=reach)
        if positions.is_separable:
            self._rows = _axis_matrix(positions.rows, height)
            self._columns = _axis_matrix(positions.columns, width)
        else:
            self._matrix = _point_matrix(positions, height, width)

    def __call__(self, image: Pixels) -> Pixels:
        """(B, h, w) -> (B, H, W); NaN where the nearest pixel is NaN or out of reach."""
        finite = np.isfinite(image)
        if finite.all():
            result = self._interpolate(image)
        else:
            result = self._interpolate(np.stack([_continued(band) for band in image]))
            result[~self._nearest(finite)] = np.nan
        if not self._inside.all():
            result[:, ~self._inside] = np.nan
        return result

    def axis_matrices(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(H, h) and (W, w), where positions are separable.

        Raises:
            ValueError: They are not.
        """
        if not self._positions.is_separable:
            raise ValueError("positions depend on rows and columns together")
        return self._rows, self._columns

    def validity(self, image: Pixels) -> NDArray[np.bool_]:
        """(B, h, w) -> (B, H, W): where the result is a number."""
        return self._nearest(np.isfinite(image)) & self._inside

    def _interpolate(self, image: Pixels) -> Pixels:
        if self._positions.is_separable:
            return self._along_axes(image)
        flat = self._matrix @ image.reshape(len(image), -1).T
        return np.ascontiguousarray(flat.T).reshape(len(image), *self._positions.shape)

    def _along_axes(self, image: Pixels) -> Pixels:
        """Two large products instead of two per band: small ones leave BLAS threads waiting for each other."""
        bands, height, width = image.shape
        rows, columns = self._positions.shape
        by_row = np.ascontiguousarray(image.transpose(1, 0, 2)).reshape(height, -1)
        along_rows = (self._rows @ by_row).reshape(rows, bands, width)
        by_band = np.ascontiguousarray(along_rows.transpose(1, 0, 2)).reshape(-1, width)
        return (by_band @ self._columns.T).reshape(bands, rows, columns)

    def _nearest(self, flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
        rows = np.clip(np.rint(self._positions.rows).astype(int), 0, self._size[0] - 1)
        columns = np.clip(np.rint(self._positions.columns).astype(int), 0, self._size[1] - 1)
        if self._positions.is_separable:
            return flags[:, rows[:, None], columns[None]]
        return flags[:, rows, columns]


def _keys_weights(positions: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Four taps per position: indices (..., 4), unclipped, and weights (..., 4) that sum to one."""
    first = np.floor(positions).astype(np.intp)
    taps = first[..., None] + np.arange(-1, 3)
    t = np.abs(positions[..., None] - taps)
    a = KEYS_SLOPE
    near = (a + 2) * t**3 - (a + 3) * t**2 + 1
    far = a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a
    return taps, np.where(t <= 1, near, np.where(t < SUPPORT, far, 0.0))


def _axis_matrix(positions: NDArray[np.float64], count: int) -> NDArray[np.float32]:
    """(len(positions), count), dense: on tiles a BLAS product beats a sparse one."""
    taps, weights = _keys_weights(positions)
    matrix = np.zeros((len(positions), count), dtype=np.float32)
    np.add.at(matrix, (np.arange(len(positions))[:, None], np.clip(taps, 0, count - 1)), weights)
    return matrix


def _point_matrix(positions: Positions, height: int, width: int) -> sparse.csr_array:
    """(H W, h w) with sixteen entries a row."""
    row_taps, row_weights = _keys_weights(positions.rows.ravel())
    column_taps, column_weights = _keys_weights(positions.columns.ravel())
    indices = np.clip(row_taps, 0, height - 1)[:, :, None] * width + np.clip(column_taps, 0, width - 1)[:, None, :]
    weights = (row_weights[:, :, None] * column_weights[:, None, :]).astype(np.float32)
    count = len(indices)
    pointers = np.arange(count + 1) * 16
    return sparse.csr_array((weights.ravel(), indices.ravel(), pointers), shape=(count, height * width))


def _continued(band: Pixels) -> Pixels:
    """(h, w) with its invalid pixels replaced by the mean of valid neighbours, `SUPPORT` pixels deep, then by zero.

    Only pixels that the cubic kernel can touch from a valid place matter; an entirely invalid band becomes zero.
    """
    finite = np.isfinite(band)
    filled = np.where(finite, band, np.float32(0))
    if not finite.any():
        return filled
    for _ in range(SUPPORT + 1):
        share = ndimage.uniform_filter(finite.astype(np.float32), size=3, mode="constant")
        total = ndimage.uniform_filter(np.where(finite, filled, np.float32(0)), size=3, mode="constant")
        reached = ~finite & (share > 0.5 / 9)
        filled = np.where(reached, total / np.maximum(share, 0.5 / 9), filled)
        finite |= reached
    return filled
