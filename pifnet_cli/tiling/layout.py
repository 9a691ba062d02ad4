"""Tile, and the plan that covers a scene; integers only.

Along each axis tiles start every `stride = tile_size - overlap` pixels and overlap the next one by `overlap`. The
pixels from one start to the next are the *core* of a tile: they are finished once the tile and its upper and left
neighbours are done, and cores of a stride that is a multiple of 16 fall on the blocks of a tiled GeoTIFF.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pifnet_cli.scene import Window


@dataclass(frozen=True, slots=True)
class Tile:
    """One tile of a plan, in pixels of the scene.

    Attributes:
        row: Index of the tile along the rows of the plan.
        column: Index along its columns.
        window: The pixels that the tile contributes to, overlaps included.
        core: The pixels that are finished after this tile, in row-major order.
        context: What a method sees: `window` grown by the halo, and to full size at borders of the scene.
    """

    row: int
    column: int
    window: Window
    core: Window
    context: Window


@dataclass(frozen=True, slots=True)
class TilePlan:
    """Tiles over a scene of `height` x `width`, in row-major order."""

    height: int
    width: int
    tile_size: int
    overlap: int
    halo: int

    @property
    def stride(self) -> int:
        """Pixels from one tile's start to the next."""
        return self.tile_size - self.overlap

    @property
    def rows(self) -> int:
        """Number of tiles along the rows."""
        return _count(self.height, self.stride, self.overlap)

    @property
    def columns(self) -> int:
        """Number of tiles along the columns."""
        return _count(self.width, self.stride, self.overlap)

    def __len__(self) -> int:
        return self.rows * self.columns

    def __iter__(self) -> Iterator[Tile]:
        for row in range(self.rows):
            for column in range(self.columns):
                yield self.tile(row, column)

    def tile(self, row: int, column: int) -> Tile:
        """The tile at an index of the plan."""
        top, bottom, finished_row = self._span(row, self.rows, self.height)
        left, right, finished_column = self._span(column, self.columns, self.width)
        first_row, last_row = self._context(top, bottom, self.height)
        first_column, last_column = self._context(left, right, self.width)
        return Tile(
            row=row,
            column=column,
            window=Window.between(top, left, bottom, right),
            core=Window.between(top, left, finished_row, finished_column),
            context=Window.between(first_row, first_column, last_row, last_column),
        )

    def _span(self, index: int, count: int, length: int) -> tuple[int, int, int]:
        start = index * self.stride
        stop = min(start + self.tile_size, length)
        return start, stop, length if index == count - 1 else start + self.stride

    def _context(self, start: int, stop: int, length: int) -> tuple[int, int]:
        """Grown by the halo; a short last tile reaches back so that it is as large as the others.

        Tiles that neither overlap nor have a halo are all that is seen of the scene.
        """
        if self.overlap == self.halo == 0:
            return start, stop
        full = min(self.tile_size + 2 * self.halo, length)
        first, last = max(start - self.halo, 0), min(stop + self.halo, length)
        return min(first, max(last - full, 0)), last


def _count(length: int, stride: int, overlap: int) -> int:
    return max(1, -(-(length - overlap) // stride))
