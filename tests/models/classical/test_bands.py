import numpy as np
import pytest
from scipy.optimize import nnls

from lr_scenes import linked_pixels, moments_of
from pifnet_models.classical.bands import (
    add_product,
    finite_product,
    invalid_pixels,
    least_squares_synthesis,
    nonnegative_synthesis,
    nonnegative_weights,
    pieces,
    selected_groups,
)


def _design(low):
    return np.column_stack([low.T.astype(np.float64), np.ones(low.shape[1])])


@pytest.mark.parametrize(("bands", "msi"), [(7, 3), (1, 1), (3, 12), (240, 4)])
def test_least_squares_agree_with_the_full_design(bands, msi):
    hsi, low = linked_pixels(np.random.default_rng(0), bands=bands, msi=msi)
    low = low + 0.01 * np.random.default_rng(1).normal(size=low.shape).astype(np.float32)
    expected = np.linalg.lstsq(_design(low), hsi.T.astype(np.float64), rcond=None)[0]
    found = least_squares_synthesis(moments_of(hsi, low))
    np.testing.assert_allclose(found.weights, expected[:-1].T, atol=1e-8)
    np.testing.assert_allclose(found.offset, expected[-1], atol=1e-8)


def test_repeated_and_constant_msi_bands_are_survived():
    hsi, low = linked_pixels(np.random.default_rng(2))
    more = np.concatenate([low, low[:1], np.full((1, 400), 5, np.float32)])
    found = least_squares_synthesis(moments_of(hsi, more))
    expected = np.linalg.lstsq(_design(low), hsi.T.astype(np.float64), rcond=None)[0]
    np.testing.assert_allclose(found.weights @ more + found.offset[:, None], (_design(low) @ expected).T, atol=1e-6)
    assert np.abs(found.weights).max() < 100


@pytest.mark.parametrize("shift", [0.0, 0.4, -0.4])
@pytest.mark.parametrize(("bands", "msi"), [(7, 3), (1, 1), (3, 12), (60, 4)])
def test_nonnegative_synthesis_agrees_with_the_full_design(bands, msi, shift):
    rng = np.random.default_rng(3)
    hsi, low = linked_pixels(rng, bands=bands, msi=msi)
    low = low + 0.01 * rng.normal(size=low.shape).astype(np.float32)
    hsi = hsi + np.float32(shift)  # draws the offset to either side of zero
    found = nonnegative_synthesis(moments_of(hsi, low))
    expected = np.stack([nnls(_design(low), band.astype(np.float64))[0] for band in hsi])
    np.testing.assert_allclose(found.weights, expected[:, :-1], atol=1e-6)
    np.testing.assert_allclose(found.offset, expected[:, -1], atol=1e-6)
    assert (found.weights >= 0).all()
    assert (found.offset >= 0).all()


def test_nonnegative_synthesis_meets_both_cases_of_the_offset():
    rng = np.random.default_rng(3)
    hsi, low = linked_pixels(rng)
    offsets = [nonnegative_synthesis(moments_of(hsi + np.float32(shift), low)).offset for shift in (0.4, -0.4)]
    assert (offsets[0] > 0).any()
    assert (offsets[1] == 0).any()


def test_nonnegative_weights_agree_with_the_full_design():
    hsi, low = linked_pixels(np.random.default_rng(4))
    moments = moments_of(hsi, low)
    centred = hsi.astype(np.float64) - hsi.astype(np.float64).mean(axis=1, keepdims=True)
    target = low[1].astype(np.float64) - low[1].astype(np.float64).mean()
    found = nonnegative_weights(moments.hsi_covariance, moments.cross_covariance[:, 1])
    np.testing.assert_allclose(found, nnls(centred.T, target)[0], atol=1e-8)
    assert (found == 0).any()


def test_dead_bands_get_no_synthesis():
    hsi, low = linked_pixels(np.random.default_rng(5))
    hsi[2] = np.nan
    for synthesis in (least_squares_synthesis(moments_of(hsi, low)), nonnegative_synthesis(moments_of(hsi, low))):
        assert not synthesis.weights[2].any()
        assert synthesis.offset[2] == 0
        assert np.isfinite(synthesis.weights).all()
        assert np.isfinite(synthesis.offset).all()


def test_every_live_band_goes_with_the_msi_band_it_resembles_most():
    hsi, low = linked_pixels(np.random.default_rng(6), bands=12, msi=4)
    hsi[5] = np.nan
    groups = selected_groups(moments_of(hsi, low))
    found = {int(band): group.msi_band for group in groups for band in group.members}
    expected = {}
    for band in set(range(12)) - {5}:
        expected[band] = int(np.argmax([np.corrcoef(hsi[band], other)[0, 1] for other in low.astype(np.float64)]))
    assert found == expected
    assert len(set(expected.values())) > 1


def test_constant_bands_are_grouped_too():
    hsi, low = linked_pixels(np.random.default_rng(7))
    hsi[1], low[2] = 0.5, 0.25
    groups = selected_groups(moments_of(hsi, low))
    assert sorted(band for group in groups for band in group.members) == list(range(7))


def test_pieces_cover_all_pixels_once():
    covered = np.concatenate([np.arange(5000)[piece] for piece in pieces(240, 5000)])
    np.testing.assert_array_equal(covered, np.arange(5000))
    assert len(list(pieces(240, 5000))) > 1


def test_a_product_is_added_in_place():
    rng = np.random.default_rng(8)
    planes, weights, detail = (rng.normal(size=shape).astype(np.float32) for shape in ((7, 40), (7, 3), (3, 40)))
    expected = planes + weights @ detail
    add_product(planes, weights, detail)
    np.testing.assert_allclose(planes, expected, atol=1e-6)
    with pytest.raises(ValueError, match="not contiguous"):
        add_product(np.asfortranarray(planes), weights, detail)


def test_invalid_values_count_as_zero_in_a_product():
    rng = np.random.default_rng(9)
    planes, weights = rng.normal(size=(7, 40)).astype(np.float32), rng.normal(size=(3, 7)).astype(np.float32)
    planes[2, 4] = np.nan
    expected = weights @ np.where(np.isnan(planes), 0, planes)
    np.testing.assert_allclose(finite_product(weights, planes), expected, atol=1e-6)
    assert np.isnan(planes[2, 4])


def test_a_pixel_without_one_msi_plane_is_invalid():
    sharp, smooth = np.ones((3, 6), np.float32), np.ones((3, 6), np.float32)
    sharp[1, 2], smooth[2, 4] = np.nan, np.inf
    assert np.flatnonzero(invalid_pixels(sharp, smooth)).tolist() == [2, 4]
