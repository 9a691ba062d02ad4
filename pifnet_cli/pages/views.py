"""Scenes looked at for a report: three bands of each on one grid, in one pass; spectra at chosen pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.errors import SettingsError
from pifnet_cli.pages.highlights import busiest_window, texture
from pifnet_cli.pages.page import Table, facts_table
from pifnet_cli.pages.sections import Point, View, detail_side
from pifnet_cli.pair.alignment import Alignment
from pifnet_cli.raster.reader import SceneReader
from pifnet_cli.reports.pictures import Mosaic, rgb_bands
from pifnet_cli.scene import Bands, Grid, Pixels, Window

OVERVIEW_SIDE = 1024  # pixels of a picture of a whole scene, at most
BLOCK_SIDE = 512
BLOCK_BYTES = 64 * 2**20  # of one block with all its bands

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What only the run itself knows: its words, and what it warned of."""

    command: str = ""
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Eye:
    """Three bands of one scene on the grid of the report.

    Attributes:
        name: Of the scene, for the reader.
        bands: Red, green, blue, from 0.
        words: The same for the reader.
        read: Window of the report's grid -> (3, h, w).
        like: Index of the eye whose colours are stretched alike; its own by default.
    """

    name: str
    bands: tuple[int, int, int]
    words: str
    read: Callable[[Window], Pixels]
    like: int | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """All views, and the window of their details."""

    views: tuple[View, ...]
    window: Window

    def shows(self, row: int, column: int, *, height: int) -> bool:
        """Whether the last view has pixels at a place of a scene of `height` rows, as far as its overview tells."""
        overview = self.views[-1].overview
        factor = -(-height // overview.shape[1])
        return bool(np.isfinite(overview[:, row // factor, column // factor]).all())


def look_at(eyes: Sequence[Eye], *, height: int, width: int, textured: int, progress: Progress) -> Look:
    """Overviews of all eyes in one pass, and details where eye number `textured` has the most texture."""
    mosaics = [Mosaic(3, height=height, width=width, largest_side=OVERVIEW_SIDE) for _ in eyes]
    steps = Mosaic(1, height=height, width=width, largest_side=OVERVIEW_SIDE)
    blocks = list(Window(0, 0, height, width).blocks(BLOCK_SIDE))
    for done, block in enumerate(blocks, start=1):
        images = [eye.read(block) for eye in eyes]
        for mosaic, image in zip(mosaics, images, strict=True):
            mosaic.add(image, block)
        is_shown = np.isfinite(images[-1]).all(axis=0)
        steps.add(np.where(is_shown, texture(images[textured]), np.float32(np.nan)), block)
        progress("drawing the report", done, len(blocks))
    window = busiest_window(steps, height=height, width=width, side=detail_side(height, width))
    overviews = [mosaic.image() for mosaic in mosaics]
    views = [
        View(eye.name, eye.words, overview, eye.read(window), overview if eye.like is None else overviews[eye.like])
        for eye, overview in zip(eyes, overviews, strict=True)
    ]
    return Look(tuple(views), window)


def full_blocks(height: int, width: int, *, bands: int) -> list[Window]:
    """Windows whose pixels in all bands take `BLOCK_BYTES` at most."""
    affordable = int(np.sqrt(BLOCK_BYTES / (4 * bands)))
    return list(Window(0, 0, height, width).blocks(max(min(BLOCK_SIDE, affordable) // 64, 1) * 64))


def natural_bands(bands: Bands) -> tuple[int, int, int]:
    """Red, green and blue, from 0; bands at 5/6, 1/2 and 1/6 of all where wavelengths do not tell three apart."""
    usable = tuple(band for band in range(bands.count) if bands.good is None or bands.good[band])
    if bands.wavelengths_nm is not None and usable:
        red, green, blue = (band - 1 for band in rgb_bands(bands, usable=usable, path=Path()))
        if len({red, green, blue}) == 3:
            return red, green, blue
    return (5 * bands.count) // 6, bands.count // 2, bands.count // 6


def band_words(bands: Bands, chosen: Sequence[int]) -> str:
    """Numbers, from 1, and wavelengths of bands."""
    chosen = list(dict.fromkeys(chosen))
    numbers = f"band{'s' if len(chosen) > 1 else ''} {', '.join(str(band + 1) for band in chosen)}"
    wavelengths = bands.wavelengths_nm
    if wavelengths is None:
        return numbers
    return f"{numbers} ({', '.join(f'{wavelengths[band]:.0f}' for band in chosen)} nm)"


def reader_on(reader: SceneReader, bands: tuple[int, int, int], origin: Window) -> Callable[[Window], Pixels]:
    """Reads windows that are counted from the first pixel of `origin`."""

    def read(window: Window) -> Pixels:
        return reader.read(window.moved_by(origin.row, origin.column), bands=bands)

    return read


def reader_of_nearest(
    reader: SceneReader, bands: tuple[int, int, int], alignment: Alignment
) -> Callable[[Window], Pixels]:
    """Reads the LR pixel that every pixel of the output lies in; NaN outside of the LR-HSI."""

    def read(window: Window) -> Pixels:
        at = alignment.lr_positions(_on_hr(alignment, window))
        rows, columns = np.broadcast_arrays(
            *((at.rows[:, None], at.columns) if at.is_separable else (at.rows, at.columns))
        )
        height, width = reader.scene.grid.height, reader.scene.grid.width
        inside = (rows > -0.5) & (rows < height - 0.5) & (columns > -0.5) & (columns < width - 0.5)
        image = np.full((len(bands), window.height, window.width), np.nan, dtype=np.float32)
        if not inside.any():
            return image
        row, column = np.rint(rows[inside]).astype(np.intp), np.rint(columns[inside]).astype(np.intp)
        top, left = int(row.min()), int(column.min())
        part = Window.between(top, left, int(row.max()) + 1, int(column.max()) + 1)
        image[:, inside] = reader.read(part.clipped(height, width), bands=bands)[:, row - top, column - left]
        return image

    return read


def lr_pixel(alignment: Alignment, row: int, column: int) -> Window:
    """The LR pixel that shows most of a pixel of the output."""
    at = alignment.lr_positions(_on_hr(alignment, Window(row, column, 1, 1)))
    grid = alignment.lr_grid
    there = int(np.rint(at.rows.flat[0])), int(np.rint(at.columns.flat[0]))
    return Window(min(max(there[0], 0), grid.height - 1), min(max(there[1], 0), grid.width - 1), 1, 1)


def spectrum_at(reader: SceneReader, row: int, column: int) -> NDArray[np.float64]:
    """(C,) of one pixel, NaN where invalid or in a bad band."""
    values = reader.read(Window(row, column, 1, 1))[:, 0, 0].astype(np.float64)
    good = reader.scene.bands.good
    return values if good is None else np.where(good, values, np.nan)


def named_points(places: Sequence[tuple[int, int, str]], grid: Grid) -> list[Point]:
    """Letters and map coordinates for (row, column, reason)."""
    points = []
    for number, (row, column, reason) in enumerate(places):
        x, y = grid.transform @ (column + 0.5, row + 0.5)
        points.append(Point(chr(ord("A") + number), row, column, reason, f"{x:.10g}, {y:.10g}"))
    return points


def require_inside(points: Sequence[tuple[int, int]], *, height: int, width: int) -> None:
    """Refuse points outside of a scene.

    Raises:
        SettingsError: One is.
    """
    for row, column in points:
        if not (0 <= row < height and 0 <= column < width):
            raise SettingsError(
                f"--point {row},{column}: the scene has rows 0 to {height - 1} and columns 0 to {width - 1}"
            )


def command_table(run: RunFacts) -> list[Table]:
    """The words that started the run, where they are known."""
    return [facts_table([("command", run.command)])] if run.command else []


def _on_hr(alignment: Alignment, window: Window) -> Window:
    return window.moved_by(alignment.output.row, alignment.output.column)
