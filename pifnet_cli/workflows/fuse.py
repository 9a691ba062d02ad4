"""read -> align -> tile -> fuse -> blend -> write."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pifnet_cli.choices import Anchor, BandChoice, Method, Variant
from pifnet_cli.errors import BandsError, GridError
from pifnet_cli.estimation.operator_fit import mtf_at_nyquist
from pifnet_cli.fusion.closed_form import scene_anchor, training_free_engine
from pifnet_cli.fusion.gaps import GapEngine, valid_pixels
from pifnet_cli.fusion.plan import FusionPlan, plan_fusion
from pifnet_cli.fusion.screening import Witness, notices
from pifnet_cli.fusion.statistics import Sums, scene_statistics
from pifnet_cli.fusion.uncertainty import BandErrors
from pifnet_cli.pair.tile import PairGeometry, PairTile, TileEngine, UncertainEngine, plan_windows
from pifnet_cli.raster.pipeline import RowReader, WindowReader, WriteBehind
from pifnet_cli.raster.publishing.strips import StripFile
from pifnet_cli.raster.reader import SceneReader, open_scene
from pifnet_cli.raster.writer import JointWriters, SceneWriter, WriteOptions, create_scene, require_creatable
from pifnet_cli.scene import Bands, Pixels, Scene, Window
from pifnet_cli.settings import FuseSettings
from pifnet_cli.tiling.blending import Blender
from pifnet_cli.tiling.layout import Tile
from pifnet_models.classical.moments import MomentSums, SceneMoments
from pifnet_models.kriging.regression import Regression, RegressionSums

log = logging.getLogger(__name__)
LARGEST_BLOCK = 1024  # pixels; larger GeoTIFF tiles are slow to browse

Progress = Callable[[str, int, int], None]


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
    def _mtf(self) -> tuple[float, float]:
        """At the LR Nyquist frequency, along rows and columns."""
        alignment, psf = self.plan.alignment, self.plan.psf
        return mtf_at_nyquist((psf.sigma_rows, psf.sigma_columns), (alignment.ratio_rows, alignment.ratio_columns))

    @property
    def _shift_lr(self) -> tuple[float, float]:
        """What was corrected, LR pixels down and right."""
        alignment = self.plan.alignment
        return alignment.shift[0] / alignment.ratio_rows, alignment.shift[1] / alignment.ratio_columns

    def _turn(self) -> dict[str, object]:
        """What an affine correction did besides; nothing where there is none."""
        affine = None if self.plan.estimate is None else self.plan.estimate.affine
        if affine is None:
            return {}
        return {
            "rotation corrected": round(affine.rotation_deg, 4),
            "scale corrected": [round(value, 5) for value in affine.scale],
        }

    def record(self) -> dict[str, object]:
        """The result as JSON values."""
        scene, gsd = self.scene, self.scene.grid.gsd
        record: dict[str, object] = {
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
            **self._turn(),
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
        output: Result; its extension chooses the format. Appears complete or not at all, and together with the raster
            of `settings.uncertainty`.
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
        lr = chosen_bands(lr, settings.bands)
        plan = plan_fusion(lr, hr, output, settings, checkpoint=checkpoint)
        for scene in _outputs(plan):
            require_creatable(scene, _options(plan, settings), inputs=[lr_hsi, hr_msi])
        seen = Witness(lr, lr.scene), Witness(hr, hr.scene)
        engine = _engine(plan, lr, hr, settings, seen=seen, progress=progress)
        live = seen[0].live
        plan = replace(plan, target=_with_dead_bands(plan.target, live))
        if plan.uncertainty is not None:
            plan = replace(plan, uncertainty=_with_dead_bands(plan.uncertainty, live))
        behind, ahead = _writers(plan, settings, [lr_hsi, hr_msi], stack), RowReader(lr)
        strips = stack.enter_context(StripFile(output.parent))
        blender, errors = Blender(plan.tiles, strips), BandErrors(plan.target.bands.count)
        for done, tile in enumerate(plan.tiles, start=1):
            fused, *sigma = _planes(tile, plan, engine, lr=ahead, hr=hr)
            core, pixels = blender.add(tile, fused)
            for writer, planes in zip(behind, (pixels, *sigma), strict=True):
                writer.write(planes, core)
            for planes in sigma:
                errors.add(planes)
            progress("fusing", done, len(plan.tiles))
    return FusedScene(plan, None if plan.uncertainty is None else errors.rms)


def preview_fusion(
    lr_hsi: Path, hr_msi: Path, output: Path, settings: FuseSettings, *, checkpoint: Path | None = None
) -> dict[str, object]:
    """What `fuse_scene` would do, after the same checks of inputs and output; nothing is written."""
    with open_scene(lr_hsi) as whole, open_scene(hr_msi) as hr:
        lr = chosen_bands(whole, settings.bands)
        plan = plan_fusion(lr, hr, output, settings, checkpoint=checkpoint)
        for scene in _outputs(plan):
            require_creatable(scene, _options(plan, settings), inputs=[lr_hsi, hr_msi])
    pixels = plan.target.grid.height * plan.target.grid.width * plan.target.bands.count
    return FusedScene(plan).record() | {"bytes uncompressed": pixels * np.dtype(plan.target.dtype).itemsize}


def fused_tile(tile: Tile, plan: FusionPlan, engine: TileEngine, *, lr: WindowReader, hr: WindowReader) -> Pixels:
    """Read what a tile needs of both scenes and fuse it: (C, h, w) on the tile's window."""
    pair = _pair(tile, plan, engine, lr=lr, hr=hr)
    return _nowhere(tile, plan) if pair is None else _on_window(engine.fuse(pair), tile)


def _planes(
    tile: Tile, plan: FusionPlan, engine: TileEngine, *, lr: WindowReader, hr: WindowReader
) -> tuple[Pixels, ...]:
    """What is written of a tile: the result, and its standard deviation where that is asked for."""
    if plan.uncertainty is None:
        return (fused_tile(tile, plan, engine, lr=lr, hr=hr),)
    pair = _pair(tile, plan, engine, lr=lr, hr=hr)
    if pair is None:
        return _nowhere(tile, plan), _nowhere(tile, plan)
    fused, sigma = cast("UncertainEngine", engine).fuse_with_sigma(pair)
    return _on_window(fused, tile), _on_window(sigma, tile)


def _pair(tile: Tile, plan: FusionPlan, engine: TileEngine, *, lr: WindowReader, hr: WindowReader) -> PairTile | None:
    """What a tile needs of both scenes; None where it holds no ground."""
    origin = plan.alignment.output
    context = tile.context
    on_hr = Window(context.row + origin.row, context.column + origin.column, context.height, context.width)
    windows = plan_windows(plan.alignment, on_hr, plan.psf, margin=engine.margin)
    if windows.lr.is_empty:
        return None
    lr_pixels = lr.read(windows.lr)
    if not np.isfinite(lr_pixels).any():
        return None
    pair = PairTile(lr_pixels, hr.read(windows.hr), PairGeometry.of_windows(plan.alignment, windows), plan.psf)
    rows, columns = tile.window.relative_to(context).slices
    return pair if valid_pixels(pair)[:, rows, columns].any() else None


def _nowhere(tile: Tile, plan: FusionPlan) -> Pixels:
    return np.full((plan.target.bands.count, tile.window.height, tile.window.width), np.nan, dtype=np.float32)


def _on_window(pixels: Pixels, tile: Tile) -> Pixels:
    rows, columns = tile.window.relative_to(tile.context).slices
    return np.ascontiguousarray(pixels[:, rows, columns])


def _outputs(plan: FusionPlan) -> list[Scene]:
    """The result, and the raster of standard deviations where that is asked for."""
    return [plan.target] if plan.uncertainty is None else [plan.target, plan.uncertainty]


def _writers(plan: FusionPlan, settings: FuseSettings, inputs: list[Path], stack: ExitStack) -> list[WriteBehind]:
    """A writer of every output; leaving `stack` publishes all of them, or none after an exception."""
    writers: list[SceneWriter] = []
    stack.enter_context(JointWriters(writers))
    for scene in _outputs(plan):
        writers.append(create_scene(scene, _options(plan, settings), inputs=inputs))
    return [stack.enter_context(WriteBehind(writer)) for writer in writers]


def chosen_bands(lr: SceneReader, choice: BandChoice) -> SceneReader:
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
    method, engine = plan.choice.method, _method_engine(plan, statistics, settings, lr.scene.bands, hr)
    return engine if method is Method.BICUBIC else GapEngine(engine, statistics, method=method)


def _method_engine(
    plan: FusionPlan, statistics: Regression | SceneMoments, settings: FuseSettings, bands: Bands, hr: SceneReader
) -> TileEngine:
    alignment, choice = plan.alignment, plan.choice
    if isinstance(statistics, SceneMoments):
        good = None if bands.good is None else np.array(bands.good)
        ratio = alignment.ratio_rows, alignment.ratio_columns
        return training_free_engine(choice.method, statistics, ratio=ratio, good=good)

    def started(anchor: Anchor) -> TileEngine:
        return scene_anchor(anchor, statistics, hr.read, alignment=alignment, psf=plan.psf)

    if choice.checkpoint is None:
        return started(Anchor(choice.method))
    from pifnet_cli.fusion.network import load_engine  # noqa: PLC0415 - torch only where a network is used

    anchor = Anchor((choice.header or {}).get("anchor", Anchor.REGRESSION))
    is_built_in = anchor is Anchor.REGRESSION and (choice.header or {})["variant"] == Variant.ANCHORED
    return load_engine(
        choice.checkpoint,
        statistics,
        device=settings.device,
        precision=settings.precision,
        anchor=None if is_built_in or anchor is Anchor.NONE else started(anchor),
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
