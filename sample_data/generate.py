"""Draw the sample scene, and scenes like it to train on.

python sample_data/generate.py --output sample_data --seed 22 --size 162
python sample_data/generate.py --training scenes --scenes 40 --seed 22 --size 192
"""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from affine import Affine
from rasterio.crs import CRS

from landscape.scene import generate_scene
from landscape.sensor import band_centres_nm, band_widths_nm
from pifnet_cli.choices import Overwrite
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.raster.writer import WriteOptions, create_scene
from pifnet_cli.scene import Bands, Grid, Pixels, Scene, WavelengthUnit
from pifnet_cli.settings import SimulateSettings
from pifnet_cli.workflows.simulate import simulate_scene

RATIO = 3
GSD_M = 10.0
SCALE = 1e-4
NODATA = -32768.0
UTM_32_NORTH = 32632
CORNER = (647_310.0, 5_338_230.0)


def generate(
    output: Annotated[Path | None, typer.Option(help="Folder for the sample: lr.hdr, hr.tif, reference.tif.")] = None,
    training: Annotated[Path | None, typer.Option(help="Folder for reference scenes to train on.")] = None,
    scenes: Annotated[int, typer.Option(min=1, max=9999, help="How many of them.")] = 40,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other landscapes.")] = 22,
    size: Annotated[int, typer.Option(min=48, help="Side of a scene in fine pixels; a multiple of 3.")] = 162,
    overwrite: Annotated[Overwrite, typer.Option(help="What happens to files that exist.")] = Overwrite.REFUSE,
) -> None:
    """Write the sample scene, scenes to train on, or both; training scenes never show the sample's landscape."""
    if size % RATIO:
        raise typer.BadParameter(f"--size {size}: a multiple of {RATIO} was expected")
    if output is None and training is None:
        raise typer.BadParameter("nothing to do: name a folder with --output or --training")
    options = WriteOptions(overwrite=overwrite)
    if output is not None:
        output.mkdir(parents=True, exist_ok=True)
        write_sample(output, landscape(seed, 0, size=size), options=options)
        typer.echo(f"{output}: lr.hdr, hr.tif, reference.tif")
    if training is not None:
        training.mkdir(parents=True, exist_ok=True)
        for number in range(1, scenes + 1):
            path = training / f"scene_{number:04d}.tif"
            write_reference(path, landscape(seed, number, size=size), options=options)
            typer.echo(path)


def landscape(seed: int, number: int, *, size: int) -> Pixels:
    """Landscape `number` of a seed, (80, size, size); number 0 is the sample."""
    rng = np.random.default_rng([seed, number])
    return generate_scene(rng, height=size, width=size, wavelengths_nm=band_centres_nm(), gsd_m=GSD_M)


def write_reference(path: Path, pixels: Pixels, *, options: WriteOptions) -> None:
    """Write an HR-HSI with all that a real one carries."""
    centres, widths = band_centres_nm(), band_widths_nm()
    bands = Bands(
        count=len(pixels),
        wavelengths=tuple(centres.tolist()),
        fwhm=tuple(widths.tolist()),
        unit=WavelengthUnit.NANOMETERS,
    )
    transform = Affine(GSD_M, 0, CORNER[0], 0, -GSD_M, CORNER[1])
    grid = Grid(pixels.shape[1], pixels.shape[2], transform, CRS.from_epsg(UTM_32_NORTH).to_wkt())
    _write(_as_integers(Scene(path, grid, bands)), pixels, options=options)


def write_sample(folder: Path, pixels: Pixels, *, options: WriteOptions) -> None:
    """Write the reference, and the pair of an EnMAP-like and a Sentinel-2-like sensor that see it."""
    reference = folder / "reference.tif"
    write_reference(reference, pixels, options=options)
    settings = SimulateSettings(ratio=RATIO, srf="sentinel-2", mtf_at_nyquist=0.3, hsi_snr_db=35, msi_snr_db=40)
    with tempfile.TemporaryDirectory() as workspace:
        pair = simulate_scene(reference, Path(workspace) / "pair", settings)
        for scene, name in ((pair.lr_hsi, "lr.hdr"), (pair.hr_msi, "hr.tif")):
            with open_scene(scene.path) as reader:
                stored = _as_integers(replace(reader.scene, path=folder / name))
                _write(stored, reader.read(), options=options)


def _as_integers(scene: Scene) -> Scene:
    scales = (SCALE,) * scene.bands.count
    return replace(scene, dtype="int16", nodata=NODATA, scales=scales, offsets=(0.0,) * scene.bands.count)


def _write(scene: Scene, pixels: Pixels, *, options: WriteOptions) -> None:
    with create_scene(scene, options) as writer:
        writer.write(pixels, scene.grid.window)


if __name__ == "__main__":
    typer.run(generate)
