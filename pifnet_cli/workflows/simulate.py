"""HR-HSI -> LR-HSI + HR-MSI, with the HR-HSI kept as reference."""

import json
import logging
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pifnet_cli.choices import Overwrite, SceneFormat
from pifnet_cli.degrade.blocks import SIDE_STEP, BlockDegrader, PairNoise
from pifnet_cli.degrade.record import RECORD_NAME, scene_record, simulation_record
from pifnet_cli.degrade.sensor_model import SensorModel
from pifnet_cli.degrade.srf import SpectralProjection, response_tables, spectral_projection
from pifnet_cli.errors import GridError
from pifnet_cli.progress import Progress, silent
from pifnet_cli.raster.formats import output_files
from pifnet_cli.raster.publishing.folder import OutputFolder
from pifnet_cli.raster.publishing.publication import sidecars
from pifnet_cli.raster.reader import SceneReader, bands_with_pixels, open_scene
from pifnet_cli.raster.writer import SceneWriter, WriteOptions, create_scene
from pifnet_cli.scene import Scene, Window
from pifnet_cli.settings import SimulateSettings

log = logging.getLogger(__name__)

SCENE_NAMES = ("lr_hsi", "hr_msi", "reference")
SUFFIXES = {SceneFormat.GEOTIFF: ".tif", SceneFormat.ENVI: ".hdr"}
NODATA = -9999.0  # where the source names none
LARGEST_TILE = 512


@dataclass(frozen=True, slots=True)
class SimulatedPair:
    """What was written: three scenes, their sensor model, and the file that records it."""

    source: Scene
    lr_hsi: Scene
    hr_msi: Scene
    reference: Scene
    record_path: Path
    sensor: SensorModel

    def record(self) -> dict[str, Any]:
        """The result as JSON values."""
        scenes = {name: {"path": str(scene.path)} | scene_record(scene) for name, scene in self.scenes().items()}
        return {"record": str(self.record_path), "ratio": self.sensor.ratio} | scenes

    def scenes(self) -> dict[str, Scene]:
        """The scenes by name, in the order in which they are written."""
        return dict(zip(SCENE_NAMES, (self.lr_hsi, self.hr_msi, self.reference), strict=True))


def simulate_scene(
    scene: Path,
    folder: Path,
    settings: SimulateSettings,
    *,
    progress: Progress = silent,
) -> SimulatedPair:
    """Degrade a hyperspectral scene into a pair of which the truth is known.

    Memory does not depend on the scene's height or width, nor the result on the size of the blocks.

    Args:
        scene: The HR-HSI, ENVI or GeoTIFF.
        folder: Receives `lr_hsi`, `hr_msi`, `reference` and `simulation.json`, complete or not at all.
        settings: How.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        PifnetError: The scene cannot be used, the SRF does not fit it, or the folder cannot be written.
    """
    with ExitStack() as stack:
        source = stack.enter_context(open_scene(scene))
        output = stack.enter_context(
            OutputFolder(
                folder,
                record=RECORD_NAME,
                owned=_owned_names(),
                overwrite=settings.overwrite,
                inputs=[scene, *response_tables(settings.srf)],
            )
        )
        projection = _projection(source, settings)
        sensor = _sensor(projection, settings)
        pair = _planned(source.scene, output, sensor, projection, settings)
        grid = pair.reference.grid
        degrader = BlockDegrader(
            source.read, sensor, height=grid.height, width=grid.width, block_size=settings.block_size
        )
        noise = degrader.noise(settings.seed, lambda done, total: progress("measuring the signal", done, total))
        _write(degrader, pair, noise, output, progress)
        record = simulation_record(
            scene,
            pair.source,
            pair.scenes(),
            sensor=sensor,
            projection=projection,
            noise=noise,
            settings=settings,
        )
        output.write_record(json.dumps(record, indent=1, allow_nan=False) + "\n")
    return pair


def _owned_names() -> list[str]:
    """The files of both formats and their side files: a run in one replaces those of a run in the other."""
    outputs = [output_files(Path(name + suffix)) for name in SCENE_NAMES for suffix in SUFFIXES.values()]
    return [file.name for files in outputs for file in (*files.all, *sidecars(files))]


def _projection(source: SceneReader, settings: SimulateSettings) -> SpectralProjection:
    bands = source.scene.bands
    good = np.ones(bands.count, dtype=bool) if bands.good is None else np.array(bands.good, dtype=bool)
    filled = bands_with_pixels(source, np.flatnonzero(good).tolist(), block_size=settings.block_size)
    projection = spectral_projection(
        settings.srf, replace(bands, good=tuple(band in filled for band in range(len(good))))
    )
    if projection.left_out:
        log.warning(
            "--srf %s: left out, outside the scene's wavelengths: %s", settings.srf, ", ".join(projection.left_out)
        )
    if projection.incomplete:
        log.warning("--srf %s: covered in part only: %s", settings.srf, ", ".join(projection.incomplete))
    return projection


def _sensor(projection: SpectralProjection, settings: SimulateSettings) -> SensorModel:
    return SensorModel(
        protocol=settings.protocol,
        ratio=settings.ratio,
        mtf_at_nyquist=settings.mtf_at_nyquist,
        srf=projection.weights,
        hsi_snr_db=settings.hsi_snr_db,
        msi_snr_db=settings.msi_snr_db,
        shift=settings.shift,
    )


def _planned(
    source: Scene, output: OutputFolder, sensor: SensorModel, projection: SpectralProjection, settings: SimulateSettings
) -> SimulatedPair:
    """The scenes to be written, on their true grids."""
    grid = source.grid
    height, width = (sensor.hr_length(sensor.lr_length(side)) for side in (grid.height, grid.width))
    if height == 0 or width == 0:
        raise GridError(
            f"{source.path}: {grid.height} x {grid.width} pixels make no LR pixel at ratio {sensor.ratio:g}; "
            "choose a smaller --ratio or a larger scene"
        )
    if (height, width) != (grid.height, grid.width):
        log.info("cropped to %d x %d pixels: whole LR pixels at ratio %g", height, width, sensor.ratio)
    cropped = grid.cropped(Window(0, 0, height, width))
    lr_path, hr_path, reference_path = (
        output.final_path_of(name + SUFFIXES[settings.scene_format]) for name in SCENE_NAMES
    )
    reference = replace(
        source,
        path=reference_path,
        grid=cropped,
        dtype="float32",
        nodata=_float32_nodata(source.nodata),
        scales=None,
        offsets=None,
    )
    return SimulatedPair(
        source=source,
        lr_hsi=replace(reference, path=lr_path, grid=sensor.lr_grid(cropped)),
        hr_msi=replace(reference, path=hr_path, bands=projection.bands, acquisition=()),
        reference=reference,
        record_path=output.final_path_of(RECORD_NAME),
        sensor=sensor,
    )


def _float32_nodata(nodata: float | None) -> float:
    """The source's nodata, unless it has none or one that float32 cannot hold."""
    if nodata is None or abs(nodata) > float(np.finfo(np.float32).max):
        return NODATA
    return nodata


def _write(
    degrader: BlockDegrader, pair: SimulatedPair, noise: PairNoise, output: OutputFolder, progress: Progress
) -> None:
    with ExitStack() as stack:

        def writer(scene: Scene, block_side: int) -> SceneWriter:
            options = WriteOptions(overwrite=Overwrite.REFUSE, block_size=_tile_side(block_side))
            return stack.enter_context(create_scene(replace(scene, path=output.path_of(scene.path.name)), options))

        lr_writer = writer(pair.lr_hsi, degrader.lr_side)
        hr_writer, reference_writer = writer(pair.hr_msi, degrader.hr_side), writer(pair.reference, degrader.hr_side)
        for done, block in enumerate(degrader, start=1):
            images = noise.added(degrader.degraded(block), block)
            lr_writer.write(images.lr_hsi, block.lr)
            hr_writer.write(images.hr_msi, block.hr)
            reference_writer.write(images.reference, block.hr)
            progress("degrading", done, len(degrader))


def _tile_side(block_side: int) -> int:
    """The largest tile whose borders include those of every block: each tile is written once, complete."""
    return max(side for side in range(SIDE_STEP, LARGEST_TILE + 1, SIDE_STEP) if block_side % side == 0)
