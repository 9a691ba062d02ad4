"""`pifnet fuse`: one scene from two."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Align, BandChoice, Extent, Phase, Protocol
from pifnet_cli.commands import options
from pifnet_cli.commands.console import reporting
from pifnet_cli.commands.printing import print_record
from pifnet_cli.settings import FuseSettings


def fuse(
    lr_hsi: options.LrHsi,
    hr_msi: options.HrMsi,
    output: options.OutputScene,
    method: Annotated[
        Method | None, typer.Option("--method", help="Method of fusion. Default: the best one that fits the pair.")
    ] = None,
    checkpoint: Annotated[
        Path | None, typer.Option("--checkpoint", help="Trained network: a folder that `pifnet train` wrote.")
    ] = None,
    protocol: Annotated[
        Protocol | None,
        typer.Option(
            "--protocol", help="Sensor model of the LR-HSI. Default: the checkpoint's, or found from the pair."
        ),
    ] = None,
    mtf: Annotated[
        float | None,
        typer.Option(
            "--mtf",
            help="MTF of the LR-HSI at its Nyquist frequency. Default: the checkpoint's, or found from the pair.",
        ),
    ] = None,
    phase: Annotated[
        Phase | None,
        typer.Option(
            "--phase",
            help="Position of LR pixels. true: from the map; naive: upper left corners coincide, as in published code. "
            "Default: the checkpoint's, or true.",
        ),
    ] = None,
    align: Annotated[
        Align,
        typer.Option(
            "--align",
            help="Misregistration to find and correct: none, a shift, or affine, which corrects rotation and scale "
            "besides and also places scenes without georeferencing.",
        ),
    ] = FuseSettings.align,
    shift: Annotated[
        tuple[float, float] | None,
        typer.Option(
            "--shift",
            metavar="ROWS COLUMNS",
            help="Misregistration to correct, in HR pixels: how far below and right of its place on the map an LR "
            "pixel looks. Default: found from the pair.",
            show_default=False,
        ),
    ] = None,
    tile_size: Annotated[
        int, typer.Option("--tile-size", help="Side of a tile in HR pixels, overlap included.")
    ] = FuseSettings.tile_size,
    overlap: Annotated[int, typer.Option("--overlap", help="HR pixels that neighbouring tiles share and blend.")] = (
        FuseSettings.overlap
    ),
    halo: Annotated[
        int, typer.Option("--halo", help="HR pixels around a tile that the network sees besides.")
    ] = FuseSettings.halo,
    extent: Annotated[
        Extent, typer.Option("--extent", help="Part of the HR-MSI's grid to write: the common footprint, or all of it.")
    ] = FuseSettings.extent,
    bands: Annotated[
        BandChoice,
        typer.Option(
            "--bands", help="Bands to fuse: all, or only the good ones, which the LR-HSI's bad-band list does not mark."
        ),
    ] = FuseSettings.bands,
    nodata: options.Nodata = None,
    hsi_nodata: options.HsiNodata = None,
    msi_nodata: options.MsiNodata = None,
    uncertainty: Annotated[
        Path | None,
        typer.Option(
            "--uncertainty",
            help="Write the standard deviation of every pixel too: .tif, or .hdr/.img/.dat for ENVI. Kriging only.",
            show_default=False,
        ),
    ] = None,
    dtype: Annotated[
        str | None, typer.Option("--dtype", help="Stored number type. Default: the LR-HSI's.", show_default=False)
    ] = None,
    scale: Annotated[
        float | None, typer.Option("--scale", help="Value of one stored unit. Default: the LR-HSI's.")
    ] = None,
    device: options.DeviceChoice = FuseSettings.device,
    precision: options.PrecisionChoice = FuseSettings.precision,
    creation_options: options.CreationOptions = None,
    report: options.Report = None,
    points: options.Points = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything, tell what would be done, and stop.")
    ] = False,
    overwrite: options.OverwriteFlag = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Fuse a hyperspectral scene with a sharper multispectral one of the same ground.

    Example: pifnet fuse lr.hdr hr.tif -o fused.tif
    """
    shown = options.pixels(points)

    import pifnet_cli as pifnet

    with reporting(quiet) as progress:
        fused = pifnet.fuse(
            lr_hsi,
            hr_msi,
            output,
            method=method,
            checkpoint=checkpoint,
            protocol=protocol,
            mtf=mtf,
            phase=phase,
            align=align,
            shift=shift,
            tile_size=tile_size,
            overlap=overlap,
            halo=halo,
            extent=extent,
            bands=bands,
            nodata=nodata,
            hsi_nodata=hsi_nodata,
            msi_nodata=msi_nodata,
            uncertainty=uncertainty,
            dtype=dtype,
            scale=scale,
            device=device,
            precision=precision,
            co=creation_options or (),
            report=report,
            point=shown,
            dry_run=dry_run,
            overwrite=overwrite,
            progress=progress,
        )
    print_record(fused.record, as_json=as_json, for_people=_without_bands)


def _without_bands(record: Mapping[str, object]) -> dict[str, object]:
    """The record without what has a number for every band."""
    return {name: value for name, value in record.items() if name != "expected error by band"}
