"""`pifnet methods`: what can be asked for by `--method`."""

import json
from typing import Annotated

import typer

from pifnet_cli.commands import options
from pifnet_cli.settings import MethodsSettings


def methods(
    hsi_bands: Annotated[int, typer.Option("--hsi-bands", help="Bands of the LR-HSI.")] = MethodsSettings.hsi_bands,
    msi_bands: Annotated[int, typer.Option("--msi-bands", help="Bands of the HR-MSI.")] = MethodsSettings.msi_bands,
    ratio: Annotated[
        int, typer.Option("--ratio", help="GSD of the LR-HSI over that of the HR-MSI.")
    ] = MethodsSettings.ratio,
    bibtex: Annotated[bool, typer.Option("--bibtex", help="Print what to cite, as BibTeX.")] = False,
    as_json: options.AsJson = False,
) -> None:
    """List the methods: name, kind, trainable parameters, and the paper to cite.

    Example: pifnet methods --hsi-bands 103 --msi-bands 4 --ratio 4
    """
    settings = MethodsSettings(hsi_bands=hsi_bands, msi_bands=msi_bands, ratio=ratio)

    from pifnet_cli.workflows.methods import bibliography, list_methods

    if bibtex:
        typer.echo(bibliography())
        return
    records = list_methods(settings)
    if as_json:
        typer.echo(json.dumps(records, indent=2))
        return
    typer.echo(f"parameters for {hsi_bands} + {msi_bands} bands at ratio {ratio}")
    for record in records:
        size = f"{record['parameters']:,}" if record["parameters"] else "-"
        typer.echo(f"{record['name']:<11}{record['kind']:<14}{size:>10}  {record['title']} ({record['cited_as']})")
