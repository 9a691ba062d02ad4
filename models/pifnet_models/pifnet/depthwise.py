"""Depthwise convolution, in the way that is fastest where the tensors are."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from pifnet_models.kernels import depthwise as kernels
from pifnet_models.kernels.depthwise import Filtering
from pifnet_models.kernels.simd import LANES
from pifnet_models.kernels.threads import run_in_threads


def depthwise_convolution(image: Tensor, weight: Tensor, bias: Tensor, *, dilation: int = 1) -> Tensor:
    """Filter each channel on its own, with zeros around the image, which keeps its size.

    On a processor torch is slow where taps have gaps (8 times the kernel used here for 7 x 7 with dilation 3) and in
    the derivatives of any depthwise convolution (5 times for 5 x 5).

    Args:
        image: (B, D, H, W).
        weight: (D, 1, k, k), k odd.
        bias: (D,).
        dilation: Pixels between neighbouring taps.

    Returns:
        (B, D, H, W).
    """
    autocast = torch.is_autocast_enabled(image.device.type)
    fits = image.device.type == "cpu" and image.dtype == torch.float32 and image.shape[1] % LANES == 0
    if fits and not autocast:
        return _Depthwise.apply(image, weight, bias, dilation)
    return _with_torch(image, weight, bias, dilation=dilation)


class _Depthwise(torch.autograd.Function):
    """Torch's convolution forth where taps have no gaps, our kernel there otherwise, and our kernels back."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, weight: Tensor, bias: Tensor, dilation: int) -> Tensor:
        ctx.save_for_backward(image, weight)
        ctx.dilation = dilation
        if dilation == 1:
            return _with_torch(image, weight, bias, dilation=dilation)
        return _filtered(image, weight, bias, dilation=dilation)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_output: Tensor) -> tuple[Tensor | None, ...]:
        image, weight = ctx.saved_tensors
        to_image, to_weight, to_bias = None, None, None
        if ctx.needs_input_grad[0]:
            no_bias = to_output.new_zeros(to_output.shape[1])
            to_image = _filtered(to_output, weight.flip(2, 3), no_bias, dilation=ctx.dilation)
        if ctx.needs_input_grad[1]:
            to_weight = _weight_gradient(image, to_output, side=weight.shape[-1], dilation=ctx.dilation)
        if ctx.needs_input_grad[2]:
            to_bias = to_output.sum(dim=(0, 2, 3))
        return to_image, to_weight, to_bias, None


def _with_torch(image: Tensor, weight: Tensor, bias: Tensor, *, dilation: int) -> Tensor:
    reach = dilation * (weight.shape[-1] // 2)
    return F.conv2d(image, weight, bias, padding=reach, dilation=dilation, groups=weight.shape[0])


def _filtered(image: Tensor, weight: Tensor, bias: Tensor, *, dilation: int) -> Tensor:
    pixels = image.permute(0, 2, 3, 1).contiguous()  # (B, H, W, D)
    taps = weight[:, 0].permute(1, 2, 0).contiguous()  # (k, k, D)
    output, bias = torch.empty_like(pixels), bias.contiguous()
    filtering = _filtering(pixels, taps, output, bias=bias, dilation=dilation)
    work = kernels.packed(filtering)

    def run(first: int, last: int) -> None:
        space = torch.empty(kernels.space_floats(filtering))
        kernels.filter_rows(first, last, work, space.data_ptr())

    run_in_threads(run, units=pixels.shape[0] * pixels.shape[1], tensors=[pixels, taps, bias, output])
    return output.permute(0, 3, 1, 2)


def _weight_gradient(image: Tensor, to_output: Tensor, *, side: int, dilation: int) -> Tensor:
    """(D, 1, k, k)."""
    pixels, to_pixels = (x.permute(0, 2, 3, 1).contiguous() for x in (image, to_output))
    sums = pixels.new_zeros(pixels.shape[0], side, side, pixels.shape[3])
    filtering = _filtering(pixels, sums, to_pixels, bias=None, dilation=dilation)
    work = kernels.packed(filtering)

    def run(first: int, last: int) -> None:
        space = torch.empty(kernels.space_floats(filtering))
        kernels.weight_sums(first, last, work, space.data_ptr())

    units = pixels.shape[0] * pixels.shape[3] // LANES
    run_in_threads(run, units=units, tensors=[pixels, to_pixels, sums])
    return sums.sum(dim=0).permute(2, 0, 1)[:, None]


def _filtering(image: Tensor, weight: Tensor, output: Tensor, *, bias: Tensor | None, dilation: int) -> Filtering:
    _, height, width, channels = image.shape
    addresses = (image.data_ptr(), weight.data_ptr(), 0 if bias is None else bias.data_ptr(), output.data_ptr())
    return Filtering(*addresses, height, width, channels, side=weight.shape[-2], dilation=dilation)
