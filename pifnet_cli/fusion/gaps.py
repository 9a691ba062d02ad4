"""Gaps of the LR-HSI, closed before a method sees them and cut out again after."""

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.catalog import Gaps, Method
from pifnet_cli.degrade.sampling import filled
from pifnet_cli.pair.tile import FusedTile, PairTile, TileEngine, degrade_msi
from pifnet_cli.scene import Pixels
from pifnet_models.classical.bands import least_squares_synthesis
from pifnet_models.classical.moments import SceneMoments
from pifnet_models.kriging.regression import Regression

MOSTLY = 0.5  # share of a pixel's bands that must be valid for the others to be worth guessing


class GapEngine:
    """An engine that is shown an LR-HSI without gaps; what lies in a gap is nodata all the same.

    A missing value is what the HR-MSI explains of it, W down(Y) + b, plus the residual of the nearest LR pixel. Methods
    then neither mistake a gap's edge for a feature of the ground nor lose a pixel to its one missing band.
    """

    def __init__(self, engine: TileEngine, statistics: Regression | SceneMoments, *, method: Method) -> None:
        """Statistics of the pair. Kriging does better without a pixel than with a guess of most of its bands."""
        weights, intercept = _explained(statistics)
        self._engine = engine
        self._weights, self._intercept = weights.astype(np.float32), intercept.astype(np.float32)
        self._closes_empty = method.facts.gaps is not Gaps.SINGLE_BANDS
        self.margin, self.reach = engine.margin, engine.reach

    def fuse(self, tile: PairTile) -> FusedTile:
        """The engine's result where both scenes are valid."""
        whole = self._without_gaps(tile)
        fused = self._engine.fuse(whole)
        if whole is tile:
            return fused
        return FusedTile(tile.masked(fused.pixels), None if fused.sigma is None else tile.masked(fused.sigma))

    def _without_gaps(self, tile: PairTile) -> PairTile:
        """The tile itself where it has none."""
        gaps = ~np.isfinite(tile.lr_hsi)
        gaps[gaps.all(axis=(1, 2))] = False  # nothing is known of these bands here
        if not self._closes_empty:
            gaps[:, gaps.mean(axis=0) > 1 - MOSTLY] = False
        return tile.with_lr_hsi(self._closed(tile, gaps)) if gaps.any() else tile

    def _closed(self, tile: PairTile, gaps: NDArray[np.bool_]) -> Pixels:
        seen = degrade_msi(tile.hr_msi, tile.geometry.lr_in_hr, tile.psf)
        explained = self._weights @ seen.reshape(len(seen), -1) + self._intercept[:, None]
        explained = explained.reshape(tile.lr_hsi.shape)  # NaN where the HR-MSI has a gap as well
        return np.where(gaps, explained + filled(tile.lr_hsi - explained, empty=0), tile.lr_hsi)


def _explained(statistics: Regression | SceneMoments) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (C, M) and intercept (C,) of the LR-HSI on the degraded HR-MSI."""
    if isinstance(statistics, Regression):
        return statistics.weights, statistics.intercept
    return least_squares_synthesis(statistics)
