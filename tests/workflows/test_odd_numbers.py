"""Numbers as they are stored: scales, offsets, types, signs; and values that are tiny, or all zero."""

import numpy as np
import pytest

from odd_pairs import (
    HR,
    KRIGING,
    LR,
    RATIO,
    REGRESSION,
    TRUTH,
    WELL,
    error,
    fused,
    is_like_plain,
    is_well,
    refusal,
    spoiled,
    ten_thousandths,
    write_odd_pair,
)
from pifnet_cli.metrics.spectral_angle import spectral_angle_deg

GAINS, OFFSETS = [1e-4 * (band + 1) for band in range(7)], [-0.01 * band for band in range(7)]
CODED = np.rint((LR - np.array(OFFSETS)[:, None, None]) / np.array(GAINS)[:, None, None]).astype(np.int16)
SCALE, OFFSET = 1e-4, -0.1
SENTINEL = np.rint((HR - OFFSET) / SCALE).astype(np.uint16)
DARK = 1e-7
COUNTS = ten_thousandths("int16")


# ----------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("lr", "words"),
    [
        pytest.param(
            {"pixels": COUNTS, "name": "lr.hdr", "nodata": -99999},
            "the nodata value -99999 cannot occur in int16 pixels",
            id="nodata that cannot occur",
        ),
        pytest.param(
            {
                "pixels": COUNTS,
                "name": "lr.hdr",
                "scales": [0.01] * 7,
                "fields": {"reflectance scale factor": "10000"},
            },
            "has both gains (such as 0.01) and a reflectance scale factor of 10000, and they disagree",
            id="scale factor and gains disagree",
        ),
        pytest.param({"pixels": COUNTS, "scales": [0.0] * 7}, "a band's gain is 0 or no number", id="a gain of zero"),
        pytest.param(
            {"name": "lr.hdr", "fields": {"reflectance scale factor": "-1"}},
            "reflectance scale factor is -1; a positive",
            id="negative scale factor",
        ),
    ],
)
def test_numbers_that_have_no_meaning_are_refused(pifnet, tmp_path, lr, words):
    assert words in refusal(pifnet, *write_odd_pair(tmp_path, lr=lr))


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_a_nodata_of_64_bits_that_a_geotiff_cannot_keep_is_refused_before_any_work(pifnet, tmp_path, options):
    lr = {"pixels": ten_thousandths("int64"), "name": "lr.hdr", "fields": {"data ignore value": str(-(2**63))}}
    told = refusal(pifnet, *write_odd_pair(tmp_path, lr=lr), *REGRESSION, *options)
    assert "does not keep the nodata value -9223372036854775808; " in told
    assert "choose --dtype int32 or float64, or write an ENVI file" in told


def test_whole_numbers_of_no_unit_are_a_bad_option(pifnet, tmp_path):
    told = refusal(pifnet, *write_odd_pair(tmp_path), "--dtype", "int16", code=2)
    assert "say what one stored unit is worth, e.g. --scale" in told


# ------------------------------------------------------------------------------------------------------------- fused


def test_whole_numbers_with_a_scale_factor_stay_so(pifnet, tmp_path):
    lr = {"pixels": COUNTS, "name": "lr.hdr", "fields": {"reflectance scale factor": "10000"}}
    result = fused(pifnet, *write_odd_pair(tmp_path, lr=lr), *REGRESSION)
    assert is_well(result)
    assert result.dtype == "int16"
    assert result.stored.max() > 5000


def test_a_gain_and_an_offset_for_each_band_are_kept(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"pixels": CODED, "scales": GAINS, "offsets": OFFSETS})
    result = fused(pifnet, *pair, *REGRESSION)
    assert is_well(result)
    assert result.dtype == "int16"


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint64"])
def test_numbers_of_8_and_64_bits_keep_their_type_and_their_nodata(pifnet, tmp_path, dtype):
    lr = {"pixels": spoiled(np.rint(LR * 100).astype(dtype), ..., slice(0, 4), value=3), "nodata": 3}
    result = fused(pifnet, *write_odd_pair(tmp_path, lr=lr), *REGRESSION)
    assert result.dtype == dtype
    assert not result.is_valid[..., : 4 * RATIO].any()
    assert result.is_valid[..., 4 * RATIO :].all()


def test_negative_values_are_values(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"pixels": np.rint((LR - 0.5) * 1e4).astype(np.int16)})
    image = fused(pifnet, *pair, *REGRESSION).image
    assert image.min() < -1000
    assert error(image / 1e4 + 0.5) < WELL


def test_more_than_the_output_type_holds_is_clipped_with_a_warning(pifnet, tmp_path):
    result = fused(pifnet, *write_odd_pair(tmp_path), *REGRESSION, "--dtype", "uint8", "--scale", "0.002")
    assert result.dtype == "uint8"
    assert result.stored.max() == 254
    assert result.is_valid.all()
    assert "values beyond the range of uint8 were clipped" in result.told


def test_dark_water_keeps_its_spectrum(pifnet, tmp_path):
    image = fused(pifnet, *write_odd_pair(tmp_path, lr={"pixels": LR * DARK}, hr={"pixels": HR * DARK}), *KRIGING).image
    assert np.isfinite(spectral_angle_deg(image.astype(float), TRUTH)).all()
    assert error(image / DARK) < WELL


def test_nothing_but_zeros_stays_so(pifnet, tmp_path):
    result = fused(pifnet, *write_odd_pair(tmp_path, lr={"pixels": LR * 0}), *KRIGING)
    assert not result.image.any()
    assert result.is_valid.all()


def test_sentinel_2_s_offset_makes_no_difference_where_it_is_declared(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path / "odd", hr={"pixels": SENTINEL, "scales": [SCALE] * 3, "offsets": [OFFSET] * 3})
    assert is_like_plain(pifnet, fused(pifnet, *pair, *KRIGING), tmp_path / "plain", *KRIGING)


def test_sentinel_2_s_offset_makes_no_difference_where_it_is_not_declared(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path / "odd", hr={"pixels": SENTINEL})
    assert is_like_plain(pifnet, fused(pifnet, *pair, *KRIGING), tmp_path / "plain", *KRIGING)
