"""Random selective scans, and how far two of them are apart."""

import torch
from torch import Tensor


def scan_tensors(
    batch: int, directions: int, length: int, channels: int, states: int, *, dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    """u, delta, A, B, C, D with magnitudes as in a network; all want a gradient."""
    generator = torch.Generator().manual_seed(length)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    sequence = (batch, directions, length)
    delta = torch.nn.functional.softplus(normal(*sequence, channels) - 3)
    rates = -torch.arange(1.0, states + 1) * torch.exp(0.3 * normal(directions, channels, states))
    tensors = [normal(*sequence, channels), delta, rates, normal(*sequence, states), normal(*sequence, states)]
    return [tensor.to(dtype).requires_grad_() for tensor in [*tensors, normal(directions, channels)]]


def as_double(tensors: list[Tensor]) -> list[Tensor]:
    return [tensor.detach().double().requires_grad_() for tensor in tensors]


def output_and_gradients(output: Tensor, tensors: list[Tensor]) -> list[Tensor]:
    """The output, and the gradients of a fixed random functional of it."""
    direction = torch.randn(output.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return [output.detach(), *torch.autograd.grad((output * direction.to(output.dtype)).sum(), tensors)]


def relative_errors(found: list[Tensor], expected: list[Tensor]) -> list[float]:
    """Largest difference over largest magnitude, tensor by tensor; 0 where both vanish."""
    pairs = zip(found, expected, strict=True)
    return [((one - other).abs().max() / other.abs().max().clamp_min(1e-30)).item() for one, other in pairs]
