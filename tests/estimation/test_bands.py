import numpy as np
import pytest

from pifnet_cli.estimation.bands import measurable_noise_std
from pifnet_models.classical.moments import MomentSums

C, P = 40, 3000


def _std(hsi):
    sums = MomentSums(hsi_bands=len(hsi), msi_bands=1)
    sums.add(hsi, np.zeros((1, hsi.shape[1])))
    return measurable_noise_std(sums.solve())


def _spectra(seed=0, pixels=P):
    """Three smooth materials."""
    rng = np.random.default_rng(seed)
    place = np.linspace(0, 3, C)[:, None]
    return (2 + np.sin(place * np.array([1.0, 1.7, 2.3]))) @ rng.random((3, pixels))


def test_noise_is_found_band_by_band():
    std = np.linspace(0.01, 0.05, C)
    noisy = _spectra() + std[:, None] * np.random.default_rng(1).standard_normal((C, P))
    found = _std(noisy)
    np.testing.assert_allclose(found[5:-5], std[5:-5], rtol=0.25)  # the neighbours' own noise comes in
    assert (found > 0.9 * std).all()  # at the ends, with neighbours on one side, more of it


@pytest.mark.parametrize("pixels", [15, 60])
def test_few_pixels_do_not_hide_it(pixels):
    found = [
        _std(_spectra(seed, pixels) + 0.02 * np.random.default_rng(99 + seed).standard_normal((C, pixels)))
        for seed in range(20)
    ]
    assert np.median(found) == pytest.approx(0.02, rel=0.25)


def test_what_arithmetic_makes_is_no_noise():
    assert np.isnan(_std(_spectra().astype(np.float32))).all()


def test_without_neighbours_or_pixels_enough_it_is_not_known():
    assert np.isnan(_std(_spectra()[:1])).all()
    assert np.isnan(_std(_spectra(pixels=6))).all()
