import math
from dataclasses import replace
from pathlib import Path

import pytest
from affine import Affine
from rasterio.crs import CRS

from pifnet_cli.raster.envi.header import read_header, read_layout
from pifnet_cli.raster.envi.output import header_text
from pifnet_cli.scene import Bands, Grid, Scene, WavelengthUnit
from scenes import NORTH_UP

SCENE = Scene(Path("o.img"), Grid(24, 40, NORTH_UP, CRS.from_epsg(32633).to_wkt()), Bands(3), dtype="int16")


def _fields(tmp_path, scene, interleave="bsq"):
    path = tmp_path / "o.hdr"
    path.write_text(header_text(scene, interleave), encoding="utf-8")
    return read_header(path)


def test_the_layout_is_that_of_the_scene(tmp_path):
    layout = read_layout(_fields(tmp_path, SCENE, "bil"))
    assert (layout.samples, layout.lines, layout.bands, layout.interleave, layout.dtype) == (40, 24, 3, "bil", "<i2")


@pytest.mark.parametrize(("nodata", "text"), [(-32768, "-32768"), (math.nan, "nan"), (-9999.0, "-9999"), (0.1, "0.1")])
def test_nodata_is_written_exactly(tmp_path, nodata, text):
    assert _fields(tmp_path, replace(SCENE, nodata=nodata)).text("data ignore value") == text


def test_one_scale_is_also_a_reflectance_factor(tmp_path):
    header = _fields(tmp_path, replace(SCENE, scales=(1e-4,) * 3))
    assert header.text("reflectance scale factor") == "10000"
    assert header.fields["data gain values"] == ["0.0001"] * 3


@pytest.mark.parametrize("coding", [{"scales": (1e-4, 1e-4, 2e-4)}, {"scales": (1e-4,) * 3, "offsets": (0.1,) * 3}])
def test_other_scalings_are_gains_and_offsets_alone(tmp_path, coding):
    assert _fields(tmp_path, replace(SCENE, **coding)).text("reflectance scale factor") is None


@pytest.mark.parametrize("factor", [3.0, 49.0, 255.0, 10000.0, 65535.0, 1.5])
def test_the_factor_gives_the_scale_again(tmp_path, factor):
    text = _fields(tmp_path, replace(SCENE, scales=(1 / factor,) * 3)).text("reflectance scale factor")
    assert float(text) == factor


def test_lists_are_complete(tmp_path):
    bands = Bands(
        count=3,
        names=("a", "b", "c"),
        wavelengths=(0.45, 0.55, 0.65),
        fwhm=(0.01, 0.011, 0.012),
        unit=WavelengthUnit.MICROMETERS,
        good=(True, False, True),
    )
    fields = _fields(tmp_path, replace(SCENE, bands=bands)).fields
    assert fields["wavelength"] == ["0.45", "0.55", "0.65"]
    assert fields["fwhm"] == ["0.01", "0.011", "0.012"]
    assert fields["wavelength units"] == "Micrometers"
    assert fields["bbl"] == ["1", "0", "1"]
    assert fields["band names"] == ["a", "b", "c"]


def test_good_visible_bands_are_shown_by_default(tmp_path):
    bands = Bands(3, wavelengths=(450.0, 550.0, 650.0), unit=WavelengthUnit.NANOMETERS)
    assert _fields(tmp_path, replace(SCENE, bands=bands)).fields["default bands"] == ["3", "2", "1"]


def test_a_plain_scene_has_a_plain_header(tmp_path):
    scene = replace(SCENE, grid=Grid(24, 40, Affine.identity(), None))
    assert set(_fields(tmp_path, scene).fields) == {
        "samples", "lines", "bands", "header offset", "file type", "data type", "interleave", "byte order",
    }  # fmt: skip


def test_braces_in_a_description_do_not_break_the_header(tmp_path):
    scene = replace(SCENE, acquisition=(("description", "a {strange}\ntext"), ("sensor type", "x\ny")))
    header = _fields(tmp_path, scene)
    assert header.text("description") == "a (strange) text"
    assert header.text("sensor type") == "x y"
