"""Area-to-point kriging: fine values from coarse ones, the covariance known between points and the sampling operator.

Kyriakidis, "A geostatistical framework for area-to-point spatial interpolation", Geographical Analysis 36 (2004). The
covariance between points is exp(-distance / range), written as a sum of Gaussians (`exponential_mixture`): Gaussians
are separable, so that blur and sampling, whatever their phase and ratio, act along one axis at a time.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from pifnet_models.classical.moments import Array64
from pifnet_models.sampling import SamplingOperator

Array32 = NDArray[np.float32]

NEIGHBOURS = 5  # LR pixels along the side of a neighbourhood
CANDIDATE_RANGES = np.geomspace(0.25, 16.0, 13)  # LR pixels
LAGS = ((0, 1), (1, 0), (1, 1), (0, 2), (2, 0), (1, 2), (2, 1), (2, 2), (0, 3), (3, 0), (0, 4), (4, 0))  # LR pixels
RIDGE = 1e-9  # of a neighbourhood's mean variance: rounding must not make it singular
DIGITS = 9  # decimals in which neighbourhoods of the same geometry agree


def exponential_mixture() -> tuple[Array64, Array64]:
    """Weights and variances (n,) with exp(-d) = sum of weights exp(-d^2 / (2 variances)), to 2e-4 for d > 0.02.

    The exponential is a mixture of Gaussians with variances t distributed as t^-1/2 exp(-t / 2) (Andrews and Mallows,
    "Scale mixtures of normal distributions", JRSS B 36, 1974), summed here at logarithmic steps.
    """
    variances = np.exp(np.arange(-10.0, 6.0))
    weights = np.sqrt(variances / (2 * np.pi)) * np.exp(-variances / 2)
    weights[0] += 1 - weights.sum()  # what varies within less than 0.02 ranges
    return weights, variances


def correlation_range(residual: Array32, operator: SamplingOperator) -> float:
    """The range, in HR pixels, of the covariance between points that explains how LR values vary with distance.

    Deconvolution by search: for each candidate the covariance is brought to LR by the operator, and its semivariogram
    compared, by least squares over pairs of pixels and with the sill that suits it best, with that of `residual`; a
    parabola through the best candidate and its neighbours refines it. One range serves all bands, so strong residuals
    count most.

    Args:
        residual: (B, h, w), finite.
        operator: What samples points at LR.
    """
    spacing = float(np.sqrt(_spacing(operator.rows) * _spacing(operator.columns)))
    lags = [lag for lag in LAGS if lag[0] < residual.shape[1] and lag[1] < residual.shape[2]]
    observed, pairs = _semivariogram(residual, lags)
    if not observed.any():
        return spacing
    models = np.stack([_regularised(operator, distance * spacing, lags) for distance in CANDIDATE_RANGES])
    sills = models @ (pairs * observed) / np.maximum(models**2 @ pairs, np.finfo(np.float64).tiny)
    misfits = (observed - sills[:, None] * models) ** 2 @ pairs
    best = int(misfits.argmin())
    refined = np.log(CANDIDATE_RANGES[best])
    if 0 < best < len(misfits) - 1:
        before, here, after = misfits[best - 1 : best + 2]
        step = np.log(CANDIDATE_RANGES[1] / CANDIDATE_RANGES[0])
        refined += step * 0.5 * (before - after) / max(before - 2 * here + after, np.finfo(np.float64).tiny)
    return float(np.exp(refined) * spacing)


def krige(residual: Array32, operator: SamplingOperator, *, distance: float) -> Array32:
    """Ordinary kriging of points from the 5 x 5 LR pixels around them.

    Weights depend on geometry alone and are the same for all bands; where the operator repeats itself, as at whole
    ratios away from the borders, they are computed once. At the borders the neighbourhood is moved inside.

    Args:
        residual: (B, h, w), finite.
        operator: What samples points at LR.
        distance: Range of the covariance, HR pixels.

    Returns:
        (B, H, W).
    """
    weights, variances = exponential_mixture()
    rows = _Axis.of(operator.rows, variances * distance**2)
    columns = _Axis.of(operator.columns, variances * distance**2)
    points = np.empty((len(residual), *operator.hr_shape), dtype=np.float32)
    around = columns.first[:, None] + np.arange(columns.side)  # (w, k)
    is_own = columns.is_own.ravel()
    for pattern in range(len(rows.near)):
        shares = _weights(weights, rows, columns, pattern).astype(np.float32)[columns.pattern]  # (w, k k, n n)
        for row in np.flatnonzero(rows.pattern == pattern):
            near = residual[:, rows.first[row] : rows.first[row] + rows.side][:, :, around]  # (B, k, w, k)
            values = np.ascontiguousarray(near.transpose(2, 0, 1, 3)).reshape(len(around), len(residual), -1) @ shares
            by_row = values.reshape(len(around), len(residual), rows.is_own.shape[1], -1).transpose(1, 2, 0, 3)
            own = rows.is_own[row]
            points[:, rows.members[row, own]] = by_row[:, own].reshape(len(residual), own.sum(), -1)[:, :, is_own]
    return points


@dataclass(frozen=True, slots=True, eq=False)
class _Axis:
    """One axis of the geometry: which LR pixels surround each point, and the covariances, per Gaussian g.

    Attributes:
        first: (h,), where the neighbourhood of the points nearest to an LR pixel starts.
        members: (h, n), those points; the last is repeated where there are fewer than n.
        is_own: (h, n), False for repetitions.
        pattern: (h,), geometries that agree share a number.
        near: (patterns, g, k, k), covariance between LR pixels of the neighbourhood.
        far: (patterns, g, n, k), covariance of the points with them.
    """

    first: NDArray[np.intp]
    members: NDArray[np.intp]
    is_own: NDArray[np.bool_]
    pattern: NDArray[np.intp]
    near: Array64
    far: Array64

    @property
    def side(self) -> int:
        """k, LR pixels along the neighbourhood."""
        return int(self.near.shape[-1])

    @classmethod
    def of(cls, sampling: sparse.csr_array, variances: Array64) -> "_Axis":
        """The geometry of `sampling` (h, H) under Gaussians of the given variances (g,), in squared HR pixels."""
        count = sampling.shape[0]
        side = min(NEIGHBOURS, count)
        members, is_own = _nearest_points(sampling)
        first = np.clip(np.arange(count) - side // 2, 0, count - side)
        around = first[:, None] + np.arange(side)  # (h, k)
        near, far = [], []
        for to_points in _smoothed(sampling, variances):  # (h, H)
            between = to_points @ sampling.T  # (h, h)
            near.append(between[around[:, :, None], around[:, None, :]])
            far.append(to_points[around[:, None, :], members[:, :, None]])
        geometry = np.concatenate([np.stack(part, axis=1).reshape(count, -1) for part in (near, far)], axis=1)
        _, example, pattern = np.unique(np.round(geometry, DIGITS), axis=0, return_index=True, return_inverse=True)
        return cls(
            first, members, is_own, pattern.ravel(), np.stack(near, axis=1)[example], np.stack(far, axis=1)[example]
        )


def _nearest_points(sampling: sparse.csr_array) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Points by the LR pixel whose centre is nearest: indices (h, n), and which of them are no repetitions."""
    points = sampling.shape[1]
    centres = sampling @ np.arange(points, dtype=np.float64)
    borders = (centres[1:] + centres[:-1]) / 2
    start = np.r_[0, np.ceil(borders - 1e-6).astype(np.intp), points]  # at equal distance the later one
    length = np.diff(start)
    offset = np.arange(max(int(length.max()), 1))
    is_own = offset < length[:, None]
    return np.minimum(start[:-1, None] + offset, np.maximum(start[1:, None] - 1, 0)), is_own


def _spacing(sampling: sparse.csr_array) -> float:
    """Points from one LR pixel to the next."""
    count, points = sampling.shape
    return float(np.median(np.diff(sampling @ np.arange(points, dtype=np.float64)))) if count > 1 else float(points)


def _smoothed(sampling: sparse.csr_array, variances: Array64) -> Iterator[Array64]:
    """(h, H) covariance of LR pixels with points, for each Gaussian in turn."""
    apart = np.subtract.outer(np.arange(sampling.shape[1]), np.arange(sampling.shape[1])).astype(np.float64) ** 2
    for variance in variances:
        yield sampling @ np.exp(apart / (-2 * variance))


def _weights(weights: Array64, rows: _Axis, columns: _Axis, pattern: int) -> Array64:
    """(column patterns, k k, n n): kriging weights of one row pattern's points, summing to one over k k."""
    near = np.einsum("g,gik,ugjl->uijkl", weights, rows.near[pattern], columns.near, optimize=True)
    far = np.einsum("g,gpi,ugqj->uijpq", weights, rows.far[pattern], columns.far, optimize=True)
    count, size = len(near), near.shape[1] * near.shape[2]
    near, far = near.reshape(count, size, size), far.reshape(count, size, -1)
    index = np.arange(size)
    near[:, index, index] += RIDGE * near[:, index, index].mean(axis=1, keepdims=True)
    inverse = np.linalg.inv(near)
    to_mean = inverse.sum(axis=2)  # (u, k k)
    simple = inverse @ far
    missing = 1 - simple.sum(axis=1)  # (u, n n)
    return simple + to_mean[:, :, None] / to_mean.sum(axis=1)[:, None, None] * missing[:, None]


def _semivariogram(residual: Array32, lags: list[tuple[int, int]]) -> tuple[Array64, Array64]:
    """Semivariance and number of pairs of pixels at each lag, (n,) both; oblique lags are taken in both directions."""
    totals, pairs = np.zeros(len(lags)), np.zeros(len(lags))
    height, width = residual.shape[1:]
    for index, (down, right) in enumerate(lags):
        upper, lower = slice(0, height - down), slice(down, height)
        left, rest = slice(0, width - right), slice(right, width)
        ways = [(left, rest), (rest, left)] if down and right else [(left, rest)]
        for here, there in ways:
            difference = (residual[:, lower, there] - residual[:, upper, here]).astype(np.float64)
            totals[index] += np.vdot(difference, difference) / 2
            pairs[index] += difference[0].size
    return totals / np.maximum(pairs, 1), pairs


def _regularised(operator: SamplingOperator, distance: float, lags: list[tuple[int, int]]) -> Array64:
    """(n,) semivariances that LR pixels amid the operator have at `lags` where points correlate over `distance`."""
    weights, variances = exponential_mixture()
    along_rows = _central_covariances(operator.rows, variances * distance**2)
    along_columns = _central_covariances(operator.columns, variances * distance**2)
    sill = weights @ (along_rows[:, 0] * along_columns[:, 0])
    return np.array([sill - weights @ (along_rows[:, down] * along_columns[:, right]) for down, right in lags])


def _central_covariances(sampling: sparse.csr_array, variances: Array64) -> Array64:
    """(g, 5): covariance of LR pixels by lag, averaged over the nine in the middle of the axis."""
    middle = sampling.shape[0] // 2
    central = sampling[max(middle - 4, 0) : middle + 5]
    span = slice(int(central.indices.min()), int(central.indices.max()) + 1)
    central = central[:, span]
    between = [smoothed @ central.T for smoothed in _smoothed(central, variances)]
    lags = range(max(max(lag) for lag in LAGS) + 1)
    return np.array([[np.diagonal(one, lag).mean() if lag < len(one) else 0.0 for lag in lags] for one in between])
