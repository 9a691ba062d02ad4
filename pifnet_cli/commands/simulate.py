"""`pifnet simulate`: a scene becomes a pair of which the truth is known."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from pifnet_cli.choices import SceneFormat
from pifnet_cli.commands import options
from pifnet_cli.commands.console import reporting
from pifnet_cli.commands.printing import print_record
from pifnet_cli.settings import SimulateSettings


def simulate(
    scene: Annotated[
        Path, typer.Argument(help="HR-HSI to degrade, ENVI (.hdr or data file) or GeoTIFF.", show_default=False)
    ],
    output: options.OutputFolder,
    ratio: options.Ratio = SimulateSettings.ratio,
    protocol: options.SensorProtocol = SimulateSettings.protocol,
    srf: options.Srf = SimulateSettings.srf,
    mtf: options.Mtf = SimulateSettings.mtf_at_nyquist,
    hsi_snr: options.HsiSnr = None,
    msi_snr: options.MsiSnr = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the noise.")] = SimulateSettings.seed,
    shift: options.Shift = SimulateSettings.shift,
    scene_format: Annotated[
        SceneFormat, typer.Option("--format", help="Format of the three scenes.")
    ] = SimulateSettings.scene_format,
    block_size: Annotated[
        int,
        typer.Option(
            "--block-size",
            help="Side of the blocks that are degraded at once, in HR pixels; it changes memory, not results.",
        ),
    ] = SimulateSettings.block_size,
    overwrite: options.OverwriteFlag = False,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Degrade a hyperspectral scene into an LR-HSI and an HR-MSI, and keep it as their reference.

    Example: pifnet simulate scene.tif -o pair --ratio 4 --srf sentinel-2
    """
    import pifnet_cli as pifnet

    with reporting(quiet) as progress:
        pair = pifnet.simulate(
            scene,
            output,
            ratio=ratio,
            protocol=protocol,
            srf=srf,
            mtf=mtf,
            hsi_snr=hsi_snr,
            msi_snr=msi_snr,
            seed=seed,
            shift=shift,
            format=scene_format,
            block_size=block_size,
            overwrite=overwrite,
            progress=progress,
        )
    print_record(pair.record, as_json=as_json, for_people=_with_sizes)


def _with_sizes(record: Mapping[str, Any]) -> dict[str, object]:
    """The record with path and size of every scene on one line."""
    return {name: _size(value) if isinstance(value, Mapping) else value for name, value in record.items()}


def _size(scene: Mapping[str, Any]) -> str:
    return f"{scene['path']}, {scene['bands']} bands, {scene['height']} x {scene['width']} pixels"
