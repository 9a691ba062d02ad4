import numpy as np
import pytest
from scipy import ndimage

from pifnet_cli.degrade.psf import gaussian_from_mtf
from pifnet_cli.degrade.sampling import PsfSampler
from pifnet_cli.scene import Positions
from pifnet_models.kriging.detail import DetailFilter, noise_bound, noise_by_texture
from pifnet_models.kriging.noise import hsi_noise_std
from pifnet_models.kriging.regression import RegressionSums

BANDS, SIDE, RATIO = 6, 96, 4
NOISE = np.array([0.01, 0.02, 0.015, 0.01, 0.03, 0.02])
PSF = gaussian_from_mtf(0.3, ratio_rows=RATIO, ratio_columns=RATIO)


def ground(seed=0, side=SIDE, bands=BANDS):
    """(M, H, W): two textures, seen alike by all bands, sharp at places."""
    rng = np.random.default_rng(seed)
    textures = ndimage.gaussian_filter(rng.standard_normal((2, side, side)), (0, 1.5, 1.5))
    textures[0] += ndimage.gaussian_filter(rng.standard_normal((side, side)), 8) > 0
    return np.einsum("bt,thw->bhw", rng.uniform(0.3, 1, (bands, 2)), textures).astype(np.float32)


def noisy(image, seed=1):
    drawn = np.random.default_rng(seed).standard_normal(image.shape)
    return (image + NOISE[: len(image), None, None] * drawn).astype(np.float32)


def regression_of(hsi, msi):
    """Of a pair that was degraded from (C, H, W) and (M, H, W)."""
    at = np.arange(SIDE // RATIO) * RATIO + (RATIO - 1) / 2
    sampler = PsfSampler(Positions(at, at), PSF, height=SIDE, width=SIDE)
    sums = RegressionSums(hsi_bands=len(hsi), msi_bands=len(msi))
    sums.add(*(sampler(image).reshape(len(image), -1) for image in (hsi, msi)))
    return sums.solve()


def test_noise_is_told_from_texture():
    found = noise_by_texture([noisy(ground())])
    np.testing.assert_allclose(found, NOISE, rtol=0.35)


def test_windows_count_together():
    image = noisy(ground())
    halves = noise_by_texture([image[:, :, : SIDE // 2 + 1], image[:, :, SIDE // 2 - 1 :]])
    np.testing.assert_allclose(halves, noise_by_texture([image]), rtol=0.1)


def test_invalid_pixels_are_no_noise():
    image = noisy(ground())
    image[2, 30:40, 50:70] = np.nan
    np.testing.assert_allclose(noise_by_texture([image]), NOISE, rtol=0.35)


@pytest.mark.parametrize("shape", [(BANDS, 9, 9), (BANDS, 1, 1), (BANDS, 2, 40)])
def test_too_little_to_tell_is_no_noise(shape):
    assert (noise_by_texture([np.zeros(shape, dtype=np.float32)]) == 0).all()


def test_what_both_sensors_see_is_no_noise():
    hsi = ground(bands=20)
    msi = hsi[:BANDS] + np.random.default_rng(5).standard_normal((BANDS, SIDE, SIDE)).astype(np.float32) * 0.02
    hsi[:BANDS] = msi  # a grainy ground that neighbours do not predict, seen by both
    regression = regression_of(hsi, msi)

    assert noise_by_texture([msi]).min() > 0.01
    assert noise_bound(regression, hsi_noise_std(regression), gain=PSF.noise_gain).max() < 1e-3


def test_noise_of_one_sensor_is_within_the_bound():
    hsi = ground(bands=20)
    msi = noisy(hsi[:BANDS])
    hsi += 0.01 * np.random.default_rng(6).standard_normal(hsi.shape).astype(np.float32)
    regression = regression_of(hsi, msi)
    assert (noise_bound(regression, hsi_noise_std(regression), gain=PSF.noise_gain) > 0.95 * NOISE).all()


def test_the_filter_takes_noise_out_and_leaves_the_ground():
    clean, seen = ground(), noisy(ground())
    made = DetailFilter.from_windows([seen], NOISE)
    before, after = (np.square(image - clean).mean(axis=(1, 2)) for image in (seen, made.apply(seen)))
    assert (after < before).all()
    assert after.sum() < 0.3 * before.sum()


def test_the_error_is_what_the_filter_leaves_wrong():
    clean, seen = ground(), noisy(ground())
    made = DetailFilter.from_windows([seen], NOISE)
    left = np.square(made.apply(seen) - clean).mean(axis=(1, 2))
    np.testing.assert_allclose(np.diag(made.error), left, rtol=0.5)
    assert np.diag(made.error).sum() == pytest.approx(left.sum(), rel=0.1)


def test_texture_that_bands_share_is_no_noise():
    rng = np.random.default_rng(2)
    shared = rng.normal(size=(96, 96))
    msi = np.stack([1 + 0.1 * shared, 2 - 0.3 * shared, 0.5 + 0.2 * shared]) + 0.001 * rng.normal(size=(3, 96, 96))
    assert noise_by_texture([msi.astype(np.float32)]).max() < 0.002


def test_without_noise_there_is_nothing_to_filter():
    assert DetailFilter.from_windows([ground()], np.zeros(BANDS)) is None


def test_a_flat_scene_is_left_alone():
    flat = np.ones((BANDS, 40, 40), dtype=np.float32)
    made = DetailFilter.from_windows([flat], NOISE)
    np.testing.assert_allclose(flat if made is None else made.apply(flat), flat, atol=1e-6)


def test_nan_stays_where_it_is():
    image = noisy(ground())
    made = DetailFilter.from_windows([image], NOISE)
    image[1, 10:30, 20:50] = np.nan
    filtered = made.apply(image)
    is_valid = np.isfinite(image).all(axis=0)
    assert np.isfinite(filtered[:, is_valid]).all()
    assert np.isnan(filtered[:, ~is_valid]).all()
    assert np.abs(filtered - ground())[:, is_valid].max() < 0.2


def test_filtering_a_tile_is_filtering_the_scene():
    image = noisy(ground())
    made = DetailFilter.from_windows([image], NOISE)
    part = made.apply(image[:, 20:76, 16:80])
    np.testing.assert_allclose(part[:, 13:-13, 13:-13], made.apply(image)[:, 33:63, 29:67], atol=1e-5)


def test_noise_gain_is_what_degrading_leaves():
    noise = np.random.default_rng(0).standard_normal((40, SIDE, SIDE))
    at = np.arange(8, SIDE - 8, 8.0)
    sampler = PsfSampler(Positions(at, at), PSF, height=SIDE, width=SIDE)
    assert sampler(noise.astype(np.float32)).var() == pytest.approx(PSF.noise_gain, rel=0.1)
