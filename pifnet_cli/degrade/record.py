"""`simulation.json`: what `pifnet simulate` writes down beside a pair, and what is read from it again."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from pifnet_cli import __version__
from pifnet_cli.degrade.blocks import PairNoise
from pifnet_cli.degrade.sensor_model import SensorModel
from pifnet_cli.degrade.srf import SpectralProjection
from pifnet_cli.errors import SceneReadError
from pifnet_cli.scene import Scene
from pifnet_cli.settings import SimulateSettings

RECORD_NAME = "simulation.json"
NOT_RECORDED = ("overwrite", "block_size")  # settings that the pair does not depend on


def simulation_record(
    path: Path,
    source: Scene,
    scenes: Mapping[str, Scene],
    *,
    sensor: SensorModel,
    projection: SpectralProjection,
    noise: PairNoise,
    settings: SimulateSettings,
) -> dict[str, Any]:
    """All parameters of a simulation as JSON values.

    Args:
        path: Of the reference, as the user named it.
        source: The reference.
        scenes: What is written, by name: `lr_hsi`, `hr_msi`, `reference`.
        sensor: How the pair sees the reference.
        projection: Where the bands of the HR-MSI come from.
        noise: What was added.
        settings: As the user gave them.
    """
    psf, grid = sensor.psf, source.grid
    return {
        "pifnet": __version__,
        "numpy": np.__version__,
        "input": {"path": str(path), "height": grid.height, "width": grid.width, "bands": source.bands.count},
        "settings": _settings_record(settings),
        "sensor": sensor.to_record(),
        "psf": {"sigma_rows": psf.sigma_rows, "sigma_columns": psf.sigma_columns, "taps": psf.taps},
        "phase": list(sensor.phase),
        "hsi_noise_std": noise.hsi_std.tolist(),
        "msi_noise_std": noise.msi_std.tolist(),
        "hsi_bands": asdict(scenes["lr_hsi"].bands),
        "msi_bands": asdict(scenes["hr_msi"].bands),
        "msi_bands_left_out": list(projection.left_out),
        "msi_bands_incomplete": list(projection.incomplete),
        "outputs": {name: scene_record(scene) for name, scene in scenes.items()},
    }


def scene_record(scene: Scene) -> dict[str, Any]:
    """A written scene as JSON values."""
    return {
        "file": scene.path.name,
        "bands": scene.bands.count,
        "height": scene.grid.height,
        "width": scene.grid.width,
        "transform": list(scene.grid.transform)[:6],
        "nodata": None if scene.nodata is None or np.isnan(scene.nodata) else scene.nodata,
    }


def recorded_sensor(folder: Path) -> SensorModel | None:
    """How the pair in a folder was made of its reference; None where there is no record: the pair is real.

    Raises:
        SceneReadError: The record cannot be understood.
    """
    file = folder / RECORD_NAME
    if not file.is_file():
        return None
    try:
        return SensorModel.from_record(json.loads(file.read_bytes())["sensor"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise SceneReadError(f"{file}: is no record of pifnet simulate ({error!r}); simulate the pair again") from error


def simulated_ratio(folder: Path) -> float | None:
    """The ratio of the pair in a folder; None where there is no record, or it does not tell."""
    try:
        record = json.loads((folder / RECORD_NAME).read_text(encoding="utf-8"))
        ratio = float(record["sensor"]["ratio"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return ratio if ratio >= 1 else None


def _settings_record(settings: SimulateSettings) -> dict[str, Any]:
    """What decides the result, as JSON values; older records hold `shift`, columns first."""
    chosen = {name: value for name, value in asdict(settings).items() if name not in NOT_RECORDED}
    return chosen | {"shift_rows_columns": chosen.pop("shift")}
