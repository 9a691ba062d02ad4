"""The selective scan by mamba-ssm's CUDA kernel, where its extension can be imported.

The extension `selective_scan_cuda` is what counts: recent releases of the package come without it.
"""

from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# What we do not use of the extension's functions, in the order of their parameters.
NO_GATE_NO_BIAS = (None, None)  # z, delta_bias
NO_GATED_OUTPUT = (None, None)  # out, dz
NO_SOFTPLUS = (False,)
NO_GATED_OUTPUT_AGAIN = (False,)  # recompute_out_z


@cache
def mamba_kernel() -> ModuleType | None:
    """The extension, or None where it is missing or was built for another torch."""
    try:
        return import_module("selective_scan_cuda")
    except ImportError:
        return None


def mamba_scan(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """The scan of `selective_scan` for float32 tensors.

    The extension keeps time last and channels of all directions in one axis: u, delta (B, K E, L), A (K E, N),
    B and C (B, K, N, L), D (K E).

    Raises:
        RuntimeError: The extension cannot be imported.
    """
    kernel = mamba_kernel()
    if kernel is None:
        raise RuntimeError("mamba-ssm's extension selective_scan_cuda cannot be imported; choose another back end")
    channels = u.shape[-1]
    sequences = (x.transpose(2, 3).flatten(1, 2).contiguous() for x in (u, delta))
    gates = (x.transpose(2, 3).contiguous() for x in (b, c))
    y = _MambaScan.apply(kernel, *sequences, a.flatten(0, 1).contiguous(), *gates, d.flatten().contiguous())
    return y.unflatten(1, (-1, channels)).transpose(2, 3)


class _MambaScan(torch.autograd.Function):
    """The extension's two functions, without its gate, step bias and softplus."""

    @staticmethod
    def forward(ctx: Any, kernel: ModuleType, *arguments: Tensor) -> Tensor:
        y, states, *_ = kernel.fwd(*arguments, *NO_GATE_NO_BIAS, *NO_SOFTPLUS)
        ctx.kernel = kernel
        ctx.save_for_backward(*arguments, states)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_y: Tensor) -> tuple[Tensor | None, ...]:
        *arguments, states = ctx.saved_tensors
        received = (to_y.contiguous(), states, *NO_GATED_OUTPUT)
        results = ctx.kernel.bwd(*arguments, *NO_GATE_NO_BIAS, *received, *NO_SOFTPLUS, *NO_GATED_OUTPUT_AGAIN)
        return None, *results[:6]
