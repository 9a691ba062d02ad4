"""`pifnet metrics`: how near a fused scene comes to the truth, or to the pair that it was made from."""

from pathlib import Path
from typing import Annotated

import typer

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Compat, Protocol
from pifnet_cli.commands import options
from pifnet_cli.commands.console import reporting
from pifnet_cli.commands.printing import print_record
from pifnet_cli.settings import MetricsSettings

_PAIR = "Without reference"


def metrics(
    fused: Annotated[Path, typer.Argument(help="Fused scene, ENVI or GeoTIFF.", show_default=False)],
    reference: Annotated[
        Path | None,
        typer.Argument(help="True scene, with the same bands and pixels; it may be larger.", show_default=False),
    ] = None,
    lr: Annotated[
        Path | None,
        typer.Option("--lr", help="LR-HSI that FUSED was made from.", show_default=False, rich_help_panel=_PAIR),
    ] = None,
    hr: Annotated[
        Path | None,
        typer.Option("--hr", help="HR-MSI that FUSED was made from.", show_default=False, rich_help_panel=_PAIR),
    ] = None,
    nodata: options.Nodata = None,
    hsi_nodata: options.HsiNodata = None,
    msi_nodata: options.MsiNodata = None,
    protocol: Annotated[
        Protocol | None,
        typer.Option(
            "--protocol", help="Sensor model of the LR-HSI. Default: found from the pair.", rich_help_panel=_PAIR
        ),
    ] = None,
    mtf: Annotated[
        float | None,
        typer.Option(
            "--mtf",
            help="MTF of the LR-HSI at its Nyquist frequency. Default: found from the pair.",
            rich_help_panel=_PAIR,
        ),
    ] = None,
    wald: Annotated[
        bool,
        typer.Option(
            "--wald",
            help="Degrade the pair once more, fuse it, and score the result against the LR-HSI.",
            rich_help_panel=_PAIR,
        ),
    ] = False,
    method: Annotated[
        Method | None,
        typer.Option(
            "--method", help="Method that --wald fuses by. Default: the one that made FUSED.", rich_help_panel=_PAIR
        ),
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Trained network that --wald fuses by.", rich_help_panel=_PAIR)
    ] = None,
    ratio: Annotated[
        float | None,
        typer.Option(
            "--ratio", help="GSD of the LR-HSI over that of the HR-MSI, for ERGAS. Default: as recorded in the files."
        ),
    ] = None,
    border: Annotated[
        int, typer.Option("--border", help="Pixels to leave out along each side.")
    ] = MetricsSettings.border,
    compat: Annotated[
        Compat,
        typer.Option(
            "--compat",
            help="Definitions of the scores: the usual ones, or PIF-Net's own, for scenes between 0 and 1.",
        ),
    ] = MetricsSettings.compat,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the scores to this CSV file.", show_default=False)
    ] = None,
    bands_csv: Annotated[
        Path | None,
        typer.Option("--bands-csv", help="Write the scores of each band to this CSV file.", show_default=False),
    ] = None,
    quicklook: Annotated[
        Path | None,
        typer.Option(
            "--quicklook",
            help="Write a PNG of the fused scene on the left and the reference on the right.",
            show_default=False,
        ),
    ] = None,
    rgb_bands: Annotated[
        tuple[int, int, int] | None,
        typer.Option(
            "--rgb-bands", help="Bands of the quicklook, counted from 1. Default: nearest to 640, 550 and 460 nm."
        ),
    ] = None,
    sam_map: Annotated[
        Path | None,
        typer.Option(
            "--sam-map",
            help="Write a PNG of each pixel's spectral angle; without REFERENCE, of each LR pixel's.",
            show_default=False,
        ),
    ] = None,
    error_map: Annotated[
        Path | None,
        typer.Option(
            "--error-map",
            help="Write a PNG of each pixel's RMSE over the bands; without REFERENCE, of each LR pixel's.",
            show_default=False,
        ),
    ] = None,
    report: options.Report = None,
    points: options.Points = None,
    overwrite: options.OverwriteFlag = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Score a fused scene against its reference (PSNR, SSIM, SAM, ERGAS, ...), its pair (QNR, consistency), or both.

    Examples: pifnet metrics fused.tif reference.tif --json; pifnet metrics fused.tif --lr lr.hdr --hr hr.tif
    """
    shown = options.pixels(points)

    from rich.console import Console

    import pifnet_cli as pifnet
    from pifnet_cli.reports.scores import assessment_tables

    with reporting(quiet) as progress:
        found = pifnet.score(
            fused,
            reference,
            lr=lr,
            hr=hr,
            nodata=nodata,
            hsi_nodata=hsi_nodata,
            msi_nodata=msi_nodata,
            protocol=protocol,
            mtf=mtf,
            wald=wald,
            method=method,
            checkpoint=checkpoint,
            ratio=ratio,
            border=border,
            compat=compat,
            csv=csv,
            bands_csv=bands_csv,
            quicklook=quicklook,
            rgb_bands=rgb_bands,
            sam_map=sam_map,
            error_map=error_map,
            report=report,
            point=shown,
            overwrite=overwrite,
            progress=progress,
        )
    if as_json:
        print_record(found.record, as_json=True)
        return
    for table in assessment_tables(found.with_reference, found.without_reference):
        Console().print(table)
