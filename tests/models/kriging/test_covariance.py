"""The tabulated, summed-up covariances against a double loop over pixels in float64."""

import itertools

import numpy as np
import pytest
from scipy import sparse

from pifnet_models.kriging.covariance import guide_of, sampled_covariances
from pifnet_models.sampling import SamplingOperator

H, W, M = 8, 11, 3
CORE = slice(2, 7), slice(4, 11)
TERMS = ((0.3, 6, 0.0175), (1, 200, 0.35), (1, 60, 0.7), (0.5, 16, 0.245))
LINEAR = ((0.08, 120), (0.08, 20))


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def matrix(rng, samples, pixels, taps, *, step):
    dense = np.zeros((samples, pixels))
    for i in range(samples):
        start = min(i * step, pixels - taps)
        dense[i, start : start + taps] = rng.uniform(0.1, 1, taps)
    return dense / dense.sum(axis=1, keepdims=True)


def operator_of(rows, columns):
    ups = np.zeros(rows.T.shape, np.float32), np.zeros(columns.T.shape, np.float32)
    return SamplingOperator(sparse.csr_array(rows), sparse.csr_array(columns), *ups)


def brute_covariance(sharp, blurred, *, scale=1.0):
    """(H W, H W), pixel by pixel."""
    bands, height, width = sharp.shape
    places = list(itertools.product(range(height), range(width)))
    result = np.zeros((len(places), len(places)))
    for i, p in enumerate(places):
        for j, q in enumerate(places):
            distance = np.sqrt((p[0] - q[0]) ** 2 + (p[1] - q[1]) ** 2 + 1e-3) / scale
            f, g = sharp[:, *p].astype(float), sharp[:, *q].astype(float)
            smooth = blurred[:, *p].astype(float) - blurred[:, *q]
            difference = ((f - g) ** 2).sum() + 0.3 * (smooth**2).sum()
            near = [np.exp(-distance / reach) / (1 + w * w * difference / 2) for _, reach, w in TERMS]
            result[i, j] = sum(a * decay for (a, _, _), decay in zip(TERMS, near, strict=True))
            result[i, j] += sum(b * np.exp(-distance / reach) for b, reach in LINEAR) * (f @ g) / bands
    return result


def brute_blur(image):
    blurred = np.zeros(image.shape)
    rows, columns = ([*range(1, n), n - 2] for n in image.shape[1:])  # neighbour after, mirrored at the end
    before = [1, *range(image.shape[1] - 1)], [1, *range(image.shape[2] - 1)]
    for r, c in np.ndindex(image.shape[1:]):
        for i, wi in ((before[0][r], 1), (r, 2), (rows[r], 1)):
            for j, wj in ((before[1][c], 1), (c, 2), (columns[c], 1)):
                blurred[:, r, c] += wi * wj / 16 * image[:, i, j]
    return blurred


@pytest.mark.parametrize(
    ("taps", "step", "samples"),
    [(1, 4, (3, 4)), (3, 4, (2, 3)), (7, 2, (2, 4))],
    ids=["points", "gaps between samples", "samples overlap"],
)
def test_both_matrices_equal_the_double_loop_over_pixels(rng, taps, step, samples):
    guide = rng.normal(size=(M, H, W)).astype(np.float32)
    rows, columns = matrix(rng, samples[0], H, taps, step=step), matrix(rng, samples[1], W, taps, step=step)
    between, with_core = sampled_covariances(guide_of(guide), operator_of(rows, columns), core=CORE, range_scale=1.0)
    covariance, sampling = brute_covariance(guide, brute_blur(guide)), np.kron(rows, columns)
    core = np.arange(H * W).reshape(H, W)[CORE].ravel()

    np.testing.assert_allclose(between, sampling @ covariance @ sampling.T, atol=2e-6)  # float32 sums of order 3
    np.testing.assert_allclose(with_core, (covariance @ sampling.T)[core], atol=2e-6)


def test_ranges_are_scaled(rng):
    guide = rng.normal(size=(1, H, W)).astype(np.float32)
    rows, columns = matrix(rng, 3, H, 3, step=3), matrix(rng, 4, W, 3, step=3)
    between, _ = sampled_covariances(guide_of(guide), operator_of(rows, columns), core=CORE, range_scale=2.5)
    sampling = np.kron(rows, columns)
    expected = sampling @ brute_covariance(guide, brute_blur(guide), scale=2.5) @ sampling.T
    np.testing.assert_allclose(between, expected, atol=2e-6)


def test_invalid_pixels_weigh_nothing(rng):
    guide = rng.normal(size=(M, H, W)).astype(np.float32)
    rows, columns = matrix(rng, 3, H, 3, step=3), matrix(rng, 4, W, 4, step=3)
    guide[1, 3, 4], guide[0, 4, 9] = np.nan, np.nan
    made = guide_of(guide)
    between, with_core = sampled_covariances(made, operator_of(rows, columns), core=CORE, range_scale=1.0)
    sampling = np.kron(rows, columns) * np.isfinite(guide).all(axis=0).ravel()
    covariance = brute_covariance(made.features[:M], made.features[M:] / np.sqrt(0.3))
    core = np.arange(H * W).reshape(H, W)[CORE].ravel()
    valid = np.isfinite(guide).all(axis=0)[CORE].ravel()

    np.testing.assert_allclose(between, sampling @ covariance @ sampling.T, atol=2e-6)
    np.testing.assert_allclose(with_core[valid], (covariance @ sampling.T)[core][valid], atol=2e-6)


def test_a_core_may_lie_where_no_sample_looks(rng):
    guide = rng.normal(size=(M, H, W)).astype(np.float32)
    rows, columns = matrix(rng, 2, H, 2, step=2), matrix(rng, 2, W, 3, step=3)
    core = slice(5, 8), slice(7, 11)  # beyond the samples' pixels on both axes
    _, with_core = sampled_covariances(guide_of(guide), operator_of(rows, columns), core=core, range_scale=1.0)
    expected = brute_covariance(guide, brute_blur(guide)) @ np.kron(rows, columns).T
    np.testing.assert_allclose(with_core, expected[np.arange(H * W).reshape(H, W)[core].ravel()], atol=2e-6)


def test_a_pixel_costs_the_same_covariance_whatever_core_it_is_in(rng):
    guide = guide_of(rng.normal(size=(12, H, W)).astype(np.float32))
    operator = operator_of(matrix(rng, 3, H, 3, step=3), matrix(rng, 4, W, 4, step=3))
    whole = sampled_covariances(guide, operator, core=(slice(0, H), slice(0, W)), range_scale=1.0)[1]
    part = sampled_covariances(guide, operator, core=CORE, range_scale=1.0)[1]
    np.testing.assert_allclose(part, whole.reshape(H, W, -1)[CORE].reshape(len(part), -1), atol=2e-6)


def test_the_guide_blurs_valid_pixels_only():
    flat = np.full((2, H, W), 3.0, np.float32)
    flat[0, 4, 4] = np.nan
    guide = guide_of(flat)

    assert not guide.is_valid[4, 4]
    assert guide.linear == 2
    assert guide.features[2:, guide.is_valid] == pytest.approx(3 * np.sqrt(0.3))
    assert (guide.features[:, 4, 4] == 0).all()


def test_absurd_brightness_is_bounded():
    image = np.zeros((12, H, W), np.float32)
    image[:, 2, 3], image[:, 4, 4] = -1e12, 1e12
    guide = guide_of(image)
    assert (guide.features.min(), guide.features.max()) == (-1e4, 1e4)

    operator = operator_of(np.eye(H), np.eye(W))
    between, with_core = sampled_covariances(guide, operator, core=CORE, range_scale=1.0)
    assert np.isfinite(between).all()
    assert np.isfinite(with_core).all()


def test_a_single_row_of_pixels_has_a_guide(rng):
    line = rng.normal(size=(1, 1, W)).astype(np.float32)
    expected = np.convolve(np.pad(line[0, 0], 1, mode="reflect"), [0.25, 0.5, 0.25], mode="valid")
    np.testing.assert_allclose(guide_of(line).features[1, 0], np.sqrt(0.3) * expected, atol=1e-6)
