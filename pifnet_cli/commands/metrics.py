"""`pifnet metrics`: how near a fused scene comes to the truth."""

from pathlib import Path
from typing import Annotated

import typer

from pifnet_cli.commands import options
from pifnet_cli.commands.console import reporting
from pifnet_cli.settings import Compat, MetricsSettings, Overwrite


def metrics(
    fused: Annotated[Path, typer.Argument(help="Fused scene: ENVI or GeoTIFF.", show_default=False)],
    reference: Annotated[
        Path, typer.Argument(help="The true scene: same bands, same pixels, may be larger.", show_default=False)
    ],
    ratio: Annotated[
        float | None,
        typer.Option("--ratio", help="GSD of the LR-HSI over that of the HR-MSI, for ERGAS; default: as recorded."),
    ] = None,
    border: Annotated[int, typer.Option("--border", help="Pixels left out along each side.")] = MetricsSettings.border,
    compat: Annotated[
        Compat, typer.Option("--compat", help="`paper`: ERGAS and SAM as PIF-Net's own evaluation computes them.")
    ] = MetricsSettings.compat,
    csv: Annotated[Path | None, typer.Option("--csv", help="Write the scores here.", show_default=False)] = None,
    bands_csv: Annotated[
        Path | None, typer.Option("--bands-csv", help="Write each band's scores here.", show_default=False)
    ] = None,
    quicklook: Annotated[
        Path | None, typer.Option("--quicklook", help="PNG: fused left, reference right.", show_default=False)
    ] = None,
    rgb_bands: Annotated[
        tuple[int, int, int] | None,
        typer.Option("--rgb-bands", help="Bands of the quicklook, from 1; default: nearest to 640, 550, 460 nm."),
    ] = None,
    sam_map: Annotated[
        Path | None, typer.Option("--sam-map", help="PNG: spectral angle of each pixel.", show_default=False)
    ] = None,
    error_map: Annotated[
        Path | None, typer.Option("--error-map", help="PNG: RMSE of each pixel over the bands.", show_default=False)
    ] = None,
    overwrite: options.OverwriteFlag = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Score a fused scene against its reference: PSNR, SSIM, SAM, ERGAS, RMSE, UIQI, Q2n, CC.

    Example: pifnet metrics fused.tif reference.tif --json
    """
    settings = MetricsSettings(
        ratio=ratio,
        border=border,
        compat=compat,
        rgb_bands=rgb_bands,
        overwrite=Overwrite.REPLACE if overwrite else Overwrite.REFUSE,
    )

    from rich.console import Console

    from pifnet_cli.reports.scores import scores_json, scores_table
    from pifnet_cli.workflows.metrics import ReportFiles, score_scene

    files = ReportFiles(csv=csv, bands_csv=bands_csv, sam_map=sam_map, error_map=error_map, quicklook=quicklook)
    with reporting(quiet) as progress:
        scores = score_scene(fused, reference, settings, files=files, progress=progress)
    if as_json:
        typer.echo(scores_json(scores))
    else:
        Console().print(scores_table(scores))
