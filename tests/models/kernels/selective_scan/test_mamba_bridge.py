import sys
from types import SimpleNamespace

import pytest
import torch

from pifnet_models.kernels.selective_scan import mamba_bridge
from pifnet_models.kernels.selective_scan.dispatch import ScanBackend, default_backend, selective_scan
from pifnet_models.kernels.selective_scan.reference import reference_scan
from scans import as_double, output_and_gradients, relative_errors, scan_tensors


def _definition(u, delta, a, b, c, d):
    """The scan in the extension's layout: u, delta (B, K E, L), A (K E, N), B, C (B, K, N, L), D (K E)."""
    directions = b.shape[1]
    sequences = (x.unflatten(1, (directions, -1)).transpose(2, 3) for x in (u, delta))
    gates = (x.transpose(2, 3) for x in (b, c))
    y = reference_scan(*sequences, a.unflatten(0, (directions, -1)), *gates, d.unflatten(0, (directions, -1)))
    return y.transpose(2, 3).flatten(1, 2)


def _forward(u, delta, a, b, c, d, z, delta_bias, delta_softplus):
    assert (z, delta_bias, delta_softplus) == (None, None, False)
    assert all(x.is_contiguous() and x.dtype == torch.float32 for x in (u, delta, a, b, c, d))
    return [_definition(u, delta, a, b, c, d), torch.empty(0)]


def _backward(u, delta, a, b, c, d, z, delta_bias, dout, x, out, dz, delta_softplus, recompute_out_z):  # noqa: ARG001
    assert (z, delta_bias, out, dz, delta_softplus, recompute_out_z) == (None, None, None, None, False, False)
    with torch.enable_grad():
        tensors = [tensor.detach().requires_grad_() for tensor in (u, delta, a, b, c, d)]
        return [*torch.autograd.grad(_definition(*tensors), tensors, dout), None]


@pytest.fixture
def extension(monkeypatch):
    """Something that behaves as mamba-ssm documents its extension, in place of the CUDA code."""
    monkeypatch.setitem(sys.modules, "selective_scan_cuda", SimpleNamespace(fwd=_forward, bwd=_backward))
    _forget_probes()
    yield
    _forget_probes()


def _forget_probes():
    mamba_bridge.mamba_kernel.cache_clear()
    default_backend.cache_clear()


@pytest.mark.usefixtures("extension")
def test_tensors_reach_the_extension_in_its_own_layout_and_come_back():
    tensors = scan_tensors(2, 3, 11, 5, 4)
    precise = as_double(tensors)
    found = output_and_gradients(selective_scan(*tensors, backend=ScanBackend.MAMBA), tensors)
    assert max(relative_errors(found, output_and_gradients(reference_scan(*precise), precise))) < 1e-5


@pytest.mark.usefixtures("extension")
def test_the_extension_is_preferred_on_a_gpu():
    assert default_backend(torch.device("cuda"), torch.float32) is ScanBackend.MAMBA


@pytest.mark.skipif(torch.cuda.is_available(), reason="the extension may be installed here")
def test_a_missing_extension_is_named():
    with pytest.raises(RuntimeError, match="selective_scan_cuda cannot be imported"):
        selective_scan(*scan_tensors(1, 1, 3, 2, 2), backend=ScanBackend.MAMBA)


def test_an_extension_that_does_not_load_counts_as_missing(tmp_path, monkeypatch):
    (tmp_path / "selective_scan_cuda.py").write_text("raise ImportError('undefined symbol')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "selective_scan_cuda", raising=False)
    _forget_probes()
    assert mamba_bridge.mamba_kernel() is None
    assert default_backend(torch.device("cuda"), torch.float32) is not ScanBackend.MAMBA
    _forget_probes()
