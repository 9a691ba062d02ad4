"""Scores as JSON, CSV and a terminal table."""

import csv
import io
import json
import math
from dataclasses import asdict, astuple, fields
from pathlib import Path

from rich.table import Table

from pifnet_cli.metrics.with_reference import BandScores, Scores
from pifnet_cli.scene import Bands
from pifnet_cli.settings import Compat

Record = dict[str, object]

TABLE_ROWS = (
    ("psnr", "PSNR", "dB", "higher"),
    ("psnr_bands", "PSNR, mean over bands", "dB", "higher"),
    ("ssim", "SSIM", "", "higher"),
    ("sam", "SAM", "degrees", "lower"),
    ("ergas", "ERGAS", "", "lower"),
    ("rmse", "RMSE", "", "lower"),
    ("uiqi", "UIQI", "", "higher"),
    ("q2n", "Q2n", "", "higher"),
    ("cc", "CC", "", "higher"),
)


def score_record(scores: Scores) -> Record:
    """Scores by their JSON keys, the per-band ones left out.

    JSON knows neither NaN nor infinity: a score that is not defined is `None`, and so is the infinite PSNR of identical
    images, which `identical` tells apart.
    """
    record = {name: _finite(value) for name, value in asdict(scores).items() if name != "per_band"}
    record["identical"] = record.pop("is_identical")
    record["compat"] = scores.compat.value
    return record


def scores_json(scores: Scores) -> str:
    """One JSON object."""
    return json.dumps(score_record(scores), indent=2, allow_nan=False)


def scores_csv(scores: Scores, *, fused: Path, reference: Path) -> str:
    """A header line and one line of scores; undefined ones are empty, lists separated by blanks."""
    record: Record = {"fused": str(fused), "reference": str(reference), **score_record(scores)}
    record |= {name: getattr(scores, name) for name in ("psnr", "psnr_bands")}  # CSV can say inf
    return _csv_text(list(record), [[_cell(value) for value in record.values()]])


def band_scores_csv(scores: Scores, bands: Bands) -> str:
    """A line per counted band, with its name and wavelength in nanometres where the file gives them."""
    wavelengths, names = bands.wavelengths_nm, bands.names
    rows = [
        [
            band.band,
            names[band.band - 1] if names else "",
            f"{wavelengths[band.band - 1]:.10g}" if wavelengths is not None else "",
            *(_cell(value) for value in astuple(band)[1:]),
        ]
        for band in scores.per_band
    ]
    header = ["band", "name", "wavelength_nm", *(item.name for item in fields(BandScores)[1:])]
    return _csv_text(header, rows)


def scores_table(scores: Scores) -> Table:
    """Scores for the eye, with the better direction of each."""
    definitions = "" if scores.compat is Compat.NONE else f"; definitions: {scores.compat.value}"
    table = Table(caption=f"{scores.pixels} pixels, {scores.bands} bands{definitions}", caption_justify="left")
    table.add_column("score")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("better")
    for name, title, unit, better in TABLE_ROWS:
        table.add_row(title, _shown(getattr(scores, name)), unit, better)
    return table


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return list(value) if isinstance(value, tuple) else value


def _cell(value: object) -> object:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float():
            return "" if math.isnan(value) else repr(value)
        case list():
            return " ".join(map(str, value))
        case _:
            return value


def _shown(value: float) -> str:
    if math.isnan(value):
        return "not defined"
    return "infinite" if math.isinf(value) else f"{value:.6g}"


def _csv_text(header: list[str], rows: list[list[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
