"""Files that are no scenes, or not placed by a geotransform: refused in one line that says what to do."""

import rasterio
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC

from odd_pairs import HR, REGRESSION, fused, is_like_plain, refusal, write_hr, write_lr, write_odd_pair
from pifnet_cli.raster.gdal import gdal_session
from scenes import UTM_33N

NOWHERE = {"crs": None, "transform": None}


def test_control_points_are_refused_with_the_command_that_rectifies(pifnet, tmp_path):
    lr, hr = write_odd_pair(tmp_path, hr=NOWHERE)
    points = [GroundControlPoint(row, column, column * 10.0, row * 10.0) for row in (0, 40) for column in (0, 50)]
    with gdal_session(), rasterio.open(hr, "r+") as dataset:
        dataset.gcps = (points, rasterio.CRS.from_user_input(UTM_33N))
    words = "control points only; a geotransform was expected; rectify it first: gdalwarp -t_srs EPSG:32633 -tps "
    assert f"{words}{hr} OUT.tif" in refusal(pifnet, lr, hr)


def test_rpcs_are_refused_with_the_command_that_orthorectifies(pifnet, tmp_path):
    lr, hr = write_odd_pair(tmp_path, hr=NOWHERE)
    ones = [1.0] + [0.0] * 19
    names = ("height_off", "height_scale", "lat_off", "lat_scale", "line_off", "line_scale", "long_off", "long_scale")
    with gdal_session(), rasterio.open(hr, "r+") as dataset:
        dataset.rpcs = RPC(
            **dict.fromkeys((*names, "samp_off", "samp_scale"), 1.0),
            line_den_coeff=ones, line_num_coeff=ones, samp_den_coeff=ones, samp_num_coeff=ones,
        )  # fmt: skip
    words = "by RPCs only; a geotransform was expected; orthorectify it first: gdalwarp -rpc"
    assert words in refusal(pifnet, lr, hr)


def test_geolocation_arrays_are_refused_with_the_command_that_rectifies(pifnet, tmp_path):
    lr, hr = write_odd_pair(tmp_path, lr=NOWHERE)
    with gdal_session(), rasterio.open(lr, "r+") as dataset:
        dataset.update_tags(ns="GEOLOCATION", X_DATASET="lon.tif", Y_DATASET="lat.tif", X_BAND="1", Y_BAND="1",
                            LINE_OFFSET="0", LINE_STEP="1", PIXEL_OFFSET="0", PIXEL_STEP="1")  # fmt: skip
    words = "arrays only; a geotransform was expected; rectify it first: gdalwarp -geoloc -t_srs EPSG:CODE "
    assert f"{words}{lr} OUT.tif" in refusal(pifnet, lr, hr)


def test_a_truncated_file_is_refused(pifnet, tmp_path):
    lr, hr = write_odd_pair(tmp_path, lr={"name": "lr.img"})
    lr.write_bytes(lr.read_bytes()[:-100])
    assert "lr.img" in refusal(pifnet, lr, hr)


def test_an_absent_file_is_refused(pifnet, tmp_path):
    assert "absent.hdr" in refusal(pifnet, tmp_path / "absent.hdr", write_hr(tmp_path))


def test_a_header_without_data_file_is_refused(pifnet, tmp_path):
    lr, hr = write_odd_pair(tmp_path, lr={"name": "lr.hdr"})
    lr.with_suffix(".img").unlink()
    assert "lr.hdr" in refusal(pifnet, lr, hr)


def test_a_folder_is_refused(pifnet, tmp_path):
    (tmp_path / "folder.tif").mkdir()
    assert "folder.tif" in refusal(pifnet, write_lr(tmp_path), tmp_path / "folder.tif")


def test_a_text_is_refused(pifnet, tmp_path):
    (tmp_path / "notes.tif").write_text("not a raster")
    assert "notes.tif" in refusal(pifnet, write_lr(tmp_path), tmp_path / "notes.tif")


def test_complex_pixels_are_refused(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, hr={"pixels": HR.astype("complex64")})
    assert "its pixels are complex" in refusal(pifnet, *pair)


def test_big_endian_lines_after_a_header_make_no_difference(pifnet, tmp_path):
    lr = {"name": "lr.hdr", "interleave": "bil", "byte_order": 1, "header_offset": 77}
    result = fused(pifnet, *write_odd_pair(tmp_path / "odd", lr=lr), *REGRESSION)
    assert is_like_plain(pifnet, result, tmp_path / "plain", *REGRESSION)
