"""Tile engines that need no training. No torch."""

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.catalog import Kind, Method
from pifnet_cli.choices import Anchor
from pifnet_cli.degrade.psf import Psf
from pifnet_cli.degrade.sampling import filled
from pifnet_cli.fusion.msi_noise import MsiNoise, ReadWindow, msi_noise
from pifnet_cli.pair.alignment import Alignment
from pifnet_cli.pair.lr_grid import ROUNDING, on_hr_array, parallel, sampling_operator
from pifnet_cli.pair.resample import SUPPORT
from pifnet_cli.pair.tile import FusedTile, PairTile, TileEngine
from pifnet_cli.scene import Window
from pifnet_models.classical.bands import least_squares_synthesis
from pifnet_models.classical.moments import SceneMoments
from pifnet_models.interface import BlockFusion, PointwiseFusion
from pifnet_models.kriging.detail import DetailFilter
from pifnet_models.kriging.regression import Regression

if TYPE_CHECKING:
    from pifnet_models.kriging.kriging import GuidedKriging

EDGE = 2  # HR pixels beyond the PSF's radius that `_surrounded` rounds up to


class Sigma(StrEnum):
    """Whether tiles come with their standard deviation, which takes kriging a quarter more of its time."""

    SKIP = "skip"
    TELL = "tell"


class PointwiseEngine:
    """A method whose pixels depend on the same pixel of the interpolated scenes: tiles need no overlap."""

    margin, reach = SUPPORT, 0

    def __init__(self, method: PointwiseFusion) -> None:
        self._method = method

    def fuse(self, tile: PairTile) -> FusedTile:
        """The method at every pixel."""
        inputs = tile.inputs()
        return FusedTile(self._method.apply(inputs.upsampled, inputs.hr_msi, inputs.msi_smooth))


class BlockEngine:
    """A method that solves for a block of both scenes as a whole; blocks overlap and are blended."""

    def __init__(
        self,
        method: BlockFusion,
        *,
        ratio: tuple[float, float],
        weights: NDArray[np.float64] | None = None,
        msi_factor: float = 1.0,
    ) -> None:
        """Ratio: sides of an LR pixel in HR pixels, rows and columns. Weights: as for `parallel`.

        The HR-MSI is multiplied by `msi_factor` first; method and weights are those of the product.
        """
        self._method, self._ratio, self._weights, self._msi_factor = method, ratio, weights, np.float32(msi_factor)
        self.margin, self.reach = max(method.halo, SUPPORT), 0

    def fuse(self, tile: PairTile) -> FusedTile:
        """The method on the whole block; invalid pixels are filled with the nearest valid ones, and cut out after."""
        scaled = tile if self._msi_factor == 1 else replace(tile, hr_msi=tile.hr_msi * self._msi_factor)
        block = on_hr_array(parallel(scaled, *self._ratio, weights=self._weights))
        lr_hsi, hr_msi = filled(block.lr_hsi, empty=0), filled(block.hr_msi, empty=0)
        rows, columns = tile.geometry.tile.slices
        fused = self._method.fuse_block(lr_hsi, hr_msi, sampling_operator(block))[:, rows, columns]
        return FusedTile(tile.masked(np.ascontiguousarray(fused)))


class SplitEngine:
    """One method for some bands, another for the rest."""

    def __init__(self, first: TileEngine, second: TileEngine, *, is_first: NDArray[np.bool_]) -> None:
        """`is_first` (C,) are the bands of the first one; each is shown its own bands alone."""
        self._parts = ((first, is_first), (second, ~is_first))
        self.margin, self.reach = max(first.margin, second.margin), max(first.reach, second.reach)

    def fuse(self, tile: PairTile) -> FusedTile:
        """Every band by its own method."""
        fused = np.empty((len(tile.lr_hsi), *tile.geometry.tile_in_lr.shape), dtype=np.float32)
        for engine, bands in self._parts:
            fused[bands] = engine.fuse(tile.with_lr_hsi(tile.lr_hsi[bands])).pixels
        return FusedTile(fused)


class KrigingEngine:
    """Guided kriging, in cores small enough for the systems of equations that they lead to.

    Cores lie on one grid of the scene, and none sees more or less of it than `_surrounded` says, so that a pixel does
    not depend on the tile that it lies in.
    """

    def __init__(
        self,
        kriging: "GuidedKriging",
        *,
        ratio: tuple[float, float],
        weights: NDArray[np.float64] | None = None,
        detail: DetailFilter | None = None,
        sigma: Sigma = Sigma.SKIP,
    ) -> None:
        """Ratio: sides of an LR pixel in HR pixels, rows and columns. Weights: as for `parallel`. Detail: if noisy."""
        self._kriging, self._ratio, self._weights, self._detail = kriging, ratio, weights, detail
        self._sigma = sigma
        self.margin = max(kriging.halo, SUPPORT)
        self.reach = EDGE + (0 if detail is None else detail.reach)

    @property
    def core(self) -> int:
        """Side of the cores, HR pixels."""
        return self._kriging.core

    @property
    def bands(self) -> int:
        """C."""
        return len(self._kriging.regression.weights)

    def fuse(self, tile: PairTile) -> FusedTile:
        """The tile core by core, with its standard deviation where that was asked for."""
        is_valid = tile.is_valid
        fused = np.full(is_valid.shape, np.nan, dtype=np.float32)
        sigma = None if self._sigma is Sigma.SKIP else fused.copy()
        for place, part in self._parts(self._prepared(tile), is_valid):
            block = part.lr_hsi, part.hr_msi, sampling_operator(part)
            core = part.geometry.tile.slices
            if sigma is None:
                fused[:, *place] = self._kriging.fuse_block(*block, core=core)
            else:
                fused[:, *place], sigma[:, *place] = self._kriging.fuse_with_sigma(*block, core=core)
        fused[~is_valid] = np.nan
        if sigma is not None:
            sigma[np.isnan(fused)] = np.nan
        return FusedTile(fused, sigma)

    def _prepared(self, tile: PairTile) -> PairTile:
        """With LR rows along HR rows, and without the HR-MSI's noise."""
        clean = tile if self._detail is None else replace(tile, hr_msi=self._detail.apply(tile.hr_msi))
        return parallel(clean, *self._ratio, weights=self._weights, start=tile.geometry.start or (0, 0))

    def _parts(self, along: PairTile, is_valid: NDArray[np.bool_]) -> Iterator[tuple[tuple[slice, slice], PairTile]]:
        """Every core's place in the tile, and what it depends on; none where all is nodata, whatever would come out."""
        known, whole = on_hr_array(along), along.geometry.tile
        for core in whole.blocks(self._kriging.core, start=along.geometry.start):
            place = core.relative_to(whole).slices
            if is_valid[:, *place].any():
                yield place, _surrounded(known, core, self._kriging.halo)


def scene_anchor(
    anchor: Anchor,
    regression: Regression,
    read_hr: ReadWindow,
    *,
    alignment: Alignment,
    psf: Psf,
    sigma: Sigma = Sigma.SKIP,
) -> TileEngine:
    """The estimate that a network starts from, or a method of its own, with what a few windows of the HR-MSI tell.

    Args:
        anchor: Which.
        regression: Of the pair.
        read_hr: HR window -> (M, H, W).
        alignment: How the scenes lie on each other.
        psf: The hyperspectral sensor's blur, in HR pixels.
        sigma: Whether tiles come with their standard deviation; kriging tells it.
    """
    ratio = alignment.ratio_rows, alignment.ratio_columns
    noise = msi_noise(read_hr, regression, area=alignment.output, psf=psf) if anchor is Anchor.KRIGING else None
    return anchor_engine(anchor, regression, ratio=ratio, noise=noise, sigma=sigma)


def anchor_engine(
    anchor: Anchor,
    regression: Regression,
    *,
    ratio: tuple[float, float],
    noise: MsiNoise | None = None,
    sigma: Sigma = Sigma.SKIP,
) -> TileEngine:
    """The estimate that a network starts from; also methods of their own. Arguments as for `kriging_engine`.

    Raises:
        ValueError: `Anchor.NONE` is no estimate.
    """
    match anchor:
        case Anchor.REGRESSION:
            return PointwiseEngine(regression)
        case Anchor.KRIGING:
            return kriging_engine(regression, ratio=ratio, noise=noise, sigma=sigma)
        case Anchor.NONE:
            raise ValueError("interpolation is no anchor")


def kriging_engine(
    regression: Regression,
    *,
    ratio: tuple[float, float],
    noise: MsiNoise | None = None,
    sigma: Sigma = Sigma.SKIP,
) -> KrigingEngine:
    """Guided kriging of a pair.

    Args:
        regression: Of the pair.
        ratio: Sides of an LR pixel in HR pixels, rows and columns.
        noise: Of the HR-MSI; None for none.
        sigma: Whether tiles come with their standard deviation.
    """
    mean_ratio = float(np.sqrt(ratio[0] * ratio[1]))
    error = None if noise is None else noise.error
    kriging = Method.KRIGING.facts.load().from_regression(regression, ratio=mean_ratio, msi_error=error)
    detail = None if noise is None else noise.filter
    return KrigingEngine(kriging, ratio=ratio, weights=regression.weights, detail=detail, sigma=sigma)


def training_free_engine(
    method: Method, moments: SceneMoments, *, ratio: tuple[float, float], good: NDArray[np.bool_] | None = None
) -> TileEngine:
    """A method that is solved from the moments of a pair.

    Args:
        method: Which.
        moments: Of the pair.
        ratio: Sides of an LR pixel in HR pixels, rows and columns.
        good: (C,), False for bands that the LR-HSI's bad-band list marks. Unmixing, which explains all bands by the
            same few spectra, is spared them: they are fused by regression.
    """
    facts = method.facts
    if facts.kind is Kind.POINTWISE:
        return PointwiseEngine(facts.load().from_moments(moments))
    if facts.spares_bad_bands and good is not None and not good.all() and (good & moments.hsi_live).any():
        regression = Method.GLP.facts.load().from_moments(moments.of_bands(~good))
        of_good = training_free_engine(method, moments.of_bands(good), ratio=ratio)
        return SplitEngine(of_good, PointwiseEngine(regression), is_first=good)
    factor = moments.unit_factor
    moments = moments.with_msi_times(factor)
    block = facts.load().from_moments(moments)
    return BlockEngine(block, ratio=ratio, weights=least_squares_synthesis(moments).weights, msi_factor=factor)


def _surrounded(tile: PairTile, core: Window, halo: int) -> PairTile:
    """The part of a tile that a core depends on: LR pixels within `halo` of it, and the HR pixels that they see."""
    geometry, radius = tile.geometry, tile.psf.radius
    lr_rows, hr_rows = _span(geometry.lr_in_hr.rows, core.row, core.bottom, halo=halo, radius=radius)
    lr_columns, hr_columns = _span(geometry.lr_in_hr.columns, core.column, core.right, halo=halo, radius=radius)
    height, width = tile.hr_msi.shape[1:]
    hr = Window.between(hr_rows.start, hr_columns.start, hr_rows.stop, hr_columns.stop).clipped(height, width)
    return PairTile(
        lr_hsi=tile.lr_hsi[:, lr_rows, lr_columns],
        hr_msi=tile.hr_msi[:, *hr.slices],
        geometry=geometry.cropped(hr, (lr_rows, lr_columns), core),
        psf=tile.psf,
    )


def _span(positions: NDArray[np.float64], start: int, stop: int, *, halo: int, radius: int) -> tuple[slice, slice]:
    """One axis of `_surrounded`: LR pixels `halo` beyond HR pixels `start` to `stop`, and the HR pixels they see."""
    side = float(positions[1] - positions[0]) if len(positions) > 1 else 1.0
    first = int(np.searchsorted(positions, start - 0.5 - halo * side - ROUNDING))
    last = int(np.searchsorted(positions, stop - 0.5 + halo * side - ROUNDING))
    first, last = min(first, len(positions) - 1), max(last, min(first, len(positions) - 1) + 1)
    low = int(np.floor(positions[first] - radius - 0.5 + ROUNDING))
    high = int(np.ceil(positions[last - 1] + radius + 0.5 - ROUNDING)) + 1
    return slice(first, last), slice(min(low, start), max(high, stop))
