"""The processor's selective scan as a differentiable torch operation, run in as many threads as torch uses."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from pifnet_models.kernels.selective_scan.adjoint import scan_backward, scratch_floats
from pifnet_models.kernels.selective_scan.kernels import scan_forward
from pifnet_models.kernels.selective_scan.layout import CHUNK, Rows, Sizes, Tensors, Work, packed
from pifnet_models.kernels.simd import LANES
from pifnet_models.kernels.threads import run_in_threads


def cpu_scan(
    u: Tensor,
    steps: Tensor,
    a: Tensor,
    b: Tensor,
    c: Tensor,
    d: Tensor,
    *,
    step_weight: Tensor,
    step_bias: Tensor,
    order: Tensor,
) -> Tensor:
    """The scan of `directional_scan` for float32 tensors on the processor.

    Args:
        u: (B, S, L, E).
        steps: (B, S, Q, L, r), factors of the step sizes; or (B, S, Q, L, E), step sizes, where `step_weight` is empty.
        a: (K, E, N), K = S Q.
        b: (B, S, Q, L, N).
        c: (B, S, Q, L, N).
        d: (K, E).
        step_weight: (K, r, E).
        step_bias: (K, E).
        order: (Q, L) integers.

    Returns:
        (B, S, L, E), with the strides of `u` where those are dense.
    """
    channels = u.shape[-1]
    missing = -channels % LANES  # registers are filled with channels that stay zero
    if missing:
        u, d, step_weight, step_bias = (F.pad(x, (0, missing)) for x in (u, d, step_weight, step_bias))
        a = F.pad(a, (0, 0, 0, missing))
        steps = steps if step_weight.shape[1] else F.pad(steps, (0, missing))
    arguments = (u, steps, b, c, a.transpose(1, 2), d, step_weight, step_bias)
    if torch.is_grad_enabled() and any(x.requires_grad for x in arguments):
        y = _CpuScan.apply(order, *arguments)
    else:
        y = _forward(order, arguments, saved=None)
    return y[..., :channels]


class _CpuScan(torch.autograd.Function):
    """`scan_forward` with `scan_backward` as its derivative."""

    @staticmethod
    def forward(ctx: Any, order: Tensor, *arguments: Tensor) -> Tensor:
        u, b = arguments[0], arguments[2]
        *sequences, length, states = b.shape
        saved = u.new_empty(*sequences, -(-length // CHUNK), states, u.shape[-1])
        y = _forward(order, arguments, saved=saved)
        ctx.save_for_backward(order, saved, *arguments)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_y: Tensor) -> tuple[Tensor | None, ...]:
        order, saved, *arguments = ctx.saved_tensors
        return None, *_backward(order, arguments, saved=saved, to_y=to_y)


def _forward(order: Tensor, arguments: Sequence[Tensor], *, saved: Tensor | None) -> Tensor:
    """Scan; keep the states at the chunks' beginnings in `saved` if it is given."""
    arguments = _readable(arguments)
    sizes = _sizes(arguments, order)
    y = torch.empty_like(arguments[0])
    numbers = packed(Work(_addresses(arguments), sizes, _rows(y), 0 if saved is None else saved.data_ptr()))
    visits = order.contiguous().numpy()

    def run(first: int, last: int) -> None:
        space = torch.empty(sizes.states * LANES)
        scan_forward(first, last, numbers, visits, space.data_ptr())

    units = y.shape[0] * sizes.sequences * sizes.channels // LANES
    run_in_threads(run, units=units, tensors=[*arguments, y, saved])
    return y


def _backward(order: Tensor, arguments: Sequence[Tensor], *, saved: Tensor, to_y: Tensor) -> list[Tensor]:
    """The derivatives with respect to each of the arguments."""
    arguments = _readable(arguments)
    to_y = to_y if to_y.stride(-1) == 1 else to_y.contiguous()
    sizes, batch = _sizes(arguments, order), to_y.shape[0]
    gradients = [torch.empty_like(x) for x in arguments[:4]]
    gradients += [x.new_zeros(batch, *x.shape) for x in arguments[4:]]
    numbers = packed(Work(_addresses(arguments), sizes, _rows(to_y), saved.data_ptr()))
    results = packed(Work(_addresses(gradients), sizes, _rows(to_y), 0))
    visits = order.contiguous().numpy()

    def run(first: int, last: int) -> None:
        space = torch.empty(scratch_floats(sizes))
        scan_backward(first, last, numbers, visits, space.data_ptr(), results)

    run_in_threads(run, units=batch * sizes.sequences, tensors=[*arguments, *gradients, saved, to_y])
    return [*gradients[:4], *(x.sum(dim=0) for x in gradients[4:])]


def _readable(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The same numbers, in new places where sequences' last axes (or anything of the rest) are not contiguous."""
    sequences = [x if x.stride(-1) == 1 else x.contiguous() for x in tensors[:4]]
    return [*sequences, *(x.contiguous() for x in tensors[4:])]


def _sizes(arguments: Sequence[Tensor], order: Tensor) -> Sizes:
    u, states, rank = arguments[0], arguments[2].shape[-1], arguments[6].shape[1]
    return Sizes(u.shape[1], order.shape[0], u.shape[2], u.shape[3], states, rank)


def _addresses(tensors: Sequence[Tensor]) -> Tensors:
    u, steps, entry, leave = (_rows(x) for x in tensors[:4])
    decay, skip, step_weight, step_bias = (x.data_ptr() for x in tensors[4:])
    return Tensors(u, steps, entry, leave, decay, skip, step_weight, step_bias)


def _rows(tensor: Tensor) -> Rows:
    batch, sequence, *path, position, _ = tensor.stride()
    return Rows(tensor.data_ptr(), batch, sequence, path[0] if path else 0, position)
