import math

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from pifnet_cli.errors import GridError
from pifnet_cli.raster.georeference import map_info
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.scene import Grid
from scenes import NORTH_UP, ROTATED, SOUTH_UP, UTM_33N, random_pixels, write_scene

WKT = CRS.from_user_input(UTM_33N).to_wkt()
PLACE = Affine.translation(365055.0, 5807085.0)
GRIDS = {
    "north-up": NORTH_UP,
    "south-up": SOUTH_UP,
    "unequal sides": PLACE @ Affine.scale(30.0, -12.5),
    "rotated by 30": ROTATED,
    "rotated by -71.3": PLACE @ Affine.rotation(-71.3) @ Affine.scale(14.9, -14.9),
    "rotated by 130": PLACE @ Affine.rotation(130) @ Affine.scale(30.0, -30.0),
}


def _open(path):
    with open_scene(path) as reader:
        return reader


def _envi(tmp_path, map_info_text, **fields):
    pixels = random_pixels(1, 24, 40)
    return write_scene(
        tmp_path / "x.hdr", pixels, crs=None, transform=None, fields={"map info": map_info_text, **fields}
    )


@pytest.mark.parametrize("transform", GRIDS.values(), ids=GRIDS.keys())
def test_a_geotiff_keeps_its_grid_exactly(tmp_path, transform):
    grid = _open(write_scene(tmp_path / "x.tif", random_pixels(1, 24, 40), transform=transform)).scene.grid
    assert grid.transform == transform
    assert CRS.from_wkt(grid.crs_wkt).to_epsg() == 32633


@pytest.mark.parametrize("transform", GRIDS.values(), ids=GRIDS.keys())
def test_map_info_is_read_as_gdal_reads_it(tmp_path, transform):
    path = write_scene(tmp_path / "x.img", random_pixels(1, 24, 40), transform=transform)
    text = map_info(Grid(24, 40, transform, WKT), path)
    header = path.with_suffix(".hdr")
    lines = [f"map info = {text}" if line.startswith("map info") else line for line in header.read_text().split("\n")]
    header.write_text("\n".join(lines))
    with rasterio.open(path) as dataset:
        assert dataset.transform.almost_equals(transform, 1e-9)
    assert _open(path).scene.grid.transform.almost_equals(transform, 1e-9)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{UTM, 1, 1, 500000, 4000000, 30, 30, 32, North, WGS-84, units=Meters}", Affine(30, 0, 5e5, 0, -30, 4e6)),
        ("{UTM, 1.000, 1.000, 5.0e+005, 4000000, 3.0e+001, 30, 32, North,WGS-84}", Affine(30, 0, 5e5, 0, -30, 4e6)),
        ("{UTM, 1.5, 1.5, 500015, 3999985, 30, 30, 32, North, WGS-84}", Affine(30, 0, 5e5, 0, -30, 4e6)),
        ("{UTM, 11, 3, 500300, 3999940, 30, 30, 32, North, WGS-84}", Affine(30, 0, 5e5, 0, -30, 4e6)),
        ("{UTM, 1, 1, 500000, 4000000, 30, -30, 32, North, WGS-84}", Affine(30, 0, 5e5, 0, 30, 4e6)),
        ("{UTM, 1, 1, 500000, 4000000, 30, 30, 32, North, WGS-84, rotation=180}", Affine(30, 0, 5e5, 0, 30, 4e6)),
        ("{UTM, 1, 1, 500000, 4000000, 30, 30, 32, North, WGS-84, rotation=0.0}", Affine(30, 0, 5e5, 0, -30, 4e6)),
    ],
)
def test_map_info_of_the_wild_is_understood(tmp_path, text, expected):
    path = _envi(tmp_path, text)
    grid = _open(path).scene.grid
    assert grid.transform.almost_equals(expected, 1e-9)
    assert CRS.from_wkt(grid.crs_wkt).to_epsg() == 32632
    with rasterio.open(path.with_suffix(".img")) as dataset:
        assert dataset.transform.almost_equals(expected, 1e-9)


def test_a_rotated_grid_turns_about_its_reference_pixel(tmp_path):
    text = "{UTM, 21, 13, 500000, 4000000, 30, 30, 32, North, WGS-84, rotation=30}"
    x, y = _open(_envi(tmp_path, text)).scene.grid.transform @ (20, 12)
    assert (x, y) == pytest.approx((500000, 4000000), abs=1e-6)


def test_unequal_pixels_keep_their_sides_when_rotated(tmp_path):
    text = "{UTM, 1, 1, 500000, 4000000, 30, 10, 32, North, WGS-84, rotation=30}"
    grid = _open(_envi(tmp_path, text)).scene.grid
    assert grid.gsd == pytest.approx((10, 30))
    t = grid.transform
    assert t.a * t.b + t.d * t.e == pytest.approx(0, abs=1e-9)  # rows and columns stay at right angles


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{UTM, 1, 1, hello, 4000000, 30, 30, 32, North, WGS-84}", "x in 'map info' is hello"),
        ("{UTM, 1, 1, 500000, XX, 30, 30, 32, North, WGS-84}", "y in 'map info' is XX"),
        ("{UTM, 1, 1, 500000, 4000000, 0, 30, 32, North, WGS-84}", "pixel size x in 'map info' is 0"),
        ("{UTM, 1, 1, 500000, 4000000, 30, nan, 32, North, WGS-84}", "pixel size y in 'map info' is nan"),
        ("{UTM, a, 1, 500000, 4000000, 30, 30, 32, North, WGS-84}", "reference pixel x in 'map info' is a"),
        ("{UTM, 1, 1, 500000, 4000000, 30, 30, 32, North, WGS-84, rotation=left}", "rotation in 'map info' is left"),
        ("{UTM, 1, 1}", "'map info' has 3 entries"),
        ("garbage", "'map info' has 1 entries"),
    ],
)
def test_garbage_in_map_info_is_named_not_read_as_zero(tmp_path, text, named):
    with pytest.raises(GridError, match=rf"x\.hdr: {named}"):
        _open(_envi(tmp_path, text))


def test_arbitrary_coordinates_are_no_crs(tmp_path):
    reader = _open(_envi(tmp_path, "{Arbitrary, 1, 1, 0, 0, 1, 1, 0, North}"))
    assert reader.scene.grid.crs_wkt is None
    assert "local" in reader.remarks[0]


def test_a_crs_without_geotransform_is_refused(tmp_path):
    path = write_scene(tmp_path / "x.tif", random_pixels(1, 24, 40), transform=None)
    with pytest.raises(GridError, match=r"x\.tif: has a CRS but no geotransform"):
        _open(path)


def test_a_transform_without_area_is_refused(tmp_path):
    path = write_scene(tmp_path / "x.tif", random_pixels(1, 24, 40), transform=Affine(1, 2, 3, 2, 4, 5))
    with pytest.raises(GridError, match=r"x\.tif: its geotransform \(1, 2, 3, 2, 4, 5\) maps pixels to no area"):
        _open(path)


@pytest.mark.parametrize("name", ["x.tif", "x.hdr"])
@pytest.mark.parametrize("transform", [Affine(1e308, 0, 1e308, 0, -1e308, 1e308), Affine(30, 0, 1e200, 0, -30, 0)])
def test_a_transform_beyond_the_earth_is_refused(tmp_path, name, transform):
    path = write_scene(tmp_path / name, random_pixels(1, 24, 40), transform=transform)
    with pytest.raises(GridError, match=r"its geotransform \(.*\) maps pixels to no area on earth"):
        _open(path)


@pytest.mark.parametrize(
    "transform",
    [
        PLACE @ Affine.shear(10, 0) @ Affine.scale(30.0, -30.0),
        PLACE @ Affine.rotation(30) @ Affine.scale(30.0, -20.0),
        PLACE @ Affine.rotation(30) @ Affine.scale(30.0, 30.0),
        PLACE @ Affine.rotation(180) @ Affine.scale(30.0, -30.0),
    ],
    ids=["sheared", "rotated with unequal sides", "rotated and mirrored", "upside down"],
)
def test_grids_that_envi_headers_cannot_express_are_refused(tmp_path, transform):
    with pytest.raises(GridError, match=r"an ENVI header cannot express this grid .*write GeoTIFF"):
        map_info(Grid(24, 40, transform, WKT), tmp_path / "x.hdr")


def test_a_grid_of_pixels_has_no_map_info(tmp_path):
    assert map_info(Grid(24, 40, Affine.identity(), None), tmp_path / "x.hdr") is None


@pytest.mark.parametrize(
    "crs", ["EPSG:32733", "EPSG:3035", "EPSG:4326", "EPSG:2056", "EPSG:2263", "EPSG:3857", "EPSG:5070"]
)
def test_other_coordinate_systems_come_through_a_geotiff_and_an_envi_header(tmp_path, crs):
    size = 0.001 if crs == "EPSG:4326" else 30.0
    transform = Affine(size, 0, 10.0, 0, -size, 50.0)
    for name in ("x.tif", "x.img"):
        found = _open(
            write_scene(tmp_path / name, np.ones((1, 3, 4), "uint8"), crs=crs, transform=transform)
        ).scene.grid
        assert CRS.from_wkt(found.crs_wkt) == CRS.from_user_input(crs), name
        assert found.transform.almost_equals(transform, 1e-12)


def test_rotation_is_counted_against_the_clock(tmp_path):
    text = map_info(Grid(24, 40, ROTATED, WKT), tmp_path / "x.hdr")
    assert math.isclose(float(text.split("rotation=")[1].rstrip("}")), 30.0)


DEGREES = (13.0158, 52.3964, 1.5e-4, 1.5e-4)  # square: GDAL turns others wrongly
ESRI_UTM, ESRI_WGS84 = (CRS.from_epsg(code).to_wkt(version="WKT1_ESRI") for code in (32633, 4326))


@pytest.mark.parametrize("string", [None, ESRI_WGS84])
@pytest.mark.parametrize("rotation", ["", ", rotation=30"])
@pytest.mark.parametrize(
    ("unit", "parts"), [("Degrees", 1), ("Minutes", 60), ("Seconds", 3600), ("seconds", 3600), ("SECONDS ", 3600)]
)
def test_minutes_and_seconds_of_arc_are_read_as_gdal_reads_them(tmp_path, unit, parts, rotation, string):
    place = ", ".join(repr(number * parts) for number in DEGREES)
    text = f"{{Geographic Lat/Lon, 1, 1, {place}, WGS-84, units={unit}{rotation}}}"
    path = _envi(tmp_path, text, **({"coordinate system string": f"{{{string}}}"} if string else {}))
    grid = _open(path).scene.grid
    with rasterio.open(path.with_suffix(".img")) as dataset:
        assert grid.transform.almost_equals(dataset.transform, 1e-9)
    assert (grid.transform.c, grid.transform.f) == pytest.approx(DEGREES[:2], rel=1e-12)
    assert CRS.from_wkt(grid.crs_wkt).to_epsg() == 4326


@pytest.mark.parametrize("entry", ["units = Seconds", "Units=Seconds"])
def test_units_may_be_spelt_otherwise(tmp_path, entry):
    place = ", ".join(repr(number * 3600) for number in DEGREES)
    grid = _open(_envi(tmp_path, f"{{Geographic Lat/Lon, 1, 1, {place}, WGS-84, {entry}}}")).scene.grid
    assert (grid.transform.c, grid.transform.f) == pytest.approx(DEGREES[:2], rel=1e-12)


@pytest.mark.parametrize("string", [None, ESRI_UTM])
@pytest.mark.parametrize(
    ("unit", "metres"), [("Meters", 1), ("Feet", 0.3048), ("Km", 1000), ("Yards", 0.9144), ("Miles", 1609.344)]
)
def test_units_of_map_info_are_those_of_the_crs_as_gdal_says(tmp_path, unit, metres, string):
    place = ", ".join(repr(number / metres) for number in (365055.0, 5807085.0, 30.0, 30.0))
    text = f"{{UTM, 1, 1, {place}, 33, North, WGS-84, units={unit}}}"
    path = _envi(tmp_path, text, **({"coordinate system string": f"{{{string}}}"} if string else {}))
    grid = _open(path).scene.grid
    with rasterio.open(path.with_suffix(".img")) as dataset:
        assert CRS.from_wkt(grid.crs_wkt) == dataset.crs
    assert CRS.from_wkt(grid.crs_wkt).units_factor[1] == pytest.approx(metres)
    assert grid.transform.c == pytest.approx(365055.0 / metres)


@pytest.mark.parametrize("unit", ["Degrees", "Arcsec"])
def test_a_latitude_beyond_the_poles_is_refused(tmp_path, unit):
    text = f"{{Geographic Lat/Lon, 1, 1, 46857, 188627, 0.54, 0.324, WGS-84, units={unit}}}"
    with pytest.raises(GridError, match=r"x\.img: lies at a latitude of 188627 degrees; -90 to 90 was expected"):
        _open(_envi(tmp_path, text))


def test_a_global_grid_whose_outer_pixels_reach_beyond_the_poles_is_read(tmp_path):
    at = Affine(0.5, 0.0, -180.25, 0.0, -0.5, 90.25)
    path = write_scene(tmp_path / "x.tif", random_pixels(1, 361, 721), transform=at, crs="EPSG:4326")
    assert _open(path).scene.grid.transform == at
