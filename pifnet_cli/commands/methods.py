"""`pifnet methods`: what can be asked for by `--method`."""

from typing import Annotated, Any

import typer

from pifnet_cli.commands import options
from pifnet_cli.commands.printing import print_record
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
    import pifnet_cli as pifnet

    listed = pifnet.methods(hsi_bands=hsi_bands, msi_bands=msi_bands, ratio=ratio)
    if bibtex:
        typer.echo("\n\n".join(dict.fromkeys(entry for method in listed for entry in method.bibtex)))
        return
    shape = f"{hsi_bands} + {msi_bands} bands at ratio {ratio}"
    print_record(
        [dict(method.record) for method in listed],
        as_json=as_json,
        for_people=lambda records: {"parameters for": shape} | _by_name(records),
    )


def _by_name(records: list[dict[str, Any]]) -> dict[str, object]:
    """What each method is, in a line."""
    return {record["name"]: f"{_kind(record)}; {record['title']} ({record['cited_as']})" for record in records}


def _kind(record: dict[str, Any]) -> str:
    return f"{record['kind']} of {record['parameters']:,} parameters" if record["parameters"] else record["kind"]
