import numpy as np
import pytest
from scipy.optimize import nnls

from lr_scenes import linked_pixels, moments_of
from pifnet_models.classical.unmixing import UnmixingResponse, peak_level

C, M, P = 7, 3, 500


def _solved(hsi, msi):
    return UnmixingResponse.from_moments(moments_of(hsi, msi))


def test_response_and_offset_of_a_noise_free_pair_are_found():
    rng = np.random.default_rng(0)
    hsi = rng.uniform(0, 1, (C, P))
    weights = rng.uniform(0, 1, (M, C)) * (rng.uniform(0, 1, (M, C)) > 0.4)
    offset = np.array([0.3, -0.2, 0.0])
    response = _solved(hsi, weights @ hsi + offset[:, None])
    np.testing.assert_allclose(response.weights, weights, atol=1e-9)
    np.testing.assert_allclose(response.offset, offset, atol=1e-9)


def test_moments_give_what_pixels_give():
    """Non-negative least squares of the centred pixels; the unconstrained solution has negative weights."""
    hsi, msi = (image.astype(np.float64) for image in linked_pixels(np.random.default_rng(1), noise=0.1))
    msi += np.random.default_rng(2).normal(size=msi.shape) * 0.1
    response = _solved(hsi, msi)
    centred = hsi - hsi.mean(axis=1, keepdims=True)
    free = np.linalg.lstsq(centred.T, (msi - msi.mean(axis=1, keepdims=True)).T, rcond=None)[0]
    assert free.min() < -0.01
    for weights, offset, band in zip(response.weights, response.offset, msi, strict=True):
        expected = nnls(centred.T, band - band.mean())[0]
        np.testing.assert_allclose(weights, expected, atol=1e-8)
        assert offset == pytest.approx(band.mean() - expected @ hsi.mean(axis=1), abs=1e-8)


def test_bands_without_data_or_contrast_take_no_part():
    hsi, msi = linked_pixels(np.random.default_rng(3))
    hsi[2], hsi[4] = np.nan, 0.7
    response = _solved(hsi, msi)
    assert (response.weights[:, [2, 4]] == 0).all()
    assert (response.weights.sum(axis=1) > 0).all()
    kept = [0, 1, 3, 5, 6]
    np.testing.assert_allclose(response.weights[:, kept], _solved(hsi[kept], msi).weights, atol=1e-9)


def test_a_flat_scene_is_all_offset():
    noise = 1e-8 * np.random.default_rng(0).normal(size=(M, 30))
    response = _solved(np.full((C, 30), 0.3, np.float32), 0.5 + noise)
    assert (response.weights == 0).all()
    np.testing.assert_allclose(response.offset, 0.5, atol=1e-7)


def test_more_bands_than_pixels_are_survived():
    rng = np.random.default_rng(4)
    hsi = rng.uniform(0, 1, (40, 12)).astype(np.float32)
    msi = np.stack([hsi[:20].mean(axis=0), hsi[20:].mean(axis=0)])
    response = _solved(hsi, msi)
    np.testing.assert_allclose(response.weights @ hsi + response.offset[:, None], msi, atol=1e-4)


def test_peak_level_is_three_deviations_above_the_highest_mean():
    hsi = np.array([[0.0, 0.2, 0.4], [1.0, 1.0, 1.0], [np.nan] * 3])
    assert peak_level(moments_of(hsi, hsi[:1])) == pytest.approx(1.0)
    assert peak_level(moments_of(hsi[:1], hsi[:1])) == pytest.approx(0.2 + 3 * np.sqrt(0.08 / 3))
    assert peak_level(moments_of(np.zeros((2, 5)), np.ones((1, 5)))) == 1.0
