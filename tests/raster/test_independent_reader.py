"""What another GDAL than rasterio's, that of the system, reads in our outputs."""

import math
from dataclasses import replace

import numpy as np
import pytest
from rasterio.crs import CRS

from pifnet_cli.choices import Overwrite
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.raster.writer import WriteOptions, create_scene
from pifnet_cli.scene import Bands, Grid, Scene, WavelengthUnit
from scenes import NORTH_UP, ROTATED, SOUTH_UP, random_pixels

C, H, W = 7, 24, 40
BANDS = Bands(
    count=C,
    names=tuple(f"B{band}" for band in range(C)),
    wavelengths=(418.24, 423.874, 902.257, 993.083, 911.5700000000001, 2445.53, 2445.53),
    fwhm=(6.99561, 7.1, 9.17725, 11.3624, 10.0, 12.0, 12.5),
    unit=WavelengthUnit.NANOMETERS,
    good=(True, True, False, False, True, True, True),
)


def _write(path, pixels, *, transform=NORTH_UP, bands=BANDS, **coding):
    grid = Grid(pixels.shape[1], pixels.shape[2], transform, CRS.from_epsg(32633).to_wkt())
    with create_scene(Scene(path, grid, bands, **coding), WriteOptions(Overwrite.REFUSE)) as writer:
        writer.write(pixels, grid.window)
    return writer.path


def _numbers(text):
    return tuple(map(float, text.strip("{}").split(",")))


@pytest.mark.parametrize("name", ["o.tif", "o.hdr", "o.bil", "o.bip"])
def test_pixels_nodata_and_scale_are_read_elsewhere(tmp_path, other_gdal, name):
    pixels = random_pixels(C, H, W).round()
    pixels[:, 2, 3] = np.nan
    found = other_gdal(_write(tmp_path / name, pixels, dtype="int16", nodata=-32768, scales=(0.5,) * C))
    assert found["types"] == ["Int16"] * C
    assert set(map(float, found["nodata"])) == {-32768.0}
    assert found["scale"] == [0.5] * C
    expected = np.where(np.isnan(pixels), -32768, pixels * 2)
    np.testing.assert_array_equal(found["pixels"].reshape(C, H, W), expected)


@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
def test_nan_is_nodata_elsewhere(tmp_path, other_gdal, name):
    found = other_gdal(_write(tmp_path / name, random_pixels(C, H, W)))
    assert all(math.isnan(float(value)) for value in found["nodata"])


@pytest.mark.parametrize("transform", [NORTH_UP, SOUTH_UP, ROTATED], ids=["north-up", "south-up", "rotated"])
@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
def test_the_place_is_read_elsewhere(tmp_path, other_gdal, name, transform):
    found = other_gdal(_write(tmp_path / name, random_pixels(C, H, W), transform=transform))
    assert found["epsg"] == "32633"
    tolerance = 1e-9 if transform is ROTATED and name == "o.hdr" else 0
    np.testing.assert_allclose(found["transform"], transform.to_gdal(), rtol=tolerance, atol=0)


def test_a_geotiff_is_described_for_every_reader(tmp_path, other_gdal):
    found = other_gdal(_write(tmp_path / "o.tif", random_pixels(C, H, W)))
    assert found["files"] == [str(tmp_path / "o.tif")]
    assert found["interleave"] == "BAND"
    assert found["names"] == list(BANDS.names)
    for band, tags in enumerate(found["tags"]):
        assert tags["wavelength"] == repr(BANDS.wavelengths[band])
        assert tags["wavelength_units"] == "Nanometers"
        assert tags["fwhm"] == repr(BANDS.fwhm[band])
        assert tags["bbl"] == str(int(BANDS.good[band]))
        imagery = found["imagery"][band]
        assert float(imagery["CENTRAL_WAVELENGTH_UM"]) == pytest.approx(BANDS.wavelengths[band] / 1000, abs=1e-9)
        assert float(imagery["FWHM_UM"]) == pytest.approx(BANDS.fwhm[band] / 1000, abs=1e-9)
    envi = found["envi"]
    assert _numbers(envi["wavelength"]) == BANDS.wavelengths
    assert _numbers(envi["fwhm"]) == BANDS.fwhm
    assert _numbers(envi["bbl"]) == BANDS.good
    assert envi["wavelength_units"] == "Nanometers"


def test_an_envi_header_is_described_for_every_reader(tmp_path, other_gdal):
    found = other_gdal(_write(tmp_path / "o.hdr", random_pixels(C, H, W)))
    assert sorted(found["files"]) == [str(tmp_path / "o.hdr"), str(tmp_path / "o.img")]
    assert _numbers(found["envi"]["wavelength"]) == BANDS.wavelengths
    assert _numbers(found["envi"]["fwhm"]) == BANDS.fwhm
    assert [float(tags["wavelength"]) for tags in found["tags"]] == list(BANDS.wavelengths)
    assert [name.split(" (")[0] for name in found["names"]] == list(BANDS.names)


@pytest.mark.parametrize("name", ["o.tif", "o.hdr"])
def test_real_enmap_comes_through_unchanged(tmp_path, other_gdal, real_data, name):
    source = next((real_data / "enmap_potsdam").glob("*.tif"))
    with open_scene(source) as reader:
        scene, pixels = reader.scene, reader.read()
    target = replace(scene, path=tmp_path / name)
    with create_scene(target, WriteOptions(Overwrite.REFUSE), inputs=[source]) as writer:
        writer.write(pixels, scene.grid.window)
    before, after = other_gdal(source), other_gdal(writer.path)
    for fact in ("transform", "epsg", "nodata", "types"):
        assert after[fact] == before[fact], fact
    np.testing.assert_array_equal(after["pixels"], before["pixels"])
    assert [float(tags["wavelength"]) for tags in after["tags"]] == [
        float(tags["wavelength"]) for tags in before["tags"]
    ]
    widths = [float(tags["fwhm"]) for tags in before["tags"]]
    assert list(_numbers(after["envi"]["fwhm"])) == widths
