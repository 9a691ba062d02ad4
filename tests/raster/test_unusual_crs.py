"""Coordinate systems that GeoTIFF keys or ENVI headers cannot hold: kept, or refused, never lost."""

from dataclasses import replace

import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from pifnet_cli.choices import Overwrite
from pifnet_cli.errors import GridError, SceneWriteError
from pifnet_cli.raster.publishing.verification import verify
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.raster.writer import WriteOptions, create_scene, require_creatable
from pifnet_cli.scene import Bands, Grid, Scene
from scenes import NORTH_UP, random_pixels, write_scene

ROTATED_POLE = "+proj=ob_tran +o_proj=longlat +o_lon_p=-162 +o_lat_p=39.25 +lon_0=180 +datum=WGS84"
NO_KEYS = {
    "ellipsoidal height": "EPSG:32633+4326",
    "perspective": "+proj=nsper +h=5500000 +lat_0=52 +lon_0=13 +datum=WGS84",
    "rotated pole": ROTATED_POLE,
    "shifted datum": "+proj=tmerc +lat_0=0 +lon_0=9 +ellps=bessel +towgs84=1,2,3,4,5,6,7 +type=crs",
}
KEYS = ["EPSG:32633", "EPSG:4326", "EPSG:3035", "EPSG:8857", "ESRI:54009", "+proj=sinu +R=6371007.181"]
IN_DEGREES = Affine(1e-4, 0.0, 13.0, 0.0, -1e-4, 52.0)
PIXELS = random_pixels(2, 5, 7)
OPTIONS = WriteOptions(Overwrite.REPLACE)


def scene_at(path, crs):
    known = CRS.from_user_input(crs)
    return Scene(path, Grid(5, 7, IN_DEGREES if known.is_geographic else NORTH_UP, known.to_wkt()), Bands(2))


def write(path, crs):
    scene = scene_at(path, crs)
    with create_scene(scene, OPTIONS) as writer:
        writer.write(PIXELS, scene.grid.window)


def crs_of(path):
    with rasterio.open(path) as dataset:
        return dataset.crs


def left(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("crs", [*KEYS, *NO_KEYS.values()], ids=[*KEYS, *NO_KEYS])
def test_a_geotiff_keeps_its_crs(tmp_path, crs):
    write(tmp_path / "o.tif", crs)
    assert crs_of(tmp_path / "o.tif") == CRS.from_user_input(crs)
    with open_scene(tmp_path / "o.tif") as reader:
        assert CRS.from_wkt(reader.scene.grid.crs_wkt) == CRS.from_user_input(crs)


@pytest.mark.parametrize("crs", KEYS)
def test_nothing_lies_beside_a_geotiff_whose_keys_hold_its_crs(tmp_path, crs):
    write(tmp_path / "o.tif", crs)
    assert left(tmp_path) == ["o.tif"]


def test_a_crs_beside_a_geotiff_goes_with_the_next_run(tmp_path):
    write(tmp_path / "o.tif", ROTATED_POLE)
    assert left(tmp_path) == ["o.tif", "o.tif.aux.xml"]
    write(tmp_path / "o.tif", "EPSG:32633")
    assert left(tmp_path) == ["o.tif"]
    assert crs_of(tmp_path / "o.tif") == CRS.from_epsg(32633)


def test_a_failed_run_leaves_no_crs_beside(tmp_path):
    def fail():
        with create_scene(scene_at(tmp_path / "o.tif", ROTATED_POLE), OPTIONS):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert left(tmp_path) == []


def test_an_envi_header_without_words_for_a_crs_is_refused_before_any_work(tmp_path):
    words = r"o\.img: an ENVI header cannot hold this coordinate system .*; write GeoTIFF \(\.tif\)"
    with pytest.raises(GridError, match=words):
        require_creatable(scene_at(tmp_path / "o.hdr", ROTATED_POLE), OPTIONS)


@pytest.mark.parametrize("crs", [KEYS[0], KEYS[1], KEYS[2], NO_KEYS["perspective"], NO_KEYS["ellipsoidal height"]])
def test_an_envi_header_keeps_what_it_has_words_for(tmp_path, crs):
    write(tmp_path / "o.hdr", crs)
    with open_scene(tmp_path / "o.hdr") as reader:
        assert CRS.from_wkt(reader.scene.grid.crs_wkt) == CRS.from_user_input(crs)


@pytest.mark.parametrize("name", ["o.tif", "o.img"])
def test_an_output_with_another_crs_or_none_is_not_what_was_written(tmp_path, name):
    path = write_scene(tmp_path / name, PIXELS)
    with open_scene(path) as reader:
        scene = reader.scene
    for other in (CRS.from_epsg(32634).to_wkt(), None):
        with pytest.raises(SceneWriteError, match="its coordinate system is another one when read again"):
            verify(path, replace(scene, grid=replace(scene.grid, crs_wkt=other)))


def test_a_simulated_pair_keeps_its_crs(pifnet, tmp_path):
    scene = write_scene(tmp_path / "s.tif", random_pixels(6, 24, 40))
    (tmp_path / "s.tif.aux.xml").write_text(
        f"<PAMDataset><SRS>{CRS.from_user_input('EPSG:32633+4326').to_wkt()}</SRS></PAMDataset>"
    )
    assert pifnet("simulate", scene, "-o", tmp_path / "pair", "--ratio", "2", "--srf", "boxes:3").code == 0
    for name in ("lr_hsi.tif", "hr_msi.tif", "reference.tif"):
        assert crs_of(tmp_path / "pair" / name) == CRS.from_user_input("EPSG:32633+4326")
