import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import njit

import pifnet_models
from pifnet_models.kernels import simd

PACKAGE = Path(pifnet_models.__file__).parent


@njit
def _apply_exponential(source, target, count):
    for i in range(0, count, simd.LANES):
        simd.store(target, i, simd.exponential(simd.load(source, i)))


@njit
def _apply_softplus(source, target, count):
    for i in range(0, count, simd.LANES):
        simd.store(target, i, simd.softplus(simd.load(source, i)))


@njit
def _apply_sigmoid(source, target, count):
    for i in range(0, count, simd.LANES):
        simd.store(target, i, simd.sigmoid(simd.load(source, i)))


def _applied(kernel, values):
    result = np.empty_like(values)
    kernel(values.ctypes.data, result.ctypes.data, values.size)
    return result


@pytest.mark.parametrize(
    ("kernel", "expected", "largest"),
    [
        (_apply_exponential, np.exp, 80),
        (_apply_softplus, lambda x: np.logaddexp(0, x), 80),
        (_apply_sigmoid, lambda x: 1 / (1 + np.exp(-x)), 80),
    ],
    ids=["exponential", "softplus", "sigmoid"],
)
def test_functions_are_exact_to_a_few_roundings(kernel, expected, largest):
    values = np.linspace(-largest, largest, 1 << 16, dtype=np.float32)
    relative = _applied(kernel, values) / expected(values.astype(np.float64)) - 1
    assert np.abs(relative).max() < 4e-7  # the last bit of a float32 is 1.2e-7


def test_an_exponential_beyond_float32_saturates():
    values = np.array([-1e30, -200, 200, 1e30] * 4, dtype=np.float32)
    result = _applied(_apply_exponential, values)
    assert (result[[0, 1]] < 1e-37).all()
    assert (result[[2, 3]] > 1e38).all()
    assert np.isfinite(result).all()


def test_kernels_work_from_an_installation_that_cannot_be_written(tmp_path):
    copy = tmp_path / "pifnet_models"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for folder in [copy, *(path for path in copy.rglob("*") if path.is_dir())]:
        (folder / "__pycache__").touch()  # a file: no folder can be made in its place, whoever asks
    program = (
        "import torch; from pifnet_models.pifnet.depthwise import depthwise_convolution as f; "
        "print(f(torch.ones(1, 16, 8, 8), torch.ones(16, 1, 3, 3), torch.zeros(16), dilation=2).max().item())"
    )
    nowhere = {"HOME": os.devnull, "XDG_CACHE_HOME": os.devnull, "PYTHONPATH": str(tmp_path)}
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"} | nowhere
    answer = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=tmp_path, env=environment, check=False
    )
    assert (answer.stdout, answer.stderr) == ("9.0\n", "")
