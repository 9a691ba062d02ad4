"""Fused scene and the pair that it was made from -> common ground -> scores that need no truth."""

import logging
import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pifnet_cli.choices import Wald
from pifnet_cli.degrade.sampling import reached
from pifnet_cli.errors import SceneReadError
from pifnet_cli.estimation.bands import measurable_noise_std
from pifnet_cli.estimation.response import response_weights
from pifnet_cli.fusion.pair_operator import PairOperator, find_operator
from pifnet_cli.metrics.area import ScoredArea, scored_area
from pifnet_cli.metrics.without_reference import (
    LevelSums,
    LevelTotals,
    UnreferencedScores,
    UsedOperator,
    agreement_per_band,
    block_sides,
    median_error_over_noise,
    root_mean_square_error,
    spatial_distortion,
    spectral_distortion,
)
from pifnet_cli.pair.alignment import Alignment
from pifnet_cli.pair.tile import degrade_msi
from pifnet_cli.progress import Progress, silent
from pifnet_cli.raster.reader import SceneReader, bands_with_pixels, open_scene
from pifnet_cli.scene import Grid, Pixels, Window
from pifnet_cli.scoring.wald_level import wald_scores
from pifnet_cli.scoring.with_reference import require_same_bands, require_same_crs
from pifnet_cli.settings import FuseSettings, MetricsSettings
from pifnet_models.classical.moments import MomentSums, SceneMoments

log = logging.getLogger(__name__)


class QualityObserver(Protocol):
    """What a pass over the scenes can fill, as maps and histograms. Pixels that are not scored are NaN in all bands."""

    def begin(self, lr_grid: Grid, hr_grid: Grid) -> None:
        """Told once, before anything else: the scored parts of the LR-HSI's grid and of the HR-MSI's."""

    def add_lr(self, degraded: Pixels, lr_hsi: Pixels, window: Window) -> None:
        """The degraded fused scene and the LR-HSI, (C, h, w) of the counted bands, at `window` of `lr_grid`."""

    def add_hr(self, projected: Pixels, hr_msi: Pixels, window: Window) -> None:
        """The fused spectra projected on the MSI bands and the HR-MSI, (M, h, w), at `window` of `hr_grid`."""


@dataclass(frozen=True, slots=True)
class FusedAndPair:
    """Three open scenes, how the LR-HSI samples the ground, and the ground that is scored.

    Attributes:
        fused: The fused scene.
        lr: The LR-HSI.
        hr: The HR-MSI.
        operator: Blur and grids.
        area: In pixels of the fused scene, and (as `reference`) of the HR-MSI.
        bands: Those that count, from 0.
    """

    fused: SceneReader
    lr: SceneReader
    hr: SceneReader
    operator: PairOperator
    area: ScoredArea
    bands: tuple[int, ...]

    @property
    def alignment(self) -> Alignment:
        """Of the pair."""
        return self.operator.alignment

    @property
    def lr_window(self) -> Window:
        """The LR pixels under the scored area."""
        return self.alignment.lr_window(self.area.reference, 0)

    def read_lr_level(self, block: Window) -> tuple[Pixels, Pixels, Pixels]:
        """At a block of LR pixels: the degraded fused scene (C, h, w), the LR-HSI (C, h, w), the HR-MSI degraded."""
        at = self.alignment.hr_positions(block)
        reach = reached(at, self.operator.psf)
        lr_hsi = self.lr.read(block, bands=self.bands)
        on_scene = reach.clipped(self.alignment.hr_grid.height, self.alignment.hr_grid.width)
        part = reach.relative_to(self.area.reference).clipped(self.area.height, self.area.width)
        if part.is_empty:
            nothing = np.full((self.hr.scene.bands.count, *at.shape), np.nan, dtype=np.float32)
            return np.full_like(lr_hsi, np.nan), lr_hsi, nothing
        in_fused, on_hr = self.area.windows(part)
        fused = _placed(self.fused.read(in_fused, bands=self.bands), on_hr, reach)
        degraded = degrade_msi(fused, at.moved(reach.row, reach.column), self.operator.psf)
        at = at.moved(on_scene.row, on_scene.column)
        return degraded, lr_hsi, degrade_msi(self.hr.read(on_scene), at, self.operator.psf)

    def read_hr_level(self, block: Window) -> tuple[Pixels, Pixels]:
        """At a block of the scored area: the fused scene (C, H, W) and the HR-MSI (M, H, W)."""
        in_fused, in_hr = self.area.windows(block)
        return self.fused.read(in_fused, bands=self.bands), self.hr.read(in_hr)


def score_without_reference(
    fused: Path,
    lr_hsi: Path,
    hr_msi: Path,
    settings: MetricsSettings,
    *,
    operator: PairOperator | None = None,
    observers: Sequence[QualityObserver] = (),
    progress: Progress = silent,
) -> UnreferencedScores:
    """Score a fused scene by the pair that it was made from, block by block.

    Args:
        fused: ENVI or GeoTIFF; bands of the LR-HSI on pixels of the HR-MSI.
        lr_hsi: The LR-HSI.
        hr_msi: The HR-MSI; may be larger.
        settings: How; the sensor's blur as `fuse_scene` takes it.
        operator: Blur and grids of the pair where they are known; else they are found as for a fusion.
        observers: Shown every block of either level.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        PifnetError: A scene cannot be read, or the three do not belong together.
    """
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(limits=1, user_api="blas"))
        fused_reader = stack.enter_context(open_scene(fused))
        lr = stack.enter_context(open_scene(lr_hsi, nodata=settings.hsi_nodata))
        hr = stack.enter_context(open_scene(hr_msi, nodata=settings.msi_nodata))
        scenes = fused_and_pair(fused_reader, lr, hr, settings, operator=operator)
        return score_open_scenes(scenes, settings, observers=observers, progress=progress)


def score_open_scenes(
    scenes: FusedAndPair,
    settings: MetricsSettings,
    *,
    observers: Sequence[QualityObserver] = (),
    progress: Progress = silent,
) -> UnreferencedScores:
    """Score as `score_without_reference`, from scenes that are open already."""
    for observer in observers:
        observer.begin(
            scenes.alignment.lr_grid.cropped(scenes.lr_window), scenes.alignment.hr_grid.cropped(scenes.area.reference)
        )
    lr_level, moments = _lr_level(scenes, settings, observers, progress)
    hr_level = _hr_level(scenes, response_weights(moments), settings, observers, progress)
    scores = _scores(scenes, lr_level, hr_level, noise=measurable_noise_std(moments))
    if settings.wald is Wald.SKIP:
        return scores
    wald = wald_scores(
        scenes.lr,
        scenes.hr,
        scenes.operator,
        scenes.lr_window,
        method=settings.method,
        noted=scenes.fused.scene,
        checkpoint=settings.checkpoint,
        progress=progress,
    )
    return replace(scores, wald=wald)


def fused_and_pair(
    fused: SceneReader,
    lr: SceneReader,
    hr: SceneReader,
    settings: MetricsSettings,
    *,
    operator: PairOperator | None = None,
) -> FusedAndPair:
    """Lay three open scenes on their common ground, or say why they cannot be compared.

    Args:
        fused: The fused scene.
        lr: The LR-HSI.
        hr: The HR-MSI; may be larger.
        settings: As `score_without_reference` takes them.
        operator: Blur and grids of the pair where they are known; else they are found as for a fusion.

    Raises:
        PifnetError: The three do not belong together.
    """
    require_same_bands(fused.scene, lr.scene, role="LR-HSI")
    require_same_crs(fused.scene, hr.scene, role="HR-MSI")
    area = scored_area(fused.scene, hr.scene, border=settings.border, role="HR-MSI")
    given = FuseSettings(mtf_at_nyquist=settings.mtf_at_nyquist, protocol=settings.protocol)
    operator = operator or find_operator(lr, hr, given)
    counted = bands_with_pixels(lr, range(lr.scene.bands.count), block_size=settings.block_size)
    counted = bands_with_pixels(fused, sorted(counted), block_size=settings.block_size)
    scenes = FusedAndPair(fused, lr, hr, operator, area, tuple(sorted(counted)))
    if scenes.lr_window.is_empty or not counted:
        raise _nothing_to_score(scenes)
    return scenes


def _lr_level(
    scenes: FusedAndPair, settings: MetricsSettings, observers: Sequence[QualityObserver], progress: Progress
) -> tuple[LevelTotals, SceneMoments]:
    """Sums at LR, and the moments of the LR-HSI and the degraded HR-MSI."""
    msi_bands, whole = scenes.hr.scene.bands.count, scenes.lr_window
    _, side = block_sides(scenes.alignment.ratio)
    sums = LevelSums(bands=len(scenes.bands), msi_bands=msi_bands, compared=len(scenes.bands), side=side)
    moments = MomentSums(hsi_bands=len(scenes.bands), msi_bands=msi_bands)
    blocks = list(Window(0, 0, whole.height, whole.width).blocks(_lr_block_side(scenes, settings, side)))
    for done, block in enumerate(blocks, start=1):
        degraded, lr_hsi, msi_low = scenes.read_lr_level(block.moved_by(whole.row, whole.column))
        counts = sums.add(lr_hsi, msi_low, degraded, lr_hsi)
        degraded, lr_hsi, msi_low = (_only(image, counts) for image in (degraded, lr_hsi, msi_low))
        moments.add(lr_hsi.reshape(len(lr_hsi), -1), msi_low.reshape(msi_bands, -1))
        for observer in observers:
            observer.add_lr(degraded, lr_hsi, block)
        progress("comparing with the LR-HSI", done, len(blocks))
    if moments.pixels == 0:
        raise _nothing_to_score(scenes)
    return sums.totals(), moments.solve()


def _hr_level(
    scenes: FusedAndPair,
    projection: tuple[NDArray[np.float64], NDArray[np.float64]],
    settings: MetricsSettings,
    observers: Sequence[QualityObserver],
    progress: Progress,
) -> LevelTotals:
    """Sums at HR; `projection` is how the MSI bands follow from the others: weights (M, C) and offsets (M,)."""
    msi_bands, (weights, offsets) = scenes.hr.scene.bands.count, (part.astype(np.float32) for part in projection)
    side, _ = block_sides(scenes.alignment.ratio)
    sums = LevelSums(bands=len(scenes.bands), msi_bands=msi_bands, compared=msi_bands, side=side)
    affordable = min(settings.block_size, _affordable_side(scenes, settings))
    blocks = list(Window(0, 0, scenes.area.height, scenes.area.width).blocks(_multiple(affordable, side)))
    for done, block in enumerate(blocks, start=1):
        fused, hr_msi = scenes.read_hr_level(block)
        projected = (weights @ fused.reshape(len(fused), -1) + offsets[:, None]).reshape(hr_msi.shape)
        counts = sums.add(fused, hr_msi, projected, hr_msi)
        for observer in observers:
            observer.add_hr(_only(projected, counts), _only(hr_msi, counts), block)
        progress("comparing with the HR-MSI", done, len(blocks))
    return sums.totals()


def _scores(
    scenes: FusedAndPair, lr: LevelTotals, hr: LevelTotals, *, noise: NDArray[np.float64]
) -> UnreferencedScores:
    d_lambda, d_s = spectral_distortion(hr, lr), spatial_distortion(hr, lr)
    every = range(scenes.fused.scene.bands.count)
    msi_numbers = tuple(range(1, scenes.hr.scene.bands.count + 1))
    correlations = hr.agreement.correlation
    lr_bands = agreement_per_band(lr.agreement, tuple(band + 1 for band in scenes.bands), noise=noise)
    return UnreferencedScores(
        qnr=(1 - d_lambda) * (1 - d_s),
        d_lambda=d_lambda,
        d_s=d_s,
        lr_rmse=root_mean_square_error(lr.agreement),
        lr_sam=lr.sam,
        lr_rmse_over_noise=median_error_over_noise(lr_bands),
        msi_rmse=root_mean_square_error(hr.agreement),
        msi_sam=hr.sam,
        msi_cc=float(np.nanmean(correlations)) if np.isfinite(correlations).any() else float("nan"),
        pixels=hr.agreement.count,
        lr_pixels=lr.agreement.count,
        bands=len(scenes.bands),
        excluded_bands=tuple(band + 1 for band in every if band not in scenes.bands),
        operator=_used(scenes.operator),
        lr_per_band=lr_bands,
        msi_per_band=agreement_per_band(hr.agreement, msi_numbers),
    )


def _used(operator: PairOperator) -> UsedOperator:
    return UsedOperator(
        mtf_at_nyquist=operator.mtf_at_nyquist, shift_lr_pixels=operator.shift_lr, source=operator.source.value
    )


def _nothing_to_score(scenes: FusedAndPair) -> SceneReadError:
    lr, hr = scenes.lr.scene.path, scenes.hr.scene.path
    return SceneReadError(
        f"{scenes.fused.scene.path}: no LR pixel is valid in all bands here, in {lr} and in {hr}; nothing can be "
        f"scored; is nodata declared rightly in all three, and is the fused scene as large as a sensor's blur?"
    )


def _lr_block_side(scenes: FusedAndPair, settings: MetricsSettings, step: int) -> int:
    """LR pixels along the side of a block: a multiple of `step`, as many as memory allows."""
    affordable = min(settings.block_size, _affordable_side(scenes, settings) - 2 * scenes.operator.psf.radius)
    return _multiple(int(affordable / scenes.alignment.ratio), step)


def _affordable_side(scenes: FusedAndPair, settings: MetricsSettings) -> int:
    return math.isqrt(settings.block_bytes // (4 * len(scenes.bands)))


def _multiple(side: int, step: int) -> int:
    return max(side // step, 1) * step


def _placed(pixels: Pixels, window: Window, whole: Window) -> Pixels:
    """Pixels of `window` within `whole`; NaN around."""
    if window == whole:
        return pixels
    placed = np.full((len(pixels), whole.height, whole.width), np.nan, dtype=np.float32)
    placed[:, *window.relative_to(whole).slices] = pixels
    return placed


def _only(image: Pixels, counts: NDArray[np.bool_]) -> Pixels:
    """NaN where a pixel does not count."""
    return image if counts.all() else np.where(counts, image, np.float32(np.nan))
