"""The sheet on which a landscape is drawn, finer than the pixels it will be seen through."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from landscape.surfaces import Surface
from landscape.texture import Field, fractal_field

Mask = NDArray[np.bool_]
Keys = NDArray[np.int64]
Chooser = Callable[[int], list[Surface]]  # a number of patches -> a surface for each
_FAR_M = -1e4  # no water anywhere near


@dataclass
class Canvas:
    """Cover, height and texture of the ground on a fine raster (H, W); drawing functions change it in place.

    `patch` numbers pieces of ground that share their traits; `surfaces[patch]` says what they are. Heights and
    distances are in metres, `shore_m` is positive inside water; `x` is (1, W), `y` is (H, 1). `slope_x`, `slope_y` are
    the slopes of roof faces.
    """

    x: Field
    y: Field
    spacing_m: float
    patch: NDArray[np.int32]
    height_m: Field
    slope_x: Field
    slope_y: Field
    stripe: Field
    shore_m: Field
    surfaces: list[Surface] = field(default_factory=list)

    @classmethod
    def blank(cls, height: int, width: int, *, spacing_m: float) -> "Canvas":
        """An empty sheet of `height` x `width` fine cells, `spacing_m` apart; nothing is drawn yet (patch -1)."""
        shape = (height, width)
        x = ((np.arange(width, dtype=np.float32) + 0.5) * spacing_m)[None]
        y = ((np.arange(height, dtype=np.float32) + 0.5) * spacing_m)[:, None]
        zeros = [np.zeros(shape, np.float32) for _ in range(4)]
        return cls(x, y, spacing_m, np.full(shape, -1, np.int32), *zeros, np.full(shape, _FAR_M, np.float32))

    @property
    def shape(self) -> tuple[int, int]:
        """Fine rows and columns."""
        return self.patch.shape[0], self.patch.shape[1]

    def view(self, rows: slice, columns: slice) -> "Canvas":
        """A part of the sheet; what is drawn on it is drawn on the whole."""
        rasters = (self.patch, self.height_m, self.slope_x, self.slope_y, self.stripe, self.shore_m)
        parts = [raster[rows, columns] for raster in rasters]
        return Canvas(self.x[:, columns], self.y[rows], self.spacing_m, *parts, self.surfaces)

    def bent(self, rng: Generator, *, reach_m: float) -> tuple[Field, Field]:
        """Coordinates x and y displaced by smooth noise of about `reach_m`, each (H, W), in metres."""
        bend = [fractal_field(rng, self.shape, slope=2.3) * np.float32(reach_m) for _ in range(2)]
        return self.x + bend[0], self.y + bend[1]

    def lay(self, where: Mask, surface: Surface, *, height_m: float = 0.0) -> None:
        """One new patch of one surface."""
        self.patch[where] = len(self.surfaces)
        self.surfaces.append(surface)
        self._level(where, height_m)

    def lay_many(self, where: Mask, keys: Keys, *, choose: Chooser, height_m: float = 0.0) -> None:
        """A new patch for every different key under `where`; `choose` names their surfaces."""
        values, inverse = np.unique(keys[where], return_inverse=True)
        self.patch[where] = len(self.surfaces) + inverse
        self.surfaces.extend(choose(len(values)))
        self._level(where, height_m)

    def _level(self, where: Mask, height_m: float) -> None:
        self.height_m[where] = height_m
        for raster in (self.slope_x, self.slope_y, self.stripe):
            raster[where] = 0


def turned(place: tuple[Field, Field], angle: float) -> tuple[Field, Field]:
    """Coordinates x and y in a system turned by `angle` (radians), each (H, W)."""
    x, y = place
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return x * cosine + y * sine, y * cosine - x * sine


def window_of(mask: Mask) -> tuple[slice, slice]:
    """The smallest window that holds every true cell; empty where there is none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return slice(0, 0), slice(0, 0)
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def mixture(rng: Generator, shares: dict[Surface, float]) -> Chooser:
    """A chooser for `Canvas.lay_many`: surfaces at random, in these proportions."""
    kinds = list(shares)
    odds = np.array(list(shares.values()), dtype=np.float64)
    return lambda count: [kinds[i] for i in rng.choice(len(kinds), size=count, p=odds / odds.sum())]
