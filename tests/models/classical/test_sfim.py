import numpy as np
import pytest
from scipy.optimize import nnls

from lr_scenes import linked_pixels, moments_of, tile_planes
from pifnet_models.classical.sfim import SFIM


def _brute_force(hsi, low, upsampled, hr_msi, msi_smooth):
    """Band by band, from the full design at LR, float64."""
    design = np.column_stack([low.T.astype(np.float64), np.ones(low.shape[1])])
    fused = np.empty(upsampled.shape)
    for band, values in enumerate(hsi.astype(np.float64)):
        coefficients = nnls(design, values)[0]
        sharp = sum(c * plane.astype(np.float64) for c, plane in zip(coefficients, hr_msi, strict=False))
        smooth = sum(c * plane.astype(np.float64) for c, plane in zip(coefficients, msi_smooth, strict=False))
        floor = 1e-3 * (design @ coefficients).mean()
        ratio = (sharp + coefficients[-1]) / np.maximum(smooth + coefficients[-1], floor)
        fused[band] = upsampled[band] * np.clip(ratio, 0, 10)
    return fused


@pytest.mark.parametrize(("bands", "msi"), [(7, 3), (7, 1), (1, 1), (3, 12), (240, 4)])
def test_sfim_agrees_with_brute_force(bands, msi):
    rng = np.random.default_rng(bands + msi)
    hsi, low = linked_pixels(rng, bands=bands, msi=msi)
    low += 0.01 * rng.uniform(size=low.shape).astype(np.float32)  # boxes of few bands repeat each other otherwise
    planes = tile_planes(rng, bands=bands, msi=msi)
    fused = SFIM.from_moments(moments_of(hsi, low)).apply(*planes)
    assert fused.dtype == np.float32
    expected = _brute_force(hsi, low, *planes)
    np.testing.assert_allclose(fused, expected, atol=1e-6 * np.abs(expected).max())


def test_dark_pixels_are_bounded():
    rng = np.random.default_rng(0)
    hsi, low = linked_pixels(rng)
    upsampled, sharp, smooth = tile_planes(rng)
    smooth[:, :4], sharp[:, 4:8], sharp[:, 8:12] = -0.2, -5.0, 0.0
    fused = SFIM.from_moments(moments_of(hsi, low)).apply(upsampled, sharp, smooth)
    assert (fused >= 0).all()
    assert (fused <= 10 * upsampled * (1 + 1e-6)).all()


def test_values_below_zero_are_not_taken_further_down():
    rng = np.random.default_rng(3)
    hsi, low = linked_pixels(rng)
    upsampled, sharp, smooth = tile_planes(rng)
    upsampled[:, :4], sharp[:] = -0.02, 5.0
    fused = SFIM.from_moments(moments_of(hsi, low)).apply(upsampled, sharp, smooth)
    np.testing.assert_array_equal(fused[:, :4], upsampled[:, :4])


def test_bands_that_nothing_explains_are_interpolated():
    rng = np.random.default_rng(1)
    hsi, low = linked_pixels(rng)
    hsi[3] = -0.5 - hsi[3]  # below zero throughout
    planes = tile_planes(rng)
    fused = SFIM.from_moments(moments_of(hsi, low)).apply(*planes)
    np.testing.assert_array_equal(fused[3], planes[0][3])
    assert np.abs(fused[2] - planes[0][2]).max() > 0.01


def test_a_band_that_does_not_vary_is_interpolated():
    rng = np.random.default_rng(2)
    hsi, low = linked_pixels(rng)
    hsi[3] = 0.75
    planes = tile_planes(rng)
    fused = SFIM.from_moments(moments_of(hsi, low)).apply(*planes)
    np.testing.assert_allclose(fused[3], planes[0][3], rtol=1e-6)
