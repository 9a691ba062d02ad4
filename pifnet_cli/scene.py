"""Window, Positions, Grid, Bands, Scene: the nouns everyone speaks in. Values only; no files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum, StrEnum, auto
from pathlib import Path
from typing import Protocol, Self, TypeVar

import numpy as np
from affine import Affine
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
Entry = TypeVar("Entry")

RATIO_FIELD = "pifnet ratio"  # of `Scene.acquisition`: GSD of the LR-HSI that a fused scene was made from, over its own
METHOD_FIELD = "pifnet method"  # likewise: how it was fused


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of pixels: first row and column, then size. Integers, in the pixels of one grid."""

    row: int
    column: int
    height: int
    width: int

    @classmethod
    def between(cls, row: int, column: int, bottom: int, right: int) -> "Window":
        """The window from its first row and column to the first ones beyond it."""
        return cls(row, column, bottom - row, right - column)

    @property
    def bottom(self) -> int:
        """The first row below the window."""
        return self.row + self.height

    @property
    def right(self) -> int:
        """The first column right of the window."""
        return self.column + self.width

    @property
    def is_empty(self) -> bool:
        """No pixel inside."""
        return self.height <= 0 or self.width <= 0

    def grown(self, margin: int) -> "Window":
        """The window with `margin` pixels more on each side; may leave the scene."""
        return Window(self.row - margin, self.column - margin, self.height + 2 * margin, self.width + 2 * margin)

    def clipped(self, height: int, width: int) -> "Window":
        """The part that lies inside a scene of `height` x `width` pixels; empty where there is none."""
        return self.intersection(Window(0, 0, height, width))

    def intersection(self, other: "Window") -> "Window":
        """The pixels that both windows hold; empty where there are none."""
        row, column = max(self.row, other.row), max(self.column, other.column)
        bottom, right = min(self.bottom, other.bottom), min(self.right, other.right)
        return Window(row, column, max(bottom - row, 0), max(right - column, 0))

    def union(self, other: "Window") -> "Window":
        """The smallest window that holds both; an empty one adds nothing to the other."""
        if self.is_empty or other.is_empty:
            return other if self.is_empty else self
        return Window.between(
            min(self.row, other.row),
            min(self.column, other.column),
            max(self.bottom, other.bottom),
            max(self.right, other.right),
        )

    def moved_by(self, rows: int, columns: int) -> "Window":
        """The window `rows` further down and `columns` further right."""
        return Window(self.row + rows, self.column + columns, self.height, self.width)

    def relative_to(self, outer: "Window") -> "Window":
        """The same pixels, counted from the first pixel of `outer`."""
        return self.moved_by(-outer.row, -outer.column)

    def scaled(self, factor: int) -> "Window":
        """The pixels under the window on a grid of which `factor` x `factor` pixels make one of this grid."""
        return Window(self.row * factor, self.column * factor, self.height * factor, self.width * factor)

    def blocks(self, side: int, *, start: tuple[int, int] | None = None) -> Iterator["Window"]:
        """Blocks of `side` x `side` pixels that hold every pixel once, row by row; smaller at the borders.

        They are those of an endless grid of which a block begins at `start`, (row, column); at the window's own first
        pixel where it is not given.
        """
        first_row, first_column = (self.row, self.column) if start is None else start
        for row in range(self.row - (self.row - first_row) % side, self.bottom, side):
            for column in range(self.column - (self.column - first_column) % side, self.right, side):
                yield Window(row, column, side, side).intersection(self)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Rows and columns, to index the last two axes of an array."""
        return slice(self.row, self.bottom), slice(self.column, self.right)


class Spread(Enum):
    """How many windows are spread along an axis, and whether they may overlap."""

    APART = auto()
    """As many as fit without overlap; one, as long as the axis, where that is shorter than a window."""
    APART_OR_ALL = auto()
    """As many as fit without overlap; all of an axis that is no longer than two windows."""
    COVERING = auto()
    """As many as cover the axis: they overlap where its length is no multiple of theirs."""
    OVERLAPPING = auto()
    """The most, however short the axis; windows that would coincide are one."""


def spread_windows(whole: Window, *, side: int, most: int, spread: Spread = Spread.APART_OR_ALL) -> list[Window]:
    """Windows inside of another one, evenly spread from its first to its last pixel along either axis.

    Args:
        whole: Where they lie.
        side: Of a window, pixels.
        most: Windows along either axis, at most.
        spread: How many there are of them, and how long.
    """
    rows = _stretches(whole.row, whole.height, side, most, spread)
    columns = _stretches(whole.column, whole.width, side, most, spread)
    return [Window(row, column, height, width) for row, height in rows for column, width in columns]


def _stretches(start: int, length: int, side: int, most: int, spread: Spread) -> list[tuple[int, int]]:
    """(first pixel, length) of windows along an axis."""
    match spread:
        case Spread.APART:
            count = max(length // side, 1)
        case Spread.APART_OR_ALL:
            side, count = (length, 1) if length <= 2 * side else (side, length // side)
        case Spread.COVERING:
            count = -(-length // side)
        case Spread.OVERLAPPING:
            count = most
    side = min(side, length)
    places = np.linspace(0, length - side, min(most, count)).astype(int)
    return [(start + place, side) for place in sorted(set(places.tolist()))]


@dataclass(frozen=True, slots=True)
class Positions:
    """Real-valued pixel positions in one image; 0 is the centre of its first row or column.

    Both arrays are 1-D, (H,) and (W,), where rows depend on output rows alone and columns on output columns alone;
    otherwise both are (H, W).
    """

    rows: NDArray[np.float64]
    columns: NDArray[np.float64]

    @property
    def is_separable(self) -> bool:
        """Rows and columns are independent of each other."""
        return self.rows.ndim == 1

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the output."""
        return (len(self.rows), len(self.columns)) if self.is_separable else (self.rows.shape[0], self.rows.shape[1])

    def moved(self, rows: float, columns: float) -> "Positions":
        """The same places, counted from a first pixel that lies `rows` down and `columns` right."""
        return Positions(self.rows - rows, self.columns - columns)

    def cropped(self, window: Window) -> "Positions":
        """Those of the output pixels inside `window`."""
        rows, columns = window.slices
        if self.is_separable:
            return Positions(self.rows[rows], self.columns[columns])
        return Positions(self.rows[rows, columns], self.columns[rows, columns])

    def within(self, height: int, width: int, *, reach: float) -> NDArray[np.bool_]:
        """(H, W): true at most `reach` pixels outside of the pixel centres of an image of `height` x `width`."""
        rows = (self.rows >= -reach) & (self.rows <= height - 1 + reach)
        columns = (self.columns >= -reach) & (self.columns <= width - 1 + reach)
        return rows[:, None] & columns[None] if self.is_separable else rows & columns


@dataclass(frozen=True, slots=True)
class Grid:
    """Where pixels lie: size, affine transform of pixel corners (column, row) -> (x, y), and CRS as WKT."""

    height: int
    width: int
    transform: Affine
    crs_wkt: str | None

    @property
    def is_georeferenced(self) -> bool:
        """A CRS is known."""
        return self.crs_wkt is not None

    @property
    def gsd(self) -> tuple[float, float]:
        """Pixel side along rows (down) and columns (right), in map units, rotation included."""
        t = self.transform
        return float(np.hypot(t.b, t.e)), float(np.hypot(t.a, t.d))

    @property
    def window(self) -> Window:
        """The whole grid as a window."""
        return Window(0, 0, self.height, self.width)

    def cropped(self, window: Window) -> "Grid":
        """The grid of the pixels inside `window`."""
        transform = self.transform @ Affine.translation(window.column, window.row)
        return replace(self, height=window.height, width=window.width, transform=transform)


class WavelengthUnit(StrEnum):
    """Units in which headers give wavelengths, by their ENVI name."""

    NANOMETERS = "Nanometers"
    MICROMETERS = "Micrometers"

    @property
    def nanometers(self) -> float:
        """How many nanometres one unit is."""
        return 1.0 if self is WavelengthUnit.NANOMETERS else 1000.0


@dataclass(frozen=True, slots=True)
class Bands:
    """Spectral description, one entry per band; `None` where the file says nothing.

    Wavelengths and FWHM stay in the unit of the file so that they are written again to the last digit. Bands
    `without_wavelength`, positions from 0, are the reason why `wavelengths` is None although other bands have one.
    """

    count: int
    names: tuple[str, ...] | None = None
    wavelengths: tuple[float, ...] | None = None
    fwhm: tuple[float, ...] | None = None
    unit: WavelengthUnit | None = None
    good: tuple[bool, ...] | None = None
    without_wavelength: tuple[int, ...] = ()

    @property
    def wavelengths_nm(self) -> NDArray[np.float64] | None:
        """Centre wavelengths in nanometres, (C,), in file order: not always increasing."""
        return self._in_nanometers(self.wavelengths)

    @property
    def fwhm_nm(self) -> NDArray[np.float64] | None:
        """Full widths at half maximum in nanometres, (C,)."""
        return self._in_nanometers(self.fwhm)

    def cut(self, positions: Sequence[int]) -> "Bands":
        """Some of the bands, by positions from 0."""
        lacking = set(self.without_wavelength)
        return replace(
            self,
            count=len(positions),
            names=_entries(self.names, positions),
            wavelengths=_entries(self.wavelengths, positions),
            fwhm=_entries(self.fwhm, positions),
            good=_entries(self.good, positions),
            without_wavelength=tuple(place for place, position in enumerate(positions) if position in lacking),
        )

    def _in_nanometers(self, values: tuple[float, ...] | None) -> NDArray[np.float64] | None:
        if values is None or self.unit is None:
            return None
        return np.asarray(values, dtype=np.float64) * self.unit.nanometers


def band_words(positions: Sequence[int]) -> str:
    """Positions from 0 as words, counted from 1: "band 5", "bands 5, 6 and 7"; at most ten are named."""
    numbers = [str(position + 1) for position in positions]
    if len(numbers) > 10:
        return f"bands {', '.join(numbers[:10])} and {len(numbers) - 10} more"
    return f"bands {', '.join(numbers[:-1])} and {numbers[-1]}" if len(numbers) > 1 else f"band {numbers[0]}"


@dataclass(frozen=True, slots=True)
class Scene:
    """All about a raster but its pixels.

    Stored numbers become physical ones as `stored * scales[band] + offsets[band]`; `dtype` is the stored NumPy type
    and `nodata` a stored number. `acquisition` keeps free ENVI fields (sensor type, acquisition time, description).
    """

    path: Path
    grid: Grid
    bands: Bands
    dtype: str = "float32"
    nodata: float | None = None
    scales: tuple[float, ...] | None = None
    offsets: tuple[float, ...] | None = None
    acquisition: tuple[tuple[str, str], ...] = ()

    def cut(self, positions: Sequence[int]) -> "Scene":
        """The scene of some of its bands, by positions from 0."""
        return replace(
            self,
            bands=self.bands.cut(positions),
            scales=_entries(self.scales, positions),
            offsets=_entries(self.offsets, positions),
        )


class OpenScene(Protocol):
    """A scene whose pixels can be read: an open file, or arrays."""

    @property
    def scene(self) -> Scene:
        """All about it but its pixels."""

    def read(self, window: Window) -> Pixels:
        """(C, h, w) in physical units, NaN where invalid."""

    def cut(self, positions: Sequence[int], /) -> Self:
        """The scene of some of its bands, by positions from 0."""


SceneKind = TypeVar("SceneKind", bound=OpenScene)


def _entries(values: tuple[Entry, ...] | None, positions: Sequence[int]) -> tuple[Entry, ...] | None:
    return None if values is None else tuple(values[position] for position in positions)
