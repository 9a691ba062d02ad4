"""Where a scan's numbers lie: tensors by address and stride, and all of it as one array, which numba takes at once."""

import itertools
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pifnet_models.kernels.simd import inlined

CHUNK = 32  # steps between two saved states


class Rows(NamedTuple):
    """A (B, S, Q, L, X) float32 tensor: its address, and how far apart neighbours along its first four axes lie.

    Distances are in elements; the last axis is contiguous. A tensor that all paths share has a distance of 0 for them.
    """

    address: int
    batch: int
    sequence: int
    path: int
    position: int


class Sizes(NamedTuple):
    """Sequences S per sample, paths Q that each is scanned along, steps L, channels E, states N, rank r of the steps.

    Direction k = s Q + q scans sequence s along path q; there are K = S Q. Rank 0: step sizes are given as they are.
    """

    sequences: int
    paths: int
    length: int
    channels: int
    states: int
    rank: int


class Tensors(NamedTuple):
    """What a scan reads, or the derivatives with respect to it.

    Attributes:
        u: (B, S, L, E).
        steps: (B, S, Q, L, E), step sizes; or (B, S, Q, L, r), their factors.
        entry: (B, S, Q, L, N), B.
        leave: (B, S, Q, L, N), C.
        decay: Address of A (K, N, E). Derivatives of this and of what follows are kept apart for each sample.
        skip: Address of D (K, E).
        step_weight: Address of the map (K, r, E) from factors to step sizes before softplus.
        step_bias: Address of its bias (K, E).
    """

    u: Rows
    steps: Rows
    entry: Rows
    leave: Rows
    decay: int
    skip: int
    step_weight: int
    step_bias: int


class Work(NamedTuple):
    """All that a kernel is told.

    Attributes:
        given: What is scanned.
        sizes: The lengths of all axes.
        y: (B, S, L, E), the sum over the paths of a sequence; on the way back, the derivative with respect to it.
        saved: Address of (B, K, ceil(L / CHUNK), N, E), the state before each chunk; 0 where none is wanted.
    """

    given: Tensors
    sizes: Sizes
    y: Rows
    saved: int


class Step(NamedTuple):
    """One step of one direction: which it is, and the offset in each tensor of what belongs to it."""

    direction: int
    u: int
    steps: int
    entry: int
    leave: int
    y: int


def packed(work: Work) -> NDArray[np.int64]:
    """The same as one array, for `unpacked`; its numba type does not depend on the classes above."""
    rows = itertools.chain.from_iterable(work.given[:4])
    return np.array([*rows, *work.given[4:], *work.sizes, *work.y, work.saved], dtype=np.int64)


@inlined
def unpacked(numbers: Any) -> Work:
    """What `packed` packed."""
    u, steps = _unpacked_rows(numbers, 0), _unpacked_rows(numbers, 5)
    entry, leave = _unpacked_rows(numbers, 10), _unpacked_rows(numbers, 15)
    given = Tensors(u, steps, entry, leave, numbers[20], numbers[21], numbers[22], numbers[23])
    sizes = Sizes(numbers[24], numbers[25], numbers[26], numbers[27], numbers[28], numbers[29])
    return Work(given, sizes, _unpacked_rows(numbers, 30), numbers[35])


@inlined
def _unpacked_rows(numbers: Any, at: int) -> Rows:
    return Rows(numbers[at], numbers[at + 1], numbers[at + 2], numbers[at + 3], numbers[at + 4])


@inlined
def step_at(tensors: Tensors, y: Rows, batch: int, sequence: int, path: int, direction: int, position: int) -> Step:
    """The step of a direction at a position."""
    return Step(
        direction,
        _row(tensors.u, batch, sequence, path, position),
        _row(tensors.steps, batch, sequence, path, position),
        _row(tensors.entry, batch, sequence, path, position),
        _row(tensors.leave, batch, sequence, path, position),
        _row(y, batch, sequence, path, position),
    )


@inlined
def _row(rows: Rows, batch: int, sequence: int, path: int, position: int) -> int:
    return batch * rows.batch + sequence * rows.sequence + path * rows.path + position * rows.position


@inlined
def saved_at(sizes: Sizes, batch: int, direction: int, chunk: int) -> int:
    """The offset of the state before a chunk in what is saved."""
    chunks = (sizes.length + CHUNK - 1) // CHUNK
    scan = batch * sizes.sequences * sizes.paths + direction
    return (scan * chunks + chunk) * sizes.states * sizes.channels
