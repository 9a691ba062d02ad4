"""Means over neighbourhoods."""

import torch
from torch import Tensor


def local_mean(image: Tensor, *, window: int) -> Tensor:
    """The mean over a centred square window, of the pixels that lie inside the image: (B, H, W, D) -> same.

    Args:
        image: (B, H, W, D).
        window: Side of the window in pixels, odd.
    """
    return _running_mean(_running_mean(image, window=window, dim=1), window=window, dim=2)


def _running_mean(image: Tensor, *, window: int, dim: int) -> Tensor:
    """The mean of the up to `window` neighbours along `dim`, by differences of a running sum."""
    length, reach = image.shape[dim], window // 2
    sums = torch.cat((torch.zeros_like(image.narrow(dim, 0, 1)), image.cumsum(dim)), dim=dim)
    position = torch.arange(length, device=image.device)
    last = (position + reach + 1).clamp(max=length)
    first = (position - reach).clamp(min=0)
    count = (last - first).view(-1, *[1] * (image.ndim - dim - 1))
    return (sums.index_select(dim, last) - sums.index_select(dim, first)) / count
