from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from pifnet_cli.errors import BandsError, SceneWriteError
from pifnet_cli.metrics.spectral_angle import spectral_angle_deg
from pifnet_cli.reports.pictures import (
    LARGEST_SIDE,
    MAP_COLOURS,
    ConsistencyMaps,
    DifferenceMap,
    Mosaic,
    PseudoColour,
    colour_map,
    pseudo_colour,
    rgb_bands,
    side_by_side,
    spectral_rmse,
    stretch_limits,
    write_png,
)
from pifnet_cli.scene import Bands, Grid, WavelengthUnit, Window


def bands(*wavelengths: float) -> Bands:
    return Bands(len(wavelengths), wavelengths=wavelengths, unit=WavelengthUnit.NANOMETERS)


def read_png(path: Path) -> np.ndarray:
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(path) as dataset:
        return dataset.read()


def test_a_small_scene_is_kept_as_it_is() -> None:
    values = np.random.default_rng(0).random((2, 24, 40)).astype(np.float32)
    mosaic = Mosaic(2, height=24, width=40)
    for window in (Window(0, 0, 24, 17), Window(0, 17, 24, 23)):
        mosaic.add(values[:, *window.slices], window)
    np.testing.assert_array_equal(mosaic.image(), values)


def test_a_large_scene_is_averaged_whatever_the_windows() -> None:
    height, width = 5, 2 * LARGEST_SIDE + 3  # three pixels to a cell
    values = np.random.default_rng(0).random((1, height, width)).astype(np.float32)
    mosaic = Mosaic(1, height=height, width=width)
    for column in range(0, width, 100):  # cells are cut by windows
        for row in range(0, height, 2):
            window = Window(row, column, min(2, height - row), min(100, width - column))
            mosaic.add(values[:, *window.slices], window)
    image = mosaic.image()
    assert image.shape == (1, 2, 1367)
    assert image[0, 0, 0] == pytest.approx(values[0, :3, :3].mean(), rel=1e-5)
    assert image[0, 1, -1] == pytest.approx(values[0, 3:, 4098:].mean(), rel=1e-5)


def test_invalid_pixels_do_not_enter_an_average() -> None:
    mosaic = Mosaic(1, height=1, width=2 * LARGEST_SIDE)
    values = np.tile(np.array([1.0, 3.0], dtype=np.float32), LARGEST_SIDE)[None, None]
    values[0, 0, 0], values[0, 0, 2:4] = np.nan, np.nan
    mosaic.add(values, Window(0, 0, 1, 2 * LARGEST_SIDE))
    assert mosaic.image()[0, 0, 0] == 3
    assert np.isnan(mosaic.image()[0, 0, 1])
    assert mosaic.image()[0, 0, 2] == 2


def test_rgb_bands_are_the_nearest_usable_ones() -> None:
    described = bands(2400, 461, 540, 552, 650, 641)
    assert rgb_bands(described, usable=(0, 1, 2, 3, 4, 5), path=Path("x")) == (6, 4, 2)
    assert rgb_bands(described, usable=(0, 1, 2, 4), path=Path("x")) == (5, 3, 2)


def test_rgb_bands_without_wavelengths_must_be_named() -> None:
    with pytest.raises(BandsError, match=r"x\.tif: no wavelengths.*--rgb-bands R G B"):
        rgb_bands(Bands(7), usable=(0, 1), path=Path("x.tif"))


def test_stretch_limits_ignore_invalid_pixels() -> None:
    values = np.concatenate([np.arange(101.0), [np.nan] * 50]).astype(np.float32)
    assert stretch_limits(values) == pytest.approx((2, 98))


def test_an_image_without_valid_pixels_has_limits() -> None:
    assert stretch_limits(np.full((3, 4), np.nan, dtype=np.float32)) == (0, 1)


def test_pseudo_colour_is_stretched_like_the_other_image() -> None:
    like = np.tile(np.linspace(0, 100, 1001, dtype=np.float32), (3, 1, 1))
    image = np.array([-5, 2, 50, 98, 200], dtype=np.float32) * np.ones((3, 1, 1), dtype=np.float32)
    picture = pseudo_colour(image, like=like)
    assert picture[0, 0].tolist() == [0, 0, 128, 255, 255]
    assert picture[3, 0].tolist() == [255] * 5


def test_pixels_invalid_in_a_channel_are_transparent() -> None:
    image = np.ones((3, 1, 2), dtype=np.float32)
    image[1, 0, 0] = np.nan
    assert pseudo_colour(image, like=image)[3, 0].tolist() == [0, 255]


def test_a_flat_image_has_a_picture() -> None:
    assert pseudo_colour(np.ones((3, 4, 5), dtype=np.float32), like=np.ones((3, 4, 5), dtype=np.float32)).max() == 255


def test_maps_run_from_the_first_colour_to_the_last() -> None:
    picture = colour_map(np.array([[0, 1, 2, 99, np.nan]], dtype=np.float32), top=2.0)
    assert picture[:3, 0, 0].tolist() == MAP_COLOURS[0].tolist()
    assert picture[:3, 0, 1].tolist() == MAP_COLOURS[2].tolist()
    assert picture[:3, 0, 2].tolist() == picture[:3, 0, 3].tolist() == MAP_COLOURS[-1].tolist()
    assert picture[3, 0].tolist() == [255, 255, 255, 255, 0]


def test_brightness_of_the_map_colours_only_rises() -> None:
    assert np.all(np.diff(MAP_COLOURS @ [0.299, 0.587, 0.114]) > 20)


def test_a_map_of_zeros_is_dark() -> None:
    assert colour_map(np.zeros((2, 2), dtype=np.float32), top=0.0)[:3, 0, 0].tolist() == MAP_COLOURS[0].tolist()


def test_pictures_stand_side_by_side() -> None:
    left, right = np.full((4, 5, 6), 1, dtype=np.uint8), np.full((4, 5, 6), 2, dtype=np.uint8)
    both = side_by_side(left, right)
    assert both.shape == (4, 5, 20)
    assert (both[0, 0, 0], both[3, 0, 8], both[0, 0, -1]) == (1, 0, 2)


def test_a_png_holds_the_picture_and_its_description_without_sidecar(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (4, 24, 40)).astype(np.uint8)
    output = tmp_path / "map.png"
    write_png(output, picture, description="0 (dark) to 3.2 degrees")
    np.testing.assert_array_equal(read_png(output), picture)
    assert b"0 (dark) to 3.2 degrees" in output.read_bytes()
    assert list(tmp_path.iterdir()) == [output]


def test_a_png_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(SceneWriteError, match=r"map\.png: cannot be written"):
        write_png(tmp_path / "no" / "map.png", np.zeros((4, 2, 2), dtype=np.uint8), description="")
    assert list(tmp_path.iterdir()) == []


SHAPE = (7, 70, 40)


def windows(height: int, width: int) -> list[Window]:
    return [Window(0, 0, 64, width), Window(64, 0, height - 64, width)]


def test_a_difference_map_is_bright_where_spectra_differ(tmp_path: Path) -> None:
    reference = np.ones(SHAPE, dtype=np.float32)
    fused = reference.copy()
    fused[:3, 40:] = 3.0  # a constant angle below row 40
    fused[5, 2, 2] = np.nan
    picture = DifferenceMap(
        tmp_path / "sam.png",
        quantity="spectral angle in degrees",
        difference=spectral_angle_deg,
        bands=tuple(range(7)),
        height=70,
        width=40,
    )
    for window in windows(70, 40):
        picture.add(fused[:, *window.slices], reference[:, *window.slices], window)
    angle = np.degrees(np.arccos((3 * 3 + 4) / np.sqrt(7 * (3 * 9 + 4))))
    assert picture.write() == f"spectral angle in degrees, 0 (dark) to {angle:.4g} (bright)"
    image = read_png(tmp_path / "sam.png")
    assert image[:3, 0, 0].tolist() == MAP_COLOURS[0].tolist()
    assert image[:3, 69, 39].tolist() == MAP_COLOURS[-1].tolist()
    assert image[3, 2, 2] == 0
    assert image[3].sum() == 255 * (70 * 40 - 1)


def test_bands_without_data_do_not_blank_a_map(tmp_path: Path) -> None:
    reference = np.ones(SHAPE, dtype=np.float32)
    reference[4] = np.nan
    picture = DifferenceMap(
        tmp_path / "e.png", quantity="error", difference=spectral_rmse, bands=(0, 1, 2, 3, 5, 6), height=70, width=40
    )
    picture.add(reference, reference, Window(0, 0, 70, 40))
    picture.write()
    assert read_png(tmp_path / "e.png")[3].min() == 255


def test_a_pseudo_colour_picture_shows_the_named_bands_of_both(tmp_path: Path) -> None:
    reference = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    picture = PseudoColour(tmp_path / "q.png", bands=(7, 4, 1), height=70, width=40)
    for window in windows(70, 40):
        picture.add(reference[:, *window.slices] * 0, reference[:, *window.slices], window)
    assert picture.write() == "fused left, reference right; bands 7, 4, 1"
    image = read_png(tmp_path / "q.png")
    assert image.shape == (4, 70, 88)
    assert image[:3, :, :40].max() == 0
    low, high = np.percentile(reference[6], (2, 98))
    expected = np.clip((reference[6] - low) / (high - low), 0, 1) * 255
    assert np.abs(image[0, :, 48:] - expected).max() <= 0.51


def test_spectral_rmse_is_a_mean_over_bands() -> None:
    assert spectral_rmse(np.array([[3.0], [0.0]]), np.array([[0.0], [0.0]])).tolist() == [np.sqrt(4.5)]


@pytest.fixture
def maps() -> ConsistencyMaps:
    """LR 6 x 10, HR 12 x 20, each in two blocks; the degraded scene is off by 3 and 4 in two bands."""
    observer = ConsistencyMaps()
    observer.begin(Grid(6, 10, Affine.identity(), None), Grid(12, 20, Affine.identity(), None))
    for column in (0, 5):
        lr = np.ones((2, 6, 5), dtype=np.float32)
        lr[:, 2, 1] = np.nan
        observer.add_lr(lr + np.array([3, 4], dtype=np.float32)[:, None, None], lr, Window(0, column, 6, 5))
        hr = np.ones((3, 12, 10), dtype=np.float32)
        observer.add_hr(hr + column, hr, Window(0, 2 * column, 12, 10))
    return observer


def test_maps_lie_on_their_grids_and_leave_out_what_is_not_scored(maps: ConsistencyMaps) -> None:
    assert maps.lr_rmse.shape == maps.lr_sam.shape == (6, 10)
    for image in (maps.lr_rmse, maps.lr_sam):
        assert np.argwhere(np.isnan(image)).tolist() == [[2, 1], [2, 6]]


def test_values_are_those_of_each_pixel(maps: ConsistencyMaps) -> None:
    np.testing.assert_allclose(maps.lr_rmse[0], np.sqrt(12.5), rtol=1e-6)
    angle = np.degrees(np.arctan2(5, 4) - np.pi / 4)  # of (4, 5) and (1, 1)
    np.testing.assert_allclose(maps.lr_sam[0], angle, rtol=1e-5)
    np.testing.assert_allclose(maps.msi_rmse, np.repeat([[0.0, 5.0]], 10, axis=1).repeat(12, axis=0), rtol=1e-6)


def test_only_maps_with_a_name_are_written(maps: ConsistencyMaps, tmp_path: Path) -> None:
    (told,) = maps.write(sam_map=tmp_path / "sam.png", error_map=None)
    assert told.startswith("spectral angle to the LR-HSI in degrees, 0 (dark) to 6.34")
    assert [path.name for path in tmp_path.iterdir()] == ["sam.png"]
