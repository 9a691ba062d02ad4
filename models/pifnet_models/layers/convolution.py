"""Small stacks of convolutions, and linear maps in groups."""

import torch
from torch import Tensor, nn


def two_convolutions(channels_in: int, channels_between: int, channels_out: int) -> nn.Sequential:
    """3 x 3 convolution, ReLU, 3 x 3 convolution; the image keeps its size."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_between, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(channels_between, channels_out, 3, padding=1),
    )


def start_at_zero(layer: nn.Module) -> None:
    """Let a layer return zero until it is trained."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


def block_diagonal(weight: Tensor) -> Tensor:
    """(R, S, O, I) -> (R S O, S I): S groups of a linear map as one dense map, R such maps under each other."""
    spread = torch.diag_embed(weight.movedim(1, -1))  # (R, O, I, S, S)
    return spread.permute(0, 3, 1, 4, 2).flatten(0, 2).flatten(1)
