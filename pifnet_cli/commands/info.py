"""`pifnet info`: what pifnet sees in a file."""

from pathlib import Path
from typing import Annotated, Any

import typer

from pifnet_cli.commands import options
from pifnet_cli.commands.console import reporting
from pifnet_cli.commands.printing import in_words, print_record


def info(
    file: Annotated[
        Path, typer.Argument(help="Scene, ENVI (.hdr or data file) or GeoTIFF, or a checkpoint.", show_default=False)
    ],
    as_json: options.AsJson = False,
) -> None:
    """Show what pifnet sees in a raster or a checkpoint.

    Example: pifnet info scene.hdr --json
    """
    import pifnet_cli as pifnet

    with reporting(quiet=True):  # remarks are part of the answer here
        record = pifnet.info(file).record
    print_record(record, as_json=as_json, for_people=_scene_facts if record["kind"] == "scene" else _checkpoint_facts)


def _scene_facts(record: dict[str, Any]) -> dict[str, object]:
    """A scene's record in fewer lines; what is unknown to most scenes is left out where it is unknown."""
    unit, sample = record["map_unit"], record["sample"]
    facts = {
        "file": f"{record['path']} ({record['driver']})",
        "header": record["header"],
        "size": f"{record['height']} rows x {record['width']} columns x {record['bands']} bands of {record['dtype']}",
        "numbers": ", ".join(f"{name} {in_words(record[name])}" for name in ("nodata", "scale", "offset")),
        "CRS": f"{record['crs']} ({record['crs_name']})" if record["crs"] else "unknown",
        "transform": record["transform"],
        "bounds": ", ".join(format(value, ".12g") for value in record["bounds"]),
        "GSD": f"{' x '.join(format(side, '.9g') for side in record['gsd'])} {unit}{_turn(record)}",
        "wavelengths": _wavelengths(record),
        "bad bands": record["bad_bands"] or "none declared",
        "band names": record["band_names"],
        "sample": (
            f"{sample['valid_share']:.1%} valid, {_shown(sample['minimum'])} to {_shown(sample['maximum'])}, "
            f"bands without a valid pixel: {in_words(sample['empty_bands'])}"
        ),
        **record["acquisition"],
    }
    remarks = {str(number): remark for number, remark in enumerate(record["remarks"], start=1)}
    known = {name: value for name, value in facts.items() if value is not None}
    return known | ({"remarks": remarks} if remarks else {})


def _checkpoint_facts(record: dict[str, Any]) -> dict[str, object]:
    """A checkpoint's record with the network's arguments as `pifnet train --network` takes them."""
    arguments = [f"{name}={value}" for name, value in record["hyper_parameters"].items()]
    return record | {"hyper_parameters": " ".join(arguments) or None}


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


def _shown(value: float | None) -> str:
    return "nothing" if value is None else f"{value:.6g}"
