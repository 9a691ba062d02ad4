"""The selective scan written as its definition, one step after another: slow, any precision, easy to believe."""

import torch
from torch import Tensor


def reference_scan(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """h_t = exp(delta_t A) h_(t-1) + delta_t B_t u_t ;  y_t = C_t . h_t + D u_t ;  h_0 = 0.

    Exact for A, Euler for B, as in Mamba. Shapes are those of `selective_scan`.
    """
    decay = torch.exp(delta[..., None] * a[:, None])  # (B, K, L, E, N)
    drive = (delta * u)[..., None] * b[..., None, :]
    state = torch.zeros_like(drive[:, :, 0])
    outputs = []
    for t in range(u.shape[2]):
        state = decay[:, :, t] * state + drive[:, :, t]
        outputs.append((state * c[:, :, t, None, :]).sum(dim=-1))
    return torch.stack(outputs, dim=2) + d[:, None, :] * u
