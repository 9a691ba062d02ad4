"""One selective scan, several back ends: the fastest that the tensors' device offers, or the one asked for."""

from enum import StrEnum
from functools import cache
from importlib import import_module
from importlib.util import find_spec

import torch
import torch.nn.functional as F
from torch import Tensor

from pifnet_models.kernels.selective_scan.chunked import chunked_scan
from pifnet_models.kernels.selective_scan.cpu import cpu_scan
from pifnet_models.kernels.selective_scan.mamba_bridge import mamba_kernel, mamba_scan
from pifnet_models.kernels.selective_scan.reference import reference_scan


class ScanBackend(StrEnum):
    """How a scan is computed."""

    REFERENCE = "reference"  # step after step; any device, any precision
    CHUNKED = "chunked"  # plain torch; any device, any precision
    CPU = "cpu"  # numba; float32
    TRITON = "triton"  # our GPU kernel; float32
    MAMBA = "mamba"  # mamba-ssm's CUDA kernel; float32


def selective_scan(
    u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor, *, backend: ScanBackend | None = None
) -> Tensor:
    """h_t = exp(delta_t A) h_(t-1) + delta_t B_t u_t ;  y_t = C_t . h_t + D u_t ;  h_0 = 0.

    Args:
        u: (B, K, L, E), the input of each of K directions.
        delta: (B, K, L, E), step sizes, not negative.
        a: (K, E, N), A, negative.
        b: (B, K, L, N), B.
        c: (B, K, L, N), C.
        d: (K, E), D.
        backend: How to compute it; the fastest for the tensors' device where None.

    Returns:
        (B, K, L, E), y; float64 if any input is, and float32 otherwise, under autocast too.
    """
    u, delta, a, b, c, d = _in_full_precision(u, delta, a, b, c, d)
    with torch.autocast(u.device.type, enabled=False):
        match backend or default_backend(u.device, u.dtype):
            case ScanBackend.CPU:
                order = torch.arange(u.shape[2])[None]
                no_map = d.new_empty(d.shape[0], 0, d.shape[1])
                steps, b, c = (x[:, :, None] for x in (delta, b, c))  # one path
                return cpu_scan(u, steps, a, b, c, d, step_weight=no_map, step_bias=d, order=order)
            case ScanBackend.TRITON:
                return import_module("pifnet_models.kernels.selective_scan.triton_scan").triton_scan(
                    u, delta, a, b, c, d
                )
            case ScanBackend.MAMBA:
                return mamba_scan(u, delta, a, b, c, d)
            case ScanBackend.CHUNKED:
                return chunked_scan(u, delta, a, b, c, d)
            case ScanBackend.REFERENCE:
                return reference_scan(u, delta, a, b, c, d)


def directional_scan(
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
    backend: ScanBackend | None = None,
) -> Tensor:
    """Scan each sequence along several paths, with step sizes made of a few factors, and sum what the paths return.

    delta = softplus(steps @ step_weight + step_bias). The processor's kernel does all of this at once, without a copy
    of `u` in the order of each path and without ever storing delta: most of the time would go there.

    Args:
        u: (B, S, L, E), S sequences.
        steps: (B, S, Q, L, r); direction k = s Q + q scans sequence s along path q.
        a: (K, E, N), A, negative; K = S Q.
        b: (B, S, Q, L, N), B.
        c: (B, S, Q, L, N), C.
        d: (K, E), D.
        step_weight: (K, r, E).
        step_bias: (K, E).
        order: (Q, L) integers: the position that each path visits at each step. All tensors are indexed by position.
        backend: How to compute it; the fastest for the tensors' device where None.

    Returns:
        (B, S, L, E); float64 if any input is, and float32 otherwise, under autocast too.
    """
    u, steps, a, b, c, d = _in_full_precision(u, steps, a, b, c, d)
    step_weight, step_bias = step_weight.to(u.dtype), step_bias.to(u.dtype)
    backend = backend or default_backend(u.device, u.dtype)
    with torch.autocast(u.device.type, enabled=False):
        if backend is ScanBackend.CPU:
            return cpu_scan(u, steps, a, b, c, d, step_weight=step_weight, step_bias=step_bias, order=order)
        delta = F.softplus(steps.flatten(1, 2) @ step_weight + step_bias[:, None])  # (B, K, L, E)
        paths = order.shape[0]
        visits = order.repeat(u.shape[1], 1)[None, :, :, None]  # (1, K, L, 1)
        sequences = (u.repeat_interleave(paths, dim=1), delta, b.flatten(1, 2), c.flatten(1, 2))
        u, delta, b, c = (torch.take_along_dim(x, visits, dim=2) for x in sequences)
        scanned = selective_scan(u, delta, a, b, c, d, backend=backend)
        placed = torch.take_along_dim(scanned, visits.argsort(dim=2), dim=2)
        return placed.unflatten(1, (-1, paths)).sum(dim=2)


@cache
def default_backend(device: torch.device, dtype: torch.dtype) -> ScanBackend:
    """The fastest back end for a device and a precision, of those that are installed."""
    if dtype == torch.float32 and device.type == "cpu":
        return ScanBackend.CPU
    if dtype == torch.float32 and device.type == "cuda":
        if mamba_kernel() is not None:
            return ScanBackend.MAMBA
        if find_spec("triton") is not None:
            return ScanBackend.TRITON
    return ScanBackend.CHUNKED


def _in_full_precision(*tensors: Tensor) -> tuple[Tensor, ...]:
    """All in float64 if one is, in float32 otherwise: rounding to fewer digits would add up along the sequence."""
    dtype = torch.float64 if any(x.dtype == torch.float64 for x in tensors) else torch.float32
    return tuple(x.to(dtype) for x in tensors)
