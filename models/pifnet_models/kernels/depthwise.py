"""Depthwise convolution with holes, and its adjoints, for channels-last images on a processor: numba, float32.

Sixteen channels of the few image rows that meet one output row are first copied side by side, with zeros around them:
there they fit the fastest cache, and no tap needs to know where the image ends.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pifnet_models.kernels.simd import LANES, add, compiled, inlined, load, multiply_add, store, zeros

STRIDE = 8  # output pixels computed at once: as many sums in registers hide the latency of each


class Filtering(NamedTuple):
    """Addresses of contiguous tensors, and the lengths of their axes.

    Attributes:
        image: (B, H, W, D).
        weight: (k, k, D); for `weight_sums` (B, k, k, D), zero before.
        bias: (D).
        output: (B, H, W, D).
        height: H.
        width: W.
        channels: D, a multiple of `LANES`.
        side: k, odd.
        dilation: Pixels between neighbouring taps.
    """

    image: int
    weight: int
    bias: int
    output: int
    height: int
    width: int
    channels: int
    side: int
    dilation: int


def packed(filtering: Filtering) -> NDArray[np.int64]:
    """The same numbers as one array, which numba takes at once."""
    return np.array(filtering, dtype=np.int64)


def space_floats(filtering: Filtering) -> int:
    """How many float32 numbers of working space a thread needs."""
    rows = filtering.side + 1
    return rows * (filtering.width + STRIDE + (filtering.side - 1) * filtering.dilation) * LANES


@compiled
def filter_rows(first: int, last: int, work: Any, space: int) -> None:
    """Write the rows `first` to `last` - 1, of B H, of the output: bias plus weighted neighbours, zero outside."""
    f = _unpacked(work)
    for unit in range(first, last):
        for e in range(0, f.channels, LANES):
            _gather(f, unit, e, space)
            row = unit * f.width * f.channels + e
            whole = f.width - f.width % STRIDE
            for x in range(0, whole, STRIDE):
                _filter_eight(f, space, x, e, row + x * f.channels)
            for x in range(whole, f.width):
                _filter_one(f, space, x, e, row + x * f.channels)


@compiled
def weight_sums(first: int, last: int, work: Any, space: int) -> None:
    """Write the derivatives of the weights, in channel blocks `first` to `last` - 1 of B D/16, apart for each sample.

    `output` holds the derivative of the loss with respect to the output.
    """
    f = _unpacked(work)
    blocks = f.channels // LANES
    for unit in range(first, last):
        batch, e = unit // blocks, unit % blocks * LANES
        for y in range(f.height):
            row = batch * f.height + y
            _gather(f, row, e, space)
            for tap in range(f.side * f.side):
                at = (batch * f.side * f.side + tap) * f.channels + e
                seen = _correlation(f, row * f.width * f.channels + e, space, _tap(f, tap))
                store(f.weight, at, add(load(f.weight, at), seen))


@inlined
def _gather(f: Filtering, unit: int, e: int, space: int) -> None:
    """Copy the image rows that one output row meets, sixteen channels from e, into `space` with zeros around them."""
    reach = f.side // 2 * f.dilation
    length = _row_length(f)
    top = unit // f.height * f.height
    for tap in range(f.side):
        y = unit - top + (tap - f.side // 2) * f.dilation
        target = space + tap * length * LANES * 4  # bytes
        if 0 <= y < f.height:
            source = (top + y) * f.width * f.channels + e
            for i in range(reach):
                store(target, i * LANES, zeros())
                store(target, (length - 1 - i) * LANES, zeros())
            for x in range(f.width):
                store(target, (x + reach) * LANES, load(f.image, source + x * f.channels))
        else:
            for i in range(length):
                store(target, i * LANES, zeros())


@inlined
def _row_length(f: Filtering) -> int:
    return f.width + (f.side - 1) * f.dilation


@inlined
def _tap(f: Filtering, tap: int) -> int:
    """Where the neighbour that a tap weighs lies in `space`, for the first pixel of the row."""
    return (tap // f.side * _row_length(f) + tap % f.side * f.dilation) * LANES


@inlined
def _filter_one(f: Filtering, space: int, x: int, e: int, target: int) -> None:
    total = load(f.bias, e)
    for tap in range(f.side * f.side):
        total = multiply_add(load(space, _tap(f, tap) + x * LANES), load(f.weight, tap * f.channels + e), total)
    store(f.output, target, total)


@inlined
def _filter_eight(f: Filtering, space: int, x: int, e: int, target: int) -> None:
    bias = load(f.bias, e)
    s0, s1, s2, s3, s4, s5, s6, s7 = bias, bias, bias, bias, bias, bias, bias, bias
    for tap_y in range(f.side):
        for tap_x in range(f.side):
            tap = tap_y * f.side + tap_x
            weight = load(f.weight, tap * f.channels + e)
            at = (tap_y * _row_length(f) + tap_x * f.dilation + x) * LANES
            s0 = multiply_add(load(space, at), weight, s0)
            s1 = multiply_add(load(space, at + LANES), weight, s1)
            s2 = multiply_add(load(space, at + 2 * LANES), weight, s2)
            s3 = multiply_add(load(space, at + 3 * LANES), weight, s3)
            s4 = multiply_add(load(space, at + 4 * LANES), weight, s4)
            s5 = multiply_add(load(space, at + 5 * LANES), weight, s5)
            s6 = multiply_add(load(space, at + 6 * LANES), weight, s6)
            s7 = multiply_add(load(space, at + 7 * LANES), weight, s7)
    store(f.output, target, s0)
    store(f.output, target + f.channels, s1)
    store(f.output, target + 2 * f.channels, s2)
    store(f.output, target + 3 * f.channels, s3)
    store(f.output, target + 4 * f.channels, s4)
    store(f.output, target + 5 * f.channels, s5)
    store(f.output, target + 6 * f.channels, s6)
    store(f.output, target + 7 * f.channels, s7)


@inlined
def _correlation(f: Filtering, row: int, space: int, at: int) -> Any:
    """The sum along a row of output times neighbour, for sixteen channels."""
    s0, s1, s2, s3 = zeros(), zeros(), zeros(), zeros()
    whole = f.width - f.width % 4
    for x in range(0, whole, 4):
        target, source = row + x * f.channels, at + x * LANES
        s0 = multiply_add(load(f.output, target), load(space, source), s0)
        s1 = multiply_add(load(f.output, target + f.channels), load(space, source + LANES), s1)
        s2 = multiply_add(load(f.output, target + 2 * f.channels), load(space, source + 2 * LANES), s2)
        s3 = multiply_add(load(f.output, target + 3 * f.channels), load(space, source + 3 * LANES), s3)
    for x in range(whole, f.width):
        s0 = multiply_add(load(f.output, row + x * f.channels), load(space, at + x * LANES), s0)
    return add(add(s0, s1), add(s2, s3))


@inlined
def _unpacked(work: Any) -> Filtering:
    return Filtering(work[0], work[1], work[2], work[3], work[4], work[5], work[6], work[7], work[8])
