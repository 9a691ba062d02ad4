"""`pifnet info`: what pifnet sees in a file."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pifnet_cli.commands import options
from pifnet_cli.commands.console import reporting

LONGEST_LIST = 12


def info(
    file: Annotated[
        Path, typer.Argument(help="Scene, ENVI (.hdr or data file) or GeoTIFF, or a checkpoint.", show_default=False)
    ],
    as_json: options.AsJson = False,
) -> None:
    """Show what pifnet sees in a raster or a checkpoint.

    Example: pifnet info scene.hdr --json
    """
    from pifnet_cli.workflows.info import file_record

    with reporting(quiet=True):  # remarks are part of the answer here
        record = file_record(file)
    if as_json:
        typer.echo(json.dumps(record, indent=2, allow_nan=False))
        return
    for line in _scene_lines(record) if record["kind"] == "scene" else _lines(record):
        typer.echo(line)


def _scene_lines(record: dict[str, Any]) -> list[str]:
    unit, sample = record["map_unit"], record["sample"]
    facts = {
        "file": f"{record['path']} ({record['driver']})",
        "header": record["header"],
        "size": f"{record['height']} rows x {record['width']} columns x {record['bands']} bands of {record['dtype']}",
        "numbers": f"nodata {record['nodata']}, scale {_short(record['scale'])}, offset {_short(record['offset'])}",
        "CRS": f"{record['crs']} ({record['crs_name']})" if record["crs"] else "unknown",
        "transform": ", ".join(map(repr, record["transform"])),
        "bounds": ", ".join(format(value, ".12g") for value in record["bounds"]),
        "GSD": f"{' x '.join(format(side, '.9g') for side in record['gsd'])} {unit}{_turn(record)}",
        "wavelengths": _wavelengths(record),
        "bad bands": _short(record["bad_bands"]) or "none declared",
        "band names": _short(record["band_names"]),
        "sample": (
            f"{sample['valid_share']:.1%} valid, {_shown(sample['minimum'])} to {_shown(sample['maximum'])}, "
            f"bands without a valid pixel: {_short(sample['empty_bands']) or 'none'}"
        ),
        **record["acquisition"],
    }
    width = max(map(len, facts))
    lines = [f"{name:<{width}}  {value}" for name, value in facts.items() if value is not None]
    return lines + [f"{'remark':<{width}}  {remark}" for remark in record["remarks"]]


def _wavelengths(record: dict[str, Any]) -> str:
    values, fwhm = record["wavelengths_nm"], record["fwhm_nm"]
    if values is None:
        return "unknown"
    order = "increasing" if record["wavelengths_increase"] else "not increasing"
    widths = f", FWHM {min(fwhm):g} to {max(fwhm):g} nm" if fwhm else ""
    return f"{min(values):.9g} to {max(values):.9g} nm, {order}, stored in {record['wavelength_unit']}{widths}"


def _turn(record: dict[str, Any]) -> str:
    rotation = f", rotated by {record['rotation_deg']:.6g} degrees" if abs(record["rotation_deg"]) > 1e-9 else ""
    return rotation + (", south-up" if record["south_up"] else "")


def _lines(record: dict[str, Any]) -> list[str]:
    width = max(map(len, record))
    return [f"{name:<{width}}  {_short(value)}" for name, value in record.items()]


def _short(value: object) -> str | None:
    """A value on one line, long lists cut."""
    if value is None:
        return None
    if isinstance(value, dict):
        return ", ".join(f"{name} {_short(entry)}" for name, entry in value.items())
    if isinstance(value, list):
        more = f", ... ({len(value)} in all)" if len(value) > LONGEST_LIST else ""
        return ", ".join(f"{entry}" for entry in value[:LONGEST_LIST]) + more
    return f"{value}"


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.6g}"
