"""Pairs whose grids are odd: placed where the map says, or refused in one line."""

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.warp import transform as project

from odd_pairs import (
    HR,
    LR_AT,
    REGRESSION,
    fused,
    is_like_plain,
    is_well,
    refusal,
    write_hr,
    write_lr,
    write_odd_pair,
)
from pifnet_cli.raster.gdal import gdal_session
from scenes import ROTATED, UTM_33N
from waves import GSD, NORTH_UP

NOWHERE = {"crs": None, "transform": None}
GEOGRAPHIC = "EPSG:4326"


# ----------------------------------------------------------------------------------------------------------- refused


def test_swapped_inputs_are_refused(pifnet, tmp_path):
    lr, hr = write_odd_pair(tmp_path)
    words = "its pixels are as large as 4 x 4 LR-HSI pixels; the HR-MSI must be the finer one"
    assert words in refusal(pifnet, hr, lr)


@pytest.mark.parametrize(
    ("hr", "words"),
    [
        pytest.param(
            {"pixels": HR[:, :12, :15], "transform": LR_AT @ Affine.scale(1.1)},
            "were the two inputs swapped?",
            id="a little coarser",
        ),
        pytest.param(
            {"transform": NORTH_UP @ Affine.scale(0.5, 5)},
            "as large as 1.25 x 0.125 LR-HSI pixels",
            id="finer along rows only",
        ),
    ],
)
def test_an_hr_msi_that_is_not_the_finer_one_is_refused(pifnet, tmp_path, hr, words):
    assert words in refusal(pifnet, *write_odd_pair(tmp_path, hr=hr))


def test_scenes_of_different_ground_are_refused(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, hr={"transform": NORTH_UP @ Affine.translation(900, 0)})
    words = "by 48 x 0 HR pixels, less than one LR pixel; two scenes of the same ground were expected"
    assert words in refusal(pifnet, *pair)


def test_an_overlap_of_half_an_lr_pixel_is_refused(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"transform": LR_AT @ Affine.translation(14.5, 0)})
    assert "by 48 x 2 HR pixels, less than one LR pixel" in refusal(pifnet, *pair)


@pytest.mark.parametrize("scene", ["lr", "hr"])
def test_one_scene_without_crs_is_refused(pifnet, tmp_path, scene):
    pair = write_odd_pair(tmp_path, **{scene: {"crs": None}})
    assert f"{scene}.tif: has no CRS, but" in refusal(pifnet, *pair)


def test_coordinates_that_proj_cannot_bring_to_the_other_crs_are_refused(pifnet, tmp_path):
    of_the_moon = {"crs": "+proj=longlat +R=1737400", "transform": Affine(0.01, 0, 13, 0, -0.01, 52)}
    told = refusal(pifnet, *write_odd_pair(tmp_path, lr=of_the_moon))
    assert "lr.tif: PROJ cannot bring it to the CRS of the other scene (unknown to WGS 84 / UTM zone 33N)" in told


def test_a_scene_beyond_the_pole_is_refused(pifnet, tmp_path):
    beyond = {"crs": GEOGRAPHIC, "transform": Affine(0.5, 0, 13, 0, -0.5, 95)}
    assert "lr.tif: lies at a latitude of 95 degrees" in refusal(pifnet, *write_odd_pair(tmp_path, lr=beyond))


def test_a_crs_without_geotransform_is_refused(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"transform": None})
    assert "lr.tif: has a CRS but no geotransform" in refusal(pifnet, *pair)


def test_a_geotransform_without_area_is_refused(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, hr={"transform": Affine(1, 2, 3, 2, 4, 5)})
    assert "maps pixels to no area" in refusal(pifnet, *pair)


def test_garbage_for_a_position_is_refused(pifnet, tmp_path):
    fields = {"map info": "{UTM, 1, 1, hello, 0, 40, 40, 33, North, WGS-84}"}
    pair = write_odd_pair(tmp_path, lr={"name": "lr.hdr", "fields": fields})
    assert "x in 'map info' is hello" in refusal(pifnet, *pair)


def test_sizes_of_no_common_ratio_are_refused_where_nothing_else_places_the_scenes(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr=NOWHERE, hr=NOWHERE | {"pixels": HR[..., :40]})
    words = "their sizes give different ratios along rows (4.000) and columns (2.667)"
    assert words in refusal(pifnet, *pair)


# ------------------------------------------------------------------------------------------------- placed by the map

# Linear ramps of map coordinates, half explained by the HR-MSI: a grid that is read a tenth of an HR pixel off shows.
SLOPES = np.array([[3e-4, 0], [0, 3e-4], [2e-4, -2e-4], [-1e-4, 3e-4]])
LONGITUDE, LATITUDE = (axis[0] for axis in project(UTM_33N, GEOGRAPHIC, [365500.0], [5806500.0]))


def ramps(transform, height, width, crs=UTM_33N):
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    x, y = transform @ (columns, rows)
    if crs != UTM_33N:
        x, y = (np.reshape(axis, x.shape) for axis in project(crs, UTM_33N, x.ravel(), y.ravel()))
    return np.stack([a * (x - 365000) + b * (y - 5807000) + 10 for a, b in SLOPES]).astype(np.float32)


def ramp_pair(folder, lr_at, hr_at, *, lr_crs=UTM_33N, hr_crs=UTM_33N):
    fine = ramps(hr_at, 72, 80, hr_crs).mean(axis=0, keepdims=True)
    lr = write_lr(folder, ramps(lr_at, 50, 50, lr_crs), transform=lr_at, crs=lr_crs)
    return lr, write_hr(folder, fine, transform=hr_at, crs=hr_crs)


def displacement(result, crs=UTM_33N, *, cut=16):
    """The most that any ramp is displaced by, in HR pixels, borders cut."""
    off = np.abs(result.image - ramps(result.transform, *result.image.shape[1:], crs))[:, cut:-cut, cut:-cut]
    return float((off.max(axis=(1, 2)) / (np.hypot(*SLOPES.T) * GSD)).max())


def test_a_geographic_lr_hsi_keeps_its_place(pifnet, tmp_path):
    lr_at = Affine(6e-4, 0, LONGITUDE - 25 * 6e-4, 0, -3.6e-4, LATITUDE + 25 * 3.6e-4)
    pair = ramp_pair(tmp_path, lr_at, NORTH_UP @ Affine.translation(10, 10), lr_crs=GEOGRAPHIC)
    assert displacement(fused(pifnet, *pair, *REGRESSION)) < 0.02


def test_a_geographic_hr_msi_keeps_its_place(pifnet, tmp_path):
    hr_at = Affine(1.5e-4, 0, LONGITUDE - 6e-3, 0, -0.9e-4, LATITUDE + 3e-3)
    pair = ramp_pair(tmp_path, LR_AT @ Affine.translation(-10, -10), hr_at, hr_crs=GEOGRAPHIC)
    assert displacement(fused(pifnet, *pair, *REGRESSION), GEOGRAPHIC) < 0.02


def test_pixels_of_other_side_lengths_keep_their_place(pifnet, tmp_path):
    pair = ramp_pair(tmp_path, NORTH_UP @ Affine.scale(5.5, 2), NORTH_UP)
    assert displacement(fused(pifnet, *pair, *REGRESSION), cut=20) < 0.02


def test_a_ratio_of_1_25_keeps_its_place(pifnet, tmp_path):
    pair = ramp_pair(tmp_path, NORTH_UP @ Affine.scale(1.25), NORTH_UP)
    assert displacement(fused(pifnet, *pair, *REGRESSION)) < 0.02


# ----------------------------------------------------------------------------------------------------- what is written

PART = {"transform": LR_AT @ Affine.translation(8, 6)}  # its first corner lies amid the HR-MSI


def test_the_part_that_both_scenes_show_is_written(pifnet, tmp_path):
    result = fused(pifnet, *write_odd_pair(tmp_path, lr=PART), *REGRESSION)
    assert result.transform == NORTH_UP @ Affine.translation(30, 22)
    assert result.image.shape == (7, 26, 30)


def test_all_of_the_hr_msi_is_written_where_it_is_asked_for(pifnet, tmp_path):
    result = fused(pifnet, *write_odd_pair(tmp_path, lr=PART), *REGRESSION, "--extent", "hr")
    assert result.transform == NORTH_UP
    assert result.is_valid[:, 22:, 30:].all()
    assert not result.is_valid[:, :22].any()
    assert not result.is_valid[..., :30].any()


# ----------------------------------------------------------------------------------------------- little or no position


def test_without_crs_the_transforms_are_taken_to_share_one(pifnet, tmp_path):
    result = fused(pifnet, *write_odd_pair(tmp_path, lr={"crs": None}, hr={"crs": None}), *REGRESSION)
    assert is_well(result)
    assert "their transforms are taken to share one" in result.told


def test_without_georeferencing_the_corner_is_taken_to_be_shared(pifnet, tmp_path):
    result = fused(pifnet, *write_odd_pair(tmp_path, lr=NOWHERE, hr=NOWHERE), *REGRESSION)
    assert is_well(result)
    assert "the same upper-left corner and a ratio of 4 are assumed" in result.told


def test_a_rotated_pair_without_crs_is_fused_well(pifnet, tmp_path):
    lr, hr = {"crs": None, "transform": ROTATED @ Affine.scale(4)}, {"crs": None, "transform": ROTATED}
    assert is_well(fused(pifnet, *write_odd_pair(tmp_path, lr=lr, hr=hr), *REGRESSION))


def test_us_feet_make_no_difference(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path / "odd", lr={"crs": "EPSG:2263"}, hr={"crs": "EPSG:2263"})
    assert is_like_plain(pifnet, fused(pifnet, *pair, *REGRESSION), tmp_path / "plain", *REGRESSION)


def say_that_coordinates_are_of_centres(path):
    """Rewrite a file so; what GDAL then writes is half a pixel off."""
    before = path.read_bytes()
    with gdal_session(), rasterio.open(path) as dataset:
        profile, pixels = dataset.profile, dataset.read()
    with gdal_session(), rasterio.open(path, "w", **profile) as dataset:
        dataset.update_tags(AREA_OR_POINT="Point")
        dataset.write(pixels)
    corner, centre = np.array([365000.0, 5807000.0]), profile["transform"] @ (0.5, 0.5)
    assert corner.tobytes() in before
    assert corner.tobytes() not in path.read_bytes()
    assert np.array(centre).tobytes() in path.read_bytes()


def test_coordinates_of_pixel_centres_make_no_difference(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path / "odd")
    for path in pair:
        say_that_coordinates_are_of_centres(path)
    assert is_like_plain(pifnet, fused(pifnet, *pair, *REGRESSION), tmp_path / "plain", *REGRESSION)
