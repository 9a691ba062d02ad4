from importlib import import_module
from importlib.util import find_spec

import pytest
import torch

from pifnet_models.kernels.selective_scan.reference import reference_scan
from scans import as_double, output_and_gradients, relative_errors, scan_tensors

# The interpreter takes milliseconds for each number: few of them.
SHAPES = [(2, 3, 1, 5, 3), (1, 2, 7, 16, 4), (1, 2, 70, 5, 3), (1, 1, 1024, 1, 2), (1, 1, 7225, 1, 1)]


@pytest.fixture(scope="module")
def triton_scan():
    """Our kernel: on the GPU where there is one, else in Triton's interpreter."""
    if find_spec("triton") is None:
        pytest.skip("triton is not installed")
    with pytest.MonkeyPatch.context() as patch:  # before triton is imported: it makes up its mind then
        if not torch.cuda.is_available():
            patch.setenv("TRITON_INTERPRET", "1")
        yield import_module("pifnet_models.kernels.selective_scan.triton_scan").triton_scan


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"L={shape[2]}")
def test_the_kernel_agrees_with_the_reference_in_double_precision(triton_scan, shape):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tensors = [tensor.detach().to(device).requires_grad_() for tensor in scan_tensors(*shape)]
    precise = as_double([tensor.cpu() for tensor in tensors])
    found = [tensor.cpu() for tensor in output_and_gradients(triton_scan(*tensors).cpu(), tensors)]
    assert max(relative_errors(found, output_and_gradients(reference_scan(*precise), precise))) < 1e-5


def test_strided_tensors_are_read_right(triton_scan):
    device = "cuda" if torch.cuda.is_available() else "cpu"
    tensors = [tensor.detach().to(device) for tensor in scan_tensors(1, 2, 9, 5, 3)]
    strided = [tensor.transpose(-1, -2).contiguous().transpose(-1, -2) for tensor in tensors]
    assert torch.equal(triton_scan(*strided), triton_scan(*tensors))
