"""The inner loop of guided kriging: covariances of one line of fine pixels with others, weighed by the PSF at once.

Most of the method's time is spent here. Sixteen pixels of a row are worked on side by side; two times four such groups
in turn, so that what they are made of and what they are summed into is read once for several. No covariance is stored.
"""

from typing import Any, NamedTuple

import numpy as np
from numba.extending import intrinsic

from pifnet_models.kernels.simd import (
    LANES,
    LanesType,
    add,
    compiled,
    inlined,
    load,
    load_spread,
    multiply,
    multiply_add,
    store,
    zeros,
)

ROWS_AT_ONCE = 4
POINTS_AT_ONCE = 2
TERMS = 4  # that decay with distance and with difference in guide; `_covariance` spells them out
TABLES = TERMS + 1  # one more decays with distance alone, and is multiplied with the product of the features

_operation: Any = intrinsic
_lanes: Any = LanesType()


@_operation
def divide(_context: Any, _first: Any, _second: Any) -> Any:
    """`first / second`."""
    return _lanes(_lanes, _lanes), lambda _c, builder, _s, values: builder.fdiv(*values)


class _Places(NamedTuple):
    """Addresses of all that is read and written, and sizes."""

    features: int
    norms: int
    others: int
    other_norms: int
    counts: int
    tables: int
    weights: int
    numbers: int
    result: int
    depth: int
    linear: int
    rows: int
    width: int
    line: int


@compiled
def covariances_through_rows(points: Any, guide: Any, place: Any, numbers: Any, linear: int, result: Any) -> None:
    """Covariances of P fine pixels of one row with R x Q others, summed over the R rows by the PSF's weights.

    All numbers are float32 but those named integers. P is a multiple of `POINTS_AT_ONCE`, R of `ROWS_AT_ONCE`, Q of
    `LANES`.

    Args:
        points: (P, F) features; (P,) their squared norms; (P,) integers, where in a line of the tables column 0 lies.
        guide: (R, F, Q) features; (R, Q) their squared norms; (R, Q) ones, or zeros for pixels that do not count.
        place: (D, `TABLES`, L) tables by row and column distance; (R,) integers, the row distances; (h, R) weights.
        numbers: (2 + `TERMS`,) one, minus two, and what multiplies each term's squared difference in guide.
        linear: How many of the F features enter the last table's product.
        result: (P, h, Q), overwritten.
    """
    (features, norms, starts), (others, other_norms, counts), (tables, distances, weights) = points, guide, place
    at = _Places(
        *(features.ctypes.data, norms.ctypes.data, others.ctypes.data, other_norms.ctypes.data, counts.ctypes.data),
        *(tables.ctypes.data, weights.ctypes.data, numbers.ctypes.data, result.ctypes.data),
        *(features.shape[1], linear, weights.shape[1], counts.shape[1], tables.shape[2]),
    )
    first, last = _touched(weights)
    block = weights.shape[0] * at.width
    for i in range(0, features.shape[0] * block, LANES):
        store(at.result, i, zeros())
    # Four rows' features and tables stay in the first cache while all points pass by.
    for r in range(0, at.rows, ROWS_AT_ONCE):
        for p in range(0, features.shape[0], POINTS_AT_ONCE):
            lines = (
                starts[p] + distances[r] * TABLES * at.line,
                starts[p] + distances[r + 1] * TABLES * at.line,
                starts[p] + distances[r + 2] * TABLES * at.line,
                starts[p] + distances[r + 3] * TABLES * at.line,
                starts[p + 1] - starts[p],
            )
            for q in range(0, at.width, LANES):
                one, other = _eight_rows(at, p, r, q, lines)
                for i in range(first[r], last[r]):
                    place = p * block + i * at.width + q
                    _add_weighed(at, i * at.rows + r, place, one)
                    _add_weighed(at, i * at.rows + r, place + block, other)


@inlined
def _touched(weights: Any) -> Any:
    """First, and one past the last, of the LR rows that see any of `ROWS_AT_ONCE` rows from each on."""
    lr_rows, rows = weights.shape
    first, last = np.full(rows, lr_rows), np.zeros(rows, dtype=np.intp)
    for i in range(lr_rows):
        for r in range(rows):
            if weights[i, r] != 0:
                for start in range(max(r - ROWS_AT_ONCE + 1, 0), r + 1):
                    first[start], last[start] = min(first[start], i), i + 1
    return first, last


@inlined
def _eight_rows(at: _Places, p: int, r: int, q: int, lines: Any) -> Any:
    """Covariances of fine pixels p and p + 1 with the sixteen from column q on of rows r, r + 1, r + 2 and r + 3."""
    point, feature = p * at.depth, r * at.depth * at.width + q
    sharp = _products(at, point, feature, at.linear)
    rest = _products(at, point + at.linear, feature + at.linear * at.width, at.depth - at.linear)
    other = r * at.width + q
    return (
        _four_rows(at, sharp[0], rest[0], load_spread(at.norms, p), other, lines, q),
        _four_rows(at, sharp[1], rest[1], load_spread(at.norms, p + 1), other, lines, q + lines[4]),
    )


@inlined
def _four_rows(at: _Places, sharp: Any, rest: Any, norm: Any, other: int, lines: Any, q: int) -> Any:
    return (
        _covariance(at, sharp[0], rest[0], norm, other, lines[0] + q),
        _covariance(at, sharp[1], rest[1], norm, other + at.width, lines[1] + q),
        _covariance(at, sharp[2], rest[2], norm, other + 2 * at.width, lines[2] + q),
        _covariance(at, sharp[3], rest[3], norm, other + 3 * at.width, lines[3] + q),
    )


@inlined
def _add_weighed(at: _Places, weight: int, place: int, covariances: Any) -> None:
    """Add four rows' covariances to those through one LR row."""
    total = multiply_add(load_spread(at.weights, weight), covariances[0], load(at.result, place))
    total = multiply_add(load_spread(at.weights, weight + 1), covariances[1], total)
    total = multiply_add(load_spread(at.weights, weight + 2), covariances[2], total)
    store(at.result, place, multiply_add(load_spread(at.weights, weight + 3), covariances[3], total))


@inlined
def _products(at: _Places, point: int, other: int, count: int) -> Any:
    """Products of `count` features of two fine pixels with those of sixteen others in each of four rows, summed."""
    a0, a1, a2, a3 = zeros(), zeros(), zeros(), zeros()
    b0, b1, b2, b3 = zeros(), zeros(), zeros(), zeros()
    row = at.depth * at.width
    for k in range(count):
        a, b = load_spread(at.features, point + k), load_spread(at.features, point + at.depth + k)
        x0, x1 = load(at.others, other + k * at.width), load(at.others, other + k * at.width + row)
        a0, a1, b0, b1 = (
            multiply_add(a, x0, a0),
            multiply_add(a, x1, a1),
            multiply_add(b, x0, b0),
            multiply_add(b, x1, b1),
        )
        x2, x3 = load(at.others, other + k * at.width + 2 * row), load(at.others, other + k * at.width + 3 * row)
        a2, a3, b2, b3 = (
            multiply_add(a, x2, a2),
            multiply_add(a, x3, a3),
            multiply_add(b, x2, b2),
            multiply_add(b, x3, b3),
        )
    return (a0, a1, a2, a3), (b0, b1, b2, b3)


@inlined
def _covariance(at: _Places, sharp: Any, rest: Any, norm: Any, other: int, entry: int) -> Any:
    """Sum of t_j / (1 + n_j g), and t_last times `sharp`; g is the squared difference. One division for all terms."""
    one, line = load_spread(at.numbers, 0), at.line
    g = multiply_add(add(sharp, rest), load_spread(at.numbers, 1), add(norm, load(at.other_norms, other)))
    d0 = multiply_add(load_spread(at.numbers, 2), g, one)
    d1 = multiply_add(load_spread(at.numbers, 3), g, one)
    d2 = multiply_add(load_spread(at.numbers, 4), g, one)
    d3 = multiply_add(load_spread(at.numbers, 5), g, one)
    d01, d23 = multiply(d0, d1), multiply(d2, d3)
    n01 = multiply_add(load(at.tables, entry), d1, multiply(load(at.tables, entry + line), d0))
    n23 = multiply_add(load(at.tables, entry + 2 * line), d3, multiply(load(at.tables, entry + 3 * line), d2))
    terms = divide(multiply_add(n01, d23, multiply(n23, d01)), multiply(d01, d23))
    total = multiply_add(load(at.tables, entry + 4 * line), sharp, terms)
    return multiply(total, load(at.counts, other))
