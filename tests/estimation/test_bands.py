import numpy as np
import pytest

from pifnet_cli.degrade.psf import gaussian_from_mtf
from pifnet_cli.estimation.bands import measurable_noise_std, pair_facts
from pifnet_cli.pair.alignment import align
from pifnet_cli.raster.reader import open_scene
from pifnet_models.classical.moments import MomentSums
from waves import NODATA, Texture, write_pair

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


def _facts(folder, spoil=None):
    lr, hr, _ = write_pair(folder, bands=14, ground=Texture(14), hr_size=(132, 148), spoil=spoil)
    psf = gaussian_from_mtf(0.3, ratio_rows=4, ratio_columns=4)
    with open_scene(lr) as low, open_scene(hr) as high:
        alignment = align(low.scene, high.scene)
        return pair_facts(low.read, high.read, alignment=alignment, psf=psf, bands=low.scene.bands)


def test_what_is_nodata_in_the_hr_msi_takes_nothing_from_what_it_explains(tmp_path):
    def spoil(_, hr_msi):
        hr_msi[:, :, 102:] = NODATA

    whole, cut = _facts(tmp_path / "whole"), _facts(tmp_path / "cut", spoil)
    assert (cut.response.explained >= whole.response.explained).all()
