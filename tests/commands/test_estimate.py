import json

import numpy as np
import pytest

from pifnet_cli.degrade.srf import read_response_table
from waves import NODATA, Texture, write_pair

FIELDS = {
    "mtf_at_nyquist", "sigma_hr_pixels", "sigma_error_hr_pixels", "shift_lr_pixels", "shift_error_lr_pixels",
    "shift_hr_pixels", "shift_map_units", "shift_error_map_units", "shift_spread_lr_pixels", "local_shifts",
    "is_uneven", "explained", "explained_as_delivered", "log_likelihood_gain", "is_reliable",
    "is_significant", "lr_pixels", "lr_bands", "hr_bands",
}  # fmt: skip


@pytest.fixture
def pair(tmp_path):
    """Displaced by 0.4 and -0.25 LR pixels."""
    return write_pair(tmp_path, ground=Texture(7), hr_size=(133, 149), displaced=(0.4, -0.25), snr_db=(35, 40))[:2]


def test_json_holds_every_figure(pifnet, pair):
    run = pifnet("estimate", *pair, "--json")
    assert run.code == 0
    record = json.loads(run.out)
    assert set(record) == FIELDS
    assert record["shift_lr_pixels"] == pytest.approx([0.4, -0.25], abs=0.05)


def test_the_same_figures_are_printed_for_reading(pifnet, pair):
    run = pifnet("estimate", *pair)
    assert run.code == 0
    assert {line.split(":")[0] for line in run.out.splitlines() if not line.startswith(" ")} == {
        field.replace("_", " ") for field in FIELDS
    }


def test_bands_are_described(pifnet, pair):
    record = json.loads(pifnet("estimate", *pair, "--json").out)
    assert [band["band"] for band in record["lr_bands"]] == list(range(1, 8))
    assert all(0.6 < band["explained"] <= 1 for band in record["lr_bands"])
    assert all(0 < band["expected_error"] < 0.1 for band in record["lr_bands"])
    assert [band["band"] for band in record["hr_bands"]] == [1, 2, 3]
    assert all(band["explained"] > 0.9 for band in record["hr_bands"])


def test_text_sums_bands_up(pifnet, pair):
    lines = pifnet("estimate", *pair).out.splitlines()
    first = lines.index("lr bands:") + 1
    assert [line.split(":")[0].strip() for line in lines[first : first + 3]] == [
        "explained",
        "noise",
        "expected error",
    ]
    assert "(median)" in lines[first]


def test_a_response_without_wavelengths_cannot_be_written(pifnet, pair, tmp_path):
    run = pifnet("estimate", *pair, "--srf-csv", tmp_path / "srf.csv", "-q")
    assert (run.code, run.err.count("\n")) == (1, 1)
    assert "no wavelengths" in run.err
    assert not (tmp_path / "srf.csv").exists()


def test_the_response_is_one_that_simulate_takes(pifnet, tmp_path):
    pair = write_pair(
        tmp_path, ground=Texture(7), hr_size=(133, 149), snr_db=(35, 40), wavelengths=np.linspace(450, 750, 7)
    )[:2]
    run = pifnet("estimate", *pair, "--srf-csv", tmp_path / "srf.csv", "--json", "-q")
    assert run.code == 0
    centres = [band["centre_nm"] for band in json.loads(run.out)["hr_bands"]]
    responses = read_response_table(tmp_path / "srf.csv")
    found = [np.average(band.wavelengths_nm, weights=band.response) for band in responses]
    assert found == pytest.approx(centres, abs=1)
    again = pifnet("estimate", *pair, "--srf-csv", tmp_path / "srf.csv", "-q")
    assert (again.code, "exists" in again.err) == (1, True)


def test_quiet_says_nothing_on_stderr(pifnet, pair):
    run = pifnet("estimate", *pair, "-q")
    assert (run.code, run.err) == (0, "")


def test_too_few_common_pixels_are_one_line_and_exit_1(pifnet, tmp_path):
    def empty(lr_hsi, _hr_msi):
        lr_hsi[:, 2:] = NODATA

    pair = write_pair(tmp_path, hr_size=(61, 83), spoil=empty)[:2]
    run = pifnet("estimate", *pair, "-q")
    assert (run.code, run.out) == (1, "")
    assert run.err.count("\n") == 1
    assert "LR pixels are valid" in run.err


def test_an_absent_file_is_one_line_and_exit_1(pifnet, pair, tmp_path):
    run = pifnet("estimate", tmp_path / "absent.tif", pair[1], "-q")
    assert (run.code, run.err.count("\n")) == (1, 1)
    assert "absent.tif" in run.err
