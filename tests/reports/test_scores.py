import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pifnet_cli.metrics.with_reference import Scores, scores
from pifnet_cli.reports.scores import band_scores_csv, scores_csv, scores_json, scores_table
from pifnet_cli.scene import Bands, WavelengthUnit
from pifnet_cli.settings import Compat

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


def text_of(result: Scores) -> str:
    console = Console(file=io.StringIO(), width=100)
    with console.capture() as capture:
        console.print(scores_table(result))
    return capture.get()


def test_json_has_all_keys_and_every_digit(result: Scores) -> None:
    record = json.loads(scores_json(result))
    assert sorted(record) == sorted(KEYS)
    assert record["psnr"] == result.psnr
    assert record["excluded_bands"] == [5]
    assert record["bands"] == 6
    assert record["compat"] == "none"
    assert record["identical"] is False


def test_json_has_neither_nan_nor_infinity() -> None:
    text = scores_json(identical())
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
