"""The HR-MSI as the hyperspectral sensor would see it: blur and sampling in one step, at any positions."""

import math

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from pifnet_cli.degrade.psf import MINIMUM_VALID, Psf, axis_sampling_matrix, degrade_separable
from pifnet_cli.scene import Pixels, Positions, Window

EDGE_REACH = 0.5  # HR pixels beyond the outermost pixel centres at which a position still lies on the image


class PsfSampler:
    """Weighs the pixels of an image of `height` x `width` by the PSF around fixed positions.

    Separable where positions are; otherwise one sparse row per position, exact for a Gaussian of equal widths, which is
    separable along the image's own axes whatever the rotation of the coarse grid.
    """

    def __init__(self, positions: Positions, psf: Psf, *, height: int, width: int) -> None:
        self._shape = positions.shape
        self._inside = positions.within(height, width, reach=EDGE_REACH)
        rows, columns = positions.rows.ravel(), positions.columns.ravel()
        self._rows = axis_sampling_matrix(height, rows, sigma=psf.sigma_rows, radius=psf.radius)
        self._columns = axis_sampling_matrix(width, columns, sigma=psf.sigma_columns, radius=psf.radius)
        self._points = None if positions.is_separable else _row_wise_products(self._rows, self._columns)

    def __call__(self, image: Pixels) -> Pixels:
        """(B, H, W) -> (B, h, w); NaN where too little of the PSF is on valid pixels, or the centre is outside."""
        if self._points is None:
            result = degrade_separable(image, self._rows, self._columns)
        else:
            result = self._at_points(self._points, image)
        result[:, ~self._inside] = np.nan
        return result

    def _at_points(self, points: sparse.csr_array, image: Pixels) -> Pixels:
        finite = np.isfinite(image)
        total = self._weighed(points, np.where(finite, image, np.float32(0)))
        if finite.all():
            return total
        share = self._weighed(points, finite.astype(np.float32))
        is_valid = share >= MINIMUM_VALID
        return np.where(is_valid, total / np.where(is_valid, share, np.float32(1)), np.float32(np.nan))

    def _weighed(self, points: sparse.csr_array, image: Pixels) -> Pixels:
        flat = points @ image.reshape(len(image), -1).T
        return np.ascontiguousarray(flat.T).reshape(len(image), *self._shape)


def reached(positions: Positions, psf: Psf) -> Window:
    """The pixels that the PSF weighs around positions, those beyond the image included."""
    row, column = (math.floor(axis.min()) - psf.radius for axis in (positions.rows, positions.columns))
    bottom, right = (math.ceil(axis.max()) + psf.radius + 1 for axis in (positions.rows, positions.columns))
    return Window.between(row, column, bottom, right)


def clear_of_holes(image: Pixels, positions: Positions, *, reach: tuple[int, int]) -> NDArray[np.bool_]:
    """Whether every pixel of the image round a position is valid in all bands; what lies beyond the image is no hole.

    Args:
        image: (B, H, W), NaN where invalid.
        positions: h x w of them in the image.
        reach: Rows and columns on either side of a position that are looked at, pixels.

    Returns:
        (h, w).
    """
    is_hole = ~np.isfinite(image).all(axis=0)
    if not is_hole.any():
        return np.ones(positions.shape, dtype=bool)
    sides = [2 * side + 1 for side in reach]
    reached = np.asarray(ndimage.maximum_filter(is_hole.view(np.uint8), size=sides, mode="constant") > 0)
    rows, columns = (
        np.clip(np.rint(np.nan_to_num(axis)).astype(int), 0, length - 1)
        for axis, length in zip((positions.rows, positions.columns), is_hole.shape, strict=True)
    )
    return np.asarray(~(reached[rows[:, None], columns[None]] if positions.is_separable else reached[rows, columns]))


def mended(image: Pixels) -> Pixels:
    """Invalid pixels that have a valid one among their eight neighbours replaced by the mean of those, band by band."""
    finite = np.isfinite(image)
    if finite.all():
        return image
    sides = (0, 3, 3)
    share = ndimage.uniform_filter(finite.astype(np.float32), size=sides, mode="constant")
    total = ndimage.uniform_filter(np.where(finite, image, np.float32(0)), size=sides, mode="constant")
    mean = np.divide(total, share, out=np.full_like(total, np.nan), where=share > 0.5 / 9)
    return np.where(finite, image, mean)


def filled(image: Pixels, *, empty: float = np.nan) -> Pixels:
    """Invalid pixels replaced band by band with the nearest valid one; `empty` where a band has none."""
    finite = np.isfinite(image)
    if finite.all():
        return image
    whole = np.where(finite, image, np.float32(empty))
    for band, is_valid in zip(whole, finite, strict=True):
        if is_valid.any() and not is_valid.all():
            nearest = ndimage.distance_transform_edt(~is_valid, return_distances=False, return_indices=True)
            band[:] = band[tuple(nearest)]
    return whole


def _row_wise_products(rows: sparse.csr_array, columns: sparse.csr_array) -> sparse.csr_array:
    """(n, H) and (n, W) -> (n, H W): the outer product of each pair of rows, built without a loop over positions."""
    count, height = rows.shape
    width = columns.shape[1]
    row_counts, column_counts = np.diff(rows.indptr), np.diff(columns.indptr)
    owners = np.repeat(np.arange(count), row_counts)  # the position of every entry of `rows`
    repeats = column_counts[owners]
    row_entry = np.repeat(np.arange(rows.nnz), repeats)
    column_entry = np.arange(len(row_entry)) + np.repeat(columns.indptr[owners] - np.cumsum(repeats) + repeats, repeats)
    values = (rows.data[row_entry] * columns.data[column_entry]).astype(np.float32)
    indices = rows.indices[row_entry].astype(np.int64) * width + columns.indices[column_entry]
    pointers = np.r_[0, np.cumsum(row_counts * column_counts)]
    return sparse.csr_array((values, indices, pointers), shape=(count, height * width))
