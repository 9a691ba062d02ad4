"""The selective scan for processors: numba, float32, channels side by side in vector registers.

Work is divided into units that share no result; a caller may run ranges of units in several threads, for the kernels
hold no lock and start no thread: they survive forked and threaded callers.
"""

from typing import Any

from pifnet_models.kernels.selective_scan.layout import CHUNK, Sizes, Step, Tensors, saved_at, step_at, unpacked
from pifnet_models.kernels.simd import (
    LANES,
    add,
    compiled,
    exponential,
    inlined,
    load,
    load_spread,
    multiply,
    multiply_add,
    softplus,
    store,
    zeros,
)


@compiled
def scan_forward(first: int, last: int, numbers: Any, order: Any, space: int) -> None:
    """Scan units `first` to `last` - 1; a unit is sixteen channels of one sequence, along all its paths.

    Args:
        first: First unit.
        last: One past the last unit, of B S E/16.
        numbers: `packed` work; its y is written, and its saved states where there is a place for them.
        order: (Q, L) int64, the position that each path visits at each step.
        space: Address of 16 N float32 numbers of working space.
    """
    given, sizes, y, saved = unpacked(numbers)
    blocks = sizes.channels // LANES
    for unit in range(first, last):
        e = unit % blocks * LANES
        sequence = unit // blocks % sizes.sequences
        batch = unit // blocks // sizes.sequences
        for path in range(sizes.paths):
            k = sequence * sizes.paths + path
            clear(space, sizes.states * LANES)
            for t in range(sizes.length):
                if saved != 0 and t % CHUNK == 0:
                    _save(sizes, space, saved, saved_at(sizes, batch, k, t // CHUNK) + e)
                step = step_at(given, y, batch, sequence, path, k, order[path, t])
                value = load(given.u.address, step.u + e)
                seen = multiply(value, load(given.skip, k * sizes.channels + e))
                seen = add(seen, _advanced(given, sizes, step, e, value, space))
                if path:
                    seen = add(seen, load(y.address, step.y + e))
                store(y.address, step.y + e, seen)


@inlined
def clear(target: int, count: int) -> None:
    """Set `count` numbers, a multiple of `LANES`, to zero."""
    for i in range(0, count, LANES):
        store(target, i, zeros())


@inlined
def raw_step(given: Tensors, sizes: Sizes, step: Step, e: int) -> Any:
    """The step sizes of sixteen channels from e on, before softplus."""
    raw = load(given.step_bias, step.direction * sizes.channels + e)
    for factor in range(sizes.rank):
        weight = load(given.step_weight, (step.direction * sizes.rank + factor) * sizes.channels + e)
        raw = multiply_add(load_spread(given.steps.address, step.steps + factor), weight, raw)
    return raw


@inlined
def decay_of(given: Tensors, sizes: Sizes, step: Step, n: int, e: int, size: Any) -> Any:
    """What a step of this size leaves of state n of sixteen channels from e on."""
    return exponential(multiply(size, load(given.decay, (step.direction * sizes.states + n) * sizes.channels + e)))


@inlined
def _save(sizes: Sizes, state: int, saved: int, at: int) -> None:
    for n in range(sizes.states):
        store(saved, at + n * sizes.channels, load(state, n * LANES))


@inlined
def _advanced(given: Tensors, sizes: Sizes, step: Step, e: int, value: Any, state: int) -> Any:
    """Advance the states of sixteen channels by one step; returns C . h."""
    size = softplus(raw_step(given, sizes, step, e)) if sizes.rank else load(given.steps.address, step.steps + e)
    drive = multiply(size, value)
    seen = zeros()
    for n in range(sizes.states):
        fresh = multiply(drive, load_spread(given.entry.address, step.entry + n))
        now = multiply_add(decay_of(given, sizes, step, n, e, size), load(state, n * LANES), fresh)
        store(state, n * LANES, now)
        seen = multiply_add(now, load_spread(given.leave.address, step.leave + n), seen)
    return seen
