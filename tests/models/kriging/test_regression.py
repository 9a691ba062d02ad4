import numpy as np
import pytest

from pifnet_models.kriging.regression import RegressionSums, msi_whitening


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


def test_a_band_that_the_msi_does_not_predict_gets_no_weight():
    rng = np.random.default_rng(5)
    kept = []
    for _ in range(40):
        hsi, low = _pair(rng)
        hsi[4] = rng.normal(size=hsi.shape[1])
        kept.append(np.abs(_solved(hsi, low).weights[4]).max())
    # Where F < 1, in half of all cases, nothing is left; F > 3 comes in one of fifty.
    assert np.mean(np.array(kept) == 0) > 0.4
    assert max(kept) < 0.15
    assert np.median(kept) < 0.02  # least squares: 0.25


def test_bands_that_the_msi_predicts_keep_their_weights():
    hsi, low = _pair(np.random.default_rng(6), noise=0.5)
    regression = _solved(hsi, low)
    told = regression.explained > 0.1
    assert told.sum() > 3
    np.testing.assert_array_equal(regression.weights[told], regression.least_squares[told])


def test_the_mean_of_a_band_without_weight_stays():
    rng = np.random.default_rng(7)
    hsi, low = _pair(rng)
    hsi[4] = 3 + 0.1 * rng.normal(size=hsi.shape[1])
    regression = _solved(hsi, low)
    assert (regression.weights @ regression.msi_mean + regression.intercept)[4] == pytest.approx(
        hsi[4].mean(), abs=1e-6
    )


def test_explained_is_the_adjusted_share_of_the_variance():
    rng = np.random.default_rng(8)
    low = rng.normal(size=(3, 5000)).astype(np.float32)
    signal = low[0] - low[2]  # of variance 2
    hsi = np.stack([signal + np.sqrt(2 * odds) * rng.normal(size=5000) for odds in (1e-4, 0.25, 1, 9)])
    explained = _solved(hsi.astype(np.float32), low).explained
    assert explained == pytest.approx([1, 0.8, 0.5, 0.1], abs=0.03)


def test_nothing_is_explained_of_dead_flat_and_random_bands():
    rng = np.random.default_rng(9)
    hsi, low = _pair(rng)
    hsi[1], hsi[2], hsi[3] = np.nan, 0.4, rng.normal(size=hsi.shape[1])
    explained = _solved(hsi, low).explained
    assert explained[1] == explained[2] == 0
    assert explained[3] < 0.03
    assert (np.delete(explained, [1, 2, 3]) > 0.9).all()


def test_as_many_pixels_as_variables_explain_nothing():
    hsi, low = _pair(np.random.default_rng(10), pixels=4)
    regression = _solved(hsi, low)
    assert (regression.weights == 0).all()
    assert (regression.explained == 0).all()


def test_the_variance_of_the_lr_hsi_is_known_whatever_was_shrunk():
    rng = np.random.default_rng(11)
    hsi, low = _pair(rng, noise=3.0, pixels=60)
    regression = _solved(hsi, low)
    assert not np.array_equal(regression.weights, regression.least_squares)
    assert regression.hsi_variance == pytest.approx(hsi.astype(np.float64).var(axis=1), rel=1e-6)


def test_whitened_msi_has_unit_covariance():
    rng = np.random.default_rng(0)
    regression = _solved(*_pair(rng))
    root = np.linalg.cholesky(regression.msi_covariance)
    white = msi_whitening(regression) @ (root @ rng.standard_normal((3, 20_000)))
    assert np.cov(white) == pytest.approx(np.eye(3), abs=0.05)
