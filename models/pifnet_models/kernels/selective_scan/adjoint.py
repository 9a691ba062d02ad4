"""The adjoint of the processor's selective scan: chunk by chunk from the end, each chunk's states computed anew."""

from typing import Any, NamedTuple

from pifnet_models.kernels.selective_scan.kernels import clear, decay_of, raw_step
from pifnet_models.kernels.selective_scan.layout import CHUNK, Sizes, Step, Tensors, saved_at, step_at, unpacked
from pifnet_models.kernels.simd import (
    LANES,
    add,
    compiled,
    inlined,
    load,
    load_spread,
    multiply,
    multiply_add,
    sigmoid,
    softplus,
    store,
    store_sum,
    zeros,
)


class Scratch(NamedTuple):
    """Working space, by address.

    Attributes:
        states: (CHUNK + 1, N, E), before each step of a chunk and after the last.
        decays: (CHUNK, N, E).
        sizes: (CHUNK, E), step sizes.
        slopes: (CHUNK, E), their derivatives with respect to what softplus was given.
        adjoint: (N, E), of the state.
        to_rate: (N, E), a chunk's part of the derivative of A.
        to_drive: (E), the derivative with respect to one step's size times u.
        to_size: (E), the derivative with respect to one step's size.
    """

    states: int
    decays: int
    sizes: int
    slopes: int
    adjoint: int
    to_rate: int
    to_drive: int
    to_size: int


class _Task(NamedTuple):
    """What every part of the way back needs; `to_y` is the address of the derivative with respect to y."""

    given: Tensors
    sizes: Sizes
    to_y: int
    gradients: Tensors
    scratch: Scratch


def scratch_floats(sizes: Sizes) -> int:
    """How many float32 numbers of working space a running `scan_backward` needs."""
    row, area = sizes.channels, sizes.states * sizes.channels
    return (2 * CHUNK + 3) * area + (2 * CHUNK + 2) * row


@compiled
def scan_backward(first: int, last: int, numbers: Any, order: Any, space: int, results: Any) -> None:
    """The adjoint of `scan_forward` for units `first` to `last` - 1; a unit is one sequence along all its paths.

    Args:
        first: First unit.
        last: One past the last unit, of B S.
        numbers: `packed` work, with what `scan_forward` saved.
        order: As for `scan_forward`.
        space: Address of `scratch_floats` numbers of working space.
        results: `packed` work whose tensors are the derivatives; written. From `decay` on they must be zero before.
    """
    given, sizes, y, saved = unpacked(numbers)
    gradients = unpacked(results).given
    task = _Task(given, sizes, y.address, gradients, _scratch(space, sizes))
    area = sizes.states * sizes.channels
    for unit in range(first, last):
        sequence, batch = unit % sizes.sequences, unit // sizes.sequences
        for path in range(sizes.paths):
            k = sequence * sizes.paths + path
            scan = batch * sizes.sequences * sizes.paths + k
            clear(task.scratch.adjoint, area)
            for chunk in range((sizes.length - 1) // CHUNK, -1, -1):
                begin = chunk * CHUNK
                end = min(begin + CHUNK, sizes.length)
                _copy(saved, saved_at(sizes, batch, k, chunk), task.scratch.states, area)
                clear(task.scratch.to_rate, area)
                for t in range(begin, end):
                    _remember(task, step_at(given, y, batch, sequence, path, k, order[path, t]), t - begin)
                for t in range(end - 1, begin - 1, -1):
                    step = step_at(given, y, batch, sequence, path, k, order[path, t])
                    target = step_at(gradients, y, batch, sequence, path, scan, order[path, t])
                    _retreat(task, step, target, t - begin)
                    _share(task, step, target, t - begin, path)
                    _share_size(task, step, target)
                # Summed chunk by chunk: over thousands of steps a single float32 sum would lose digits.
                _accumulate(task.scratch.to_rate, gradients.decay, scan * area, area)


@inlined
def _scratch(space: int, sizes: Sizes) -> Scratch:
    row = 4 * sizes.channels  # bytes
    area = row * sizes.states
    decays = space + (CHUNK + 1) * area
    steps = decays + CHUNK * area
    slopes = steps + CHUNK * row
    adjoint = slopes + CHUNK * row
    to_drive = adjoint + 2 * area
    return Scratch(space, decays, steps, slopes, adjoint, adjoint + area, to_drive, to_drive + row)


@inlined
def _copy(source: int, at: int, target: int, count: int) -> None:
    for i in range(0, count, LANES):
        store(target, i, load(source, at + i))


@inlined
def _accumulate(source: int, target: int, at: int, count: int) -> None:
    for i in range(0, count, LANES):
        store(target, at + i, add(load(target, at + i), load(source, i)))


@inlined
def _remember(task: _Task, step: Step, j: int) -> None:
    """Step j of a chunk, forth: keep its sizes, their slopes, its decays and the state after it."""
    given, sizes, scratch = task.given, task.sizes, task.scratch
    area = sizes.states * sizes.channels
    for e in range(0, sizes.channels, LANES):
        if sizes.rank == 0:
            size = load(given.steps.address, step.steps + e)
        else:
            raw = raw_step(given, sizes, step, e)
            size = softplus(raw)
            store(scratch.slopes, j * sizes.channels + e, sigmoid(raw))
        store(scratch.sizes, j * sizes.channels + e, size)
        drive = multiply(size, load(given.u.address, step.u + e))
        for n in range(sizes.states):
            i = j * area + n * sizes.channels + e
            decay = decay_of(given, sizes, step, n, e, size)
            fresh = multiply(drive, load_spread(given.entry.address, step.entry + n))
            store(scratch.decays, i, decay)
            store(scratch.states, i + area, multiply_add(decay, load(scratch.states, i), fresh))


@inlined
def _retreat(task: _Task, step: Step, target: Step, j: int) -> None:
    """Step j of a chunk, back: the derivatives of A, B and C, and the adjoints of the state, the drive and the size."""
    given, sizes, scratch = task.given, task.sizes, task.scratch
    channels = sizes.channels
    area = sizes.states * channels
    clear(scratch.to_drive, channels)
    clear(scratch.to_size, channels)
    for n in range(sizes.states):
        entering = load_spread(given.entry.address, step.entry + n)
        leaving = load_spread(given.leave.address, step.leave + n)
        to_entry, to_leave = zeros(), zeros()
        for e in range(0, channels, LANES):
            i = n * channels + e
            size, from_y = load(scratch.sizes, j * channels + e), load(task.to_y, step.y + e)
            adjoint = multiply_add(from_y, leaving, load(scratch.adjoint, i))
            to_leave = multiply_add(from_y, load(scratch.states, (j + 1) * area + i), to_leave)
            to_entry = multiply_add(adjoint, multiply(size, load(given.u.address, step.u + e)), to_entry)
            store(scratch.to_drive, e, multiply_add(adjoint, entering, load(scratch.to_drive, e)))
            before = multiply(adjoint, load(scratch.decays, j * area + i))
            store(scratch.adjoint, i, before)
            slope = multiply(before, load(scratch.states, j * area + i))
            rate = load(given.decay, step.direction * area + i)
            store(scratch.to_size, e, multiply_add(slope, rate, load(scratch.to_size, e)))
            store(scratch.to_rate, i, multiply_add(slope, size, load(scratch.to_rate, i)))
        store_sum(task.gradients.entry.address, target.entry + n, to_entry)
        store_sum(task.gradients.leave.address, target.leave + n, to_leave)


@inlined
def _share(task: _Task, step: Step, target: Step, j: int, path: int) -> None:
    """The derivatives of u and D at step j of a chunk; the adjoint of its size, before softplus, made whole."""
    given, gradients, scratch, channels = task.given, task.gradients, task.scratch, task.sizes.channels
    for e in range(0, channels, LANES):
        from_y, value = load(task.to_y, step.y + e), load(given.u.address, step.u + e)
        to_drive = load(scratch.to_drive, e)
        to_value = multiply(from_y, load(given.skip, step.direction * channels + e))
        to_value = multiply_add(load(scratch.sizes, j * channels + e), to_drive, to_value)
        if path:
            to_value = add(to_value, load(gradients.u.address, target.u + e))
        store(gradients.u.address, target.u + e, to_value)
        to_skip = load(gradients.skip, target.direction * channels + e)
        store(gradients.skip, target.direction * channels + e, multiply_add(from_y, value, to_skip))
        to_size = multiply_add(value, to_drive, load(scratch.to_size, e))
        if task.sizes.rank:
            to_size = multiply(to_size, load(scratch.slopes, j * channels + e))
        store(scratch.to_size, e, to_size)


@inlined
def _share_size(task: _Task, step: Step, target: Step) -> None:
    """The derivatives of one step's size, or of its factors, their map and its bias."""
    given, gradients, scratch, channels = task.given, task.gradients, task.scratch, task.sizes.channels
    if task.sizes.rank == 0:
        for e in range(0, channels, LANES):
            store(gradients.steps.address, target.steps + e, load(scratch.to_size, e))
        return
    for e in range(0, channels, LANES):
        to_bias = load(gradients.step_bias, target.direction * channels + e)
        store(gradients.step_bias, target.direction * channels + e, add(to_bias, load(scratch.to_size, e)))
    for factor in range(task.sizes.rank):
        strength, to_factor = load_spread(given.steps.address, step.steps + factor), zeros()
        for e in range(0, channels, LANES):
            to_raw = load(scratch.to_size, e)
            weight = load(given.step_weight, (step.direction * task.sizes.rank + factor) * channels + e)
            to_factor = multiply_add(to_raw, weight, to_factor)
            i = (target.direction * task.sizes.rank + factor) * channels + e
            store(gradients.step_weight, i, multiply_add(to_raw, strength, load(gradients.step_weight, i)))
        store_sum(gradients.steps.address, target.steps + factor, to_factor)
