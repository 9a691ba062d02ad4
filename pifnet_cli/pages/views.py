"""Views of scenes: three bands of each, drawn on one grid in one pass; spectra of single pixels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.pages.highlights import busiest_window, texture
from pifnet_cli.pages.sections import DrawnView, detail_side
from pifnet_cli.pair.alignment import Alignment
from pifnet_cli.progress import Progress, silent
from pifnet_cli.raster.reader import SceneReader
from pifnet_cli.reports.pictures import Mosaic, rgb_bands
from pifnet_cli.scene import Bands, Pixels, Window

OVERVIEW_SIDE = 1024  # pixels of a picture of a whole scene, at most
BLOCK_SIDE = 512
BLOCK_BYTES = 64 * 2**20  # of one block with all its bands

RgbBands = tuple[int, int, int]  # red, green, blue


@dataclass(frozen=True, slots=True)
class View:
    """Three bands of one scene on the grid of the page, ready to be drawn.

    Attributes:
        name: Name of the scene.
        bands: The three bands in words.
        read: Window of the page's grid -> (3, h, w), NaN where there is nothing to show.
        like: Index of the view whose colours are stretched alike; its own when None.
    """

    name: str
    bands: str
    read: Callable[[Window], Pixels]
    like: int | None = None


@dataclass(frozen=True, slots=True)
class Views:
    """Views as they were drawn; `detail` is the window of the scene that their details show."""

    drawn: tuple[DrawnView, ...]
    detail: Window

    def last_shows(self, row: int, column: int, *, height: int) -> bool:
        """Whether the last view shows a pixel of a scene of `height` rows, as far as its overview tells."""
        overview = self.drawn[-1].overview
        factor = -(-height // overview.shape[1])
        return bool(np.isfinite(overview[:, row // factor, column // factor]).all())


def draw_views(views: Sequence[View], *, height: int, width: int, textured: int, progress: Progress = silent) -> Views:
    """Draw overviews of all views in one pass, and details where one of the views has the most texture.

    Args:
        views: Views of scenes on one grid.
        height: Rows of that grid.
        width: Columns of that grid.
        textured: Index of the view whose texture decides.
        progress: Called with the stage's name, steps done, and steps in all.
    """
    mosaics = [Mosaic(3, height=height, width=width, largest_side=OVERVIEW_SIDE) for _ in views]
    steps = Mosaic(1, height=height, width=width, largest_side=OVERVIEW_SIDE)
    blocks = list(Window(0, 0, height, width).blocks(BLOCK_SIDE))
    for done, block in enumerate(blocks, start=1):
        images = [view.read(block) for view in views]
        for mosaic, image in zip(mosaics, images, strict=True):
            mosaic.add(image, block)
        is_shown = np.isfinite(images[-1]).all(axis=0)
        steps.add(np.where(is_shown, texture(images[textured]), np.float32(np.nan)), block)
        progress("drawing the report", done, len(blocks))
    detail = busiest_window(steps, height=height, width=width, side=detail_side(height, width))
    overviews = [mosaic.image() for mosaic in mosaics]
    drawn = [
        DrawnView(
            name=view.name,
            bands=view.bands,
            overview=overview,
            detail=view.read(detail),
            like=overview if view.like is None else overviews[view.like],
        )
        for view, overview in zip(views, overviews, strict=True)
    ]
    return Views(tuple(drawn), detail)


def full_blocks(height: int, width: int, *, bands: int) -> list[Window]:
    """Windows that cover a scene; the pixels of one in all bands take `BLOCK_BYTES` at most."""
    affordable = int(np.sqrt(BLOCK_BYTES / (4 * bands)))
    return list(Window(0, 0, height, width).blocks(max(min(BLOCK_SIDE, affordable) // 64, 1) * 64))


def natural_bands(bands: Bands) -> RgbBands:
    """Red, green and blue, from 0; bands at 5/6, 1/2 and 1/6 of all where wavelengths do not tell three apart."""
    usable = tuple(band for band in range(bands.count) if bands.good is None or bands.good[band])
    if bands.wavelengths_nm is not None and usable:
        red, green, blue = (band - 1 for band in rgb_bands(bands, usable=usable, path=Path()))
        if len({red, green, blue}) == 3:
            return red, green, blue
    return (5 * bands.count) // 6, bands.count // 2, bands.count // 6


def band_words(bands: Bands, chosen: Sequence[int]) -> str:
    """Name bands by their numbers, from 1, and by their wavelengths where these are known."""
    chosen = list(dict.fromkeys(chosen))
    numbers = f"band{'s' if len(chosen) > 1 else ''} {', '.join(str(band + 1) for band in chosen)}"
    wavelengths = bands.wavelengths_nm
    if wavelengths is None:
        return numbers
    return f"{numbers} ({', '.join(f'{wavelengths[band]:.0f}' for band in chosen)} nm)"


def reader_on(
    reader: SceneReader, bands: RgbBands, *, origin: Window | None = None, within: Window | None = None
) -> Callable[[Window], Pixels]:
    """Make the `read` of a view whose pixels coincide with those of the page.

    Args:
        reader: The scene; stays open.
        bands: The bands to be read, counted from 0.
        origin: The page's first pixel is the first pixel of this window of the scene; the scene's own when None.
        within: Part of the scene outside of which everything is NaN; the whole scene when None.
    """
    whole = reader.scene.grid.window
    origin, within = origin or whole, within or whole

    def read(window: Window) -> Pixels:
        there = window.moved_by(origin.row, origin.column)
        part = there.intersection(within)
        image = np.full((len(bands), window.height, window.width), np.nan, dtype=np.float32)
        if not part.is_empty:
            image[:, *part.relative_to(there).slices] = reader.read(part, bands=bands)
        return image

    return read


def reader_of_nearest(reader: SceneReader, bands: RgbBands, alignment: Alignment) -> Callable[[Window], Pixels]:
    """Make the `read` of a view that shows the LR pixel in which each pixel of the output lies; NaN outside of all."""

    def read(window: Window) -> Pixels:
        at = alignment.lr_positions(window.moved_by(alignment.output.row, alignment.output.column))
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


def lr_pixel(alignment: Alignment, row: int, column: int) -> tuple[int, int]:
    """Row and column of the LR pixel that shows most of a pixel of the output."""
    origin, grid = alignment.output, alignment.lr_grid
    at = alignment.lr_positions(Window(origin.row + row, origin.column + column, 1, 1))
    lr_row, lr_column = int(np.rint(at.rows.flat[0])), int(np.rint(at.columns.flat[0]))
    return min(max(lr_row, 0), grid.height - 1), min(max(lr_column, 0), grid.width - 1)


def spectrum_at(reader: SceneReader, row: int, column: int, *, within: Window | None = None) -> NDArray[np.float64]:
    """(C,) of one pixel, NaN where invalid, in a bad band, or outside of `within` (the whole scene when None)."""
    pixel, bands = Window(row, column, 1, 1), reader.scene.bands
    if pixel.intersection(within or reader.scene.grid.window).is_empty:
        return np.full(bands.count, np.nan)
    values = reader.read(pixel)[:, 0, 0].astype(np.float64)
    return values if bands.good is None else np.where(bands.good, values, np.nan)
