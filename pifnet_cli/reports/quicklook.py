"""Pictures of scenes: pseudo-colour previews, maps of spectral angle and of error, as PNG."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from pifnet_cli.errors import BandsError
from pifnet_cli.raster.gdal_session import gdal_session
from pifnet_cli.reports.publish import published
from pifnet_cli.scene import Bands, Pixels, Window

LARGEST_SIDE = 2048  # pixels of a picture; larger scenes are averaged down to it
STRETCH_PERCENT = (2.0, 98.0)
RGB_NM = (640.0, 550.0, 460.0)
MAP_COLOURS = np.array([(18, 20, 74), (22, 98, 138), (52, 162, 122), (196, 205, 74), (255, 246, 200)], dtype=float)

Picture = NDArray[np.uint8]  # (4, h, w): red, green, blue, opacity


class Mosaic:
    """A small image of a large scene, filled by windows: means of k x k valid pixels. Memory is bounded."""

    def __init__(self, channels: int, *, height: int, width: int, largest_side: int = LARGEST_SIDE) -> None:
        self.factor = math.ceil(max(height, width) / largest_side)
        shape = (math.ceil(height / self.factor), math.ceil(width / self.factor))
        self._sums = np.zeros((channels, *shape), dtype=np.float32)
        self._counts = np.zeros((1, *shape), dtype=np.float32)

    def add(self, values: NDArray[np.floating[Any]], window: Window) -> None:
        """Add (channels, h, w) that lie at `window` of the scene; a pixel invalid in one channel is so in all."""
        is_valid = np.isfinite(values).all(axis=0, keepdims=True)
        self._add_cells(self._sums, np.where(is_valid, values, 0.0), window)
        self._add_cells(self._counts, is_valid.astype(np.float32), window)

    def image(self) -> Pixels:
        """(channels, h, w), NaN where no valid pixel was added."""
        return np.where(self._counts > 0, self._sums / np.maximum(self._counts, 1.0), np.float32(np.nan))

    def _add_cells(self, target: Pixels, values: NDArray[np.floating[Any]], window: Window) -> None:
        row, column = window.row // self.factor, window.column // self.factor
        cells = np.add.reduceat(values, self._starts(window.row, window.height), axis=1)
        cells = np.add.reduceat(cells, self._starts(window.column, window.width), axis=2)
        target[:, row : row + cells.shape[1], column : column + cells.shape[2]] += cells

    def _starts(self, first: int, count: int) -> NDArray[np.intp]:
        """Where new cells begin among `count` pixels from `first` on."""
        cells = np.arange(first, first + count) // self.factor
        return np.flatnonzero(np.diff(cells, prepend=-1))


def rgb_bands(bands: Bands, *, usable: tuple[int, ...], path: Path) -> tuple[int, int, int]:
    """The usable bands nearest to 640, 550 and 460 nm, counted from 1.

    Raises:
        BandsError: The file gives no wavelengths.
    """
    wavelengths = bands.wavelengths_nm
    if wavelengths is None:
        raise BandsError(f"{path}: no wavelengths, so red, green and blue are unknown; name them: --rgb-bands R G B")
    red, green, blue = (min(usable, key=lambda band: abs(wavelengths[band] - target)) + 1 for target in RGB_NM)
    return red, green, blue


def pseudo_colour(image: Pixels, *, like: Pixels) -> Picture:
    """Stretch (3, h, w) between the 2 % and 98 % points of each channel of `like`; invalid pixels are transparent."""
    limits = [stretch_limits(channel) for channel in like]
    lows, highs = (np.array(ends)[:, None, None] for ends in zip(*limits, strict=True))
    is_valid = np.asarray(np.isfinite(image).all(axis=0))
    levels = np.clip((np.where(is_valid, image, 0.0) - lows) / np.where(highs > lows, highs - lows, 1.0), 0.0, 1.0)
    return _picture(levels * 255.0, is_valid)


def colour_map(values: Pixels, *, top: float) -> Picture:
    """Paint (h, w) from dark blue at 0 to pale yellow at `top` and above; invalid pixels are transparent."""
    is_valid = np.isfinite(values)
    levels = np.clip(np.where(is_valid, values, 0.0) / (top if top > 0 else 1.0), 0.0, 1.0)
    stops = np.linspace(0.0, 1.0, len(MAP_COLOURS))
    return _picture(np.stack([np.interp(levels, stops, channel) for channel in MAP_COLOURS.T]), is_valid)


def stretch_limits(values: Pixels) -> tuple[float, float]:
    """The 2 % and 98 % points of the valid values; 0 and 1 where there are none."""
    valid = values[np.isfinite(values)]
    low, high = np.percentile(valid, STRETCH_PERCENT).tolist() if valid.size else (0.0, 1.0)
    return low, high


def side_by_side(left: Picture, right: Picture) -> Picture:
    """Two pictures of one height, with a transparent gap of eight pixels."""
    gap = np.zeros((4, left.shape[1], 8), dtype=np.uint8)
    return np.concatenate([left, gap, right], axis=2)


def write_png(output: Path, picture: Picture, *, description: str) -> None:
    """Publish a picture; the description is stored in the file as text.

    Raises:
        SceneWriteError: The file cannot be written.
    """
    with published(output) as partial:
        partial.write_bytes(png_bytes(picture, description=description))


def png_bytes(picture: Picture, *, description: str) -> bytes:
    """A picture as the content of a PNG file, with the description stored as text."""
    channels, height, width = picture.shape
    profile = {"driver": "PNG", "count": channels, "height": height, "width": width, "dtype": "uint8"}
    # Encoded in memory: GDAL's driver leaves a sidecar file, and reports a full disk in ways of its own.
    with gdal_session(GDAL_PAM_ENABLED="NO"), MemoryFile(ext=".png") as memory:
        with memory.open(**profile, WRITE_METADATA_AS_TEXT="YES", DESCRIPTION=description) as dataset:
            dataset.write(picture)
        return bytes(memory.read())


def _picture(colours: NDArray[np.floating[Any]], is_valid: NDArray[np.bool_]) -> Picture:
    opacity = np.where(is_valid, 255, 0)[None]
    return np.concatenate([np.rint(colours), opacity]).astype(np.uint8)
