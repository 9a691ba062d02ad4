"""What all methods that work pixel by pixel have in common, and that they serve on real scenes."""

import numpy as np
import pytest
import scipy.io

from lr_scenes import linked_pixels, moments_of, psnr_db, simulated_pair, tile_planes
from pifnet_cli.choices import Protocol
from pifnet_models.classical.atprk import ATPRK
from pifnet_models.classical.bicubic import Bicubic
from pifnet_models.classical.brovey import Brovey
from pifnet_models.classical.glp import GLP
from pifnet_models.classical.gsa import GSA
from pifnet_models.classical.sfim import SFIM

SHARPENING = [Brovey, GSA, SFIM, GLP]
ALL = [Bicubic, *SHARPENING]


@pytest.fixture(params=ALL, ids=lambda method: method.__name__)
def method(request):
    hsi, low = linked_pixels(np.random.default_rng(0))
    return request.param.from_moments(moments_of(hsi, low))


def test_inputs_are_left_alone(method):
    planes = tile_planes(np.random.default_rng(1))
    planes[0][1, 2, 3] = np.nan
    before = [plane.copy() for plane in planes]
    fused = method.apply(*planes)
    fused += 1
    for plane, kept in zip(planes, before, strict=True):
        np.testing.assert_array_equal(plane, kept)


def test_a_pixel_without_an_msi_plane_is_invalid_in_all_bands(method):
    upsampled, sharp, smooth = tile_planes(np.random.default_rng(2))
    sharp[1, 3, 4], smooth[2, 7, 8], upsampled[5, 9, 1] = np.nan, np.nan, np.nan
    invalid = np.isnan(method.apply(upsampled, sharp, smooth))
    expected = np.zeros_like(invalid)
    expected[:, 3, 4], expected[:, 7, 8], expected[5, 9, 1] = True, True, True
    np.testing.assert_array_equal(invalid, expected)


def test_a_pixel_does_not_depend_on_the_others(method):
    planes = tile_planes(np.random.default_rng(3), height=64, width=80)
    whole = method.apply(*planes)
    part = method.apply(*(plane[:, 10:31, 7:40] for plane in planes))  # not contiguous either
    np.testing.assert_allclose(part, whole[:, 10:31, 7:40], atol=1e-6)


@pytest.mark.parametrize("kind", ALL)
def test_dead_bands_stay_invalid_and_change_nothing_else(kind):
    rng = np.random.default_rng(4)
    hsi, low = linked_pixels(rng)
    upsampled, sharp, smooth = tile_planes(rng)
    hsi[3], upsampled[3] = np.nan, np.nan
    fused = kind.from_moments(moments_of(hsi, low)).apply(upsampled, sharp, smooth)
    live = np.delete(np.arange(7), 3)
    without = kind.from_moments(moments_of(hsi[live], low)).apply(upsampled[live], sharp, smooth)
    assert np.isnan(fused[3]).all()
    np.testing.assert_allclose(fused[live], without, atol=1e-6)


@pytest.mark.parametrize("kind", ALL)
def test_a_scene_that_does_not_vary_stays_as_it_is(kind):
    hsi, low = np.full((7, 30), 0.4, np.float32), np.full((3, 30), 0.2, np.float32)
    planes = tuple(np.full((bands, 5, 6), value, np.float32) for bands, value in ((7, 0.4), (3, 0.2), (3, 0.2)))
    fused = kind.from_moments(moments_of(hsi, low)).apply(*planes)
    np.testing.assert_allclose(fused, planes[0], rtol=1e-6)


def test_bicubic_returns_the_interpolation():
    planes = tile_planes(np.random.default_rng(5))
    np.testing.assert_array_equal(Bicubic().apply(*planes), planes[0])


@pytest.fixture(scope="module", params=list(Protocol))
def airport(request, real_data):
    pixels = scipy.io.loadmat(real_data / "aviris_los_angeles" / "abu-airport-2.mat")["data"]
    reference = np.ascontiguousarray(pixels.transpose(2, 0, 1)[::4], dtype=np.float32) / 10_000
    return simulated_pair(reference, protocol=request.param)


@pytest.mark.parametrize("kind", SHARPENING)
def test_sharpening_a_real_scene_beats_interpolation_by_far(kind, airport):
    fused = kind.from_moments(airport.moments).apply(*airport.planes)
    interpolated = Bicubic.from_moments(airport.moments).apply(*airport.planes)
    assert psnr_db(fused, airport.reference) > psnr_db(interpolated, airport.reference) + 8


def test_kriging_a_real_scene_beats_its_regression(airport):
    fused = ATPRK.from_moments(airport.moments).fuse_block(airport.lr_hsi, airport.hr_msi, airport.operator)
    regression = GLP.from_moments(airport.moments).apply(*airport.planes)
    assert psnr_db(fused, airport.reference) > psnr_db(regression, airport.reference)
