# mypy: disable-error-code="no-untyped-def"
"""The selective scan and its adjoint on a GPU, in Triton. Import it only where `triton` is installed.

A program scans a few channels of one direction, chunk after chunk; within a chunk all steps are combined at once, by
the associative rule (a, b) then (a', b') = (a a', a' b + b'), whose factors stay in (0, 1].
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor
from torch.autograd.function import once_differentiable

CHUNK = 32  # steps combined at once
TILE = 2048  # numbers (steps x channels x states) that a program holds of each quantity


def triton_scan(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """The scan of `selective_scan` for float32 tensors."""
    return _TritonScan.apply(*(x.contiguous() for x in (u, delta, a, b, c, d)))


class _TritonScan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
        batch, directions, length, channels = u.shape
        y = torch.empty_like(u)
        saved = u.new_empty(batch, directions, triton.cdiv(length, CHUNK), channels, a.shape[-1])
        grid, constants = _launch(u, a)
        _forward[grid](u, delta, a, b, c, d, y, saved, directions, length, channels, a.shape[-1], **constants)
        ctx.save_for_backward(u, delta, a, b, c, d, saved)
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_y: Tensor) -> tuple[Tensor, ...]:
        u, delta, a, b, c, d, saved = ctx.saved_tensors
        batch, directions, length, channels = u.shape
        grid, constants = _launch(u, a)
        to_u, to_delta = torch.empty_like(u), torch.empty_like(u)
        to_a = u.new_empty(batch, *a.shape)
        to_b, to_c = u.new_empty(2, grid[1], *b.shape)  # blocks of channels apart, so that the sum has one order
        to_d = u.new_empty(batch, *d.shape)
        results = (to_u, to_delta, to_a, to_b, to_c, to_d)
        sizes = (directions, length, channels, a.shape[-1], batch * directions * length * a.shape[-1])
        _backward[grid](u, delta, a, b, c, d, saved, to_y.contiguous(), *results, *sizes, **constants)
        return to_u, to_delta, to_a.sum(0), to_b.sum(0), to_c.sum(0), to_d.sum(0)


def _launch(u: Tensor, a: Tensor) -> tuple[tuple[int, int], dict[str, int]]:
    """The grid of programs, (B K, blocks of channels), and the sizes of a tile."""
    batch, directions, _, channels = u.shape
    states = triton.next_power_of_2(a.shape[-1])
    block = min(triton.next_power_of_2(channels), max(1, TILE // (CHUNK * states)))
    return (batch * directions, triton.cdiv(channels, block)), {"tile_t": CHUNK, "tile_e": block, "tile_n": states}


@triton.jit
def _combined(a_first, b_first, a_second, b_second):
    return a_first * a_second, a_second * b_first + b_second


@triton.jit
def _forward(
    u,
    delta,
    a,
    b,
    c,
    d,
    y,
    saved,
    directions,
    length,
    channels,
    states,
    tile_t: tl.constexpr,
    tile_e: tl.constexpr,
    tile_n: tl.constexpr,
):
    scan = tl.program_id(0).to(tl.int64)
    k = scan % directions
    e = tl.program_id(1) * tile_e + tl.arange(0, tile_e)
    n = tl.arange(0, tile_n)
    e_in, n_in = e < channels, n < states
    area = e[:, None] * states + n[None, :]
    area_in = e_in[:, None] & n_in[None, :]
    rate = tl.load(a + k * channels * states + area, mask=area_in, other=0.0)
    skip = tl.load(d + k * channels + e, mask=e_in, other=0.0)
    state = tl.zeros((tile_e, tile_n), dtype=tl.float32)
    chunks = tl.cdiv(length, tile_t)
    for chunk in range(chunks):
        tl.store(saved + (scan * chunks + chunk) * channels * states + area, state, mask=area_in)
        t = chunk * tile_t + tl.arange(0, tile_t)
        te = (scan * length + t[:, None]) * channels + e[None, :]
        te_in = (t < length)[:, None] & e_in[None, :]
        tn = (scan * length + t[:, None]) * states + n[None, :]
        tn_in = (t < length)[:, None] & n_in[None, :]
        step = tl.load(delta + te, mask=te_in, other=0.0)
        value = tl.load(u + te, mask=te_in, other=0.0)
        entry = tl.load(b + tn, mask=tn_in, other=0.0)
        leave = tl.load(c + tn, mask=tn_in, other=0.0)
        decay = tl.exp(step[:, :, None] * rate[None, :, :])
        drive = (step * value)[:, :, None] * entry[:, None, :]
        elapsed, local = tl.associative_scan((decay, drive), 0, _combined)
        after = local + elapsed * state[None, :, :]
        tl.store(y + te, tl.sum(after * leave[:, None, :], axis=2) + skip[None, :] * value, mask=te_in)
        is_last = tl.arange(0, tile_t)[:, None, None] == tile_t - 1
        state = tl.sum(tl.where(is_last, after, 0.0), axis=0)


@triton.jit
def _backward(
    u,
    delta,
    a,
    b,
    c,
    d,
    saved,
    to_y,
    to_u,
    to_delta,
    to_a,
    to_b,
    to_c,
    to_d,
    directions,
    length,
    channels,
    states,
    part,
    tile_t: tl.constexpr,
    tile_e: tl.constexpr,
    tile_n: tl.constexpr,
):
    scan = tl.program_id(0).to(tl.int64)
    block = tl.program_id(1)
    k = scan % directions
    e = block * tile_e + tl.arange(0, tile_e)
    n = tl.arange(0, tile_n)
    e_in, n_in = e < channels, n < states
    area = e[:, None] * states + n[None, :]
    area_in = e_in[:, None] & n_in[None, :]
    rate = tl.load(a + k * channels * states + area, mask=area_in, other=0.0)
    skip = tl.load(d + k * channels + e, mask=e_in, other=0.0)
    carried = tl.zeros((tile_e, tile_n), dtype=tl.float32)
    rate_sum = tl.zeros((tile_e, tile_n), dtype=tl.float32)
    skip_sum = tl.zeros((tile_e,), dtype=tl.float32)
    chunks = tl.cdiv(length, tile_t)
    for back in range(chunks):
        chunk = chunks - 1 - back
        state = tl.load(saved + (scan * chunks + chunk) * channels * states + area, mask=area_in, other=0.0)
        t = chunk * tile_t + tl.arange(0, tile_t)
        te = (scan * length + t[:, None]) * channels + e[None, :]
        te_in = (t < length)[:, None] & e_in[None, :]
        tn = (scan * length + t[:, None]) * states + n[None, :]
        tn_in = (t < length)[:, None] & n_in[None, :]
        step = tl.load(delta + te, mask=te_in, other=0.0)
        next_step = tl.load(delta + te + channels, mask=(t + 1 < length)[:, None] & e_in[None, :], other=0.0)
        value = tl.load(u + te, mask=te_in, other=0.0)
        from_y = tl.load(to_y + te, mask=te_in, other=0.0)
        entry = tl.load(b + tn, mask=tn_in, other=0.0)
        leave = tl.load(c + tn, mask=tn_in, other=0.0)
        decay = tl.exp(step[:, :, None] * rate[None, :, :])
        drive = (step * value)[:, :, None] * entry[:, None, :]
        elapsed, local = tl.associative_scan((decay, drive), 0, _combined)
        after = local + elapsed * state[None, :, :]
        kept = after - drive  # what was left of the state before
        # The adjoint obeys g_t = C_t y'_t + decay_(t+1) g_(t+1): the same rule, from the end.
        next_decay = tl.exp(next_step[:, :, None] * rate[None, :, :])
        elapsed, local = tl.associative_scan(
            (next_decay, from_y[:, :, None] * leave[:, None, :]), 0, _combined, reverse=True
        )
        adjoint = local + elapsed * carried[None, :, :]
        is_first = tl.arange(0, tile_t)[:, None, None] == 0
        carried = tl.sum(tl.where(is_first, adjoint, 0.0), axis=0)
        to_drive = tl.sum(adjoint * entry[:, None, :], axis=2)
        slope = adjoint * kept
        tl.store(to_u + te, step * to_drive + skip[None, :] * from_y, mask=te_in)
        tl.store(to_delta + te, value * to_drive + tl.sum(slope * rate[None, :, :], axis=2), mask=te_in)
        tl.store(to_b + block * part + tn, tl.sum(adjoint * (step * value)[:, :, None], axis=1), mask=tn_in)
        tl.store(to_c + block * part + tn, tl.sum(after * from_y[:, :, None], axis=1), mask=tn_in)
        rate_sum += tl.sum(slope * step[:, :, None], axis=0)
        skip_sum += tl.sum(from_y * value, axis=0)
    tl.store(to_a + scan * channels * states + area, rate_sum, mask=area_in)
    tl.store(to_d + scan * channels + e, skip_sum, mask=e_in)
