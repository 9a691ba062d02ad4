import numpy as np
import pytest

from lr_scenes import linked_pixels, moments_of, tile_planes
from pifnet_models.classical.glp import GLP
from pifnet_models.kriging.regression import RegressionSums


def _brute_force(hsi, low, upsampled, hr_msi, msi_smooth):
    """Band by band, synthesis and gain from the full design at LR, float64."""
    design = np.column_stack([low.T.astype(np.float64), np.ones(low.shape[1])])
    fused = upsampled.astype(np.float64)
    for band, values in enumerate(hsi.astype(np.float64)):
        coefficients = np.linalg.lstsq(design, values, rcond=None)[0]
        synthetic_low = design @ coefficients
        gain = np.cov(values, synthetic_low)[0, 1] / np.var(synthetic_low, ddof=1)
        pairs = zip(coefficients[:-1], hr_msi.astype(np.float64), msi_smooth.astype(np.float64), strict=True)
        fused[band] += gain * sum(weight * (sharp - smooth) for weight, sharp, smooth in pairs)
    return fused


@pytest.mark.parametrize(("bands", "msi"), [(7, 3), (7, 1), (1, 1), (3, 12), (240, 4)])
def test_glp_agrees_with_brute_force(bands, msi):
    rng = np.random.default_rng(bands + msi)
    hsi, low = linked_pixels(rng, bands=bands, msi=msi)
    low += 0.03 * rng.normal(size=low.shape).astype(np.float32)
    planes = tile_planes(rng, bands=bands, msi=msi)
    fused = GLP.from_moments(moments_of(hsi, low)).apply(*planes)
    assert fused.dtype == np.float32
    expected = _brute_force(hsi, low, *planes)
    np.testing.assert_allclose(fused, expected, atol=1e-6 * np.abs(expected).max())


def test_gains_are_one_where_the_synthesis_is_the_regression():
    hsi, low = linked_pixels(np.random.default_rng(0))
    np.testing.assert_allclose(GLP.from_moments(moments_of(hsi, low)).gains, 1, rtol=1e-9)


def test_glp_is_the_regression_anchor():
    rng = np.random.default_rng(1)
    hsi, low = linked_pixels(rng)
    planes = tile_planes(rng)
    sums = RegressionSums(hsi_bands=7, msi_bands=3)
    sums.add(hsi, low)
    fused = GLP.from_moments(moments_of(hsi, low)).apply(*planes)
    np.testing.assert_allclose(fused, sums.solve().apply(*planes), atol=1e-6)


def test_constant_bands_are_interpolated():
    rng = np.random.default_rng(2)
    hsi, low = linked_pixels(rng)
    planes = tile_planes(rng)
    for moments in (moments_of(np.ones_like(hsi), low), moments_of(hsi, np.ones_like(low))):
        np.testing.assert_array_equal(GLP.from_moments(moments).apply(*planes), planes[0])


def test_a_common_offset_moves_the_result_only():
    rng = np.random.default_rng(3)
    hsi, low = linked_pixels(rng)
    planes = tile_planes(rng)
    steps = np.float32(2.0**-9)  # such that adding the offset rounds nothing away in float32
    hsi, low, *planes = (np.round(array / steps) * steps for array in (hsi, low, *planes))
    near = GLP.from_moments(moments_of(hsi, low)).apply(*planes)
    offset = np.float32(2**13)
    far = GLP.from_moments(moments_of(hsi + offset, low + offset)).apply(*(plane + offset for plane in planes))
    np.testing.assert_allclose(far - offset, near, atol=np.spacing(offset))
