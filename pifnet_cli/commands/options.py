"""Argument types that two or more commands share."""

from pathlib import Path
from typing import Annotated

import typer

from pifnet_cli.choices import Device, Precision, Protocol
from pifnet_cli.errors import SettingsError

LrHsi = Annotated[
    Path, typer.Argument(help="Hyperspectral scene (LR-HSI), ENVI (.hdr or data file) or GeoTIFF.", show_default=False)
]
HrMsi = Annotated[
    Path, typer.Argument(help="Multispectral scene of the same ground (HR-MSI), ENVI or GeoTIFF.", show_default=False)
]
OutputScene = Annotated[
    Path, typer.Option("-o", "--output", help="Scene to write: .tif, or .hdr/.img/.dat for ENVI.", show_default=False)
]
OutputFolder = Annotated[
    Path, typer.Option("-o", "--output", help="Folder to write the results to.", show_default=False)
]
OverwriteFlag = Annotated[bool, typer.Option("--overwrite", help="Replace outputs that exist.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="Show no progress and no log.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]
DeviceChoice = Annotated[Device, typer.Option("--device", help="Where the network runs.")]
PrecisionChoice = Annotated[Precision, typer.Option("--precision", help="Number format of the network.")]
CreationOptions = Annotated[
    list[str] | None, typer.Option("--co", metavar="NAME=VALUE", help="GDAL creation option; repeatable.")
]
Nodata = Annotated[
    str | None,
    typer.Option(
        "--nodata",
        metavar="NUMBER|none",
        help="Stored number of invalid pixels in both scenes of the pair, or none. Default: what the files declare.",
        show_default=False,
    ),
]
HsiNodata = Annotated[
    str | None,
    typer.Option("--hsi-nodata", metavar="NUMBER|none", help="The same of the LR-HSI alone; wins.", show_default=False),
]
MsiNodata = Annotated[
    str | None,
    typer.Option("--msi-nodata", metavar="NUMBER|none", help="The same of the HR-MSI alone; wins.", show_default=False),
]
Report = Annotated[
    Path | None,
    typer.Option("--report", help="Write one HTML page about the result, pictures included.", show_default=False),
]
Points = Annotated[
    list[str] | None,
    typer.Option(
        "--point",
        metavar="ROW,COLUMN",
        help="Pixel of the fused scene whose spectrum the report shows, counted from 0; repeatable. "
        "Default: six that differ.",
    ),
]

# How a reference becomes a pair: of `simulate`, and of `train` on reference scenes.
_PANEL = "Sensor model"
Ratio = Annotated[
    float,
    typer.Option(
        "--ratio",
        help="HR pixels along the side of an LR pixel; a whole number with --protocol paper.",
        rich_help_panel=_PANEL,
    ),
]
SensorProtocol = Annotated[
    Protocol,
    typer.Option(
        "--protocol",
        help="How the LR-HSI is sampled. paper: 3 x 3 blur, pixel 0 of each block; mtf: Gaussian blur, block centres.",
        rich_help_panel=_PANEL,
    ),
]
Mtf = Annotated[
    float,
    typer.Option(
        "--mtf", help="MTF of the LR-HSI at its Nyquist frequency, for --protocol mtf.", rich_help_panel=_PANEL
    ),
]
Srf = Annotated[
    str,
    typer.Option(
        "--srf",
        help="Bands of the HR-MSI: a sensor (sentinel-2: its ten bands at 10 and 20 m; sentinel-2-10m, landsat-8, "
        "worldview-3, ...), FILE.csv (band,wavelength_nm,response), or boxes:N for N equal runs of bands.",
        rich_help_panel=_PANEL,
    ),
]
HsiSnr = Annotated[
    float | None,
    typer.Option("--hsi-snr", help="Add noise to the LR-HSI: SNR of each band in dB.", rich_help_panel=_PANEL),
]
MsiSnr = Annotated[
    float | None,
    typer.Option("--msi-snr", help="Add noise to the HR-MSI: SNR of each band in dB.", rich_help_panel=_PANEL),
]
Shift = Annotated[
    tuple[float, float],
    typer.Option(
        "--shift",
        metavar="ROWS COLUMNS",
        help="Misregistration in HR pixels: how far below and right of its place on the map an LR pixel looks.",
        rich_help_panel=_PANEL,
    ),
]


def pixels(words: list[str] | None) -> list[tuple[int, int]]:
    """(row, column) of every `--point`.

    Raises:
        SettingsError: Words that are no point.
    """
    return [_point(word) for word in words or ()]


def _point(word: str) -> tuple[int, int]:
    try:
        row, column = (int(part) for part in word.split(","))
    except ValueError:
        raise SettingsError(f"--point {word}: two whole numbers were expected, such as --point 120,45") from None
    return row, column
