"""`pifnet estimate`: blur and misregistration, found from the pair itself."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from pifnet_cli.choices import Align, Overwrite
from pifnet_cli.commands import options
from pifnet_cli.commands.console import reporting


def estimate(
    lr_hsi: options.LrHsi,
    hr_msi: options.HrMsi,
    align: Annotated[
        Align,
        typer.Option(
            "--align", help="Misregistration to find: a shift, or affine, which has rotation and scale besides."
        ),
    ] = Align.SHIFT,
    srf_csv: Annotated[
        Path | None,
        typer.Option(
            "--srf-csv",
            help="Write the HR-MSI's response to this CSV file, as `pifnet simulate --srf` takes it.",
            show_default=False,
        ),
    ] = None,
    overwrite: options.OverwriteFlag = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Find blur and displacement of a pair, the HR-MSI's response, the noise of both, and what error to expect.

    Example: pifnet estimate lr.hdr hr.tif
    """
    from pifnet_cli.workflows.estimate import estimate_scene_pair

    with reporting(quiet):
        replace = Overwrite.REPLACE if overwrite else Overwrite.REFUSE
        record = estimate_scene_pair(lr_hsi, hr_msi, align, srf_csv=srf_csv, overwrite=replace).record()
    if as_json:
        typer.echo(json.dumps(record, indent=2))
    else:
        if "lr_bands" in record:
            record["lr_bands"] = _summed_up(record["lr_bands"])
        typer.echo("\n".join(_lines(record)))


def _summed_up(bands: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Of every figure its median over the bands, and the band where it is worst; JSON has all of them."""
    summary = {}
    for name, worst in (("explained", min), ("noise", max), ("expected_error", max)):
        known = [band for band in bands if band[name] is not None]
        if known:
            extreme = worst(known, key=lambda band: band[name])
            middle = median(band[name] for band in known)
            summary[name] = f"{middle:.4g} (median), {extreme[name]:.4g} (band {extreme['band']})"
    return summary


def _lines(record: Mapping[str, object]) -> Iterator[str]:
    """One a figure; what belongs together is indented, what repeats stands on one line."""
    for key, value in record.items():
        name = key.replace("_", " ")
        if isinstance(value, Mapping):
            yield f"{name}:"
            yield from (f"  {line}" for line in _lines(value))
        elif isinstance(value, list) and value and isinstance(value[0], Mapping):
            yield f"{name}:"
            yield from (f"  {', '.join(_lines(part))}" for part in value)
        else:
            yield f"{name}: {value}"
