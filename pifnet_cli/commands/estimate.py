"""`pifnet estimate`: blur and misregistration, found from the pair itself."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer

from pifnet_cli.choices import Align
from pifnet_cli.commands import options
from pifnet_cli.commands.console import reporting
from pifnet_cli.commands.printing import print_record


def estimate(
    lr_hsi: options.LrHsi,
    hr_msi: options.HrMsi,
    align: Annotated[
        Align,
        typer.Option(
            "--align", help="Misregistration to find: a shift, or affine, which has rotation and scale besides."
        ),
    ] = Align.SHIFT,
    nodata: options.Nodata = None,
    hsi_nodata: options.HsiNodata = None,
    msi_nodata: options.MsiNodata = None,
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
    import pifnet_cli as pifnet

    with reporting(quiet):
        record = pifnet.estimate(
            lr_hsi,
            hr_msi,
            align=align,
            nodata=nodata,
            hsi_nodata=hsi_nodata,
            msi_nodata=msi_nodata,
            srf_csv=srf_csv,
            overwrite=overwrite,
        ).record
    print_record(record, as_json=as_json, for_people=_with_bands_summed_up)


def _with_bands_summed_up(record: Mapping[str, Any]) -> dict[str, object]:
    """The record with a few lines about all bands of the LR-HSI in place of one line for each."""
    return {name: _summed_up(value) if name == "lr_bands" else value for name, value in record.items()}


def _summed_up(bands: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The median of every figure over the bands, and the band where it is worst."""
    summary = {}
    for name, worst in (("explained", min), ("noise", max), ("expected_error", max)):
        known = [band for band in bands if band[name] is not None]
        if known:
            extreme = worst(known, key=lambda band: band[name])
            middle = median(band[name] for band in known)
            summary[name] = f"{middle:.4g} (median), {extreme[name]:.4g} (band {extreme['band']})"
    return summary
