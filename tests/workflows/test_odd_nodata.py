"""Holes: nodata stays nodata, costs nothing around it, and leaves something to fuse or is refused."""

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp

from odd_pairs import (
    GSA,
    HR,
    KRIGING,
    LR,
    RATIO,
    REGRESSION,
    WELL,
    error,
    fused,
    is_well_but,
    refusal,
    spoiled,
    ten_thousandths,
    write_odd_pair,
)
from pifnet_cli.raster.gdal import gdal_session
from waves import NODATA

EMPTY_LR, EMPTY_HR = {"pixels": np.full_like(LR, NODATA)}, {"pixels": np.full_like(HR, NODATA)}
LR_BELOW = {"pixels": spoiled(LR, ..., slice(0, 6), slice(None))}
HR_ABOVE = {"pixels": spoiled(HR, ..., slice(20, 48), slice(None))}


def pair_with_holes(folder, *, lr=None, hr=None):
    """A pair whose files declare nodata where they are said to have some."""
    lr, hr = ({} if how is None else how | {"nodata": NODATA} for how in (lr, hr))
    return write_odd_pair(folder, lr=lr, hr=hr)


# ----------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize("empty", [{"lr": EMPTY_LR}, {"hr": EMPTY_HR}], ids=["LR-HSI", "HR-MSI"])
def test_a_scene_of_nothing_but_nodata_is_refused(pifnet, tmp_path, empty):
    assert "no LR pixel is valid in both scenes (" in refusal(pifnet, *pair_with_holes(tmp_path, **empty))


@pytest.mark.parametrize(
    ("dtype", "number", "words"),
    [
        ("uint16", "-9999", "-9999 cannot occur in uint16 pixels; a whole number from 0 to 65535 was expected"),
        ("uint16", "nan", "nan cannot occur in uint16 pixels"),
        ("float32", "1e39", "1e+39 cannot occur in float32 pixels; a number from -3.40282e+38 to 3.40282e+38"),
    ],
)
def test_nodata_that_the_type_cannot_hold_is_refused(pifnet, tmp_path, dtype, number, words):
    lr = ten_thousandths(dtype) if dtype == "uint16" else LR
    told = refusal(pifnet, *write_odd_pair(tmp_path, lr={"pixels": lr}), "--hsi-nodata", number)
    assert f"lr.tif: the nodata value {words}" in told


@pytest.mark.parametrize("option", ["--nodata", "--hsi-nodata", "--msi-nodata"])
def test_nodata_that_is_no_number_is_a_bad_option(pifnet, tmp_path, option):
    told = refusal(pifnet, *write_odd_pair(tmp_path), option, "zero", code=2)
    assert f"{option} zero: a number, nan or none was expected" in told


def test_scenes_that_are_valid_in_different_places_are_refused(pifnet, tmp_path):
    told = refusal(pifnet, *pair_with_holes(tmp_path, lr=LR_BELOW, hr=HR_ABOVE))
    assert "one has nodata where the other has pixels; check nodata values with: pifnet info FILE" in told


# ------------------------------------------------------------------------------------------------------------- fused


def test_pixels_that_are_no_number_are_holes(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, hr={"pixels": spoiled(HR, 1, slice(14, 18), 20, value=np.nan)})
    assert is_well_but(fused(pifnet, *pair, *REGRESSION), slice(None), slice(14, 18), 20)


def test_infinity_is_a_hole(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, hr={"pixels": spoiled(HR, 0, 9, 9, value=np.inf)})
    assert is_well_but(fused(pifnet, *pair, *REGRESSION), slice(None), 9, 9)


LOWEST = float(np.finfo(np.float32).min)
LR_LOWEST = {"pixels": spoiled(LR, ..., slice(0, 4), value=LOWEST)}


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"name": "lr.hdr", "fields": {"data ignore value": "-3.40282e+38"}}, id="six digits, ENVI"),
        pytest.param({"name": "lr.hdr", "fields": {"data ignore value": "-3.402823e+38"}}, id="seven digits, ENVI"),
        pytest.param({"name": "lr.hdr", "fields": {"data ignore value": f"{-1e308!r}"}}, id="beyond float32, ENVI"),
        pytest.param({"nodata": -3.40282e38}, id="six digits, GeoTIFF"),
        pytest.param({"nodata": -3.4e38}, id="two digits, GeoTIFF"),
        pytest.param({}, id="not declared"),
    ],
)
def test_float32_s_lowest_number_is_a_hole_however_it_is_declared(pifnet, tmp_path, how):
    result = fused(pifnet, *write_odd_pair(tmp_path, lr=LR_LOWEST | how), *REGRESSION)
    assert is_well_but(result, ..., slice(0, 4 * RATIO))


LR_ZEROS, HR_SEVENS = spoiled(LR, ..., slice(0, 4), value=0), spoiled(HR, ..., slice(40, 60), value=7)


@pytest.mark.parametrize("name", ["lr.tif", "lr.hdr"])
@pytest.mark.parametrize("declared", [None, -1.0])
def test_nodata_that_is_told_counts_in_place_of_what_the_file_declares(pifnet, tmp_path, name, declared):
    pair = write_odd_pair(tmp_path, lr={"pixels": LR_ZEROS, "name": name, "nodata": declared})
    assert is_well_but(fused(pifnet, *pair, *REGRESSION, "--hsi-nodata", "0"), ..., slice(0, 4 * RATIO))


def test_nodata_of_one_scene_wins_over_that_of_both(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"pixels": LR_ZEROS}, hr={"pixels": HR_SEVENS})
    result = fused(pifnet, *pair, *REGRESSION, "--nodata", "0", "--msi-nodata", "7.0")
    holes = [np.where(image == number, np.nan, image) for image, number in ((LR_ZEROS, 0), (HR_SEVENS, 7))]
    expected = fused(
        pifnet, *write_odd_pair(tmp_path / "nan", lr={"pixels": holes[0]}, hr={"pixels": holes[1]}), *REGRESSION
    )
    np.testing.assert_array_equal(result.image, expected.image)
    assert not result.is_valid[..., [*range(4 * RATIO), *range(40, 60)]].any()


def test_nodata_may_be_none(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, hr={"pixels": spoiled(HR, 0, 9, 9, value=0.5), "nodata": 0.5})
    assert not fused(pifnet, *pair, *REGRESSION).is_valid.all()
    assert fused(pifnet, *pair, *REGRESSION, "--overwrite", "--nodata", "none").is_valid.all()


def test_a_declared_nodata_that_cannot_occur_may_be_overridden(pifnet, tmp_path):
    lr = {"pixels": ten_thousandths("int16"), "name": "lr.hdr", "nodata": -99999}
    assert fused(pifnet, *write_odd_pair(tmp_path, lr=lr), *REGRESSION, "--hsi-nodata", "none").is_valid.all()


def test_the_page_leaves_out_the_same_pixels(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"pixels": LR_ZEROS}, hr={"pixels": HR_SEVENS})
    page = tmp_path / "page.html"
    result = fused(pifnet, *pair, *REGRESSION, "--hsi-nodata", "0", "--msi-nodata", "7", "--report", page)
    assert result.is_valid.any()
    assert "hsi nodata" in page.read_text(encoding="utf-8")


def test_an_estimate_is_that_of_the_file_that_declares_it(pifnet, tmp_path):
    sides = ("declared", {"nodata": 0}, ()), ("told", {}, ("--hsi-nodata", "0"))
    told = []
    for folder, how, options in sides:
        run = pifnet("estimate", *write_odd_pair(tmp_path / folder, lr={"pixels": LR_ZEROS} | how), "--json", *options)
        assert run.code == 0, run.err
        told.append(run.out)
    assert told[0] == told[1]


def test_scores_by_a_pair_are_those_of_files_that_declare_it(pifnet, tmp_path):
    sides = ("declared", (0, 7), ()), ("told", (None, None), ("--nodata", "0", "--msi-nodata", "7"))
    told = []
    for folder, (of_lr, of_hr), options in sides:
        lr, hr = {"pixels": LR_ZEROS, "nodata": of_lr}, {"pixels": HR_SEVENS, "nodata": of_hr}
        pair = write_odd_pair(tmp_path / folder, lr=lr, hr=hr)
        fused(pifnet, *pair, *REGRESSION, *options)
        words = ("--lr", pair[0], "--hr", pair[1], "--mtf", "0.3", "--json", *options)
        run = pifnet("metrics", pair[1].parent / "out.tif", *words, "--report", tmp_path / folder / "page.html")
        assert run.code == 0, run.err
        told.append(run.out)
    assert told[0] == told[1]


def test_nodata_of_a_pair_needs_the_pair(pifnet, tmp_path):
    run = pifnet("metrics", *write_odd_pair(tmp_path), "--nodata", "0", "-q")
    assert run.code == 2
    assert "--nodata, --hsi-nodata, --msi-nodata: are of the pair; give --lr and --hr" in run.err


def test_an_alpha_band_is_nodata_and_no_band(pifnet, tmp_path):
    alpha = np.ones((1, *HR.shape[1:]), dtype=HR.dtype)
    alpha[:, 20:, 40:] = 0
    lr, hr = write_odd_pair(tmp_path, hr={"pixels": np.concatenate([HR, alpha])})
    with gdal_session(), rasterio.open(hr, "r+") as dataset:
        dataset.colorinterp = [*dataset.colorinterp[:-1], ColorInterp.alpha]
    assert is_well_but(fused(pifnet, lr, hr, *REGRESSION), slice(None), slice(20, 48), slice(40, 60))


def cloud(image, row, column, radius):
    rows, columns = np.mgrid[: image.shape[1], : image.shape[2]]
    return spoiled(image, slice(None), (rows - row) ** 2 + (columns - column) ** 2 < radius**2)


GAPS = spoiled(LR, slice(None), np.random.default_rng(0).random(LR.shape[1:]) < 0.1)
SCATTERED_GAPS = spoiled(LR, np.random.default_rng(0).random(LR.shape) < 0.1)
LR_CLOUD, HR_CLOUD = cloud(LR, 4, 5, 2.5), cloud(HR, 30, 40, 6)
ONE_PIXEL = spoiled(LR, 3)
ONE_PIXEL[3, 5, 5] = LR[3, 5, 5]


def is_missing_as(result, lr, hr):
    """Nodata where the LR pixel or the HR pixel is, finite elsewhere, near to the truth."""
    absent = np.kron(lr == NODATA, np.ones((RATIO, RATIO), dtype=bool)) | (hr == NODATA).any(axis=0)
    return np.array_equal(result.is_valid, ~absent) and error(result.image) < WELL


@pytest.mark.parametrize("options", [REGRESSION, KRIGING], ids=["regression", "kriging"])
def test_a_tenth_of_the_lr_pixels_may_be_missing(pifnet, tmp_path, options):
    result = fused(pifnet, *pair_with_holes(tmp_path, lr={"pixels": GAPS}), *options)
    assert is_missing_as(result, GAPS, HR)


@pytest.mark.parametrize("options", [KRIGING, GSA], ids=["kriging", "gsa"])
def test_a_tenth_of_every_band_may_be_missing_elsewhere(pifnet, tmp_path, options):
    result = fused(pifnet, *pair_with_holes(tmp_path, lr={"pixels": SCATTERED_GAPS}), *options)
    assert is_missing_as(result, SCATTERED_GAPS, HR)


def test_clouds_may_lie_in_both_scenes(pifnet, tmp_path):
    pair = pair_with_holes(tmp_path, lr={"pixels": LR_CLOUD}, hr={"pixels": HR_CLOUD})
    assert is_missing_as(fused(pifnet, *pair, *KRIGING), LR_CLOUD, HR_CLOUD)


def test_a_band_may_have_one_valid_pixel(pifnet, tmp_path):
    result = fused(pifnet, *pair_with_holes(tmp_path, lr={"pixels": ONE_PIXEL}), *GSA)
    assert is_missing_as(result, ONE_PIXEL, HR)


def test_the_little_that_is_valid_is_fused(pifnet, tmp_path):
    pair = pair_with_holes(tmp_path, hr={"pixels": spoiled(HR, ..., slice(12, None))})
    is_valid = fused(pifnet, *pair, *KRIGING).is_valid
    assert is_valid[..., :12].all()
    assert not is_valid[..., 12:].any()
