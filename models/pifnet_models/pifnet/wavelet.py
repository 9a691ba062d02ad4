"""The orthonormal Haar wavelet in two dimensions, exactly invertible for even heights and widths."""

from typing import NamedTuple

import torch
from torch import Tensor


class HaarBands(NamedTuple):
    """One level of the transform.

    Attributes:
        low: (B, D, H/2, W/2), twice the mean of each 2 x 2 block.
        high: (B, 3D, H/2, W/2): differences along the columns, along the rows, along the diagonal, in blocks of D.
    """

    low: Tensor
    high: Tensor


def haar_forward(image: Tensor) -> HaarBands:
    """Split (B, D, H, W), H and W even, into its average and its three details.

    Raises:
        ValueError: H or W is odd.
    """
    height, width = image.shape[-2:]
    if height % 2 or width % 2:
        raise ValueError(f"the Haar transform needs even sides, got {height} x {width}")
    top, bottom = image[..., 0::2, :], image[..., 1::2, :]
    row_sum, row_difference = (top + bottom) * 0.5, (top - bottom) * 0.5
    low = row_sum[..., 0::2] + row_sum[..., 1::2]
    columns = row_sum[..., 0::2] - row_sum[..., 1::2]
    rows = row_difference[..., 0::2] + row_difference[..., 1::2]
    diagonal = row_difference[..., 0::2] - row_difference[..., 1::2]
    return HaarBands(low, torch.cat((columns, rows, diagonal), dim=1))


def haar_inverse(bands: HaarBands) -> Tensor:
    """Undo `haar_forward`: (B, D, h, w) and (B, 3D, h, w) -> (B, D, 2h, 2w)."""
    low = bands.low
    columns, rows, diagonal = bands.high.chunk(3, dim=1)
    left, right = (low + columns) * 0.5, (low - columns) * 0.5
    left_difference, right_difference = (rows + diagonal) * 0.5, (rows - diagonal) * 0.5
    top = (left + left_difference, right + right_difference)
    bottom = (left - left_difference, right - right_difference)
    # Channels go last while pixels are woven together, so that a channels_last image stays one.
    woven = torch.stack([_woven_columns(*top), _woven_columns(*bottom)], dim=2)  # (B, h, 2, 2w, D)
    return woven.flatten(1, 2).permute(0, 3, 1, 2)


def _woven_columns(left: Tensor, right: Tensor) -> Tensor:
    """Alternate the columns of two (B, D, h, w) images, `left` first -> (B, h, 2w, D)."""
    return torch.stack((left.permute(0, 2, 3, 1), right.permute(0, 2, 3, 1)), dim=3).flatten(2, 3)
