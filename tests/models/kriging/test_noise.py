import numpy as np
import pytest

from pifnet_models.kriging.noise import faithfulness, hsi_covariance, hsi_noise_std
from pifnet_models.kriging.regression import RegressionSums

C, M, PIXELS = 40, 3, 900


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def smooth_scene(rng, *, bands=C, pixels=PIXELS):
    """(C, P): mixtures of five spectra that vary slowly with the band."""
    at = np.linspace(0, 1, bands)
    spectra = np.stack([np.exp(-(((at - centre) / 0.3) ** 2)) for centre in rng.uniform(0, 1, 5)])
    return spectra.T @ rng.dirichlet(np.ones(5), pixels).T


def boxes(hsi):
    """(M, P): means of equal groups of bands."""
    return np.stack([part.mean(axis=0) for part in np.array_split(hsi, M)])


def regressed(hsi, msi):
    sums = RegressionSums(hsi_bands=len(hsi), msi_bands=len(msi))
    sums.add(hsi.astype(np.float32), msi.astype(np.float32))
    return sums.solve()


def test_covariance_of_the_hsi_follows_from_the_regression(rng):
    hsi = smooth_scene(rng) + 0.01 * rng.normal(size=(C, PIXELS))
    expected = np.cov(hsi.astype(np.float32), bias=True)
    assert hsi_covariance(regressed(hsi, boxes(hsi))) == pytest.approx(expected, abs=1e-7)


def test_noise_is_the_residual_of_a_band_on_its_neighbours(rng):
    hsi = (smooth_scene(rng) + 0.01 * rng.normal(size=(C, PIXELS))).astype(np.float32).astype(float)
    std = hsi_noise_std(regressed(hsi, boxes(hsi)))
    for band, near in ((0, range(1, 6)), (20, [*range(15, 20), *range(21, 26)]), (C - 1, range(C - 6, C - 1))):
        design = np.vstack([np.ones(PIXELS), hsi[list(near)]]).T
        left = hsi[band] - design @ np.linalg.lstsq(design, hsi[band], rcond=None)[0]
        assert std[band] == pytest.approx(np.sqrt((left**2).sum() / (PIXELS - len(near) - 1)), rel=1e-4)


def test_noise_of_smooth_spectra_is_found(rng):
    true = np.where(np.arange(C) % 7 == 0, 0.03, 0.01)
    hsi = smooth_scene(rng) + true[:, None] * rng.normal(size=(C, PIXELS))
    ratio = hsi_noise_std(regressed(hsi, boxes(smooth_scene(np.random.default_rng(0))))) / true
    # Neighbours bring noise of their own into the prediction, never less than a band has.
    assert ratio.min() > 0.9
    assert ratio.max() < 2.5
    assert np.median(ratio) < 1.4


def test_bands_without_pixels_are_no_neighbours(rng):
    hsi = smooth_scene(rng) + 0.01 * rng.normal(size=(C, PIXELS))
    msi = boxes(hsi)
    alone = hsi_noise_std(regressed(np.delete(hsi, [7, 8], axis=0), msi))
    hsi[7:9] = np.nan
    std = hsi_noise_std(regressed(hsi, msi))

    assert (std[7:9] == 0).all()
    assert np.delete(std, [7, 8]) == pytest.approx(alone, rel=1e-6)


@pytest.mark.parametrize("bands", [1, 3])
def test_few_bands_tell_no_noise(rng, bands):
    hsi = rng.normal(size=(bands, PIXELS))
    assert (hsi_noise_std(regressed(hsi, rng.normal(size=(M, PIXELS)))) == 0).all()


def test_an_hsi_that_the_msi_is_made_of_is_faithful_noise_and_all(rng):
    hsi = smooth_scene(rng) + 0.01 * rng.normal(size=(C, PIXELS))
    regression = regressed(hsi, boxes(hsi))
    assert faithfulness(regression, hsi_noise_std(regression)) == pytest.approx(1, abs=1e-4)


def test_an_hsi_with_noise_of_its_own_is_not_faithful(rng):
    scene = smooth_scene(rng) + 0.01 * rng.normal(size=(C, PIXELS))
    hsi = scene + 0.01 * rng.normal(size=(C, PIXELS))
    regression = regressed(hsi, boxes(scene))
    assert faithfulness(regression, hsi_noise_std(regression)) == 0


def test_with_few_pixels_nothing_is_called_faithful(rng):
    hsi = smooth_scene(rng, pixels=C + 10) + 0.01 * rng.normal(size=(C, C + 10))
    regression = regressed(hsi, boxes(hsi))
    assert faithfulness(regression, hsi_noise_std(regression)) == 0


def test_a_scene_without_noise_is_not_called_faithful_by_a_division_by_zero(rng):
    regression = regressed(np.full((C, PIXELS), 0.25), rng.normal(size=(M, PIXELS)))
    assert faithfulness(regression, hsi_noise_std(regression)) == 0
