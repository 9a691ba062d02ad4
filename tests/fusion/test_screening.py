from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from pifnet_cli.fusion.screening import Screening, notices, plausible_range
from pifnet_cli.scene import Bands, Grid, Scene, Window

HEIGHT, WIDTH = 40, 50


class Pixels:
    """A scene in memory."""

    def __init__(self, pixels):
        self.pixels = pixels

    def read(self, window):
        return self.pixels[:, *window.slices].copy()


def _scene(pixels, name="hr.tif", **coding):
    grid = Grid(*pixels.shape[1:], Affine(10, 0, 0, 0, -10, 0), None)
    return Scene(Path(name), grid, Bands(len(pixels)), **coding)


def _screened(pixels, **coding):
    """After a pass over the scene, in two windows."""
    screening = Screening(Pixels(pixels), _scene(pixels, **coding))
    for window in (Window(0, 0, 25, WIDTH), Window(25, 0, 15, WIDTH)):
        screening.read(window)
    return screening


@pytest.fixture
def ground():
    return np.random.default_rng(0).uniform(0.1, 0.6, (3, HEIGHT, WIDTH)).astype(np.float32)


@pytest.mark.parametrize(("value", "end"), [(0.0, "lowest"), (-9999.0, "lowest"), (65535.0, "highest")])
def test_one_extreme_number_in_all_bands_is_fill(ground, value, end):
    ground[:, :10] = value
    fill = _screened(ground).fill
    assert (fill.value, fill.end) == (value, end)
    assert fill.share == pytest.approx(0.25)


def test_fill_is_found_as_it_is_stored_whatever_the_bands_gains(ground):
    scales, offsets = (1e-4, 2e-4, 3e-4), (0.0, -0.1, 0.05)
    coded = np.rint((ground - np.array(offsets)[:, None, None]) / np.array(scales)[:, None, None])
    coded[:, 30:] = 0
    physical = coded * np.array(scales)[:, None, None] + np.array(offsets)[:, None, None]
    fill = _screened(physical.astype(np.float32), scales=scales, offsets=offsets).fill
    assert (fill.value, fill.end) == (0, "lowest")


@pytest.mark.parametrize("kind", ["ground", "one band only", "a few pixels", "in the middle", "all the same", "nodata"])
def test_what_is_no_fill(ground, kind):
    match kind:
        case "one band only":
            ground[1, :10] = 0
        case "a few pixels":
            ground[:, 0, :19] = 0
        case "in the middle":
            ground[:, :10] = 0.3
        case "all the same":
            ground[:] = 7
        case "nodata":
            ground[:] = np.nan
    assert _screened(ground).fill is None


def test_a_lower_number_that_comes_later_is_the_fill(ground):
    ground[:, :20] = 0
    ground[:, 30:] = -1
    assert _screened(ground).fill.value == -1


def test_bands_with_a_valid_pixel_are_live(ground):
    ground[0], ground[1] = np.nan, np.nan
    ground[1, 39, 49] = 0.3
    assert _screened(ground).live.tolist() == [False, True, True]


@pytest.mark.parametrize("value", [-9999.0, 65535.0, 60.0])
def test_absurd_values_are_counted_and_not_passed_on(ground, value):
    before = ground.copy()
    ground[2, 7, 9] = value
    screening = Screening(Pixels(ground), _scene(ground))
    passed_on = screening.read(Window(0, 0, HEIGHT, WIDTH))
    before[2, 7, 9] = np.nan
    np.testing.assert_array_equal(passed_on, before)
    assert screening.absurd == 1
    assert ground[2, 7, 9] == np.float32(value)


def test_clouds_and_glints_are_not_absurd(ground):
    ground[:, :2] = 1.2
    ground[:, 3, 3] = 5.0
    assert _screened(ground).absurd == 0


def test_nothing_is_absurd_in_a_band_that_does_not_vary(ground):
    ground[1] = 0.25
    ground[1, 5, 5] = 9
    ground[2] = np.nan
    low, high = plausible_range(Pixels(ground), _scene(ground).grid)
    assert (low[1:] == -np.inf).all()
    assert (high[1:] == np.inf).all()
    assert _screened(ground).absurd == 0


def test_the_range_of_a_large_scene_comes_from_windows_all_over_it():
    pixels = np.zeros((1, 300, 500), dtype=np.float32) + np.linspace(0, 1, 300, dtype=np.float32)[:, None]
    low, high = plausible_range(Pixels(pixels), _scene(pixels).grid)
    assert -100 < low[0] < -95
    assert 96 < high[0] < 101


@pytest.mark.parametrize(("name", "words"), [("hr.tif", "gdal_edit.py -a_nodata 0 hr.tif"),
                                             ("hr.img", "data ignore value = 0 in its header")])  # fmt: skip
def test_the_remedy_is_that_of_the_format(ground, name, words):
    ground[:, :10] = 0
    (told,) = notices(_scene(ground, name), _screened(ground), option="--msi-nodata")
    assert "25.0% of its pixels are 0 in all bands, its lowest number" in told
    assert words in told
    assert told.endswith(", or --msi-nodata 0")


@pytest.mark.parametrize("value", [-9999.9, 123456.78, -32767.501])
def test_the_remedy_has_as_many_digits_as_the_pixels(ground, value):
    ground[:, :10] = value
    (told,) = (
        line
        for line in notices(_scene(ground, "hr.img"), _screened(ground), option="--msi-nodata")
        if "declare it" in line
    )
    digits = told.partition("data ignore value = ")[2].split()[0]
    assert np.float32(digits) == np.float32(value)


def test_a_sound_scene_is_not_talked_about(ground):
    assert notices(_scene(ground), _screened(ground), option="--hsi-nodata") == []


@pytest.mark.parametrize(("dtype", "number"), [("int64", -(2**63)), ("uint32", 2**32 - 1), ("int32", -(2**31))])
def test_the_remedy_of_whole_numbers_is_a_number_of_their_type(ground, dtype, number):
    ground[:, :10] = number
    told = " ".join(notices(_scene(ground, dtype=dtype), _screened(ground), option="--hsi-nodata"))
    assert f"--hsi-nodata {number}" in told
