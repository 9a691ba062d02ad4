"""The separable operator against double sums over both axes."""

import subprocess
import sys

import numpy as np
import pytest
from scipy import sparse

from pifnet_models.sampling import SamplingOperator

BANDS, H, W, LR_H, LR_W = 7, 24, 40, 6, 10


@pytest.fixture
def operator():
    rng = np.random.default_rng(0)
    rows, columns = rng.uniform(size=(LR_H, H)), rng.uniform(size=(LR_W, W))
    rows, columns = (matrix * (matrix > 0.6) for matrix in (rows, columns))
    rows, columns = (matrix / matrix.sum(axis=1, keepdims=True) for matrix in (rows, columns))
    ups = rng.normal(size=(H, LR_H)), rng.normal(size=(W, LR_W))
    return SamplingOperator(sparse.csr_array(rows), sparse.csr_array(columns), *(up.astype(np.float32) for up in ups))


def _image(*shape):
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


def test_down_is_the_double_sum_over_rows_and_columns(operator):
    image = _image(BANDS, H, W)
    expected = np.einsum("ij,bjl,kl->bik", operator.rows.toarray(), image, operator.columns.toarray())
    np.testing.assert_allclose(operator.down(image), expected, atol=2e-6)


def test_up_is_the_double_sum_over_rows_and_columns(operator):
    image = _image(BANDS, LR_H, LR_W)
    expected = np.einsum("ij,bjl,kl->bik", operator.up_rows, image, operator.up_columns)
    np.testing.assert_allclose(operator.up(image), expected, atol=2e-5)


def test_shapes_are_those_of_both_grids(operator):
    assert (operator.lr_shape, operator.hr_shape) == ((LR_H, LR_W), (H, W))


@pytest.mark.parametrize("method", ["down", "up"])
def test_answers_are_float32_rasters_of_their_own(operator, method):
    image = _image(BANDS, *(operator.hr_shape if method == "down" else operator.lr_shape))
    before = image.copy()
    answer = getattr(operator, method)(image)
    assert answer.dtype == np.float32
    assert answer.flags.c_contiguous
    np.testing.assert_array_equal(image, before)


def test_a_part_of_an_image_need_not_be_contiguous(operator):
    image = _image(2 * BANDS, W, H).swapaxes(1, 2)[::2]
    np.testing.assert_array_equal(operator.down(image), operator.down(np.ascontiguousarray(image)))


def test_torch_is_not_loaded():
    program = "import sys, pifnet_models.sampling; print('torch' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"
