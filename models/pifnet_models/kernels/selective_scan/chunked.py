"""The selective scan in two levels, in plain torch: every device, every precision, differentiable.

The sequence is cut into about sqrt(L) chunks, which are scanned side by side, twice: from a zero state, to learn how
each chunk changes the state; and, once the states have been carried from chunk to chunk, from the true one. Forms that
divide by a cumulative product of decays, or subtract its logarithm, do without the second pass, and lose everything in
float32.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def chunked_scan(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """The scan of `selective_scan`, in about 3 sqrt(L) steps instead of L."""
    length = u.shape[2]
    size = max(1, math.isqrt(length))
    # A step of zero leaves the state alone: padding is harmless.
    u_cut, delta_cut, b_cut, c_cut = (_cut(x, size=size).unbind(dim=3) for x in (u, delta, b, c))  # T x (B, K, n, .)
    decays = [torch.exp(step[..., None] * a[:, None]) for step in delta_cut]  # T x (B, K, n, E, N)
    drives = [(step * x)[..., None] * y[..., None, :] for step, x, y in zip(delta_cut, u_cut, b_cut, strict=True)]
    *_, ends = _recurred(decays, drives, torch.zeros_like(drives[0]))
    elapsed = torch.exp(torch.stack(delta_cut).sum(dim=0)[..., None] * a[:, None])
    carried = _recurred(elapsed.unbind(dim=2), ends.unbind(dim=2), torch.zeros_like(ends[:, :, 0]))
    starts = F.pad(torch.stack(carried, dim=2)[:, :, :-1], (0, 0, 0, 0, 1, 0))
    states = _recurred(decays, drives, starts)
    outputs = torch.stack([(h * y[..., None, :]).sum(dim=-1) for h, y in zip(states, c_cut, strict=True)], dim=3)
    return outputs.flatten(2, 3)[:, :, :length] + d[:, None, :] * u


def _cut(sequence: Tensor, *, size: int) -> Tensor:
    """(B, K, L, X) -> (B, K, n, size, X), padded with zeros at the end."""
    padded = F.pad(sequence, (0, 0, 0, -sequence.shape[2] % size))
    return padded.unflatten(2, (-1, size))


def _recurred(decays: Sequence[Tensor], drives: Sequence[Tensor], state: Tensor) -> list[Tensor]:
    """h_t = decay_t h_(t-1) + drive_t, from `state`; every h_t."""
    states = []
    for decay, drive in zip(decays, drives, strict=True):
        state = torch.addcmul(drive, decay, state)
        states.append(state)
    return states
