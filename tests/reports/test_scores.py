import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pifnet_cli.choices import Compat
from pifnet_cli.metrics.with_reference import Scores, scores
from pifnet_cli.metrics.without_reference import BandAgreement, UnreferencedScores, UsedOperator, WaldScores
from pifnet_cli.reports.scores import (
    agreement_csv,
    assessment_csv,
    assessment_record,
    assessment_tables,
    band_scores_csv,
    scores_csv,
    scores_table,
)
from pifnet_cli.scene import Bands, WavelengthUnit

KEYS = [
    "psnr", "psnr_bands", "ssim", "sam", "ergas", "rmse", "uiqi", "q2n", "cc", "peak", "ratio", "pixels",
    "excluded_pixels", "bands", "excluded_bands", "ergas_left_out", "missing", "compat", "identical",
]  # fmt: skip


@pytest.fixture(scope="module")
def result() -> Scores:
    rng = np.random.default_rng(0)
    reference = rng.random((7, 24, 40)).astype(np.float32)
    fused = reference + 0.1 * rng.standard_normal(reference.shape).astype(np.float32)
    fused[4] = np.nan
    return scores(fused, reference, ratio=4)


def identical() -> Scores:
    reference = np.random.default_rng(0).random((3, 24, 40)).astype(np.float32)
    return scores(reference, reference, ratio=None)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def json_of(scores, unreferenced) -> str:
    return json.dumps(assessment_record(scores, unreferenced), allow_nan=False)


def text_of(result: Scores) -> str:
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as capture:
        console.print(scores_table(result))
    return capture.get()


def test_json_has_all_keys_and_every_digit(result: Scores) -> None:
    record = json.loads(json_of(result, None))
    assert sorted(record) == sorted(KEYS)
    assert record["psnr"] == result.psnr
    assert record["excluded_bands"] == [5]
    assert record["bands"] == 6
    assert record["compat"] == "none"
    assert record["identical"] is False


def test_json_has_neither_nan_nor_infinity() -> None:
    text = json_of(identical(), None)
    assert "NaN" not in text
    assert "Infinity" not in text
    record = json.loads(text)
    assert record["identical"] is True
    assert record["psnr"] is record["psnr_bands"] is record["ergas"] is record["ratio"] is None
    assert record["rmse"] == 0


def test_csv_is_one_line_of_the_same_numbers(result: Scores) -> None:
    (row,) = rows_of(scores_csv(result, fused=Path("f.tif"), reference=Path("dir,with comma/r.tif")))
    assert list(row)[:2] == ["fused", "reference"]
    assert row["reference"] == "dir,with comma/r.tif"
    assert float(row["sam"]) == result.sam
    assert row["excluded_bands"] == "5"
    assert sorted(list(row)[2:]) == sorted(KEYS)


def test_csv_says_inf_and_leaves_the_undefined_empty() -> None:
    (row,) = rows_of(scores_csv(identical(), fused=Path("f"), reference=Path("r")))
    assert (row["psnr"], row["ergas"], row["identical"]) == ("inf", "", "true")


def test_bands_are_listed_with_name_and_wavelength(result: Scores) -> None:
    bands = Bands(
        7,
        names=tuple(f"band {number}" for number in range(1, 8)),
        wavelengths=(0.4185, 0.5, 0.6, 0.7, 0.8, 0.9, 2.4452),
        unit=WavelengthUnit.MICROMETERS,
    )
    rows = rows_of(band_scores_csv(result, bands))
    assert [row["band"] for row in rows] == ["1", "2", "3", "4", "6", "7"]
    assert (rows[0]["name"], rows[0]["wavelength_nm"]) == ("band 1", "418.5")
    assert (rows[-1]["name"], rows[-1]["wavelength_nm"]) == ("band 7", "2445.2")
    assert [float(row["ssim"]) for row in rows] == [band.ssim for band in result.per_band]


def test_bands_without_description_have_empty_cells(result: Scores) -> None:
    rows = rows_of(band_scores_csv(result, Bands(7)))
    assert {(row["name"], row["wavelength_nm"]) for row in rows} == {("", "")}


def test_the_table_shows_every_score_with_its_unit(result: Scores) -> None:
    text = text_of(result)
    for title in ("PSNR", "SSIM", "SAM", "ERGAS", "RMSE", "UIQI", "Q2n", "CC"):
        assert title in text
    assert f"{result.sam:.6g}" in text
    assert "degrees" in text
    assert "960 pixels, 6 bands" in text


def test_the_table_tells_undefined_from_infinite() -> None:
    text = text_of(identical())
    assert "infinite" in text
    assert "not defined" in text


def test_the_table_names_foreign_definitions(result: Scores) -> None:
    assert "definitions: paper" in text_of(replace(result, compat=Compat.PAPER))


# Without reference


@pytest.fixture
def unreferenced(result: Scores) -> UnreferencedScores:
    agreement = (BandAgreement(1, 0.1, 0.9, 2.0, 0.1), BandAgreement(3, 0.2, float("nan"), 3.0, float("nan")))
    return UnreferencedScores(
        qnr=0.9025, d_lambda=0.05, d_s=0.05, lr_rmse=0.15, lr_sam=1.5, lr_rmse_over_noise=1.0, msi_rmse=0.01,
        msi_sam=0.5, msi_cc=0.99, pixels=900, lr_pixels=50, bands=2, excluded_bands=(2,),
        operator=UsedOperator((0.3, 0.2), (0.0, 0.5), "found"), lr_per_band=agreement, msi_per_band=agreement[1:],
        wald=WaldScores("kriging", result),
    )  # fmt: skip


def test_scores_by_the_pair_are_json_too(unreferenced: UnreferencedScores, result: Scores) -> None:
    record = json.loads(json_of(None, unreferenced))
    assert record["qnr"] == 0.9025
    assert record["excluded_bands"] == [2]
    assert record["operator"] == {"mtf_at_nyquist": [0.3, 0.2], "shift_lr_pixels": [0, 0.5], "source": "found"}
    assert record["msi_per_band"] == [{"band": 3, "rmse": 0.2, "cc": None, "mean": 3, "noise": None}]
    assert record["wald"] == {"method": "kriging", **json.loads(json_of(result, None))}


def test_both_sets_keep_the_keys_of_the_first(unreferenced: UnreferencedScores, result: Scores) -> None:
    alone, both = (json.loads(json_of(result, other)) for other in (None, unreferenced))
    assert alone == json.loads(json_of(result, None))
    assert {key: both[key] for key in alone} == alone
    assert both["d_s"] == 0.05


def test_a_pair_without_a_wald_level_says_null(unreferenced: UnreferencedScores) -> None:
    assert json.loads(json_of(None, replace(unreferenced, wald=None)))["wald"] is None


def test_both_sets_are_one_line_of_csv(unreferenced: UnreferencedScores, result: Scores) -> None:
    paths = {"fused": Path("f.tif"), "lr": Path("l.tif")}
    (row,) = rows_of(assessment_csv(result, unreferenced, paths=paths))
    assert (row["fused"], row["lr"]) == ("f.tif", "l.tif")
    assert float(row["psnr"]) == float(row["wald_psnr"]) == result.psnr
    assert row["operator_mtf_at_nyquist"] == "0.3 0.2"
    assert "msi_per_band" not in row


def test_csv_of_both_sets_says_inf(unreferenced: UnreferencedScores) -> None:
    (row,) = rows_of(assessment_csv(identical(), unreferenced, paths={}))
    assert row["psnr"] == "inf"


def test_agreement_is_a_line_per_band(unreferenced: UnreferencedScores) -> None:
    bands = Bands(3, names=("a", "b", "c"), wavelengths=(0.4, 0.5, 0.6), unit=WavelengthUnit.MICROMETERS)
    rows = rows_of(agreement_csv(unreferenced, bands))
    assert [row["name"] for row in rows] == ["a", "c"]
    assert rows[1] == {
        "band": "3", "name": "c", "wavelength_nm": "600", "lr_rmse": "0.2", "lr_cc": "", "lr_mean": "3.0",
        "lr_noise": "",
    }  # fmt: skip


def test_every_set_has_its_table(unreferenced: UnreferencedScores, result: Scores) -> None:
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as capture:
        for table in assessment_tables(result, unreferenced):
            console.print(table)
    text = capture.get()
    assert text.count("PSNR, mean over bands") == 2
    assert "one level down, by kriging, against the LR-HSI" in text
    assert "MTF found: 0.300, 0.200" in text
    assert len(assessment_tables(None, replace(unreferenced, wald=None))) == 1
