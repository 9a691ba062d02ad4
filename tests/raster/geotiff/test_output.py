from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from pifnet_cli.choices import Overwrite
from pifnet_cli.errors import SettingsError
from pifnet_cli.raster.geotiff.output import PIXEL_BLOCK_BYTES, creation_profile
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.raster.writer import WriteOptions, create_scene
from pifnet_cli.scene import Bands, Grid, Scene, WavelengthUnit, Window
from scenes import NORTH_UP, random_pixels


def _scene(*, path=Path("o.tif"), side=600, bands=3, dtype="float32"):
    return Scene(path, Grid(side, side, NORTH_UP, None), Bands(bands), dtype=dtype)


def _profile(*options, block_size=None, **scene):
    return creation_profile(_scene(**scene), options, block_size=block_size)


@pytest.mark.parametrize(("dtype", "predictor"), [("float32", "3"), ("float64", "3"), ("int16", "2"), ("uint8", "2")])
def test_the_predictor_follows_the_type(dtype, predictor):
    assert _profile(dtype=dtype)["PREDICTOR"] == predictor
    assert _profile("COMPRESS=DEFLATE", dtype=dtype)["PREDICTOR"] == predictor


def test_the_user_s_options_win():
    profile = _profile("compress=lzma", "BLOCKXSIZE = 64", "bigtiff=yes")
    assert (profile["COMPRESS"], profile["BLOCKXSIZE"], profile["BIGTIFF"]) == ("LZMA", "64", "YES")
    assert "PREDICTOR" not in profile
    assert "ZSTD_LEVEL" not in profile


def test_blocks_are_no_larger_than_the_scene():
    assert _profile(side=40)["BLOCKXSIZE"] == "48"
    assert _profile(side=600)["BLOCKXSIZE"] == "256"
    assert _profile(side=600, block_size=128)["BLOCKYSIZE"] == "128"


def test_blocks_of_interleaved_pixels_shrink_with_the_bands():
    side = int(_profile("INTERLEAVE=PIXEL", bands=400)["BLOCKXSIZE"])
    assert side % 16 == 0
    assert side * side * 400 * 4 <= PIXEL_BLOCK_BYTES


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("COMPRESS", "NAME=VALUE was expected"),
        ("COMPRESS=", "NAME=VALUE was expected"),
        ("COMPRES=ZSTD", "no such GeoTIFF option is supported"),
        ("NBITS=12", "no such GeoTIFF option is supported"),
        ("COMPRESS=JPEG", "NONE, LZW, DEFLATE, ZSTD, LZMA, PACKBITS was expected"),
        ("BLOCKXSIZE=100", "16 to 4096 was expected"),
        ("PREDICTOR=9", "1 to 3 was expected"),
        ("ZLEVEL=high", "1 to 12 was expected"),
    ],
)
def test_options_that_gdal_would_ignore_are_errors(option, message):
    with pytest.raises(SettingsError, match=f"--co {option}: {message}"):
        _profile(option)


@pytest.mark.parametrize("block_size", [0, -16, 100])
def test_blocks_are_multiples_of_16(block_size):
    with pytest.raises(SettingsError, match="a multiple of 16"):
        _profile(block_size=block_size)


@pytest.mark.parametrize("bands", [1, 3, 4, 5])
@pytest.mark.parametrize("options", [(), ("INTERLEAVE=PIXEL",), ("COMPRESS=NONE",), ("TILED=NO",), ("SPARSE_OK=YES",)])
def test_files_are_what_the_options_say(tmp_path, bands, options):
    pixels = random_pixels(bands, 600, 600, dtype="uint8").astype("float32")
    pixels[:, 300:] = np.nan
    scene = _scene(path=tmp_path / "o.tif", bands=bands, dtype="uint8")
    with create_scene(scene, WriteOptions(Overwrite.REFUSE, options)) as writer:
        for row in range(0, 600, 200):
            writer.write(pixels[:, row : row + 200], Window(row, 0, 200, 600))
    with rasterio.open(tmp_path / "o.tif") as dataset:
        np.testing.assert_array_equal(dataset.read(), np.where(np.isnan(pixels), 255, pixels))
        assert dataset.profile["interleave"] == ("pixel" if "INTERLEAVE=PIXEL" in options and bands > 1 else "band")
        assert dataset.profile["tiled"] == ("TILED=NO" not in options)
        assert dataset.profile.get("compress") == (None if "COMPRESS=NONE" in options else "deflate")
        assert set(dataset.colorinterp) <= {ColorInterp.gray, ColorInterp.undefined}
        assert dataset.colorinterp[0] is ColorInterp.gray


SEEN = Bands(5, wavelengths=(0.48, 0.56, 0.66, 0.7, 0.84), unit=WavelengthUnit.MICROMETERS)
RED_FIRST = Bands(3, wavelengths=(655.04, 561, 483), unit=WavelengthUnit.NANOMETERS)


def _written(folder, bands):
    scene = Scene(folder / "o.tif", Grid(24, 40, NORTH_UP, None), bands)
    with create_scene(scene, WriteOptions(Overwrite.REFUSE)) as writer:
        writer.write(random_pixels(bands.count, 24, 40), scene.grid.window)
    return folder / "o.tif"


@pytest.mark.parametrize(
    ("bands", "colours"),
    [
        (SEEN, ["blue", "green", "red", "undefined", "undefined"]),
        (RED_FIRST, ["red", "green", "blue"]),
        (replace(SEEN, good=(True, True, False, True, True)), ["blue", "green", "undefined", "red", "undefined"]),
        (
            Bands(3, wavelengths=(560.0, 1600.0, 2200.0), unit=WavelengthUnit.NANOMETERS),
            ["gray", "undefined", "undefined"],
        ),
        (Bands(1, wavelengths=(560.0,), unit=WavelengthUnit.NANOMETERS), ["gray"]),
    ],
)
def test_the_bands_nearest_to_red_green_and_blue_are_called_so(tmp_path, bands, colours):
    with rasterio.open(_written(tmp_path, bands)) as dataset:
        assert [colour.name for colour in dataset.colorinterp] == colours
        assert dataset.count == bands.count


@pytest.mark.parametrize("bands", [SEEN, RED_FIRST])
def test_bands_without_names_are_described_by_wavelength_and_have_none_when_read_again(tmp_path, bands):
    path = _written(tmp_path, bands)
    with rasterio.open(path) as dataset:
        assert dataset.descriptions == tuple(f"{wavelength:.1f} nm" for wavelength in bands.wavelengths_nm)
    with open_scene(path) as reader:
        assert reader.scene.bands == bands
        assert reader.remarks == ()


def test_names_stay_names(tmp_path):
    bands = replace(SEEN, names=("480.0 nm", "560 nm", "red", "700.0 nm", "840.0 nm"))
    path = _written(tmp_path, bands)
    with rasterio.open(path) as dataset:
        assert dataset.descriptions == bands.names
    with open_scene(path) as reader:
        assert reader.scene.bands == bands
