"""Pictures of scenes as PNG: from small images of large scenes, through colours, to previews and maps of differences.

Scenes are seen block by block: a `Mosaic` gathers them in bounded memory, `pseudo_colour` and `colour_map` paint what
it has gathered, and the classes below do both while a fused scene is scored.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from rasterio.io import MemoryFile

from pifnet_cli.errors import BandsError
from pifnet_cli.metrics.running import QUALITY_BLOCK
from pifnet_cli.metrics.spectral_angle import spectral_angle_deg
from pifnet_cli.raster.gdal import gdal_session
from pifnet_cli.reports.files import published
from pifnet_cli.scene import Bands, Grid, Pixels, Window

LARGEST_SIDE = 2048  # pixels of a picture; larger scenes are averaged down to it
STRETCH_PERCENT = (2.0, 98.0)
RGB_NM = (640.0, 550.0, 460.0)
MAP_COLOURS = np.array([(18, 20, 74), (22, 98, 138), (52, 162, 122), (196, 205, 74), (255, 246, 200)], dtype=float)

Picture = NDArray[np.uint8]  # (4, h, w): red, green, blue, opacity
Difference = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]  # two (C, h, w) -> (h, w)


class Mosaic:
    """A small image of a large scene, filled window by window: means over k x k pixels, of the valid ones."""

    def __init__(self, channels: int, *, height: int, width: int, largest_side: int = LARGEST_SIDE) -> None:
        self.factor = math.ceil(max(height, width) / largest_side)
        shape = (math.ceil(height / self.factor), math.ceil(width / self.factor))
        self._sums = np.zeros((channels, *shape), dtype=np.float32)
        self._counts = np.zeros((1, *shape), dtype=np.float32)

    def add(self, values: NDArray[np.floating[Any]], window: Window) -> None:
        """Add (channels, h, w) at `window` of the scene; a pixel that is invalid in one channel is left out of all."""
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
        """Indices at which a new cell begins among `count` pixels from `first` on."""
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
    """Join two pictures of one height, with a transparent gap of eight pixels."""
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
    """Encode a picture as PNG, with the description stored as text."""
    channels, height, width = picture.shape
    profile = {"driver": "PNG", "count": channels, "height": height, "width": width, "dtype": "uint8"}
    # Encoded in memory: GDAL's driver leaves a sidecar file, and reports a full disk in ways of its own.
    with gdal_session(GDAL_PAM_ENABLED="NO"), MemoryFile(ext=".png") as memory:
        with memory.open(**profile, WRITE_METADATA_AS_TEXT="YES", DESCRIPTION=description) as dataset:
            dataset.write(picture)
        return bytes(memory.read())


def spectral_rmse(fused: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C, ...) and (C, ...) -> (...): root mean square difference over the bands."""
    return np.asarray(np.sqrt(np.mean((fused - reference) ** 2, axis=0)))


class ComparisonPicture(Protocol):
    """A picture that is filled block by block while a fused scene is scored against its reference."""

    def add(self, fused: Pixels, reference: Pixels, window: Window) -> None:
        """Add (C, h, w) of both scenes that lie at `window` of the scored area."""

    def write(self) -> str:
        """Publish the picture, and return what its colours mean."""


class PseudoColour:
    """A picture of the fused scene (left) and the reference (right), both stretched like the reference.

    `bands` are red, green and blue, counted from 1.
    """

    def __init__(self, path: Path, *, bands: tuple[int, int, int], height: int, width: int) -> None:
        self._path = path
        self._bands = np.array(bands) - 1
        self._fused = Mosaic(3, height=height, width=width)
        self._reference = Mosaic(3, height=height, width=width)

    def add(self, fused: Pixels, reference: Pixels, window: Window) -> None:
        """Add one block."""
        self._fused.add(fused[self._bands], window)
        self._reference.add(reference[self._bands], window)

    def write(self) -> str:
        """Publish the picture."""
        red, green, blue = (self._bands + 1).tolist()
        description = f"fused left, reference right; bands {red}, {green}, {blue}"
        fused, reference = self._fused.image(), self._reference.image()
        picture = side_by_side(pseudo_colour(fused, like=reference), pseudo_colour(reference, like=reference))
        write_png(self._path, picture, description=description)
        return description


class DifferenceMosaic:
    """An image of the difference of two scenes in each pixel.

    `difference` compares spectra; `bands` are those that it is given, counted from 0, or all when None.
    """

    def __init__(
        self, difference: Difference, *, height: int, width: int, bands: tuple[int, ...] | None = None
    ) -> None:
        self._difference = difference
        self._bands = slice(None) if bands is None else np.array(bands, dtype=np.intp)
        self._mosaic = Mosaic(1, height=height, width=width)

    def add(self, fused: Pixels, reference: Pixels, window: Window) -> None:
        """Add one block, in parts that bound the memory of the float64 copies."""
        for part in window.blocks(QUALITY_BLOCK):
            inside = part.relative_to(window).slices
            spectra = [image[(self._bands, *inside)].astype(np.float64) for image in (fused, reference)]
            is_valid = np.isfinite(spectra[0]).all(axis=0) & np.isfinite(spectra[1]).all(axis=0)
            values = np.where(is_valid, self._difference(spectra[0], spectra[1]), np.nan)
            self._mosaic.add(values[None], part)

    def image(self) -> Pixels:
        """(h, w), averaged down where the scene is large; NaN where invalid."""
        return np.asarray(self._mosaic.image()[0])


class DifferenceMap:
    """A picture of the difference of two scenes in each pixel, from dark blue at 0 to pale yellow at its 98 % point.

    `difference` compares spectra of `bands`, counted from 0; `quantity` names what it returns, with its unit.
    """

    def __init__(
        self, path: Path, *, quantity: str, difference: Difference, bands: tuple[int, ...], height: int, width: int
    ) -> None:
        self._path = path
        self._quantity = quantity
        self._mosaic = DifferenceMosaic(difference, bands=bands, height=height, width=width)

    def add(self, fused: Pixels, reference: Pixels, window: Window) -> None:
        """Add one block."""
        self._mosaic.add(fused, reference, window)

    def write(self) -> str:
        """Publish the picture."""
        return write_difference(self._path, self._mosaic.image(), quantity=self._quantity)


def write_difference(path: Path, image: Pixels, *, quantity: str) -> str:
    """Publish a map of differences (h, w), and return what its colours mean."""
    _, top = stretch_limits(image)
    description = f"{quantity}, 0 (dark) to {top:.4g} (bright)"
    write_png(path, colour_map(image, top=top), description=description)
    return description


class ConsistencyMaps:
    """Three maps of how a fused scene agrees with its pair, filled as an observer of `score_without_reference`.

    `lr_sam` is the angle between the degraded fused scene and the LR-HSI, in degrees; `lr_rmse` their root mean square
    difference over bands; `msi_rmse` that between the projected fused spectra and the HR-MSI. Maps have at most 2048
    pixels a side, and NaN where nothing is scored.
    """

    def begin(self, lr_grid: Grid, hr_grid: Grid) -> None:
        """Start empty maps."""
        self._lr_sam = DifferenceMosaic(spectral_angle_deg, height=lr_grid.height, width=lr_grid.width)
        self._lr_rmse = DifferenceMosaic(spectral_rmse, height=lr_grid.height, width=lr_grid.width)
        self._msi_rmse = DifferenceMosaic(spectral_rmse, height=hr_grid.height, width=hr_grid.width)

    def add_lr(self, degraded: Pixels, lr_hsi: Pixels, window: Window) -> None:
        """Add one block of LR pixels."""
        for mosaic in (self._lr_sam, self._lr_rmse):
            mosaic.add(degraded, lr_hsi, window)

    def add_hr(self, projected: Pixels, hr_msi: Pixels, window: Window) -> None:
        """Add one block of HR pixels."""
        self._msi_rmse.add(projected, hr_msi, window)

    @property
    def lr_sam(self) -> Pixels:
        """(h, w). Angle between the degraded fused scene and the LR-HSI, degrees."""
        return self._lr_sam.image()

    @property
    def lr_rmse(self) -> Pixels:
        """(h, w). RMSE between the degraded fused scene and the LR-HSI."""
        return self._lr_rmse.image()

    @property
    def msi_rmse(self) -> Pixels:
        """(H, W). RMSE between the projected fused spectra and the HR-MSI."""
        return self._msi_rmse.image()

    def write(self, *, sam_map: Path | None, error_map: Path | None) -> tuple[str, ...]:
        """Publish the maps on the LR grid for which a path is given, and return what their colours mean."""
        maps = (
            (sam_map, self.lr_sam, "spectral angle to the LR-HSI in degrees"),
            (error_map, self.lr_rmse, "root mean square difference from the LR-HSI"),
        )
        return tuple(write_difference(path, image, quantity=what) for path, image, what in maps if path is not None)


def _picture(colours: NDArray[np.floating[Any]], is_valid: NDArray[np.bool_]) -> Picture:
    opacity = np.where(is_valid, 255, 0)[None]
    return np.concatenate([np.rint(colours), opacity]).astype(np.uint8)
