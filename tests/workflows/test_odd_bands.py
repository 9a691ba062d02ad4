"""Bands in no order, marked bad, without data or without variance; lists of bands that cannot be."""

import numpy as np
import pytest

from odd_pairs import (
    BICUBIC,
    CNMF,
    HR,
    KRIGING,
    LR,
    REGRESSION,
    TRUTH,
    WELL,
    error,
    fused,
    is_like_plain,
    is_well,
    is_well_beside,
    is_well_but,
    refusal,
    spoiled,
    write_odd_pair,
)
from waves import NODATA

SHUFFLED = [700.5, 500.5, 600.5, 900.5, 800.5, 550.5, 450.5]
TWO_ARE_BAD, GOOD_ONES = [1, 1, 0, 1, 1, 0, 1], [0, 1, 3, 4, 6]
RUBBISH = np.random.default_rng(0).normal(0, 50, LR.shape[1:])


# ----------------------------------------------------------------------------------------------------------- refused


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        pytest.param(
            {"wavelength": "{" + ", ".join(["450.5"] * 9) + "}"},
            "'wavelength' has 9 entries; one for each of the 7 bands",
            id="wavelengths of other bands",
        ),
        pytest.param(
            {"bbl": "{1, 0}"}, "'bbl' has 2 entries; one for each of the 7 bands", id="bad-band list of other bands"
        ),
    ],
)
def test_a_list_that_does_not_describe_the_bands_is_refused(pifnet, tmp_path, fields, words):
    assert words in refusal(pifnet, *write_odd_pair(tmp_path, lr={"name": "lr.hdr", "fields": fields}))


def test_nothing_but_bad_bands_is_refused_where_good_ones_are_asked_for(pifnet, tmp_path):
    told = refusal(pifnet, *write_odd_pair(tmp_path, lr={"good": [0] * 7}), "--bands", "good")
    assert "its bad-band list marks all 7 bands; --bands good leaves nothing" in told


# ------------------------------------------------------------------------------------------------------------- fused


@pytest.mark.parametrize("wavelengths", [["490", "", "665"], ["664.5nm (S2A) / 665nm (S2B)", "x", "1e999"]])
def test_wavelengths_of_the_hr_msi_make_no_difference_whatever_they_are(pifnet, tmp_path, wavelengths):
    pair = write_odd_pair(tmp_path / "odd", hr={"wavelengths": wavelengths, "unit": None})
    assert is_like_plain(pifnet, fused(pifnet, *pair, *REGRESSION), tmp_path / "plain", *REGRESSION)


def test_bands_in_no_order_stay_in_none(pifnet, tmp_path):
    result = fused(pifnet, *write_odd_pair(tmp_path, lr={"wavelengths": SHUFFLED}), *REGRESSION)
    assert is_well(result)
    assert result.wavelengths == SHUFFLED


def test_bands_marked_bad_are_fused_and_stay_marked(pifnet, tmp_path):
    result = fused(pifnet, *write_odd_pair(tmp_path, lr={"good": TWO_ARE_BAD}), *REGRESSION)
    assert is_well(result)
    assert result.good == "1101101"


def test_bands_marked_bad_are_left_out_where_good_ones_are_asked_for(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"good": TWO_ARE_BAD, "wavelengths": SHUFFLED})
    result = fused(pifnet, *pair, *REGRESSION, "--bands", "good")
    assert error(result.image, TRUTH[GOOD_ONES]) < WELL
    assert result.wavelengths == [SHUFFLED[band] for band in GOOD_ONES]


def test_rubbish_in_a_band_marked_bad_costs_the_others_nothing(pifnet, tmp_path):
    lr = {"pixels": spoiled(LR, 2, value=RUBBISH), "good": [1, 1, 0, 1, 1, 1, 1]}
    assert is_well_beside(fused(pifnet, *write_odd_pair(tmp_path, lr=lr), *CNMF), 2)


def test_a_band_without_data_stays_so_and_is_marked(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"pixels": spoiled(LR, 2), "nodata": NODATA})
    result = fused(pifnet, *pair, *KRIGING)
    assert is_well_but(result, 2)
    assert result.good == "1101111"


def test_a_band_of_one_number_keeps_it(pifnet, tmp_path):
    result = fused(pifnet, *write_odd_pair(tmp_path, lr={"pixels": spoiled(LR, 2, value=0.25)}), *KRIGING)
    np.testing.assert_allclose(result.image[2], 0.25, atol=1e-5)
    assert is_well_beside(result, 2)


def test_an_hr_msi_band_of_zeros_makes_no_difference(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path / "odd", hr={"pixels": np.concatenate([HR, np.zeros_like(HR[:1])])})
    assert is_like_plain(pifnet, fused(pifnet, *pair, *KRIGING), tmp_path / "plain", *KRIGING)


def test_an_hr_msi_that_shows_nothing_leaves_interpolation(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path / "odd", hr={"pixels": np.full_like(HR, 7)})
    assert is_like_plain(pifnet, fused(pifnet, *pair, *REGRESSION), tmp_path / "plain", *BICUBIC)


def test_interpolation_alone_is_no_good_result(pifnet, tmp_path):
    assert error(fused(pifnet, *write_odd_pair(tmp_path), *BICUBIC).image) > 2 * WELL
