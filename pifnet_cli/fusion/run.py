"""read -> align -> tile -> fuse -> blend -> write, on two open scenes.

Workflows and the Python interface open the scenes and say where results go; what happens between is here, once.
"""

import logging
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pifnet_cli.catalog import Gaps, Method, Statistics
from pifnet_cli.choices import Anchor, BandChoice, Variant
from pifnet_cli.errors import BandsError, GridError, SceneWriteError
from pifnet_cli.fusion.closed_form import Sigma, scene_anchor, training_free_engine
from pifnet_cli.fusion.gaps import GapEngine
from pifnet_cli.fusion.outputs import Outputs
from pifnet_cli.fusion.plan import FusionPlan, plan_fusion
from pifnet_cli.fusion.screening import Screening, notices
from pifnet_cli.fusion.statistics import Sums, scene_statistics
from pifnet_cli.fusion.uncertainty import BandErrors
from pifnet_cli.pair.tile import FusedTile, PairGeometry, PairTile, TileEngine, plan_windows
from pifnet_cli.progress import Progress, silent
from pifnet_cli.raster.pipeline import RowReader, WindowReader
from pifnet_cli.scene import OpenScene, Pixels, Scene, SceneKind, Window
from pifnet_cli.settings import FuseSettings
from pifnet_cli.tiling.blending import Blender
from pifnet_cli.tiling.layout import Tile
from pifnet_models.classical.moments import MomentSums, SceneMoments
from pifnet_models.kriging.regression import Regression, RegressionSums

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FusedScene:
    """What was written, and how.

    `expected_error` is each band's root mean square standard deviation, (C,), in the output's units; None where it was
    not asked for.
    """

    plan: FusionPlan
    expected_error: NDArray[np.float64] | None = None

    @property
    def scene(self) -> Scene:
        """The output."""
        return self.plan.target

    @property
    def window(self) -> Window:
        """Where the output lies in the HR-MSI."""
        return self.plan.operator.alignment.output

    @property
    def bytes_uncompressed(self) -> int:
        """Size of the output's pixels."""
        grid = self.scene.grid
        return grid.height * grid.width * self.scene.bands.count * np.dtype(self.scene.dtype).itemsize

    def record(self) -> dict[str, object]:
        """The result as JSON values."""
        scene, operator = self.scene, self.plan.operator
        record: dict[str, object] = {
            "output": str(scene.path),
            "method": self.plan.choice.method.value,
            "because": self.plan.choice.reason,
            "bands": scene.bands.count,
            "height": scene.grid.height,
            "width": scene.grid.width,
            "gsd": [round(side, 9) for side in scene.grid.gsd],
            "ratio": round(operator.alignment.ratio, 6),
            "mtf": [round(value, 3) for value in operator.mtf_at_nyquist],
            "blur": operator.source.told,
            "shift corrected": [round(value, 3) for value in operator.shift_lr],
            **self._affine_record(),
            "dtype": scene.dtype,
            "tiles": len(self.plan.tiles),
        }
        if self.plan.uncertainty is not None:
            record["uncertainty"] = str(self.plan.uncertainty.path)
        if self.expected_error is not None:
            bands = [float(f"{error:.4g}") if np.isfinite(error) else None for error in self.expected_error]
            mean_square = np.nanmean(np.square(self.expected_error)) if any(bands) else 0.0
            record |= {"expected error": float(f"{np.sqrt(mean_square):.4g}"), "expected error by band": bands}
        return record

    def _affine_record(self) -> dict[str, object]:
        """Rotation and scale of an affine correction; nothing where there is none."""
        affine = None if self.plan.operator.estimate is None else self.plan.operator.estimate.affine
        if affine is None:
            return {}
        return {
            "rotation corrected": round(affine.rotation_deg, 4),
            "scale corrected": [round(value, 5) for value in affine.scale],
        }


def run_fusion(
    lr: OpenScene,
    hr: OpenScene,
    output: Path,
    settings: FuseSettings,
    outputs: Outputs,
    *,
    progress: Progress = silent,
) -> FusedScene:
    """Fuse two open scenes.

    Args:
        lr: The LR-HSI.
        hr: The HR-MSI of the same ground.
        output: What the result is called.
        settings: How.
        outputs: Where results go; they appear complete or not at all.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        PifnetError: A scene cannot be used, the two do not fit, or the output cannot be written.
    """
    # BLAS threads wait for cores that torch's threads hold, and the other way round (docs/decisions.md).
    with threadpool_limits(limits=1, user_api="blas"):
        lr = chosen_bands(lr, settings.bands)
        plan = plan_fusion(lr, hr, output, settings)
        outputs.require(plan)
        seen = Screening(lr, lr.scene), Screening(hr, hr.scene)
        engine = _engine(plan, lr, hr, settings, seen=seen, progress=progress)
        plan = _with_dead_bands(plan, seen[0].live)
        ahead, errors = RowReader(lr), BandErrors(plan.target.bands.count)
        with outputs.opened(plan) as (sinks, strips):
            blender, is_empty = Blender(plan.tiles, strips), True
            for done, tile in enumerate(plan.tiles, start=1):
                fused = fused_tile(tile, plan, engine, lr=ahead, hr=hr)
                core, pixels = blender.add(tile, fused.pixels)
                is_empty = is_empty and not np.isfinite(pixels).any()
                sinks[0].write(pixels, core)
                if fused.sigma is not None:
                    sinks[1].write(fused.sigma, core)
                    errors.add(fused.sigma)
                progress("fusing", done, len(plan.tiles))
            if is_empty:
                raise SceneWriteError(
                    f"{output}: would not hold a single valid pixel, and was not written; check nodata values with: "
                    "pifnet info FILE, or choose another method or checkpoint"
                )
    return FusedScene(plan, None if plan.uncertainty is None else errors.rms)


def fused_tile(tile: Tile, plan: FusionPlan, engine: TileEngine, *, lr: WindowReader, hr: WindowReader) -> FusedTile:
    """Read what a tile needs of both scenes and fuse it: (C, h, w) on the tile's window."""
    pair = _pair(tile, plan, engine, lr=lr, hr=hr)
    if pair is not None:
        fused = engine.fuse(pair)
        sigma = None if fused.sigma is None else _on_window(fused.sigma, tile)
        return FusedTile(_on_window(fused.pixels, tile), sigma)
    empty = np.full((plan.target.bands.count, tile.window.height, tile.window.width), np.nan, dtype=np.float32)
    return FusedTile(empty, None if plan.uncertainty is None else empty.copy())


def _pair(tile: Tile, plan: FusionPlan, engine: TileEngine, *, lr: WindowReader, hr: WindowReader) -> PairTile | None:
    """What a tile needs of both scenes; None where it holds no ground."""
    alignment, psf = plan.operator.alignment, plan.operator.psf
    on_hr = tile.context.moved_by(alignment.output.row, alignment.output.column)
    windows = plan_windows(alignment, on_hr, psf, margin=engine.margin, reach=engine.reach)
    if windows.lr.is_empty:
        return None
    lr_pixels = lr.read(windows.lr)
    if not np.isfinite(lr_pixels).any():
        return None
    geometry = PairGeometry.of_windows(alignment, windows).as_part_of(alignment.output, windows.hr)
    pair = PairTile(lr_pixels, hr.read(windows.hr), geometry, psf)
    rows, columns = tile.window.relative_to(tile.context).slices
    return pair if pair.is_valid[:, rows, columns].any() else None


def _on_window(pixels: Pixels, tile: Tile) -> Pixels:
    rows, columns = tile.window.relative_to(tile.context).slices
    return np.ascontiguousarray(pixels[:, rows, columns])


def chosen_bands(lr: SceneKind, choice: BandChoice) -> SceneKind:
    """The LR-HSI, or its good bands.

    Raises:
        BandsError: None is good.
    """
    good = lr.scene.bands.good
    if choice is BandChoice.ALL or good is None:
        return lr
    if not any(good):
        raise BandsError(
            f"{lr.scene.path}: its bad-band list marks all {len(good)} bands; --bands good leaves nothing to fuse; "
            "correct the list, or leave --bands out"
        )
    return lr.cut([position for position, is_good in enumerate(good) if is_good])


def _with_dead_bands(plan: FusionPlan, live: NDArray[np.bool_]) -> FusionPlan:
    """The plan whose outputs mark bands bad that hold no data."""
    if live.all():
        return plan

    def marked(scene: Scene) -> Scene:
        good = np.ones(len(live), dtype=bool) if scene.bands.good is None else np.array(scene.bands.good)
        return replace(scene, bands=replace(scene.bands, good=tuple((good & live).tolist())))

    return replace(
        plan,
        target=marked(plan.target),
        uncertainty=None if plan.uncertainty is None else marked(plan.uncertainty),
    )


def _engine(
    plan: FusionPlan,
    lr: OpenScene,
    hr: OpenScene,
    settings: FuseSettings,
    *,
    seen: tuple[Screening, Screening],
    progress: Progress,
) -> TileEngine:
    """The method, with what is global to the pair.

    `seen` pass on what is read for it, and remember what they saw.
    """
    try:
        statistics = _statistics(plan, *seen, progress)
    except ValueError as error:
        raise GridError(
            f"{lr.scene.path}: {error} ({hr.scene.path}); one has nodata where the other has pixels; check nodata "
            f"values with: pifnet info FILE"
        ) from error
    options = "--hsi-nodata", "--msi-nodata"
    for scene, screening, option in zip((lr.scene, hr.scene), seen, options, strict=True):
        for notice in notices(scene, screening, option=option):
            log.warning(notice)
    method, engine = plan.choice.method, _method_engine(plan, statistics, settings, lr, hr)
    return engine if method.facts.gaps is Gaps.LEFT else GapEngine(engine, statistics, method=method)


def _method_engine(
    plan: FusionPlan, statistics: Regression | SceneMoments, settings: FuseSettings, lr: OpenScene, hr: OpenScene
) -> TileEngine:
    operator, choice = plan.operator, plan.choice
    if isinstance(statistics, SceneMoments):
        good = None if lr.scene.bands.good is None else np.array(lr.scene.bands.good)
        return training_free_engine(choice.method, statistics, ratio=operator.ratio, good=good)

    def started(anchor: Anchor) -> TileEngine:
        sigma = Sigma.SKIP if plan.uncertainty is None else Sigma.TELL
        return scene_anchor(anchor, statistics, hr.read, alignment=operator.alignment, psf=operator.psf, sigma=sigma)

    if choice.checkpoint is None or choice.header is None:
        return started(Anchor(choice.method))
    from pifnet_cli.fusion.network import load_engine  # noqa: PLC0415 - torch only where a network is used

    anchor = choice.header.anchor
    is_built_in = anchor is Anchor.REGRESSION and choice.header.variant is Variant.ANCHORED
    return load_engine(
        choice.checkpoint,
        statistics,
        device=settings.device,
        precision=settings.precision,
        anchor=None if is_built_in or anchor is Anchor.NONE else started(anchor),
    )


def _statistics(plan: FusionPlan, lr: Screening, hr: Screening, progress: Progress) -> Regression | SceneMoments:
    """What the method asks of the whole scene, in one pass over the LR-HSI."""
    return scene_statistics(
        _sums(plan.choice.method, hsi_bands=len(lr.live), msi_bands=len(hr.live)),
        lr.read,
        hr.read,
        alignment=plan.operator.alignment,
        psf=plan.operator.psf,
        report=lambda done, total: progress("reading statistics", done, total),
    )


def _sums(method: Method, *, hsi_bands: int, msi_bands: int) -> Sums[Regression | SceneMoments]:
    if method.facts.statistics is Statistics.REGRESSION:
        return RegressionSums(hsi_bands=hsi_bands, msi_bands=msi_bands)
    return MomentSums(hsi_bands=hsi_bands, msi_bands=msi_bands)
