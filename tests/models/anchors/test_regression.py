import numpy as np
import pytest

from models.anchors.regression import RegressionSums


def _pair(rng, bands=7, msi=3, pixels=400, noise=0.01):
    low = rng.uniform(0, 1, (msi, pixels)).astype(np.float32)
    weights = rng.normal(size=(bands, msi))
    hsi = weights @ low + rng.normal(size=(bands, 1)) + noise * rng.normal(size=(bands, pixels))
    return hsi.astype(np.float32), low


def _solved(hsi, low, blocks=1):
    sums = RegressionSums(hsi_bands=len(hsi), msi_bands=len(low))
    for part in np.array_split(np.arange(hsi.shape[1]), blocks):
        sums.add(hsi[:, part], low[:, part])
    return sums.solve()


def test_weights_are_the_least_squares_solution():
    hsi, low = _pair(np.random.default_rng(0))
    design = np.vstack([np.ones(low.shape[1]), low]).T.astype(np.float64)
    expected = np.linalg.lstsq(design, hsi.T.astype(np.float64), rcond=None)[0].T
    regression = _solved(hsi, low)
    np.testing.assert_allclose(regression.intercept, expected[:, 0], atol=1e-9)
    np.testing.assert_allclose(regression.weights, expected[:, 1:], atol=1e-9)
    residual = hsi - expected @ design.T
    np.testing.assert_allclose(regression.residual_covariance, residual @ residual.T / hsi.shape[1], atol=1e-10)
    np.testing.assert_allclose(regression.msi_covariance, np.cov(low.astype(np.float64), bias=True), atol=1e-9)


def test_blocks_do_not_matter():
    hsi, low = _pair(np.random.default_rng(1))
    one, many = _solved(hsi, low), _solved(hsi, low, blocks=9)
    np.testing.assert_allclose(one.weights, many.weights, atol=1e-10)


def test_each_band_uses_its_own_valid_pixels():
    hsi, low = _pair(np.random.default_rng(2))
    holed = hsi.copy()
    holed[2, :150] = np.nan
    holed[5] = np.nan
    regression = _solved(holed, low)
    np.testing.assert_allclose(regression.weights[2], _solved(hsi[:, 150:], low[:, 150:]).weights[2], atol=1e-9)
    np.testing.assert_allclose(regression.weights[0], _solved(hsi, low).weights[0], atol=1e-9)
    assert (regression.weights[5] == 0).all()
    assert regression.residual_covariance[5, 5] == 0


def test_repeated_msi_bands_are_survived():
    hsi, low = _pair(np.random.default_rng(3), noise=0.0)
    twice = np.concatenate([low, low[:1]])
    regression = _solved(hsi, twice)
    predicted = regression.weights @ twice + regression.intercept[:, None]
    np.testing.assert_allclose(predicted, hsi, atol=1e-4)


def test_no_common_valid_pixel_is_refused():
    hsi, low = _pair(np.random.default_rng(4))
    with pytest.raises(ValueError, match="no LR pixel is valid in both"):
        _solved(np.full_like(hsi, np.nan), low)
