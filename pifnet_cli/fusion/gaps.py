"""What is nodata in the inputs: gaps of the LR-HSI closed before a method sees them, and tiles without ground."""

from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from pifnet_cli.choices import Method
from pifnet_cli.pair.alignment import REACH
from pifnet_cli.pair.resample import CubicResampler
from pifnet_cli.pair.tile import PairTile, TileEngine, UncertainEngine, degrade_msi
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
        self._closes_empty = method is not Method.KRIGING
        self.margin = engine.margin

    def fuse(self, tile: PairTile) -> Pixels:
        """(C, H, W) on the tile's pixels."""
        whole = self._without_gaps(tile)
        return self._engine.fuse(tile) if whole is tile else masked(self._engine.fuse(whole), tile)

    def fuse_with_sigma(self, tile: PairTile) -> tuple[Pixels, Pixels]:
        """As the engine's own."""
        whole, engine = self._without_gaps(tile), cast("UncertainEngine", self._engine)
        fused, sigma = engine.fuse_with_sigma(whole)
        return (fused, sigma) if whole is tile else (masked(fused, tile), masked(sigma, tile))

    def _without_gaps(self, tile: PairTile) -> PairTile:
        """The tile itself where it has none."""
        gaps = ~np.isfinite(tile.lr_hsi)
        gaps[gaps.all(axis=(1, 2))] = False  # nothing is known of these bands here
        if not self._closes_empty:
            gaps[:, gaps.mean(axis=0) > 1 - MOSTLY] = False
        return replace(tile, lr_hsi=self._closed(tile, gaps)) if gaps.any() else tile

    def _closed(self, tile: PairTile, gaps: NDArray[np.bool_]) -> Pixels:
        seen = degrade_msi(tile.hr_msi, tile.geometry.lr_in_hr, tile.psf)
        explained = self._weights @ seen.reshape(len(seen), -1) + self._intercept[:, None]
        explained = explained.reshape(tile.lr_hsi.shape)  # NaN where the HR-MSI has a gap as well
        return np.where(gaps, explained + filled(tile.lr_hsi - explained), tile.lr_hsi)


def filled(image: Pixels) -> Pixels:
    """Invalid pixels replaced band by band with the nearest valid one; zero where a band has none."""
    finite = np.isfinite(image)
    if finite.all():
        return image
    whole = np.where(finite, image, np.float32(0))
    for band, is_valid in zip(whole, finite, strict=True):
        if is_valid.any() and not is_valid.all():
            nearest = distance_transform_edt(~is_valid, return_distances=False, return_indices=True)
            band[:] = band[tuple(nearest)]
    return whole


def valid_pixels(tile: PairTile) -> NDArray[np.bool_]:
    """(C, H, W) of the tile: where both scenes are valid, as interpolation would have it."""
    rows, columns = tile.geometry.tile.slices
    height, width = tile.lr_hsi.shape[1:]
    resampler = CubicResampler(tile.geometry.tile_in_lr, height=height, width=width, reach=REACH)
    return resampler.validity(tile.lr_hsi) & np.isfinite(tile.hr_msi[:, rows, columns]).all(axis=0)


def masked(fused: Pixels, tile: PairTile) -> Pixels:
    """The result where both scenes are valid; NaN elsewhere."""
    is_valid = valid_pixels(tile)
    if not is_valid.all():
        fused[~is_valid] = np.nan
    return fused


def _explained(statistics: Regression | SceneMoments) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights (C, M) and intercept (C,) of the LR-HSI on the degraded HR-MSI."""
    if isinstance(statistics, Regression):
        return statistics.weights, statistics.intercept
    return least_squares_synthesis(statistics)
