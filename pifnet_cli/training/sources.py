"""Training scenes: folders with a pair and its truth, or reference scenes that are degraded where they are read."""

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.choices import Phase
from pifnet_cli.degrade.blocks import Block, BlockDegrader, PairNoise
from pifnet_cli.degrade.noise import NoiseStream, window_noise
from pifnet_cli.degrade.psf import Psf, psf_of
from pifnet_cli.degrade.record import RECORD_NAME, recorded_sensor
from pifnet_cli.degrade.sensor_model import SensorModel, project_spectrally
from pifnet_cli.degrade.srf import spectral_projection
from pifnet_cli.errors import BandsError, GridError, SceneReadError
from pifnet_cli.pair.alignment import Alignment, align
from pifnet_cli.pair.tile import TileEngine
from pifnet_cli.raster.reader import SceneReader, open_scene
from pifnet_cli.scene import Pixels, Scene, Window
from pifnet_cli.settings import SimulateSettings
from pifnet_cli.training.patches import ReadWindow, TrainingPair, split_area
from pifnet_models.kriging.regression import Regression

LR_NAMES, HR_NAMES, REFERENCE_NAMES = ("lr_hsi", "lr"), ("hr_msi", "hr"), ("reference",)
SUFFIXES = (".tif", ".tiff", ".hdr", ".img", ".dat")
CACHED_BYTES = 200 * 2**20  # scenes up to this size as float32 stay in memory
SCAN_BLOCK = 256  # HR pixels
GRID_TOLERANCE = 0.01  # HR pixels
RATIO_TOLERANCE = 0.05  # relative, between the scenes of a training


@dataclass(frozen=True, slots=True, eq=False)
class TrainingScene:
    """A pair and its truth as they were opened, before anything is computed from them.

    Attributes:
        path: As the user named it.
        lr: The LR-HSI, on its own grid.
        hr: The HR-MSI.
        read_lr: LR window -> (C, h, w).
        read_hr: HR window -> (M, H, W).
        read_reference: HR window -> (C, H, W).
        alignment: How both lie on each other.
        psf: The hyperspectral sensor's blur.
        sensor: How the pair was made of its reference; None where it is real.
        noise: What it adds to every part of the scene; None where the pair is real, or its LR pixels no whole blocks.
    """

    path: Path
    lr: Scene
    hr: Scene
    read_lr: ReadWindow
    read_hr: ReadWindow
    read_reference: ReadWindow
    alignment: Alignment
    psf: Psf
    sensor: SensorModel | None
    noise: PairNoise | None

    def pair(self, regression: Regression, anchor: TileEngine | None, *, held_out_share: float) -> TrainingPair:
        """The pair to train on.

        Args:
            regression: Over the whole pair.
            anchor: What the network starts from; None where that is interpolation or the regression.
            held_out_share: The part of the rows, at the lower end, that training never sees the truth of.
        """
        guard = math.ceil(self.psf.radius + self.alignment.ratio)
        area, held_out = split_area(self.alignment.output, share=held_out_share, guard=guard)
        return TrainingPair(
            name=str(self.path),
            read_lr=self.read_lr,
            read_hr=self.read_hr,
            read_reference=self.read_reference,
            alignment=self.alignment,
            psf=self.psf,
            sensor=self.sensor if self.sensor and self.sensor.has_whole_ratio else None,
            noise=self.noise,
            regression=regression,
            area=area,
            held_out=held_out,
            anchor=anchor,
        )


class SharedReader:
    """A scene's pixels for several threads; a small scene is read once."""

    def __init__(self, reader: SceneReader, *, cached_bytes: int) -> None:
        """Scenes of up to `cached_bytes` as float32 are read once and stay in memory."""
        grid = reader.scene.grid
        self._reader, self._lock = reader, Lock()
        self._fits = reader.scene.bands.count * grid.height * grid.width * 4 <= cached_bytes
        self._pixels: Pixels | None = None

    def __call__(self, window: Window) -> Pixels:
        """(C, height, width) of a window inside the scene; not to be written to."""
        with self._lock:
            if not self._fits:
                return self._reader.read(window)
            if self._pixels is None:
                self._pixels = self._reader.read()
        rows, columns = window.slices
        return self._pixels[:, rows, columns]


def open_training_scene(
    path: Path, degradation: SimulateSettings, stack: ExitStack, *, phase: Phase, cached_bytes: int = CACHED_BYTES
) -> TrainingScene:
    """Open a folder (`lr_hsi`, `hr_msi`, `reference`, and `simulation.json` where simulated) or a reference scene.

    Args:
        path: A folder or a scene.
        degradation: For reference scenes all of it; for real pairs protocol and MTF.
        stack: Closes the files.
        phase: Where LR pixels are taken to lie.
        cached_bytes: Scenes of up to this size as float32 stay in memory.

    Raises:
        PifnetError: A scene is missing or cannot be used, or the three of a folder do not fit.
    """
    if not path.is_dir():
        reader = stack.enter_context(open_scene(path))
        read = SharedReader(reader, cached_bytes=cached_bytes)
        return _degraded_scene(path, reader.scene, read, degradation, phase)
    lr, hr, reference = (stack.enter_context(open_scene(_found(path, names)))
                         for names in (LR_NAMES, HR_NAMES, REFERENCE_NAMES))  # fmt: skip
    _require_same_grid(reference.scene, hr.scene)
    alignment = align(lr.scene, hr.scene, phase=phase)
    sensor = recorded_sensor(path)
    read_reference = SharedReader(reference, cached_bytes=cached_bytes)
    noise = None
    if sensor is not None and sensor.has_whole_ratio:
        size = {"height": hr.scene.grid.height, "width": hr.scene.grid.width}
        noise = DegradedReference(read_reference, sensor, **size, seed=degradation.seed).noise
    return TrainingScene(
        path=path,
        lr=lr.scene,
        hr=hr.scene,
        read_lr=SharedReader(lr, cached_bytes=cached_bytes),
        read_hr=SharedReader(hr, cached_bytes=cached_bytes),
        read_reference=read_reference,
        alignment=alignment,
        psf=sensor.psf if sensor else _real_psf(degradation, alignment),
        sensor=sensor,
        noise=noise,
    )


def files_of(path: Path) -> list[Path]:
    """What `open_training_scene` reads, as far as it is there: a scene's name stands for all its files."""
    if not path.is_dir():
        return [path]
    names = (*LR_NAMES, *HR_NAMES, *REFERENCE_NAMES)
    return [path / RECORD_NAME, *(path / (name + suffix) for name in names for suffix in SUFFIXES)]


def require_alike(scenes: Sequence[TrainingScene]) -> None:
    """Refuse scenes that one network cannot be trained on.

    Raises:
        BandsError: They have other numbers of bands than the first.
        GridError: They have another ratio.
    """
    for scene in scenes:
        _require_same_bands(scene.path, "LR-HSI", scene.lr, scenes[0].path, scenes[0].lr)
        _require_same_bands(scene.path, "HR-MSI", scene.hr, scenes[0].path, scenes[0].hr)
        if abs(scene.alignment.ratio / scenes[0].alignment.ratio - 1) > RATIO_TOLERANCE:
            raise GridError(
                f"{scene.path}: ratio {scene.alignment.ratio:.3g}, {scenes[0].path} {scenes[0].alignment.ratio:.3g}; "
                f"all scenes of a training need the same ratio"
            )


class DegradedReference:
    """A reference seen as the pair that `pifnet simulate` would write of it; nothing is stored.

    Attributes:
        noise: What is added to it.
    """

    def __init__(self, read: ReadWindow, sensor: SensorModel, *, height: int, width: int, seed: int) -> None:
        """Measure the signal where noise was asked for.

        Args:
            read: Window -> (C, H, W) of the reference.
            sensor: How the pair sees it.
            height: Of the reference; whole LR pixels.
            width: Likewise.
            seed: Of the noise.
        """
        self._read, self._sensor = read, sensor
        self._degrader = BlockDegrader(read, sensor, height=height, width=width, block_size=SCAN_BLOCK)
        self.noise: PairNoise = self._degrader.noise(seed, _no_report)

    def read_lr(self, window: Window) -> Pixels:
        """LR window -> (C, h, w)."""
        image = self._degrader.degraded(Block(lr=window, hr=window.scaled(self._sensor.whole_ratio))).lr_hsi
        return self._noisy(image, window, self.noise.hsi_std, NoiseStream.LR_HSI)

    def read_hr(self, window: Window) -> Pixels:
        """HR window -> (M, H, W)."""
        image = project_spectrally(self._read(window), self._sensor.srf)
        return self._noisy(image, window, self.noise.msi_std, NoiseStream.HR_MSI)

    def _noisy(self, image: Pixels, window: Window, std: NDArray[np.float32], stream: NoiseStream) -> Pixels:
        if not std.any():
            return image
        drawn = window_noise(window, bands=len(std), seed=self.noise.seed, stream=stream)
        return image + std[:, None, None] * drawn


def _no_report(_done: int, _total: int) -> None:
    pass


def _degraded_scene(
    path: Path, scene: Scene, read: ReadWindow, degradation: SimulateSettings, phase: Phase
) -> TrainingScene:
    ratio = int(degradation.ratio)
    height, width = (side // ratio * ratio for side in (scene.grid.height, scene.grid.width))
    if height == 0 or width == 0:
        raise GridError(
            f"{path}: {scene.grid.height} x {scene.grid.width} pixels make no LR pixel at ratio {ratio}; "
            f"choose a smaller --ratio or a larger scene"
        )
    bands = replace(scene.bands, good=tuple(_live_bands(read, scene)))
    projection = spectral_projection(degradation.srf, bands)
    sensor = SensorModel(
        protocol=degradation.protocol,
        ratio=ratio,
        mtf_at_nyquist=degradation.mtf_at_nyquist,
        srf=projection.weights,
        hsi_snr_db=degradation.hsi_snr_db,
        msi_snr_db=degradation.msi_snr_db,
        shift=degradation.shift,
    )
    grid = scene.grid.cropped(Window(0, 0, height, width))
    lr, hr = replace(scene, grid=sensor.lr_grid(grid)), replace(scene, grid=grid, bands=projection.bands)
    pair = DegradedReference(read, sensor, height=height, width=width, seed=degradation.seed)
    return TrainingScene(
        path=path,
        lr=lr,
        hr=hr,
        read_lr=pair.read_lr,
        read_hr=pair.read_hr,
        read_reference=read,
        alignment=align(lr, hr, phase=phase),
        psf=sensor.psf,
        sensor=sensor,
        noise=pair.noise,
    )


def _live_bands(read: ReadWindow, scene: Scene) -> NDArray[np.bool_]:
    """Bands that are declared good and hold a valid pixel, (C,); reads no further than it must."""
    declared = np.ones(scene.bands.count, dtype=bool) if scene.bands.good is None else np.array(scene.bands.good)
    seen = np.zeros(scene.bands.count, dtype=bool)
    for window in scene.grid.window.blocks(SCAN_BLOCK):
        if seen[declared].all():
            return declared
        seen |= np.isfinite(read(window)).any(axis=(1, 2))
    return declared & seen


def _found(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        for suffix in SUFFIXES:
            if (folder / (name + suffix)).is_file():
                return folder / (name + suffix)
    raise SceneReadError(
        f"{folder}: holds no {names[0]}{SUFFIXES[0]} (or .hdr); a folder with lr_hsi, hr_msi and reference was "
        f"expected; make one with: pifnet simulate SCENE -o {folder}"
    )


def _real_psf(degradation: SimulateSettings, alignment: Alignment) -> Psf:
    return psf_of(
        degradation.protocol,
        degradation.mtf_at_nyquist,
        ratio_rows=alignment.ratio_rows,
        ratio_columns=alignment.ratio_columns,
    )


def _require_same_bands(path: Path, kind: str, scene: Scene, first_path: Path, first: Scene) -> None:
    if scene.bands.count != first.bands.count:
        raise BandsError(
            f"{path}: an {kind} of {scene.bands.count} bands, {first_path} of {first.bands.count}; "
            f"all scenes of a training need the same bands"
        )


def _require_same_grid(reference: Scene, hr: Scene) -> None:
    same_size = (reference.grid.height, reference.grid.width) == (hr.grid.height, hr.grid.width)
    reference_corner, hr_corner = reference.grid.transform @ (0, 0), hr.grid.transform @ (0, 0)
    column, row = ~hr.grid.transform @ reference_corner
    if not same_size or max(abs(column), abs(row)) > GRID_TOLERANCE:
        raise GridError(
            f"{reference.path}: {reference.grid.height} x {reference.grid.width} pixels from {reference_corner}; the "
            f"truth must lie on the grid of {hr.path}: {hr.grid.height} x {hr.grid.width} from {hr_corner}"
        )
