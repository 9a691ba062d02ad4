"""Weights that sum to one; pieces that are finished.

Every tile is weighted by a separable raised cosine over its overlaps. Two neighbours' weights are w and 1 - w, so a
method that returns its input is reproduced to float32 rounding, also where four tiles meet.
"""

from typing import Protocol

import numpy as np

from pifnet_cli.scene import Pixels, Window
from pifnet_cli.tiling.layout import Tile, TilePlan


class StripStore(Protocol):
    """Keeps the strip that a tile shares with the tile below, one slot per column of the plan."""

    def save(self, slot: int, strip: Pixels) -> None:
        """Keep (C, overlap, w) in a slot."""

    def load(self, slot: int) -> Pixels:
        """The array that was kept last."""


class Blender:
    """Adds up overlapping tiles that come in row-major order, and hands out each core when it is finished.

    Memory is one tile and one vertical strip, whatever the size of the scene; what the next row of tiles needs is in
    `strips`.
    """

    def __init__(self, plan: TilePlan, strips: StripStore) -> None:
        self._plan = plan
        self._strips = strips
        self._right: Pixels | None = None

    def add(self, tile: Tile, fused: Pixels) -> tuple[Window, Pixels]:
        """Take in the result on `tile.window` and return its core's window and finished pixels.

        Args:
            tile: The next tile of the plan.
            fused: (C, h, w); overwritten where tiles overlap.
        """
        overlap, core = self._plan.overlap, tile.core
        if overlap:
            fused *= self._weights(tile)
        if tile.column > 0 and self._right is not None:
            fused[:, :, :overlap] += self._right
        shares_right = overlap > 0 and tile.column < self._plan.columns - 1
        self._right = fused[:, :, core.width :].copy() if shares_right else None
        finished = fused[:, :, : core.width]
        if tile.row > 0 and overlap:
            finished[:, :overlap] += self._strips.load(tile.column)
        if tile.row < self._plan.rows - 1 and overlap:
            self._strips.save(tile.column, finished[:, core.height :])
        return core, finished[:, : core.height]

    def _weights(self, tile: Tile) -> Pixels:
        """(h, w), the product of both axes' weights."""
        rows = _axis_weights(
            tile.window.height, self._plan.overlap, first=tile.row == 0, last=tile.row == self._plan.rows - 1
        )
        columns = _axis_weights(
            tile.window.width, self._plan.overlap, first=tile.column == 0, last=tile.column == self._plan.columns - 1
        )
        return np.outer(rows, columns).astype(np.float32)


def _axis_weights(
    length: int, overlap: int, *, first: bool, last: bool
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Weights along one axis: rising over the first overlap, falling over the last, none at the scene's borders."""
    weights = np.ones(length)
    if not overlap:
        return weights
    rise = 0.5 - 0.5 * np.cos(np.pi * (np.arange(overlap) + 0.5) / overlap)
    if not first:
        weights[:overlap] = rise
    if not last:
        weights[length - overlap :] = 1 - rise
    return weights
