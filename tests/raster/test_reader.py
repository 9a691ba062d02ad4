import logging
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio

from pifnet_cli.errors import BandsError, SceneReadError
from pifnet_cli.raster.reader import bands_with_pixels, open_scene
from pifnet_cli.scene import WavelengthUnit, Window
from scenes import NORTH_UP, random_pixels, write_scene

C, H, W = 7, 24, 40
TYPES = ["uint8", "int16", "int32", "float32", "float64", "uint16", "uint32", "int64", "uint64"]
WAVELENGTHS = (418.24, 423.874, 902.257, 993.083, 911.5700000000001, 2445.53, 2445.53)
FWHM = (6.99561, 7.1, 9.17725, 11.3624, 10.0, 12.0, 12.5)
NAMES = ("blue", "B2", "B3", "B4", "B5", "B6", "grün µ")


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("byte_order", [0, 1])
@pytest.mark.parametrize("interleave", ["bsq", "bil", "bip"])
def test_every_envi_layout_gives_the_same_pixels(tmp_path, dtype, byte_order, interleave):
    pixels = random_pixels(C, H, W, dtype=dtype)
    path = write_scene(
        tmp_path / "x.img", pixels, interleave=interleave, byte_order=byte_order, header_offset=17, crs=None
    )
    with open_scene(path) as reader:
        assert reader.scene.dtype == dtype
        np.testing.assert_array_equal(reader.read(), pixels.astype("float32"))
        window = Window(5, 11, 13, 17)
        np.testing.assert_array_equal(reader.read(window), pixels[:, 5:18, 11:28].astype("float32"))
        np.testing.assert_array_equal(reader.read(window, bands=[4, 0]), pixels[[4, 0], 5:18, 11:28].astype("float32"))


@pytest.mark.parametrize("dtype", [*TYPES, "int8"])
@pytest.mark.parametrize("interleave", ["band", "pixel"])
def test_every_geotiff_layout_gives_the_same_pixels(tmp_path, dtype, interleave):
    pixels = random_pixels(C, H, W, dtype=dtype)
    profile = {"interleave": interleave, "tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}
    with open_scene(write_scene(tmp_path / "x.tif", pixels, profile=profile)) as reader:
        np.testing.assert_array_equal(reader.read(), pixels.astype("float32"))
        part = reader.read(Window(5, 11, 13, 17), bands=[4, 0])
        np.testing.assert_array_equal(part, pixels[[4, 0], 5:18, 11:28].astype("float32"))
        assert part.dtype == np.float32


def test_single_pixels_and_single_bands_are_scenes(tmp_path):
    for name in ("x.tif", "x.img"):
        with open_scene(write_scene(tmp_path / name, random_pixels(1, 1, 1))) as reader:
            assert reader.read().shape == (1, 1, 1)


@pytest.mark.parametrize("name", ["x.tif", "x.img"])
def test_a_window_outside_the_scene_is_refused(tmp_path, name):
    with open_scene(write_scene(tmp_path / name, random_pixels(2, H, W))) as reader:
        for window in (Window(0, 0, H + 1, W), Window(-1, 0, 4, 4), Window(0, 38, 4, 4), Window(3, 3, 0, 4)):
            with pytest.raises(SceneReadError, match="the scene has 24 rows and 40 columns"):
                reader.read(window)


@pytest.mark.parametrize("name", ["x.tif", "x.hdr"])
def test_bands_are_described_to_the_last_digit(tmp_path, name):
    path = write_scene(
        tmp_path / name,
        random_pixels(C, H, W),
        wavelengths=WAVELENGTHS,
        fwhm=FWHM,
        good=(1, 1, 0, 0, 1, 1, 1),
        names=NAMES,
    )
    with open_scene(path) as reader:
        bands = reader.scene.bands
    assert bands.wavelengths == WAVELENGTHS
    assert bands.fwhm == FWHM
    assert bands.unit is WavelengthUnit.NANOMETERS
    assert bands.good == (True, True, False, False, True, True, True)
    assert bands.names == NAMES


def test_a_plain_file_describes_nothing(tmp_path):
    path = write_scene(tmp_path / "x.img", random_pixels(2, H, W), transform=None, crs=None)
    with open_scene(path) as reader:
        bands, scene = reader.scene.bands, reader.scene
    assert (bands.names, bands.wavelengths, bands.fwhm, bands.unit, bands.good) == (None,) * 5
    assert (scene.nodata, scene.scales, scene.offsets, scene.grid.crs_wkt) == (None,) * 4
    assert reader.remarks == ()


@pytest.mark.parametrize("name", ["x.tif", "x.img"])
def test_scale_offset_and_nodata_apply_to_stored_numbers(tmp_path, name):
    stored = np.array([[[-32768, 100]], [[-32768, 100]]], dtype="int16")
    path = write_scene(tmp_path / name, stored, nodata=-32768, scales=(0.5, 2.0), offsets=(0.0, 1.0))
    with open_scene(path) as reader:
        assert np.isnan(reader.read()[:, 0, 0]).all()
        assert reader.read()[:, 0, 1].tolist() == [50.0, 201.0]
        assert (reader.scene.scales, reader.scene.offsets, reader.scene.nodata) == ((0.5, 2.0), (0.0, 1.0), -32768)


@pytest.mark.parametrize("name", ["x.tif", "x.img"])
@pytest.mark.parametrize("nodata", [None, -9999.0, "nan", 1e20])
def test_infinity_and_nan_are_always_invalid(tmp_path, name, nodata):
    pixels = np.array(
        [[[np.nan, np.inf, -np.inf, 4.0, -9999.0 if nodata == "nan" else float(nodata or 5)]]], dtype="float32"
    )
    path = write_scene(tmp_path / name, pixels, nodata=None if nodata is None else float(nodata))
    with open_scene(path) as reader:
        invalid = np.isnan(reader.read()[0, 0]).tolist()
    assert invalid == [True, True, True, False, nodata in (-9999.0, 1e20)]


def test_a_mask_inside_a_geotiff_makes_pixels_invalid(tmp_path):
    path = write_scene(tmp_path / "x.tif", random_pixels(3, 4, 5))
    mask = np.full((4, 5), 255, dtype="uint8")
    mask[1, 2] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(mask)
    with open_scene(path) as reader:
        assert np.isnan(reader.read()).sum(axis=(1, 2)).tolist() == [1, 1, 1]
        assert np.isnan(reader.read(Window(1, 2, 1, 1), bands=[1])).all()


@pytest.mark.parametrize("point", [False, True])
def test_pixel_is_point_shifts_nothing_twice(tmp_path, point):
    path = write_scene(tmp_path / "x.tif", random_pixels(1, H, W))
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(AREA_OR_POINT="Point" if point else "Area")
    with open_scene(path) as reader:
        assert reader.scene.grid.transform == NORTH_UP


def test_missing_georeferencing_raises_no_warning(tmp_path):
    for name in ("x.tif", "x.img"):
        path = write_scene(tmp_path / name, random_pixels(1, H, W), transform=None, crs=None)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with open_scene(path) as reader:
                reader.read()
                assert not reader.scene.grid.is_georeferenced


def test_remarks_are_logged_once(tmp_path, caplog):
    path = write_scene(tmp_path / "x.img", random_pixels(2, H, W), wavelengths=(0.4, 0.5), unit=None)
    with caplog.at_level(logging.WARNING), open_scene(path) as reader:
        assert [record.message for record in caplog.records] == list(reader.remarks)
    assert "micrometers are inferred" in reader.remarks[0]


@pytest.mark.parametrize("name", ["x.tif", "x.img"])
def test_a_file_cut_after_opening_is_an_error_not_zeros(tmp_path, name):
    path = write_scene(tmp_path / name, random_pixels(2, 300, 300))
    with open_scene(path) as reader:
        with path.open("r+b") as file:
            file.truncate(path.stat().st_size // 2)
        with pytest.raises(SceneReadError, match=r"cannot be read .*is the file complete"):
            reader.read()


def test_a_truncated_geotiff_is_refused_when_read(tmp_path):
    path = write_scene(tmp_path / "x.tif", random_pixels(2, 300, 300), profile={"compress": "deflate", "tiled": True})
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(SceneReadError, match=r"x\.tif: .*is the file complete"), open_scene(path) as reader:
        reader.read()


def test_damaged_geotiff_bytes_are_refused(tmp_path):
    path = tmp_path / "x.tif"
    path.write_bytes(b"II*\0" + bytes(range(200)))
    with pytest.raises(SceneReadError, match=r"x\.tif: cannot be opened as GTiff"):
        open_scene(path)


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files are counted in /proc")
def test_a_failed_opening_leaves_no_file_open(tmp_path):
    path = write_scene(tmp_path / "x.tif", random_pixels(2, H, W), good=("1", "x"))
    before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(BandsError):
        open_scene(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_an_envi_header_beside_a_tiff_describes_it(tmp_path):
    path = write_scene(tmp_path / "x.tif", random_pixels(2, H, W))
    header = tmp_path / "x.hdr"
    header.write_text("ENVI\nfile type = TIFF\nbands = 2\nwavelength = {0.41,0.52}\nwavelength units = Micrometers\n")
    for name in (path, header):
        with open_scene(name) as reader:
            assert reader.driver == "GTiff"
            assert reader.scene.bands.wavelengths == (0.41, 0.52)
            assert reader.scene.grid.transform == NORTH_UP


def test_real_enmap_is_read_as_its_readme_says(real_data):
    path = next((real_data / "enmap_potsdam").glob("*.tif"))
    with open_scene(path) as reader:
        bands, pixels = reader.scene.bands, reader.read()
    assert (bands.count, reader.scene.dtype, reader.scene.nodata) == (224, "int16", -32768)
    assert (bands.wavelengths[0], bands.wavelengths[-1]) == (418.24, 2445.53)
    steps = np.diff(bands.wavelengths_nm)
    assert np.flatnonzero(steps <= 0).tolist() == [90]  # band 92 lies below band 91
    bad = [band for band, good in enumerate(bands.good, start=1) if not good]
    assert bad == [130, 131, 132, 133, 134, 135]
    assert (np.flatnonzero(np.isnan(pixels).all(axis=(1, 2))) + 1).tolist() == bad
    assert bands.names[0] == "band 1"
    with rasterio.open(path) as dataset:
        stored = dataset.read(1)
    np.testing.assert_array_equal(pixels[0], np.where(stored == -32768, np.nan, stored).astype("float32"))


def test_real_rotated_aviris_is_read_on_its_grid(real_data):
    with open_scene(real_data / "aviris_rotated_envi" / "AV_mastercal_testdata.hdr") as reader:
        scene = reader.scene
    with rasterio.open(reader.path) as dataset:
        assert scene.grid.transform.almost_equals(dataset.transform, 1e-9)
    assert scene.grid.gsd == pytest.approx((14.9, 14.9))
    assert scene.bands.unit is WavelengthUnit.NANOMETERS
    assert "inferred" in reader.remarks[0]


def test_scenes_are_values(tmp_path):
    with open_scene(write_scene(tmp_path / "x.tif", random_pixels(1, H, W))) as reader:
        assert replace(reader.scene, path=reader.path) == reader.scene


def test_a_part_of_the_bands_is_a_scene_of_its_own(tmp_path):
    pixels = random_pixels(5, 6, 8, dtype="int16")
    scales, names = [0.1, 0.2, 0.3, 0.4, 0.5], list("abcde")
    path = write_scene(
        tmp_path / "x.tif",
        pixels,
        scales=scales,
        names=names,
        wavelengths=[500, 510, 520, 530, 540],
        good=[1, 0, 1, 1, 0],
    )
    with open_scene(path) as reader:
        part = reader.cut([3, 0, 2]).cut([0, 2])
        assert part.scene.bands.count == 2
        assert part.scene.bands.names == ("d", "c")
        assert part.scene.bands.wavelengths == (530, 520)
        assert part.scene.bands.good == (True, True)
        assert part.scene.scales == (0.4, 0.3)
        expected = pixels[[3, 2]] * np.array([0.4, 0.3])[:, None, None]
        np.testing.assert_allclose(part.read(), expected, rtol=1e-6)
        np.testing.assert_allclose(part.read(bands=[1]), expected[1:], rtol=1e-6)
        np.testing.assert_allclose(reader.read(bands=[1]), pixels[1:2] * 0.2, rtol=1e-6)


@pytest.mark.parametrize("block_size", [16, 256])
def test_a_band_counts_from_its_only_pixel_on(block_size: int, tmp_path: Path) -> None:
    image = np.full((5, 40, 24), -1, dtype=np.float32)
    image[1], image[3, 39, 23] = 2, 3
    with open_scene(write_scene(tmp_path / "scene.tif", image, nodata=-1)) as scene:
        assert bands_with_pixels(scene, range(5), block_size=block_size) == {1, 3}
        assert bands_with_pixels(scene, [0, 3], block_size=block_size) == {3}
