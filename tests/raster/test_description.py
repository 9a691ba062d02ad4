import numpy as np
import pytest
import rasterio

from pifnet_cli.errors import BandsError, SceneReadError
from pifnet_cli.raster.gdal import gdal_session
from pifnet_cli.raster.reader import open_scene
from scenes import random_pixels, write_scene

STORED = np.array([[[100, 200]], [[300, 400]]], dtype="int16")


def _scene(tmp_path, stored=STORED, **fields):
    spelled = {name.replace("_", " "): value for name, value in fields.items()}
    return write_scene(tmp_path / "x.hdr", stored, fields=spelled)


def _read(path):
    with open_scene(path) as reader:
        return reader.scene, reader.read()


def test_the_reflectance_scale_factor_divides(tmp_path):
    scene, pixels = _read(_scene(tmp_path, reflectance_scale_factor="10000.000000"))
    assert scene.scales == (1e-4, 1e-4)
    np.testing.assert_allclose(pixels[:, 0], [[0.01, 0.02], [0.03, 0.04]], rtol=1e-7)


def test_gains_and_factor_that_agree_are_applied_once(tmp_path):
    path = _scene(tmp_path, reflectance_scale_factor="10000", data_gain_values="{0.0001, 0.0001}")
    np.testing.assert_allclose(_read(path)[1][:, 0], [[0.01, 0.02], [0.03, 0.04]], rtol=1e-7)


def test_gains_and_factor_that_disagree_are_refused(tmp_path):
    path = _scene(tmp_path, reflectance_scale_factor="10000", data_gain_values="{0.02, 0.02}")
    with pytest.raises(SceneReadError, match=r"both gains .* and a reflectance scale factor of 10000"):
        open_scene(path)


@pytest.mark.parametrize("factor", ["0", "-1", "nan", "inf"])
def test_a_scale_factor_must_be_positive(tmp_path, factor):
    with pytest.raises(SceneReadError, match=f"reflectance scale factor is {factor}; a positive number"):
        open_scene(_scene(tmp_path, reflectance_scale_factor=factor))


@pytest.mark.parametrize(
    ("fields", "error", "message"),
    [
        ({"data_gain_values": "{1, 2, 3}"}, BandsError, "'data gain values' has 3 entries"),
        ({"data_offset_values": "{1}"}, BandsError, "'data offset values' has 1 entries"),
        ({"data_gain_values": "{1, big}"}, SceneReadError, "'data gain values' holds 'big'"),
        ({"data_gain_values": "{1, 0}"}, SceneReadError, "a band's gain is 0"),
        ({"data_ignore_value": "nothing"}, SceneReadError, "'data ignore value' holds 'nothing'"),
        (
            {"data_ignore_value": "-99999"},
            SceneReadError,
            "-99999 cannot occur in int16 pixels; .* from -32768 to 32767",
        ),
        ({"data_ignore_value": "0.5"}, SceneReadError, "0.5 cannot occur in int16"),
        ({"data_ignore_value": "nan"}, SceneReadError, "nan cannot occur in int16"),
    ],
)
def test_damaged_scaling_and_nodata_are_refused(tmp_path, fields, error, message):
    with pytest.raises(error, match=rf"x\.hdr: .*{message}"):
        open_scene(_scene(tmp_path, **fields))


@pytest.mark.parametrize("text", ["100", "100.0", "1e2", "+100"])
def test_a_whole_nodata_value_may_be_written_in_any_way(tmp_path, text):
    scene, pixels = _read(_scene(tmp_path, data_ignore_value=text))
    assert scene.nodata == 100
    assert np.isnan(pixels).sum() == 1


def test_a_nodata_value_of_64_bits_keeps_them(tmp_path):
    nodata = 2**63 - 1
    stored = np.array([[[nodata, nodata - 1]]], dtype="int64")
    scene, pixels = _read(_scene(tmp_path, stored, data_ignore_value=str(nodata)))
    assert scene.nodata == nodata
    assert np.isnan(pixels[0, 0]).tolist() == [True, False]


@pytest.mark.parametrize("text", ["-1.7976931348623157e+308", "-3.4028235e+38", "-3.402823466e+38"])
def test_a_nodata_value_beyond_float32_is_its_lowest_number(tmp_path, text):
    lowest = float(np.finfo("float32").min)
    stored = np.array([[[lowest, 7]]], dtype="float32")
    scene, pixels = _read(_scene(tmp_path, stored, data_ignore_value=text))
    assert scene.nodata == pytest.approx(lowest, rel=1e-9)
    assert abs(scene.nodata) <= -lowest
    assert np.isnan(pixels[0, 0]).tolist() == [True, False]


@pytest.mark.parametrize("nodata", [2**63 - 1, -(2**63)])
def test_a_geotiff_s_nodata_value_of_64_bits_is_found(tmp_path, nodata):
    path = write_scene(tmp_path / "x.tif", np.array([[[nodata, 5]]], dtype="int64"), nodata=-(2.0**63))
    noted = b"-9.2233720368547758e+18"  # as rasterio lets GDAL write it; GDAL itself writes all digits
    content = path.read_bytes()
    assert noted in content
    path.write_bytes(content.replace(noted, str(nodata).encode().ljust(len(noted), b"\0")))
    scene, pixels = _read(path)
    assert scene.nodata == nodata
    assert np.isnan(pixels[0, 0]).tolist() == [True, False]


def test_nodata_set_beside_an_envi_file_counts(tmp_path):
    path = _scene(tmp_path)
    with rasterio.open(path.with_suffix(".img"), "r+") as dataset:
        dataset.nodata = 300
    assert np.isnan(_read(path)[1]).sum() == 1


def test_a_geotiff_nodata_value_its_type_cannot_hold_is_not_used(tmp_path):
    path = write_scene(tmp_path / "x.tif", STORED)
    content = path.read_bytes()
    with gdal_session(), rasterio.open(path, "r+") as dataset:
        dataset.nodata = 77
    # GDAL_NODATA is text in the file: make it one that int16 cannot hold
    changed = path.read_bytes().replace(b"77\0", b"1e9", 1)
    assert changed != content
    path.write_bytes(changed)
    assert _read(path)[0].nodata is None


def test_what_is_known_of_the_acquisition_is_kept(tmp_path):
    path = _scene(
        tmp_path, description="{a flight,\n in May}", sensor_type="HySpex", acquisition_time="2024-05-01T10:00"
    )
    assert dict(_read(path)[0].acquisition) == {
        "description": "a flight, in May",
        "sensor type": "HySpex",
        "acquisition time": "2024-05-01T10:00",
    }


def test_a_scale_factor_in_the_envi_domain_of_a_geotiff_counts(tmp_path):
    path = write_scene(tmp_path / "x.tif", random_pixels(2, 3, 4, dtype="int16"))
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(ns="ENVI", reflectance_scale_factor="10000")
    assert _read(path)[0].scales == (1e-4, 1e-4)
