"""Scores as JSON, CSV and a terminal table."""

import csv
import io
import math
from dataclasses import asdict, astuple, fields
from pathlib import Path

from rich.table import Table

from pifnet_cli.choices import Compat
from pifnet_cli.metrics.with_reference import BandScores, Scores
from pifnet_cli.metrics.without_reference import BandAgreement, UnreferencedScores
from pifnet_cli.scene import Bands

Record = dict[str, object]

TABLE_ROWS = (  # key, title, unit, which is better
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

COUNTS = ("pixels", "bands", "excluded_bands")  # keys of both sets of scores
UNREFERENCED_ROWS = (  # likewise
    ("qnr", "QNR", "", "higher"),
    ("d_lambda", "D_lambda", "", "lower"),
    ("d_s", "D_s", "", "lower"),
    ("lr_rmse", "RMSE to the LR-HSI", "", "lower"),
    ("lr_sam", "SAM to the LR-HSI", "degrees", "lower"),
    ("lr_rmse_over_noise", "RMSE to the LR-HSI / its noise", "", "near 1"),
    ("msi_rmse", "RMSE to the HR-MSI", "", "lower"),
    ("msi_sam", "SAM to the HR-MSI", "degrees", "lower"),
    ("msi_cc", "CC with the HR-MSI", "", "higher"),
)


def score_record(scores: Scores) -> Record:
    """Scores against the reference by their JSON keys, without those of single bands.

    JSON knows neither NaN nor infinity: a score that is not defined is `None`, and so is the infinite PSNR of identical
    images, which `identical` tells apart.
    """
    record = {name: _finite(value) for name, value in asdict(scores).items() if name != "per_band"}
    record["identical"] = record.pop("is_identical")
    record["compat"] = scores.compat.value
    return record


def unreferenced_record(scores: UnreferencedScores) -> Record:
    """Scores without reference by their JSON keys, with those of single MSI bands. Undefined scores are `None`."""
    values = asdict(scores)
    record = {name: _finite(value) for name, value in values.items() if name not in ("lr_per_band", "wald")}
    record["operator"] = {name: _finite(value) for name, value in values["operator"].items()}
    record["msi_per_band"] = [{name: _finite(value) for name, value in band.items()} for band in values["msi_per_band"]]
    wald = scores.wald
    record["wald"] = None if wald is None else {"method": wald.method, **score_record(wald.scores)}
    return record


def assessment_record(scores: Scores | None, unreferenced: UnreferencedScores | None) -> Record:
    """Both sets of scores in one; counts that both have are those of the scores against the reference."""
    told = {} if unreferenced is None else unreferenced_record(unreferenced)
    return told if scores is None else score_record(scores) | {key: told[key] for key in told if key not in COUNTS}


def assessment_csv(scores: Scores | None, unreferenced: UnreferencedScores | None, *, paths: dict[str, Path]) -> str:
    """A header line and one line of both sets; keys of the operator and of the Wald level begin with their names."""
    record: Record = {name: str(path) for name, path in paths.items()}
    record |= _flat(assessment_record(scores, unreferenced))
    if scores is not None:
        record |= {name: getattr(scores, name) for name in ("psnr", "psnr_bands")}  # CSV can say inf
    return _csv_text(list(record), [[_cell(value) for value in record.values()]])


def scores_csv(scores: Scores, *, fused: Path, reference: Path) -> str:
    """A header line and one line of scores; undefined scores are empty, entries of lists are separated by blanks."""
    record: Record = {"fused": str(fused), "reference": str(reference), **score_record(scores)}
    record |= {name: getattr(scores, name) for name in ("psnr", "psnr_bands")}  # CSV can say inf
    return _csv_text(list(record), [[_cell(value) for value in record.values()]])


def band_scores_csv(scores: Scores, bands: Bands) -> str:
    """A line for each scored band, with its name and its wavelength in nanometres where the file gives them."""
    rows = [[*_named(band.band, bands), *map(_cell, astuple(band)[1:])] for band in scores.per_band]
    header = ["band", "name", "wavelength_nm", *(item.name for item in fields(BandScores)[1:])]
    return _csv_text(header, rows)


def agreement_csv(scores: UnreferencedScores, bands: Bands) -> str:
    """A line for each scored band: how the degraded fused scene agrees with the LR-HSI."""
    header = ["band", "name", "wavelength_nm", *(f"lr_{item.name}" for item in fields(BandAgreement)[1:])]
    rows = [[*_named(band.band, bands), *map(_cell, astuple(band)[1:])] for band in scores.lr_per_band]
    return _csv_text(header, rows)


def assessment_tables(scores: Scores | None, unreferenced: UnreferencedScores | None) -> list[Table]:
    """Tables of both sets of scores for the terminal."""
    tables = [] if scores is None else [scores_table(scores)]
    return tables + ([] if unreferenced is None else unreferenced_tables(unreferenced))


def unreferenced_tables(scores: UnreferencedScores) -> list[Table]:
    """Tables of the scores without reference, and of those of the Wald level where there are any."""
    mtf, shift = scores.operator.mtf_at_nyquist, scores.operator.shift_lr_pixels
    table = _table(
        f"{scores.pixels} HR and {scores.lr_pixels} LR pixels, {scores.bands} bands\n"
        f"MTF {scores.operator.source}: {mtf[0]:.3f}, {mtf[1]:.3f}; shift: {shift[0]:+.3f}, {shift[1]:+.3f} LR pixels"
    )
    for name, title, unit, better in UNREFERENCED_ROWS:
        table.add_row(title, shown_score(getattr(scores, name)), unit, better)
    if scores.wald is None:
        return [table]
    below = scores_table(scores.wald.scores)
    below.title = f"one level down, by {scores.wald.method}, against the LR-HSI"
    return [table, below]


def scores_table(scores: Scores) -> Table:
    """A table of the scores against the reference, with the better direction of each."""
    definitions = "" if scores.compat is Compat.NONE else f"; definitions: {scores.compat.value}"
    table = _table(f"{scores.pixels} pixels, {scores.bands} bands{definitions}")
    for name, title, unit, better in TABLE_ROWS:
        table.add_row(title, shown_score(getattr(scores, name)), unit, better)
    return table


def shown_score(value: float) -> str:
    """Six digits of a score, or the words "not defined" or "infinite"."""
    if math.isnan(value):
        return "not defined"
    return "infinite" if math.isinf(value) else f"{value:.6g}"


def _table(caption: str) -> Table:
    table = Table(caption=caption, caption_justify="left")
    table.add_column("score")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("better")
    return table


def _named(number: int, bands: Bands) -> list[object]:
    """Number from 1, name, and wavelength in nanometres of a band; empty where they are not known."""
    wavelengths, names = bands.wavelengths_nm, bands.names
    wavelength = "" if wavelengths is None else f"{wavelengths[number - 1]:.10g}"
    return [number, names[number - 1] if names else "", wavelength]


def _flat(record: Record) -> Record:
    """Turn objects within the record into fields, such as `wald_psnr`, and leave out lists of objects."""
    flat: Record = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{inner}": inside for inner, inside in value.items()}
        elif not (isinstance(value, list) and value and isinstance(value[0], dict)):
            flat[name] = value
    return flat


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


def _csv_text(header: list[str], rows: list[list[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
