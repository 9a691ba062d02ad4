import numpy as np
import pytest
from scipy import ndimage

from pifnet_cli.estimation.response import estimate_response, response_weights
from pifnet_models.classical.moments import MomentSums

WAVELENGTHS = np.linspace(400, 1000, 61)
PIXELS = 1500


def spectra(seed=0, pixels=PIXELS):
    """(C, P): smooth mixtures, as of the ground."""
    rng = np.random.default_rng(seed)
    rough = rng.standard_normal((len(WAVELENGTHS), pixels))
    return ndimage.gaussian_filter1d(rough, 2.0, axis=0, mode="nearest") + 3


def boxes(edges, wavelengths=WAVELENGTHS):
    inside = [(wavelengths >= low) & (wavelengths <= high) for low, high in edges]
    return np.stack([row / row.sum() for row in np.array(inside, dtype=float)])


@pytest.mark.parametrize("order", ["sorted", "shuffled"])
def test_boxes_are_found(order):
    wavelengths = WAVELENGTHS if order == "sorted" else np.random.default_rng(1).permutation(WAVELENGTHS)
    hsi = spectra()[np.argsort(np.argsort(wavelengths))]
    weights = boxes([(450, 520), (640, 680), (780, 900)], wavelengths)
    rng = np.random.default_rng(2)
    noise = np.full(len(hsi), 0.02)
    msi = 2.5 * weights @ hsi + 7 + 0.005 * rng.standard_normal((3, PIXELS))

    found = estimate_response(
        hsi + noise[:, None] * rng.standard_normal(hsi.shape), msi, noise=noise, wavelengths=wavelengths
    )

    np.testing.assert_allclose(found.centres(wavelengths), [485, 660, 840], atol=3)
    np.testing.assert_allclose(found.widths(wavelengths), [70, 40, 120], rtol=0.3)
    np.testing.assert_allclose(found.relative.sum(axis=1), 1)
    np.testing.assert_allclose(found.weights.sum(axis=1), 2.5, rtol=0.02)
    np.testing.assert_allclose(found.offset, 7, atol=0.2)
    assert np.minimum(found.relative, weights).sum(axis=1).min() > 0.8
    assert found.weights.min() >= 0
    assert found.explained.min() > 0.99


def test_without_wavelengths_bands_are_equally_spaced():
    hsi, weights = spectra(), boxes([(450, 520)])
    by_index = estimate_response(hsi, weights @ hsi, noise=np.zeros(len(hsi)))
    by_wavelength = estimate_response(hsi, weights @ hsi, noise=np.zeros(len(hsi)), wavelengths=WAVELENGTHS)
    np.testing.assert_allclose(by_index.relative, by_wavelength.relative, atol=1e-3)


def test_dead_bands_and_invalid_pixels_do_not_count():
    hsi, weights = spectra(), boxes([(450, 520)])
    msi = weights @ hsi
    hsi[5] = np.nan
    hsi[:, 7] = np.nan
    msi[:, 100:110] = np.nan

    found = estimate_response(hsi, msi, noise=np.full(len(hsi), 1e-3), wavelengths=WAVELENGTHS)

    assert found.weights[0, 5] == 0
    assert np.isfinite(found.weights).all()
    assert found.centres(WAVELENGTHS)[0] == pytest.approx(485, abs=4)


def test_a_band_that_the_hsi_does_not_explain_says_so():
    hsi = spectra()
    found = estimate_response(hsi, np.random.default_rng(3).standard_normal((1, PIXELS)), noise=np.zeros(len(hsi)))
    assert found.explained[0] < 0.1


def test_too_few_pixels_are_refused():
    with pytest.raises(ValueError, match="only 40 LR pixels"):
        estimate_response(spectra(pixels=40), np.ones((1, 40)), noise=np.zeros(len(WAVELENGTHS)))


def weights_of(hsi, msi):
    sums = MomentSums(hsi_bands=len(hsi), msi_bands=len(msi))
    sums.add(hsi, msi)
    return response_weights(sums.solve())


def linked(seed=0):
    rng = np.random.default_rng(seed)
    weights = np.maximum(rng.normal(size=(3, 9)), 0)
    return rng.random((9, 400)), weights, rng.normal(size=3)


def test_a_non_negative_response_with_an_offset_is_found():
    hsi, weights, offsets = linked()
    found, at_zero = weights_of(hsi, weights @ hsi + offsets[:, None])
    np.testing.assert_allclose(found, weights, atol=1e-8)
    np.testing.assert_allclose(at_zero, offsets, atol=1e-8)


def test_no_weight_is_negative():
    hsi, _, _ = linked()
    found, _ = weights_of(hsi, np.random.default_rng(1).normal(size=(3, 9)) @ hsi)
    assert found.min() >= 0


@pytest.mark.parametrize("pixels", [5, 400])
def test_bands_that_tell_the_same_are_no_obstacle(pixels):
    hsi, weights, offsets = linked()
    hsi[1], hsi = hsi[0], hsi[:, :pixels]  # twins; and fewer pixels than bands
    msi = weights @ hsi + offsets[:, None]
    found, at_zero = weights_of(hsi, msi)
    np.testing.assert_allclose(found @ hsi + at_zero[:, None], msi, atol=1e-6)


def test_a_flat_scene_is_told_by_the_offset():
    found, at_zero = weights_of(np.ones((9, 400)), np.full((3, 400), 2.0))
    np.testing.assert_array_equal(found, 0)
    np.testing.assert_allclose(at_zero, 2)
