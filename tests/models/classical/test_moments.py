import numpy as np
import pytest

from lr_scenes import linked_pixels, moments_of
from pifnet_models.classical.moments import MomentSums


def _in_blocks(hsi, low, parts):
    sums = MomentSums(hsi_bands=len(hsi), msi_bands=len(low))
    for part in parts:
        sums.add(hsi[:, part], low[:, part])
    return sums.solve()


def _assert_same(one, other, rtol=1e-10):
    assert one.pixels == other.pixels
    np.testing.assert_array_equal(one.hsi_live, other.hsi_live)
    np.testing.assert_allclose(one.hsi_mean, other.hsi_mean, rtol=rtol)
    np.testing.assert_allclose(one.msi_mean, other.msi_mean, rtol=rtol)
    np.testing.assert_allclose(one.covariance, other.covariance, atol=rtol * np.abs(one.covariance).max())
    np.testing.assert_array_equal(one.hsi_minimum, other.hsi_minimum)
    np.testing.assert_array_equal(one.msi_minimum, other.msi_minimum)


def _expected_covariance(hsi, low):
    return np.cov(np.concatenate([hsi, low]).astype(np.float64), bias=True)


@pytest.mark.parametrize(("bands", "msi"), [(7, 3), (1, 1), (3, 12), (240, 4)])
def test_moments_are_those_of_all_pixels(bands, msi):
    hsi, low = linked_pixels(np.random.default_rng(0), bands=bands, msi=msi)
    moments = _in_blocks(hsi, low, np.array_split(np.arange(400), 7))
    covariance = _expected_covariance(hsi, low)
    np.testing.assert_allclose(moments.covariance, covariance, atol=1e-12)
    np.testing.assert_allclose(moments.hsi_mean, hsi.astype(np.float64).mean(axis=1), rtol=1e-12)
    np.testing.assert_allclose(moments.msi_mean, low.astype(np.float64).mean(axis=1), rtol=1e-12)
    np.testing.assert_array_equal(moments.hsi_minimum, hsi.min(axis=1))
    np.testing.assert_array_equal(moments.msi_minimum, low.min(axis=1))
    np.testing.assert_array_equal(moments.cross_covariance, moments.covariance[:bands, bands:])
    assert moments.hsi_covariance.shape == (bands, bands)
    assert moments.msi_covariance.shape == (msi, msi)


def test_order_and_size_of_blocks_do_not_matter():
    rng = np.random.default_rng(1)
    hsi, low = linked_pixels(rng)
    parts = np.split(rng.permutation(400), [1, 50, 51, 200])
    _assert_same(_in_blocks(hsi, low, parts), _in_blocks(hsi, low, parts[::-1]))


def test_a_large_offset_costs_no_digits():
    hsi, low = linked_pixels(np.random.default_rng(2))
    steps = 2.0**-8  # such that adding the offset rounds nothing away in float32
    hsi, low = (np.round(image / steps) * steps for image in (hsi, low))
    far_hsi, far_low = (hsi + 2**14).astype(np.float32), (low + 2**14).astype(np.float32)
    near, far = moments_of(hsi, low), _in_blocks(far_hsi, far_low, np.array_split(np.arange(400), 5))
    np.testing.assert_allclose(far.covariance, near.covariance, rtol=1e-9, atol=1e-12)


def test_values_near_the_float32_limit_do_not_overflow():
    hsi, low = linked_pixels(np.random.default_rng(3))
    moments = moments_of(hsi * np.float32(1e30), low)
    np.testing.assert_allclose(moments.hsi_covariance, 1e60 * moments_of(hsi, low).hsi_covariance, rtol=1e-5)


def test_every_pair_of_bands_counts_the_pixels_it_shares():
    hsi, low = linked_pixels(np.random.default_rng(4))
    holed, holed_low = hsi.copy(), low.copy()
    holed[2, :50] = np.nan
    holed[5, 30:90] = np.inf
    holed_low[1, 390:] = np.nan
    moments = _in_blocks(holed, holed_low, np.array_split(np.arange(400), 6))
    assert moments.pixels == 390
    np.testing.assert_allclose(moments.hsi_mean[2], hsi[2, 50:390].astype(np.float64).mean(), rtol=1e-12)
    np.testing.assert_allclose(moments.hsi_minimum[5], holed[5, np.r_[:30, 90:390]].min())
    variances = [holed[band, :390][np.isfinite(holed[band, :390])].astype(np.float64).var() for band in range(7)]
    np.testing.assert_allclose(moments.hsi_covariance.diagonal(), variances, rtol=1e-10)
    expected = _expected_covariance(hsi[:, 90:390], low[:, 90:390])[2, 5]
    assert moments.covariance[2, 5] == pytest.approx(expected, rel=0.2)


def test_gaps_leave_no_negative_eigenvalue():
    rng = np.random.default_rng(14)
    hsi, low = linked_pixels(rng, pixels=60, noise=0.0)
    hsi[rng.random(hsi.shape) < 0.4] = np.nan
    values = np.linalg.eigvalsh(moments_of(hsi, low).covariance)
    assert values.min() > -1e-12 * values.max()


@pytest.mark.parametrize("valid", [1, 5, 39])
def test_a_band_with_few_pixels_is_flat_and_takes_none_from_the_others(valid):
    hsi, low = linked_pixels(np.random.default_rng(15))
    holed = hsi.copy()
    holed[3, valid:] = np.nan
    moments = moments_of(holed, low)
    assert moments.pixels == 400
    assert moments.hsi_live[3]
    assert moments.hsi_mean[3] == pytest.approx(hsi[3, :valid].mean(dtype=np.float64))
    assert not moments.covariance[3].any()
    kept = np.delete(np.arange(10), 3)
    expected = _expected_covariance(hsi, low)[np.ix_(kept, kept)]
    np.testing.assert_allclose(moments.covariance[np.ix_(kept, kept)], expected, atol=1e-12)


def test_dead_bands_have_no_moments_and_take_no_pixels_away():
    hsi, low = linked_pixels(np.random.default_rng(5))
    holed = hsi.copy()
    holed[3] = np.nan
    moments = moments_of(holed, low)
    assert moments.pixels == 400
    assert np.flatnonzero(~moments.hsi_live).tolist() == [3]
    assert np.isnan(moments.hsi_mean[3])
    assert np.isnan(moments.hsi_minimum[3])
    assert not moments.covariance[3].any()
    assert not moments.covariance[:, 3].any()
    kept = np.delete(np.arange(10), 3)
    np.testing.assert_allclose(
        moments.covariance[np.ix_(kept, kept)], _expected_covariance(hsi, low)[np.ix_(kept, kept)]
    )


def test_a_band_that_is_invalid_in_whole_blocks_gives_the_same_in_any_order():
    hsi, low = linked_pixels(np.random.default_rng(6))
    hsi[4, :200] = np.nan
    parts = np.array_split(np.arange(400), 4)
    forwards, backwards = _in_blocks(hsi, low, parts), _in_blocks(hsi, low, parts[::-1])
    _assert_same(forwards, backwards)
    _assert_same(forwards, moments_of(hsi, low))


def test_a_band_whose_only_valid_pixels_lack_the_msi_is_dead():
    hsi, low = linked_pixels(np.random.default_rng(7))
    hsi[0, 5:] = np.nan
    low[0, :5] = np.nan
    moments = moments_of(hsi, low)
    assert not moments.hsi_live[0]
    assert moments.pixels == 395


def test_inputs_are_left_alone():
    hsi, low = linked_pixels(np.random.default_rng(8))
    before = hsi.copy(), low.copy()
    moments_of(hsi, low)
    np.testing.assert_array_equal(hsi, before[0])
    np.testing.assert_array_equal(low, before[1])


def test_solving_does_not_end_adding():
    hsi, low = linked_pixels(np.random.default_rng(9))
    sums = MomentSums(hsi_bands=7, msi_bands=3)
    sums.add(hsi[:, :100], low[:, :100])
    early = sums.solve()
    sums.add(hsi[:, 100:], low[:, 100:])
    _assert_same(early, moments_of(hsi[:, :100], low[:, :100]))
    assert sums.pixels == 400


@pytest.mark.parametrize("missing", ["hsi", "msi", "each elsewhere"])
def test_no_common_valid_pixel_is_refused(missing):
    hsi, low = linked_pixels(np.random.default_rng(10))
    if missing != "msi":
        hsi[:, :200] = np.nan
    if missing == "hsi":
        hsi[:] = np.nan
    if missing != "hsi":
        low[:, 200:] = np.nan
    if missing == "msi":
        low[2] = np.nan
    with pytest.raises(ValueError, match="no LR pixel is valid in both scenes"):
        moments_of(hsi, low)
