import numpy as np
import pytest

from lr_scenes import linked_pixels, moments_of, tile_planes
from pifnet_models.classical.gsa import GSA


def _brute_force(hsi, low, upsampled, hr_msi):
    """The equations of docs/methods.md 8.3, one band and one pixel array at a time, float64, full designs at LR."""
    hsi, low, upsampled, hr_msi = (array.astype(np.float64) for array in (hsi, low, upsampled, hr_msi))
    choice = [int(np.argmax([np.corrcoef(band, other)[0, 1] for other in low])) for band in hsi]
    fused = upsampled.copy()
    for msi_band in set(choice):
        members = [band for band in range(len(hsi)) if choice[band] == msi_band]
        design = np.column_stack([*[hsi[band] - hsi[band].mean() for band in members], np.ones(hsi.shape[1])])
        weights = np.linalg.lstsq(design, low[msi_band] - low[msi_band].mean(), rcond=1e-3)[0]
        low_intensity = design @ weights
        intensity = sum(
            weight * (upsampled[band] - hsi[band].mean()) for weight, band in zip(weights, members, strict=False)
        )
        detail = hr_msi[msi_band] - low[msi_band].mean() - intensity
        for band in members:
            spread = low_intensity - low_intensity.mean()
            gain = (spread @ (hsi[band] - hsi[band].mean())) / (spread @ spread)
            fused[band] += gain * detail
    return fused


@pytest.mark.parametrize(("bands", "msi"), [(7, 3), (7, 1), (1, 1), (3, 12), (240, 4)])
def test_gsa_agrees_with_brute_force(bands, msi):
    rng = np.random.default_rng(bands + msi)
    hsi, low = linked_pixels(rng, bands=bands, msi=msi, pixels=600)
    planes = tile_planes(rng, bands=bands, msi=msi)
    fused = GSA.from_moments(moments_of(hsi, low)).apply(*planes)
    assert fused.dtype == np.float32
    expected = _brute_force(hsi, low, planes[0], planes[1])
    np.testing.assert_allclose(fused, expected, atol=1e-6 * np.abs(expected).max())


def test_more_bands_than_pixels_take_the_smallest_solution():
    rng = np.random.default_rng(0)
    hsi, low = linked_pixels(rng, bands=60, msi=2, pixels=20)
    planes = tile_planes(rng, bands=60, msi=2)
    fused = GSA.from_moments(moments_of(hsi, low)).apply(*planes)
    expected = _brute_force(hsi, low, planes[0], planes[1])
    np.testing.assert_allclose(fused, expected, atol=3e-6 * np.abs(expected).max())


def test_a_common_offset_moves_the_result_only():
    rng = np.random.default_rng(1)
    hsi, low = linked_pixels(rng)
    planes = tile_planes(rng)
    near = GSA.from_moments(moments_of(hsi, low)).apply(*planes)
    offset = np.float32(10_000)
    far = GSA.from_moments(moments_of(hsi + offset, low + offset)).apply(*(plane + offset for plane in planes))
    rounding = np.spacing(offset)  # of every input, about 1e-3
    np.testing.assert_allclose(far - offset, near, atol=4 * rounding)


def test_repeated_bands_are_survived():
    rng = np.random.default_rng(2)
    hsi, low = linked_pixels(rng)
    upsampled, sharp, smooth = tile_planes(rng)
    once = GSA.from_moments(moments_of(hsi, low)).apply(upsampled, sharp, smooth)
    twice = GSA.from_moments(moments_of(np.repeat(hsi, 2, axis=0), low))
    np.testing.assert_allclose(twice.apply(np.repeat(upsampled, 2, axis=0), sharp, smooth)[::2], once, atol=2e-6)


def test_constant_bands_are_interpolated():
    rng = np.random.default_rng(3)
    hsi, low = linked_pixels(rng)
    planes = tile_planes(rng)
    fused = GSA.from_moments(moments_of(np.ones_like(hsi), low)).apply(*planes)
    np.testing.assert_allclose(fused, planes[0], atol=1e-6)
    fused = GSA.from_moments(moments_of(hsi, np.ones_like(low))).apply(*planes)
    np.testing.assert_allclose(fused, planes[0], atol=1e-6)


def test_an_invalid_band_stays_invalid_and_leaves_the_others_valid():
    rng = np.random.default_rng(4)
    hsi, low = linked_pixels(rng)
    upsampled, sharp, smooth = tile_planes(rng)
    gsa = GSA.from_moments(moments_of(hsi, low))
    whole = gsa.apply(upsampled, sharp, smooth)
    upsampled[2, 5, 6] = np.nan
    fused = gsa.apply(upsampled, sharp, smooth)
    assert np.argwhere(np.isnan(fused)).tolist() == [[2, 5, 6]]
    elsewhere = np.ones((24, 40), bool)
    elsewhere[5, 6] = False
    np.testing.assert_allclose(fused[:, elsewhere], whole[:, elsewhere], atol=1e-6)


def test_an_invalid_band_enters_the_intensity_with_its_mean():
    rng = np.random.default_rng(4)
    hsi, low = linked_pixels(rng)
    upsampled, sharp, smooth = tile_planes(rng)
    gsa = GSA.from_moments(moments_of(hsi, low))
    averaged = upsampled.copy()
    averaged[2, 5, 6] = hsi[2].astype(np.float64).mean()
    upsampled[2, 5, 6] = np.nan
    expected = np.delete(gsa.apply(averaged, sharp, smooth)[:, 5, 6], 2)
    np.testing.assert_allclose(np.delete(gsa.apply(upsampled, sharp, smooth)[:, 5, 6], 2), expected, atol=1e-6)
