"""`pifnet estimate`: blur and misregistration, found from the pair itself."""

import json
from collections.abc import Iterator, Mapping
from typing import Annotated

import typer

from pifnet_cli.commands import options
from pifnet_cli.commands.console import reporting
from pifnet_cli.settings import Align


def estimate(
    lr_hsi: options.LrHsi,
    hr_msi: options.HrMsi,
    align: Annotated[
        Align, typer.Option("--align", help="What to look for: a shift, or an affine correction (rotation, scale).")
    ] = Align.SHIFT,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Find how the LR-HSI's sensor blurs, and by how much the two scenes are displaced; `pifnet fuse` does so itself.

    Example: pifnet estimate lr.hdr hr.tif
    """
    from pifnet_cli.workflows.estimate import estimate_scene_pair

    with reporting(quiet):
        record = estimate_scene_pair(lr_hsi, hr_msi, align)
    if as_json:
        typer.echo(json.dumps(record, indent=2))
    else:
        typer.echo("\n".join(_lines(record)))


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
