"""Argument types that two or more commands share."""

from pathlib import Path
from typing import Annotated

import typer

from pifnet_cli.settings import Device, Precision

LrHsi = Annotated[Path, typer.Argument(help="LR-HSI: ENVI (.hdr or data file) or GeoTIFF.", show_default=False)]
HrMsi = Annotated[Path, typer.Argument(help="HR-MSI of the same ground.", show_default=False)]
OutputScene = Annotated[
    Path, typer.Option("-o", "--output", help="Result: .tif, or .hdr/.img/.dat for ENVI.", show_default=False)
]
OutputFolder = Annotated[Path, typer.Option("-o", "--output", help="Folder of the results.", show_default=False)]
OverwriteFlag = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress and no log.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DeviceChoice = Annotated[Device, typer.Option("--device", help="Where the network runs.")]
PrecisionChoice = Annotated[Precision, typer.Option("--precision", help="Number format of the network.")]
CreationOptions = Annotated[
    list[str] | None, typer.Option("--co", metavar="NAME=VALUE", help="GDAL creation option; repeatable.")
]
