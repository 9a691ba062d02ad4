import numpy as np
import pytest
from scipy import ndimage

from pifnet_cli.estimation.response import estimate_response

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
