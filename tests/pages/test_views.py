from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from pifnet_cli.pages.views import (
    View,
    band_words,
    draw_views,
    full_blocks,
    lr_pixel,
    natural_bands,
    reader_of_nearest,
    reader_on,
    spectrum_at,
)
from pifnet_cli.pair.alignment import align
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.scene import Bands, WavelengthUnit, Window
from scenes import ROTATED, write_scene

LR, HR = Affine(40, 0, 365000, 0, -40, 5807000), Affine(10, 0, 365000, 0, -10, 5807000)


def nanometres(*wavelengths: float, good: tuple[bool, ...] | None = None) -> Bands:
    return Bands(len(wavelengths), wavelengths=wavelengths, unit=WavelengthUnit.NANOMETERS, good=good)


def test_red_green_and_blue_are_found_by_wavelength() -> None:
    assert natural_bands(nanometres(450, 465, 550, 630, 645, 900)) == (4, 2, 1)


def test_bad_bands_are_not_shown() -> None:
    assert natural_bands(nanometres(450, 465, 550, 630, 645, good=(True,) * 4 + (False,))) == (3, 2, 1)


@pytest.mark.parametrize("bands", [Bands(12), nanometres(*range(1000, 2200, 100))])
def test_without_colours_bands_are_spread_over_all(bands: Bands) -> None:
    assert natural_bands(bands) == (10, 6, 2)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_few_bands_are_enough(count: int) -> None:
    assert max(natural_bands(Bands(count))) < count


def test_bands_are_named_once_with_their_wavelengths() -> None:
    assert band_words(nanometres(450, 550.4, 640), (2, 1, 0)) == "bands 3, 2, 1 (640, 550, 450 nm)"
    assert band_words(Bands(1), (0, 0, 0)) == "band 1"


def test_blocks_of_many_bands_are_small() -> None:
    assert {(block.height, block.width) for block in full_blocks(256, 256, bands=4000)} == {(64, 64)}
    assert len(full_blocks(1024, 1024, bands=10)) == 4


def test_an_lr_scene_is_shown_in_its_own_pixels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((4, 6, 5)).astype(np.float32)
    lr = write_scene(tmp_path / "lr.tif", pixels, transform=LR)
    hr = write_scene(tmp_path / "hr.tif", np.ones((3, 26, 22), dtype=np.float32), transform=HR)  # ends beyond it
    with open_scene(lr) as lr_reader, open_scene(hr) as hr_reader:
        alignment = align(lr_reader.scene, hr_reader.scene, extent="hr")
        image = reader_of_nearest(lr_reader, (3, 0, 1), alignment)(Window(2, 3, 24, 19))
    expected = np.full((3, 28, 26), np.nan, dtype=np.float32)
    expected[:, :24, :20] = pixels[[3, 0, 1]].repeat(4, axis=1).repeat(4, axis=2)
    np.testing.assert_array_equal(image, expected[:, 2:26, 3:22])


def test_a_rotated_lr_scene_is_shown_in_its_own_pixels(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((3, 6, 5)).astype(np.float32)
    lr = write_scene(tmp_path / "lr.tif", pixels, transform=ROTATED @ Affine.scale(4))
    hr = write_scene(tmp_path / "hr.tif", np.ones((3, 24, 20), dtype=np.float32), transform=ROTATED)
    with open_scene(lr) as lr_reader, open_scene(hr) as hr_reader:
        alignment = align(lr_reader.scene, hr_reader.scene)
        image = reader_of_nearest(lr_reader, (0, 1, 2), alignment)(Window(0, 0, 24, 20))
        assert lr_pixel(alignment, 9, 14) == (2, 3)
    np.testing.assert_array_equal(image, pixels.repeat(4, axis=1).repeat(4, axis=2))


def test_beyond_the_lr_scene_nothing_is_shown(tmp_path: Path) -> None:
    lr = write_scene(tmp_path / "lr.tif", np.ones((3, 6, 5), dtype=np.float32), transform=LR)
    hr = write_scene(tmp_path / "hr.tif", np.ones((3, 60, 60), dtype=np.float32), transform=HR)
    with open_scene(lr) as lr_reader, open_scene(hr) as hr_reader:
        alignment = align(lr_reader.scene, hr_reader.scene, extent="hr")
        assert np.isnan(reader_of_nearest(lr_reader, (0, 1, 2), alignment)(Window(40, 40, 9, 9))).all()
        assert lr_pixel(alignment, 50, 50) == (5, 4)


def test_overviews_are_of_all_and_details_of_a_part(tmp_path: Path) -> None:
    pixels = np.ones((4, 100, 120), dtype=np.float32)
    pixels[:, 40:90, 60:110] += np.random.default_rng(0).random((50, 50)).astype(np.float32)
    path = write_scene(tmp_path / "a.tif", pixels)
    stages: list[tuple[str, int, int]] = []
    with open_scene(path) as reader:
        wanted = [
            View("flat", "", lambda window: np.ones((3, window.height, window.width), np.float32), like=1),
            View("a", "", reader_on(reader, (3, 0, 1))),
        ]
        views = draw_views(wanted, height=100, width=120, textured=1, progress=lambda *step: stages.append(step))
    flat, view = views.drawn
    np.testing.assert_array_equal(view.overview, pixels[[3, 0, 1]])
    np.testing.assert_array_equal(view.detail, pixels[[3, 0, 1]][(slice(None), *views.detail.slices)])
    assert flat.like is view.overview
    assert view.like is view.overview
    assert abs(views.detail.row - 40) <= 2
    assert abs(views.detail.column - 60) <= 2
    assert stages == [("drawing the report", 1, 1)]


def test_places_without_pixels_are_known() -> None:
    pixels = np.ones((3, 40, 50), dtype=np.float32)
    pixels[1, 7, 9] = np.nan
    view = View("a", "", lambda window: pixels[(slice(None), *window.slices)])
    views = draw_views([view], height=40, width=50, textured=0)
    assert views.last_shows(7, 8, height=40)
    assert not views.last_shows(7, 9, height=40)


def test_a_spectrum_has_gaps_where_bands_are_bad_or_without_data(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((4, 6, 5)).astype(np.float32)
    pixels[1] = -1
    path = write_scene(tmp_path / "a.hdr", pixels, nodata=-1, good=(1, 1, 0, 1))
    with open_scene(path) as reader:
        values = spectrum_at(reader, 4, 2)
    np.testing.assert_array_equal(values, [pixels[0, 4, 2], np.nan, np.nan, pixels[3, 4, 2]])


def test_a_view_is_empty_beyond_its_scene_and_beyond_what_it_may_show(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).random((3, 6, 5)).astype(np.float32)
    path = write_scene(tmp_path / "a.tif", pixels)
    expected = np.full((3, 4, 9), np.nan, dtype=np.float32)
    with open_scene(path) as reader:
        image = reader_on(reader, (2, 1, 0), origin=Window(-1, -2, 0, 0))(Window(0, 0, 4, 9))
        expected[:, 1:, 2:7] = pixels[::-1, :3]
        np.testing.assert_array_equal(image, expected)
        image = reader_on(reader, (2, 1, 0), origin=Window(-1, -2, 0, 0), within=Window(1, 1, 2, 3))(Window(0, 0, 4, 9))
        expected[:, 1], expected[:, :, 2], expected[:, :, 6] = np.nan, np.nan, np.nan
        np.testing.assert_array_equal(image, expected)
        assert np.isnan(reader_on(reader, (2, 1, 0))(Window(6, 0, 4, 9))).all()


@pytest.mark.parametrize("place", [(-1, 0), (6, 0), (0, 5)])
def test_beyond_its_scene_a_spectrum_is_empty(tmp_path: Path, place: tuple[int, int]) -> None:
    path = write_scene(tmp_path / "a.tif", np.ones((4, 6, 5), dtype=np.float32))
    with open_scene(path) as reader:
        assert np.isnan(spectrum_at(reader, *place)).tolist() == [True] * 4
        assert np.isnan(spectrum_at(reader, 2, 2, within=Window(3, 0, 3, 5))).all()
        assert spectrum_at(reader, 3, 2, within=Window(3, 0, 3, 5)).tolist() == [1.0] * 4
