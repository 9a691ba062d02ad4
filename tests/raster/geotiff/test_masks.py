import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from pifnet_cli.raster.reader import open_scene
from pifnet_cli.scene import Window
from scenes import random_pixels, write_scene

H, W = 24, 40
ALPHA = (ColorInterp.gray, ColorInterp.undefined, ColorInterp.undefined, ColorInterp.alpha)
OUTSIDE = np.arange(W) + np.arange(H)[:, None] > 45


def _write(path, mask, *, dtype="uint8", interpretation=ALPHA, fill=0, height=H, width=W, **how):
    """Three bands of data, and `mask` (h, w) as the fourth."""
    pixels = random_pixels(3, height, width, dtype=dtype)
    if fill is not None:
        pixels[:, mask == 0] = fill
    write_scene(path, np.concatenate([pixels, mask[None].astype(dtype)]), **how)
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = interpretation
    return path


def _invalid(path, *, bands=3):
    with open_scene(path) as reader:
        assert reader.scene.bands.count == bands
        return np.isnan(reader.read())


@pytest.mark.parametrize(("dtype", "opaque"), [("uint8", 255), ("uint16", 65535), ("uint16", 1), ("float32", 1)])
@pytest.mark.parametrize("fill", [0, 255, None])
def test_an_alpha_band_masks_and_is_no_band(tmp_path, dtype, opaque, fill):
    path = _write(tmp_path / "x.tif", np.where(OUTSIDE, 0, opaque), dtype=dtype, fill=fill)
    assert (_invalid(path) == OUTSIDE).all()


def test_every_window_of_every_band_is_masked(tmp_path):
    path = _write(tmp_path / "x.tif", np.where(OUTSIDE, 0, 255))
    with open_scene(path) as reader:
        found = np.isnan(reader.read(Window(10, 20, 14, 20), bands=[2]))
        assert (found == OUTSIDE[10:, 20:]).all()
        assert (np.isnan(reader.cut([1]).read()) == OUTSIDE).all()


def test_an_alpha_band_may_stand_before_the_data(tmp_path):
    pixels = random_pixels(4, H, W, dtype="uint8")
    pixels[1] = np.where(OUTSIDE, 0, 255)
    path = write_scene(tmp_path / "x.tif", pixels, profile={"alpha": "yes"}, names=["a", "alpha", "b", "c"])
    with rasterio.open(path, "r+") as dataset:
        dataset.colorinterp = [ColorInterp.gray, ColorInterp.alpha, ColorInterp.undefined, ColorInterp.undefined]
    with open_scene(path) as reader:
        assert reader.scene.bands.names == ("a", "b", "c")
        np.testing.assert_array_equal(reader.read(), np.where(OUTSIDE, np.nan, pixels[[0, 2, 3]]))


def test_what_a_mask_lacks_no_band_lacks(tmp_path):
    path = _write(tmp_path / "x.tif", np.where(OUTSIDE, 0, 255))
    with rasterio.open(path, "r+") as dataset:
        for band, wavelength in ((1, "450"), (2, "550"), (3, "650")):
            dataset.update_tags(band, wavelength=wavelength, wavelength_units="nm")
    with open_scene(path) as reader:
        assert reader.scene.bands.wavelengths == (450, 550, 650)


@pytest.mark.parametrize("domain", ["{450,550,650}", "{450,550,650,0}"])
def test_lists_may_count_the_mask_or_not(tmp_path, domain):
    path = _write(tmp_path / "x.tif", np.where(OUTSIDE, 0, 255))
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="ENVI", wavelength=domain, wavelength_units="Nanometers")
    with open_scene(path) as reader:
        assert reader.scene.bands.wavelengths == (450, 550, 650)


def test_soft_edges_of_an_alpha_band_are_valid(tmp_path):
    mask = np.where(OUTSIDE, 0, 255)
    mask[5, :30] = 7
    assert (_invalid(_write(tmp_path / "x.tif", mask)) == OUTSIDE).all()


def test_alpha_that_varies_is_a_band_and_said_so(tmp_path):
    near_infrared = random_pixels(1, H, W, dtype="uint8", seed=1)[0]
    near_infrared[OUTSIDE] = 0
    path = _write(tmp_path / "x.tif", near_infrared)
    assert not _invalid(path, bands=4).any()
    with open_scene(path) as reader:
        assert reader.remarks == (f"{path}: band 4 is marked as alpha but varies as data do; it is taken as data",)


def test_what_no_window_has_shown_is_valid_where_it_is_above_zero(tmp_path):
    mask = np.full((700, 800), 255, dtype="uint8")
    mask[100, 100:120] = 3  # between the windows that are looked at
    mask[100, 120:130] = 0
    invalid = _invalid(_write(tmp_path / "x.tif", mask, height=700, width=800))
    assert (invalid == (mask == 0)).all()


UNMARKED = (ColorInterp.gray, *[ColorInterp.undefined] * 3)


def test_a_mask_appended_to_the_data_masks(tmp_path):
    path = _write(tmp_path / "x.tif", np.where(OUTSIDE, 0, 255), dtype="uint16", interpretation=UNMARKED)
    assert (_invalid(path) == OUTSIDE).all()
    with open_scene(path) as reader:
        assert "band 4 is a mask of 0 and 255" in reader.remarks[0]


@pytest.mark.parametrize(
    ("mask", "fill", "tags"),
    [
        pytest.param(np.where(OUTSIDE, 0, 200), 0, {}, id="another number"),
        pytest.param(np.where(OUTSIDE, 0, 255), None, {}, id="data below it"),
        pytest.param(np.full((H, W), 255), 0, {}, id="one number"),
        pytest.param(np.where(OUTSIDE, 0, 255), 0, {"wavelength": "842"}, id="a wavelength"),
    ],
)
def test_an_unmarked_band_is_data_where_anything_speaks_for_it(tmp_path, mask, fill, tags):
    path = _write(tmp_path / "x.tif", mask, fill=fill, interpretation=UNMARKED)
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(4, **tags)
    assert not _invalid(path, bands=4).any()
