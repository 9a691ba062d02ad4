import numpy as np
import pytest

from lr_scenes import moments_of
from pifnet_models.classical.endmembers import extreme_spectra, virtual_dimensionality
from pifnet_models.classical.moments import SceneMoments

C, P = 7, 600


def _mixtures(rng, *, corners, pixels=P, bands=C, floor=0.05):
    """(C, P): pixels 0 to `corners` - 1 are pure, the others hold at least `floor` of every material."""
    spectra = rng.uniform(0.1, 1, (bands, corners))
    shares = floor + (1 - corners * floor) * rng.dirichlet(np.ones(corners), pixels).T
    shares[:, :corners] = np.eye(corners)
    return spectra @ shares


@pytest.mark.parametrize("corners", [2, 4, 7])
@pytest.mark.parametrize("seed", range(3))
def test_pure_pixels_are_found(corners, seed):
    rng = np.random.default_rng(seed)
    order = rng.permutation(P)
    found = extreme_spectra(_mixtures(rng, corners=corners)[:, order], corners, rng)
    assert sorted(order[found]) == list(range(corners))


def test_dark_pixels_do_not_disturb():
    spectra = _mixtures(np.random.default_rng(0), corners=3)
    spectra[:, 500:] = 0
    found = extreme_spectra(spectra, 4, np.random.default_rng(1))
    assert {0, 1, 2} <= set(found)
    assert (found >= 500).sum() == 1


def test_a_simplex_of_one_band_has_two_corners():
    row = np.linspace(0.2, 0.9, 50)[np.random.default_rng(0).permutation(50)]
    found = extreme_spectra(row[None], 2, np.random.default_rng(0))
    assert sorted(row[found]) == pytest.approx([0.2, 0.9])


@pytest.mark.parametrize(("bands", "pixels", "count"), [(1, 1, 1), (3, 40, 9), (7, 5, 5)])
def test_more_corners_than_there_are_come_as_repetitions(bands, pixels, count):
    spectra = np.random.default_rng(0).uniform(0, 1, (bands, pixels))
    found = extreme_spectra(spectra, count, np.random.default_rng(0))
    assert found.shape == (count,)
    assert ((found >= 0) & (found < pixels)).all()


def test_flat_scenes_have_an_answer():
    assert extreme_spectra(np.full((C, 30), 0.4), 5, np.random.default_rng(0)).shape == (5,)
    assert extreme_spectra(np.zeros((C, 30)), 5, np.random.default_rng(0)).shape == (5,)


def test_equal_generators_find_equal_corners():
    spectra = np.random.default_rng(0).uniform(0, 1, (C, P)).astype(np.float32)
    before = spectra.copy()
    first, second = (extreme_spectra(spectra, 6, np.random.default_rng(3)) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(spectra, before)


def _moments(mean, variances, *, pixels):
    size = len(mean) + 1
    covariance = np.zeros((size, size))
    covariance[np.arange(len(mean)), np.arange(len(mean))] = variances
    return SceneMoments(
        hsi_mean=np.array(mean),
        msi_mean=np.zeros(1),
        covariance=covariance,
        hsi_minimum=np.zeros(len(mean)),
        msi_minimum=np.zeros(1),
        hsi_live=np.isfinite(mean),
        pixels=pixels,
    )


@pytest.mark.parametrize(("lit", "expected"), [(0, 1), (1, 2), (3, 4)])
def test_a_bright_direction_lifts_the_eigenvalues_above_its_own(lit, expected):
    """Covariance 1, 0.5, 0.25, 0.1; a mean along direction i adds 9 to it, and moves the i before it down by one."""
    mean = 3.0 * (np.arange(4) == lit)
    assert virtual_dimensionality(_moments(mean, [1, 0.5, 0.25, 0.1], pixels=10**6)) == expected


def test_few_pixels_prove_little():
    mean = np.array([0.0, 3.0, 0.0, 0.0])
    assert virtual_dimensionality(_moments(mean, [1, 0.5, 0.25, 0.1], pixels=30)) == 1
    assert virtual_dimensionality(_moments(mean, [1, 0.5, 0.25, 0.1], pixels=10)) == 0


def test_bands_without_data_are_left_out():
    mean = np.array([np.nan, 3.0, 0.0])
    assert virtual_dimensionality(_moments(mean, [0, 1, 0.5], pixels=10**6)) == 1


def test_noise_without_mean_holds_no_signal():
    noise = np.random.default_rng(0).normal(size=(12, 5000)).astype(np.float32)
    assert virtual_dimensionality(moments_of(noise, noise[:1])) == 0


def test_a_scene_of_zeros_holds_no_signal():
    zeros = np.zeros((C, 50), np.float32)
    assert virtual_dimensionality(moments_of(zeros, zeros[:1])) == 0
