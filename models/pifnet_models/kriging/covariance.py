"""Covariances between fine pixels that depend on position and on a guide image, seen through a sampling operator.

Fine pixels at distance d, with features f and g (whitened HR-MSI, and its 3 x 3 blur), covary as

    C = sum_j a_j exp(-d / l_j) / (1 + w_j^2 |f - g|^2 / 2) + sum_i b_i exp(-d / m_i) f . g / M

(docs/design.md 4.3). Needed are C Dt between fine pixels and LR samples, and D C Dt between LR samples; D blurs and
samples. Both are summed up without ever holding C: D is separable, and what depends on position is tabulated.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pifnet_models.kernels.covariance import POINTS_AT_ONCE, ROWS_AT_ONCE, covariances_through_rows
from pifnet_models.kernels.simd import LANES
from pifnet_models.sampling import SamplingOperator

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]

AMPLITUDES = (0.3, 1.0, 1.0, 0.5)  # a_j
RANGES = (6.0, 200.0, 60.0, 16.0)  # l_j, HR pixels
SHARPNESSES = (0.0175, 0.35, 0.7, 0.245)  # w_j, per unit of whitened HR-MSI
LINEAR_TERMS = ((0.08, 120.0), (0.08, 20.0))  # b_i and m_i, HR pixels
BLUR_WEIGHT = 0.3  # of the blurred guide in |f_p - f_q|^2
FEATURE_LIMIT = 1e4  # standard deviations of the LR-MSI: beyond any sunlit roof, and the kernel cannot overflow
DISTANCE_FLOOR = 1e-3  # squared HR pixels, added to every squared distance
ALIGNMENT = 64  # bytes: loads of the kernel would otherwise touch two cache lines each
NUMBERS = np.array([1, -2, *(sharpness**2 / 2 for sharpness in SHARPNESSES)], dtype=np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """What tells fine pixels apart.

    Attributes:
        features: (F, H, W), first the `linear` ones that enter the linear terms; zero where invalid.
        linear: M.
        is_valid: (H, W).
    """

    features: Array32
    linear: int
    is_valid: NDArray[np.bool_]


def guide_of(whitened_msi: Array32) -> Guide:
    """The guide that a whitened HR-MSI (M, H, W) gives; pixels are invalid where any band is NaN."""
    is_valid = np.asarray(np.isfinite(whitened_msi).all(axis=0))
    limit = np.float32(FEATURE_LIMIT)
    sharp = np.where(is_valid, np.clip(whitened_msi, -limit, limit), np.float32(0))
    blurred = _binomial(sharp)
    if not is_valid.all():
        share = _binomial(is_valid[None].astype(np.float32))
        blurred = np.where(is_valid, blurred / np.maximum(share, np.float32(0.25)), np.float32(0))
    return Guide(np.concatenate([sharp, np.float32(np.sqrt(BLUR_WEIGHT)) * blurred]), len(sharp), is_valid)


def sampled_covariances(
    guide: Guide, operator: SamplingOperator, *, core: tuple[slice, slice], range_scale: float
) -> tuple[Array64, Array32]:
    """D C Dt (n, n) between the n = h w LR samples, row by row, and C Dt (P, n) of the core's P pixels, row by row.

    Invalid pixels do not count: their weights are zero, those of the others unchanged.

    Args:
        guide: Of the HR array.
        operator: From the HR array to LR samples.
        core: Rows and columns of the HR array.
        range_scale: What the covariance's ranges are multiplied with.
    """
    (h, w), lines = operator.lr_shape, _Lines(guide, operator, core[1], range_scale)
    core_rows = np.arange(operator.hr_shape[0])[core[0]]
    with_core = np.empty((len(core_rows), len(lines.core_columns), h, w), dtype=np.float32)
    half = np.zeros((len(lines.rows), w, h, w), dtype=np.float32)  # D C Dt, but for D's rows on the left
    for row in np.union1d(lines.rows, core_rows):
        first, last = np.searchsorted(lines.rows, [row, row + 1])
        columns = lines.all_columns if row in core_rows else lines.columns
        # Every pair of pixels is met once, pairs within a row twice at half their weight: the transpose is the rest.
        below = lines.covariances(row, columns, slice(first, len(lines.rows)))
        half[first:last] = lines.through_columns(below, row, columns)
        if row in core_rows:
            above = lines.covariances(row, lines.core_columns, slice(0, last))
            with_core[row - core_rows[0]] = below[np.searchsorted(columns, lines.core_columns)] + above
    between = (lines.row_weights @ half.reshape(len(half), -1)).reshape(h * w, h * w).astype(np.float64)
    return between + between.T, with_core.reshape(-1, h * w)


def own_variances(guide: Guide, *, core: tuple[slice, slice], range_scale: float) -> Array32:
    """C(p, p) of the core's P pixels, (P,); arguments as for `sampled_covariances`."""
    distance = np.sqrt(DISTANCE_FLOOR) / range_scale
    alone = sum(a * np.exp(-distance / reach) for a, reach in zip(AMPLITUDES, RANGES, strict=True))
    linear = sum(b * np.exp(-distance / reach) for b, reach in LINEAR_TERMS) / guide.linear
    sharp = guide.features[: guide.linear, core[0], core[1]].reshape(guide.linear, -1)
    return np.asarray(alone + linear * np.square(sharp).sum(axis=0), dtype=np.float32)


class _Lines:
    """Covariances of the fine pixels of one row with those that the LR samples see.

    Attributes:
        rows: Rows of the HR array that LR samples see.
        row_weights: (h, number of `rows`), how much.
        columns: Columns of the HR array that LR samples see.
        core_columns: Columns of the core.
        all_columns: Both.
    """

    def __init__(self, guide: Guide, operator: SamplingOperator, core_columns: slice, range_scale: float) -> None:
        self.rows, self.columns = np.unique(operator.rows.indices), np.unique(operator.columns.indices)
        self.core_columns = np.arange(operator.hr_shape[1])[core_columns]
        self.all_columns = np.union1d(self.columns, self.core_columns)
        self.row_weights = operator.rows.toarray().astype(np.float32)[:, self.rows]
        self._column_weights = operator.columns.toarray().astype(np.float32)  # (w, W)
        self._guide = guide
        first, last = int(self.columns[0]), int(self.columns[-1]) + 1
        width = last - first + (first - last) % LANES
        seen_weights = self._column_weights[:, first:last]
        self._seen_weights = np.pad(seen_weights, ((0, 0), (0, width - last + first))).T.copy()  # (Q, w)
        # Groups of rows may begin with any row.
        beyond = ((0, ROWS_AT_ONCE), (0, 0), (0, width - last + first))
        others = np.pad(guide.features[:, self.rows, first:last].transpose(1, 0, 2), beyond)  # (R + 4, F, Q)
        counts = np.pad(guide.is_valid[self.rows, None, first:last], beyond)[:, 0].astype(np.float32)
        self._others = _aligned(others), _aligned(np.square(others).sum(axis=1)), _aligned(counts)
        self._rightmost = int(self.all_columns[-1])
        right = first + width - int(self.all_columns[0])
        self._tables = _tables(operator.hr_shape[0], self._rightmost - first, right, range_scale, guide.linear)

    def covariances(self, row: int, columns: NDArray[np.intp], seen: slice) -> Array32:
        """C Dt of pixels of a row, through the `seen` ones of `rows` alone, and by half through `row` itself.

        Returns:
            (P, h, w).
        """
        rows, h, w = self.rows[seen], len(self.row_weights), self._seen_weights.shape[1]
        total = len(rows) + -len(rows) % ROWS_AT_ONCE
        weights, distances = np.zeros((h, total), dtype=np.float32), np.zeros(total, dtype=np.intp)
        weights[:, : len(rows)] = self.row_weights[:, seen] * np.where(rows == row, np.float32(0.5), np.float32(1))
        distances[: len(rows)] = np.abs(rows - row)
        touched = np.flatnonzero(weights.any(axis=1))
        result = np.zeros((len(columns), h, w), dtype=np.float32)
        if not touched.size:
            return result
        lr_rows = slice(touched[0], touched[-1] + 1)
        points = np.append(columns, columns[-1:].repeat(-len(columns) % POINTS_AT_ONCE))
        features = np.ascontiguousarray(self._guide.features[:, row, points].T)
        guide = tuple(array[seen.start : seen.start + total] for array in self._others)
        sums = _aligned_empty((len(points), lr_rows.stop - lr_rows.start, len(self._seen_weights)))
        covariances_through_rows(
            (features, np.square(features).sum(axis=1), self._rightmost - points),
            guide,
            (self._tables, distances, weights[lr_rows]),
            NUMBERS,
            self._guide.linear,
            sums,
        )
        sums = sums[: len(columns)]
        result[:, lr_rows] = (sums.reshape(-1, sums.shape[2]) @ self._seen_weights).reshape(*sums.shape[:2], w)
        return result

    def through_columns(self, covariances: Array32, row: int, columns: NDArray[np.intp]) -> Array32:
        """(P, h, w) of the pixels at `columns` of a row -> (w, h, w): weighed by D's columns on the left too."""
        weights = self._column_weights[:, columns] * self._guide.is_valid[row, columns]
        return (weights @ covariances.reshape(len(columns), -1)).reshape(-1, *covariances.shape[1:])


@lru_cache(maxsize=8)
def _tables(rows: int, left: int, right: int, range_scale: float, linear: int) -> Array32:
    """(rows, `TABLES`, left + right): what position says of the covariance, by distance along rows and columns."""
    squares = np.square(np.arange(rows))[:, None] + np.square(np.arange(-left, right)) + DISTANCE_FLOOR
    distances = np.sqrt(squares) / range_scale
    terms = [a * np.exp(-distances / reach) for a, reach in zip(AMPLITUDES, RANGES, strict=True)]
    terms.append(np.sum([b * np.exp(-distances / reach) for b, reach in LINEAR_TERMS], axis=0) / linear)
    return _aligned(np.stack(terms, axis=1).astype(np.float32))


def _binomial(image: Array32) -> Array32:
    """(B, H, W) blurred by the 3 x 3 binomial kernel; beyond the border comes its mirror image."""
    for axis in (1, 2):
        margins = [(0, 0)] * 3
        margins[axis] = (1, 1)
        grown = np.pad(image, margins, mode="reflect" if image.shape[axis] > 1 else "edge")
        before, centre, after = (np.take(grown, np.arange(image.shape[axis]) + i, axis=axis) for i in range(3))
        image = ((before + after + 2 * centre) / 4).astype(np.float32, copy=False)
    return image


def _aligned(array: Array32) -> Array32:
    copy = _aligned_empty(array.shape)
    copy[...] = array
    return copy


def _aligned_empty(shape: tuple[int, ...]) -> Array32:
    """A float32 array that begins on a cache line."""
    numbers = int(np.prod(shape))
    memory = np.empty(numbers + ALIGNMENT // 4, dtype=np.float32)
    start = -(memory.ctypes.data // 4) % (ALIGNMENT // 4)
    return memory[start : start + numbers].reshape(shape)
