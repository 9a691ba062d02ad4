"""read -> align -> tile -> fuse -> blend -> write."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from models.anchors.regression import Regression
from models.classical.moments import SceneMoments
from pifnet_cli.align import Alignment, align
from pifnet_cli.degrade.psf import Psf, gaussian_from_mtf, paper_psf
from pifnet_cli.errors import GridError, SettingsError
from pifnet_cli.inference.closed_form import anchor_engine, training_free_engine
from pifnet_cli.inference.selection import Choice, choose_method
from pifnet_cli.inference.statistics import scene_moments, scene_regression
from pifnet_cli.lattice import REGULAR
from pifnet_cli.pair import PairGeometry, PairTile, TileEngine, plan_windows
from pifnet_cli.raster.reader import SceneReader, open_scene
from pifnet_cli.raster.strips import StripFile
from pifnet_cli.raster.writer import WriteOptions, create_scene, require_creatable
from pifnet_cli.scene import RATIO_FIELD, Pixels, Scene, Window
from pifnet_cli.settings import Anchor, FuseSettings, Method, Phase, Protocol, Variant
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
        engine = _engine(plan, lr, hr, settings, progress=progress)
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
    choice = choose_method(
        settings.method,
        checkpoint,
        lr_bands=lr.bands,
        hr_bands=hr.bands,
        ratio=alignment.ratio,
        is_sensor_known=settings.protocol is not None or settings.mtf_at_nyquist is not None,
    )
    if _phase(settings, choice) is Phase.NAIVE:
        alignment = align(lr, hr, extent=settings.extent, phase=Phase.NAIVE)
    for notice in (*alignment.notices, *_regrid_notices(choice, alignment)):
        log.warning("%s, %s: %s", lr.path, hr.path, notice)
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
    windows = plan_windows(plan.alignment, on_hr, plan.psf, margin=engine.margin)
    if windows.lr.is_empty:
        return np.full((plan.target.bands.count, tile.window.height, tile.window.width), np.nan, dtype=np.float32)
    geometry = PairGeometry.of_windows(plan.alignment, windows)
    pair = PairTile(lr.read(windows.lr), hr.read(windows.hr), geometry, plan.psf)
    rows, columns = tile.window.relative_to(context).slices
    return np.ascontiguousarray(engine.fuse(pair)[:, rows, columns])


def _options(plan: FusionPlan, settings: FuseSettings) -> WriteOptions:
    """Blocks of the file that are the cores of the tiles: each is then compressed and written once."""
    stride = plan.tiles.stride
    return WriteOptions(
        overwrite=settings.overwrite,
        creation_options=settings.creation_options,
        block_size=stride if stride % 16 == 0 and stride <= LARGEST_BLOCK else None,
    )


def _tiles(settings: FuseSettings, choice: Choice, alignment: Alignment) -> TilePlan:
    """Networks and block methods get overlapping tiles; a pointwise one gives the same pixels whatever the tile.

    Networks also get a halo; what is not a network takes the LR pixels that it wants round a tile itself.
    """
    is_blended = choice.method.is_network or choice.method in (Method.CNMF, Method.HYSURE)
    return TilePlan(
        height=alignment.output.height,
        width=alignment.output.width,
        tile_size=settings.tile_size if is_blended else settings.tile_size - settings.overlap,
        overlap=settings.overlap if is_blended else 0,
        halo=settings.halo if choice.method.is_network else 0,
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


def _phase(settings: FuseSettings, choice: Choice) -> Phase:
    """The user's, else the one that the checkpoint was trained with."""
    return settings.phase or Phase((choice.header or {}).get("phase", Phase.TRUE))


def _regrid_notices(choice: Choice, alignment: Alignment) -> list[str]:
    """What the user should know about methods that need whole or parallel LR pixels."""
    is_rotated = not alignment.lr_positions(Window(0, 0, 2, 2)).is_separable
    if choice.method.is_network and "ratio" in ((choice.header or {}).get("hyper_parameters") or {}):
        ratio = round(alignment.ratio)
        if is_rotated or max(abs(alignment.ratio_rows - ratio), abs(alignment.ratio_columns - ratio)) > REGULAR:
            return [
                f"{choice.method.value} takes LR pixels as {ratio} x {ratio} blocks; the LR-HSI is interpolated there"
            ]
    elif is_rotated and choice.method in (Method.KRIGING, Method.ATPRK, Method.CNMF, Method.HYSURE):
        return [f"{choice.method.value} needs LR rows along HR rows; the LR-HSI is interpolated there"]
    return []


def _engine(
    plan: FusionPlan, lr: SceneReader, hr: SceneReader, settings: FuseSettings, *, progress: Progress
) -> TileEngine:
    """The method, with what is global to the pair."""
    try:
        statistics = _statistics(plan, lr, hr, progress)
    except ValueError as error:
        raise GridError(
            f"{lr.scene.path}: {error} ({hr.scene.path}); both hold nodata where the other has pixels; check nodata "
            f"values with: pifnet info FILE"
        ) from error
    alignment, choice = plan.alignment, plan.choice
    ratio = alignment.ratio_rows, alignment.ratio_columns
    if isinstance(statistics, SceneMoments):
        return training_free_engine(choice.method, statistics, ratio=ratio)
    if choice.checkpoint is None:
        return anchor_engine(Anchor(choice.method), statistics, ratio=ratio)
    from pifnet_cli.inference.engine import load_engine  # noqa: PLC0415 - torch only where a network is used

    anchor = Anchor((choice.header or {}).get("anchor", Anchor.REGRESSION))
    is_built_in = anchor is Anchor.REGRESSION and (choice.header or {})["variant"] == Variant.ANCHORED
    return load_engine(
        choice.checkpoint,
        statistics,
        device=settings.device,
        precision=settings.precision,
        anchor=None if is_built_in or anchor is Anchor.NONE else anchor_engine(anchor, statistics, ratio=ratio),
    )


def _statistics(plan: FusionPlan, lr: SceneReader, hr: SceneReader, progress: Progress) -> Regression | SceneMoments:
    """What the method asks of the whole scene, in one pass over the LR-HSI."""
    needs_moments = not (plan.choice.method.is_network or plan.choice.method in (Method.REGRESSION, Method.KRIGING))
    gathered = scene_moments if needs_moments else scene_regression
    return gathered(
        lr.read,
        hr.read,
        alignment=plan.alignment,
        psf=plan.psf,
        bands=(lr.scene.bands.count, hr.scene.bands.count),
        report=lambda done, total: progress("reading statistics", done, total),
    )
