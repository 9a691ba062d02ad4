"""read -> align -> tile -> fuse -> blend -> write."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from models.anchors.regression import Regression, RegressionSums
from models.classical.moments import MomentSums, SceneMoments
from pifnet_cli.errors import BandsError, GridError
from pifnet_cli.estimation.operator import mtf_at_nyquist
from pifnet_cli.inference.closed_form import anchor_engine, training_free_engine
from pifnet_cli.inference.gaps import GapEngine, valid_pixels
from pifnet_cli.inference.statistics import Sums, scene_statistics
from pifnet_cli.inference.witness import Witness, notices
from pifnet_cli.pair import PairGeometry, PairTile, TileEngine, plan_windows
from pifnet_cli.raster.pipeline import RowReader, WindowReader, WriteBehind
from pifnet_cli.raster.reader import SceneReader, open_scene
from pifnet_cli.raster.strips import StripFile
from pifnet_cli.raster.writer import WriteOptions, create_scene, require_creatable
from pifnet_cli.scene import Bands, Pixels, Scene, Window
from pifnet_cli.settings import Anchor, BandChoice, FuseSettings, Method, Variant
from pifnet_cli.tiling.blending import Blender
from pifnet_cli.tiling.layout import Tile
from pifnet_cli.workflows.fusion_plan import FusionPlan, plan_fusion

log = logging.getLogger(__name__)
LARGEST_BLOCK = 1024  # pixels; larger GeoTIFF tiles are slow to browse

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class FusedScene:
    """What was written, and how."""

    plan: FusionPlan

    @property
    def scene(self) -> Scene:
        """The output."""
        return self.plan.target

    @property
    def _mtf(self) -> tuple[float, float]:
        """At the LR Nyquist frequency, along rows and columns."""
        alignment, psf = self.plan.alignment, self.plan.psf
        return mtf_at_nyquist((psf.sigma_rows, psf.sigma_columns), (alignment.ratio_rows, alignment.ratio_columns))

    @property
    def _shift_lr(self) -> tuple[float, float]:
        """What was corrected, LR pixels down and right."""
        alignment = self.plan.alignment
        return alignment.shift[0] / alignment.ratio_rows, alignment.shift[1] / alignment.ratio_columns

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
            "mtf": [round(value, 3) for value in self._mtf],
            "shift corrected": [round(value, 3) for value in self._shift_lr],
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
        lr = _chosen_bands(lr, settings.bands)
        plan = plan_fusion(lr, hr, output, settings, checkpoint=checkpoint)
        require_creatable(plan.target, _options(plan, settings), inputs=[lr_hsi, hr_msi])
        seen = Witness(lr, lr.scene), Witness(hr, hr.scene)
        engine = _engine(plan, lr, hr, settings, seen=seen, progress=progress)
        plan = replace(plan, target=_with_dead_bands(plan.target, seen[0].live))
        writer = stack.enter_context(create_scene(plan.target, _options(plan, settings), inputs=[lr_hsi, hr_msi]))
        behind, ahead = stack.enter_context(WriteBehind(writer)), RowReader(lr)
        strips = stack.enter_context(StripFile(output.parent))
        blender = Blender(plan.tiles, strips)
        for done, tile in enumerate(plan.tiles, start=1):
            core, pixels = blender.add(tile, fused_tile(tile, plan, engine, lr=ahead, hr=hr))
            behind.write(pixels, core)
            progress("fusing", done, len(plan.tiles))
    return FusedScene(plan)


def preview_fusion(
    lr_hsi: Path, hr_msi: Path, output: Path, settings: FuseSettings, *, checkpoint: Path | None = None
) -> dict[str, object]:
    """What `fuse_scene` would do, after the same checks of inputs and output; nothing is written."""
    with open_scene(lr_hsi) as whole, open_scene(hr_msi) as hr:
        lr = _chosen_bands(whole, settings.bands)
        plan = plan_fusion(lr, hr, output, settings, checkpoint=checkpoint)
        require_creatable(plan.target, _options(plan, settings), inputs=[lr_hsi, hr_msi])
    pixels = plan.target.grid.height * plan.target.grid.width * plan.target.bands.count
    return FusedScene(plan).record() | {"bytes uncompressed": pixels * np.dtype(plan.target.dtype).itemsize}


def fused_tile(tile: Tile, plan: FusionPlan, engine: TileEngine, *, lr: WindowReader, hr: WindowReader) -> Pixels:
    """Read what a tile needs of both scenes and fuse it: (C, h, w) on the tile's window."""
    origin = plan.alignment.output
    context = tile.context
    on_hr = Window(context.row + origin.row, context.column + origin.column, context.height, context.width)
    windows = plan_windows(plan.alignment, on_hr, plan.psf, margin=engine.margin)
    nothing = np.full((plan.target.bands.count, tile.window.height, tile.window.width), np.nan, dtype=np.float32)
    if windows.lr.is_empty:
        return nothing
    lr_pixels = lr.read(windows.lr)
    if not np.isfinite(lr_pixels).any():
        return nothing
    pair = PairTile(lr_pixels, hr.read(windows.hr), PairGeometry.of_windows(plan.alignment, windows), plan.psf)
    rows, columns = tile.window.relative_to(context).slices
    if not valid_pixels(pair)[:, rows, columns].any():
        return nothing
    return np.ascontiguousarray(engine.fuse(pair)[:, rows, columns])


def _chosen_bands(lr: SceneReader, choice: BandChoice) -> SceneReader:
    good = lr.scene.bands.good
    if choice is BandChoice.ALL or good is None:
        return lr
    if not any(good):
        raise BandsError(
            f"{lr.scene.path}: its bad-band list marks all {len(good)} bands; --bands good leaves nothing to fuse; "
            "correct the list, or leave --bands out"
        )
    return lr.cut([position for position, is_good in enumerate(good) if is_good])


def _options(plan: FusionPlan, settings: FuseSettings) -> WriteOptions:
    """Blocks of the file that are the cores of the tiles: each is then compressed and written once."""
    stride = plan.tiles.stride
    return WriteOptions(
        overwrite=settings.overwrite,
        creation_options=settings.creation_options,
        block_size=stride if stride % 16 == 0 and stride <= LARGEST_BLOCK else None,
    )


def _with_dead_bands(target: Scene, live: NDArray[np.bool_]) -> Scene:
    """The output with bands that hold no data marked bad."""
    if live.all():
        return target
    good = np.ones(len(live), dtype=bool) if target.bands.good is None else np.array(target.bands.good)
    return replace(target, bands=replace(target.bands, good=tuple((good & live).tolist())))


def _engine(
    plan: FusionPlan,
    lr: SceneReader,
    hr: SceneReader,
    settings: FuseSettings,
    *,
    seen: tuple[Witness, Witness],
    progress: Progress,
) -> TileEngine:
    """The method, with what is global to the pair; interpolation alone needs nothing of gaps.

    The witnesses read on behalf of both scenes.
    """
    try:
        statistics = _statistics(plan, *seen, progress)
    except ValueError as error:
        raise GridError(
            f"{lr.scene.path}: {error} ({hr.scene.path}); both hold nodata where the other has pixels; check nodata "
            f"values with: pifnet info FILE"
        ) from error
    for reader, witness in zip((lr, hr), seen, strict=True):
        for notice in notices(reader.scene, witness):
            log.warning(notice)
    method, engine = plan.choice.method, _method_engine(plan, statistics, settings, lr.scene.bands)
    return engine if method is Method.BICUBIC else GapEngine(engine, statistics, method=method)


def _method_engine(
    plan: FusionPlan, statistics: Regression | SceneMoments, settings: FuseSettings, bands: Bands
) -> TileEngine:
    alignment, choice = plan.alignment, plan.choice
    ratio = alignment.ratio_rows, alignment.ratio_columns
    if isinstance(statistics, SceneMoments):
        good = None if bands.good is None else np.array(bands.good)
        return training_free_engine(choice.method, statistics, ratio=ratio, good=good)
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


def _statistics(plan: FusionPlan, lr: Witness, hr: Witness, progress: Progress) -> Regression | SceneMoments:
    """What the method asks of the whole scene, in one pass over the LR-HSI."""
    return scene_statistics(
        _sums(plan.choice.method, hsi_bands=len(lr.live), msi_bands=len(hr.live)),
        lr.read,
        hr.read,
        alignment=plan.alignment,
        psf=plan.psf,
        report=lambda done, total: progress("reading statistics", done, total),
    )


def _sums(method: Method, *, hsi_bands: int, msi_bands: int) -> Sums[Regression | SceneMoments]:
    """Networks and kriging start from the regression; other methods are solved from moments."""
    if method.is_network or method in (Method.REGRESSION, Method.KRIGING):
        return RegressionSums(hsi_bands=hsi_bands, msi_bands=msi_bands)
    return MomentSums(hsi_bands=hsi_bands, msi_bands=msi_bands)
