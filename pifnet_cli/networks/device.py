"""Where a network runs, and in which arithmetic."""

import torch

from pifnet_cli.choices import Device, Precision
from pifnet_cli.errors import DependencyError


def chosen_device(device: Device) -> torch.device:
    """Where to train.

    Raises:
        DependencyError: CUDA was asked for, and there is none.
    """
    has_cuda = torch.cuda.is_available()
    if device is Device.CUDA and not has_cuda:
        raise DependencyError(
            "--device cuda: no CUDA device is visible to PyTorch; use --device cpu, or install a build of PyTorch for "
            "your GPU"
        )
    return torch.device("cuda" if has_cuda and device is not Device.CPU else "cpu")


def chosen_precision(precision: Precision, device: torch.device) -> Precision:
    """bfloat16 where a GPU has it and nothing else was asked for. On CPUs it has to be asked for."""
    if precision is not Precision.AUTO:
        return precision
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        return Precision.BFLOAT16
    return Precision.FLOAT32
