"""read -> align -> tile -> fuse -> blend -> write."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from models.anchors.regression import Regression
from pifnet_cli.align import Alignment, align
from pifnet_cli.degrade.psf import Psf, gaussian_from_mtf, paper_psf
from pifnet_cli.errors import GridError, SettingsError
from pifnet_cli.inference.closed_form import RegressionEngine, TileEngine
from pifnet_cli.inference.selection import Choice, choose_method
from pifnet_cli.inference.statistics import scene_regression
from pifnet_cli.pair import PairGeometry, pair_inputs, plan_windows
from pifnet_cli.raster.reader import SceneReader, open_scene
from pifnet_cli.raster.strips import StripFile
from pifnet_cli.raster.writer import WriteOptions, create_scene, require_creatable
from pifnet_cli.scene import RATIO_FIELD, Pixels, Scene, Window
from pifnet_cli.settings import FuseSettings, Method, Protocol
from pifnet_cli.tiling.blending import Blender
from pifnet_cli.tiling.layout import Tile, TilePlan

log = logging.getLogger(__name__)

DEFAULT_MTF = 0.3  # at the LR Nyquist frequency, where neither the user nor a checkpoint says more

LARGEST_BLOCK = 1024  # pixels; larger GeoTIFF tiles are slow to browse

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class FusionPlan:
    """All that is decided before the first pixel is fused."""

    choice: Choice
    psf: Psf
    alignment: Alignment
    tiles: TilePlan
    target: Scene


@dataclass(frozen=True, slots=True)
class FusedScene:
    """What was written, and how."""

    plan: FusionPlan

    @property
    def scene(self) -> Scene:
        """The output."""
        return self.plan.target

    def record(self) -> dict[str, object]:
        """The result as JSON values."""
        scene, gsd = self.scene, self.scene.grid.gsd
        return {
            "output": str(scene.path),
            "method": self.plan.choice.method.value,
            "because": self.plan.choice.reason,
            "bands": scene.bands.count,
            "height": scene.grid.height,
            "width": scene.grid.width,
            "gsd": [round(side, 9) for side in gsd],
            "ratio": round(self.plan.alignment.ratio, 6),
            "dtype": scene.dtype,
            "tiles": len(self.plan.tiles),
        }


def fuse_scene(
    lr_hsi: Path,
    hr_msi: Path,
    output: Path,
    settings: FuseSettings,
    *,
    checkpoint: Path | None = None,
    progress: Progress = lambda _stage, _done, _total: None,
) -> FusedScene:
    """Fuse a pair into one scene with the bands of the first and the pixels of the second.

    Args:
        lr_hsi: LR-HSI, ENVI or GeoTIFF.
        hr_msi: HR-MSI of the same ground.
        output: Result; its extension chooses the format. Appears complete or not at all.
        settings: How.
        checkpoint: A trained network; without one the best method known to fit is chosen.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        PifnetError: An input cannot be used, the two do not fit, or the output cannot be written.
    """
    with ExitStack() as stack:
        # BLAS threads wait for cores that torch's threads hold, and the other way round (docs/decisions.md).
        stack.enter_context(threadpool_limits(limits=1, user_api="blas"))
        lr, hr = stack.enter_context(open_scene(lr_hsi)), stack.enter_context(open_scene(hr_msi))
        plan = plan_fusion(lr.scene, hr.scene, output, settings, checkpoint=checkpoint)
        writer = stack.enter_context(create_scene(plan.target, _options(plan, settings), inputs=[lr_hsi, hr_msi]))
        strips = stack.enter_context(StripFile(output.parent))
        engine = _engine(plan, _regression(plan, lr, hr, progress), settings)
        blender = Blender(plan.tiles, strips)
        for done, tile in enumerate(plan.tiles, start=1):
            core, pixels = blender.add(tile, fused_tile(tile, plan, engine, lr=lr, hr=hr))
            writer.write(pixels, core)
            progress("fusing", done, len(plan.tiles))
    return FusedScene(plan)


def preview_fusion(
    lr_hsi: Path, hr_msi: Path, output: Path, settings: FuseSettings, *, checkpoint: Path | None = None
) -> dict[str, object]:
    """What `fuse_scene` would do, after the same checks of inputs and output; nothing is written."""
    with open_scene(lr_hsi) as lr, open_scene(hr_msi) as hr:
        plan = plan_fusion(lr.scene, hr.scene, output, settings, checkpoint=checkpoint)
        require_creatable(plan.target, _options(plan, settings), inputs=[lr_hsi, hr_msi])
    pixels = plan.target.grid.height * plan.target.grid.width * plan.target.bands.count
    return FusedScene(plan).record() | {"bytes uncompressed": pixels * np.dtype(plan.target.dtype).itemsize}


def plan_fusion(
    lr: Scene, hr: Scene, output: Path, settings: FuseSettings, *, checkpoint: Path | None = None
) -> FusionPlan:
    """Decide grid, method, sensor model and tiles, without touching a pixel."""
    alignment = align(lr, hr, extent=settings.extent)
    for notice in alignment.notices:
        log.warning("%s, %s: %s", lr.path, hr.path, notice)
    choice = choose_method(settings.method, checkpoint, lr_bands=lr.bands, hr_bands=hr.bands, ratio=alignment.ratio)
    log.info("method %s: %s", choice.method.value, choice.reason)
    return FusionPlan(
        choice=choice,
        psf=_psf(settings, choice, alignment),
        alignment=alignment,
        tiles=_tiles(settings, choice, alignment),
        target=_target(lr, output, alignment, settings),
    )


def fused_tile(tile: Tile, plan: FusionPlan, engine: TileEngine, *, lr: SceneReader, hr: SceneReader) -> Pixels:
    """Read what a tile needs of both scenes and fuse it: (C, h, w) on the tile's window."""
    origin = plan.alignment.output
    context = tile.context
    on_hr = Window(context.row + origin.row, context.column + origin.column, context.height, context.width)
    windows = plan_windows(plan.alignment, on_hr, plan.psf)
    if windows.lr.is_empty:
        return np.full((plan.target.bands.count, tile.window.height, tile.window.width), np.nan, dtype=np.float32)
    geometry = PairGeometry.of_windows(plan.alignment, windows)
    inputs = pair_inputs(lr.read(windows.lr), hr.read(windows.hr), geometry=geometry, psf=plan.psf)
    rows, columns = tile.window.relative_to(context).slices
    return np.ascontiguousarray(engine.fuse(inputs)[:, rows, columns])


def _options(plan: FusionPlan, settings: FuseSettings) -> WriteOptions:
    """Blocks of the file that are the cores of the tiles: each is then compressed and written once."""
    stride = plan.tiles.stride
    return WriteOptions(
        overwrite=settings.overwrite,
        creation_options=settings.creation_options,
        block_size=stride if stride % 16 == 0 and stride <= LARGEST_BLOCK else None,
    )


def _tiles(settings: FuseSettings, choice: Choice, alignment: Alignment) -> TilePlan:
    """Networks get overlapping tiles with a halo; a closed form gives the same pixels whatever the tile."""
    is_network = choice.method is Method.PIFNET
    return TilePlan(
        height=alignment.output.height,
        width=alignment.output.width,
        tile_size=settings.tile_size if is_network else settings.tile_size - settings.overlap,
        overlap=settings.overlap if is_network else 0,
        halo=settings.halo if is_network else 0,
    )


def _psf(settings: FuseSettings, choice: Choice, alignment: Alignment) -> Psf:
    """The user's sensor model, else the checkpoint's, else a Gaussian of the default MTF."""
    trained = (choice.header or {}).get("sensor") or {}
    protocol = settings.protocol or Protocol(trained.get("protocol", Protocol.MTF))
    if protocol is Protocol.PAPER:
        return paper_psf()
    mtf = settings.mtf_at_nyquist or trained.get("mtf_at_nyquist") or DEFAULT_MTF
    return gaussian_from_mtf(mtf, ratio_rows=alignment.ratio_rows, ratio_columns=alignment.ratio_columns)


def _target(lr: Scene, output: Path, alignment: Alignment, settings: FuseSettings) -> Scene:
    """The scene to be written: bands and numbers of the LR-HSI on the grid of the HR-MSI."""
    dtype = settings.dtype or lr.dtype
    scales, offsets = _scaling(lr, dtype, settings.scale)
    nodata = lr.nodata if lr.nodata is not None and _holds(dtype, lr.nodata) else None  # the writer chooses one
    told = tuple(field for field in lr.acquisition if field[0] != RATIO_FIELD)
    return replace(
        lr,
        path=output,
        grid=alignment.output_grid,
        dtype=dtype,
        nodata=nodata,
        scales=scales,
        offsets=offsets,
        acquisition=(*told, (RATIO_FIELD, f"{alignment.ratio:.6g}")),
    )


def _scaling(lr: Scene, dtype: str, scale: float | None) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Scale and offset of the stored numbers: the user's, else the LR-HSI's where both store the same kind."""
    if scale is not None:
        return (scale,) * lr.bands.count, None
    is_integer, was_integer = (np.issubdtype(kind, np.integer) for kind in (dtype, lr.dtype))
    if is_integer and not was_integer:
        raise SettingsError(
            f"--dtype {dtype}: the LR-HSI holds {lr.dtype} numbers; say what one stored unit is worth, "
            f"e.g. --scale 0.0001 for reflectance times 10 000"
        )
    return (lr.scales, lr.offsets) if is_integer == was_integer else (None, None)


def _holds(dtype: str, value: float) -> bool:
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return limits.min <= value <= limits.max and float(value).is_integer()
    return True


def _regression(plan: FusionPlan, lr: SceneReader, hr: SceneReader, progress: Progress) -> Regression:
    try:
        return scene_regression(
            lr.read,
            hr.read,
            alignment=plan.alignment,
            psf=plan.psf,
            bands=(lr.scene.bands.count, hr.scene.bands.count),
            report=lambda done, total: progress("reading statistics", done, total),
        )
    except ValueError as error:
        raise GridError(
            f"{lr.scene.path}: {error} ({hr.scene.path}); both hold nodata where the other has pixels; check nodata "
            f"values with: pifnet info FILE"
        ) from error


def _engine(plan: FusionPlan, regression: Regression, settings: FuseSettings) -> TileEngine:
    if plan.choice.checkpoint is None:
        return RegressionEngine(regression)
    from pifnet_cli.inference.engine import load_engine  # noqa: PLC0415 - torch only where a network is used

    return load_engine(plan.choice.checkpoint, regression, device=settings.device, precision=settings.precision)
