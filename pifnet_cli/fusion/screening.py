"""What a pass over a scene shows besides its statistics: bands without data, and what looks like undeclared fill."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.raster.pipeline import WindowReader
from pifnet_cli.scene import Grid, Pixels, Scene, Spread, Window, spread_windows

Floats = NDArray[np.float64]

WINDOW = 48  # pixels along the side of a window that is looked at first
WINDOWS = 3  # along either side of the scene, at most
TAIL = 0.01  # share of values on either side that may be anything
FAR = 100.0  # times the range of the others
LARGEST_WHOLE = 2**24  # float32 holds every whole number up to here
SUSPICIOUS = 0.01  # share of pixels that are one extreme value in all bands, from which on it is told


class Fill(NamedTuple):
    """A stored number that is the lowest or highest of a scene, and the share of pixels that are it in all bands."""

    value: float
    share: float
    end: str


class Screening:
    """Passes windows of a scene on, and remembers what it saw.

    Values that cannot belong to the ground are not passed on: one of them outweighs a whole scene in its moments.

    Attributes:
        live: (C,), whether a band had a valid pixel.
        absurd: Values that were not passed on.
    """

    def __init__(self, reader: WindowReader, scene: Scene) -> None:
        self._reader = reader
        self._low, self._high = (limit[:, None, None] for limit in plausible_range(reader, scene.grid))
        count = scene.bands.count
        self._scales = np.array(scene.scales or (1.0,) * count, dtype=np.float32)[:, None]
        self._offsets = np.array(scene.offsets or (0.0,) * count, dtype=np.float32)[:, None]
        self._is_coded = scene.scales is not None or scene.offsets is not None
        self.live: NDArray[np.bool_] = np.zeros(count, dtype=np.bool_)
        self.absurd = 0
        self._valid = 0
        self._lowest, self._highest = _Extreme(), _Extreme()

    def read(self, window: Window) -> Pixels:
        """(C, h, w), NaN where invalid or absurd."""
        pixels = self._reader.read(window)
        self._note(pixels)
        is_absurd = (pixels < self._low) | (pixels > self._high)
        if is_absurd.any():
            self.absurd += int(np.count_nonzero(is_absurd))
            pixels[is_absurd] = np.nan
        return pixels

    def _note(self, pixels: Pixels) -> None:
        known = pixels.reshape(len(pixels), -1)
        self.live |= np.isfinite(known).any(axis=1)
        if self._is_coded:  # fill is one number as it is stored
            known = np.rint((known - self._offsets) / self._scales)
        low, high = np.fmin.reduce(known, axis=0), np.fmax.reduce(known, axis=0)
        is_valid = ~np.isnan(low)
        if is_valid.any():
            flat = low[low == high]
            self._valid += int(np.count_nonzero(is_valid))
            self._lowest.add(float(low[is_valid].min()), flat)
            self._highest.add(-float(high[is_valid].max()), -flat)

    @property
    def fill(self) -> Fill | None:
        """The likeliest number to be fill, or saturation; None where none is, or where all pixels are the same."""
        low, high = self._lowest, self._highest
        if self._valid == 0 or low.value == -high.value:
            return None
        count, value, end = max((low.count, low.value, "lowest"), (high.count, -high.value, "highest"))
        return Fill(value, count / self._valid, end) if count >= SUSPICIOUS * self._valid else None


class _Extreme:
    """The least value of all, and how many pixels are it in all bands."""

    def __init__(self) -> None:
        self.value, self.count = np.inf, 0

    def add(self, least: float, flat: Pixels) -> None:
        """Take in a window's least value, and the values of its pixels that are the same in all bands."""
        if least < self.value:
            self.value, self.count = least, 0
        self.count += int(np.count_nonzero(flat == self.value))


def plausible_range(reader: WindowReader, grid: Grid) -> tuple[Floats, Floats]:
    """(C,) lowest and highest values that belong to the ground, by windows spread over the scene.

    They lie many times the range of nearly all values away from it: glints, clouds and snow are within. Infinite where
    a band does not vary, or has no valid pixel in those windows.
    """
    windows = spread_windows(grid.window, side=WINDOW, most=WINDOWS, spread=Spread.COVERING)
    pixels = [reader.read(window) for window in windows]
    known = np.concatenate([part.reshape(len(part), -1) for part in pixels], axis=1)
    low, high = np.full(len(known), -np.inf), np.full(len(known), np.inf)
    for band, values in enumerate(known):
        finite = values[np.isfinite(values)].astype(np.float64)
        if finite.size:
            usual = np.quantile(finite, (TAIL, 1 - TAIL), method="nearest")
            if usual[1] > usual[0]:
                low[band], high[band] = usual + np.array([-FAR, FAR]) * (usual[1] - usual[0])
    return low, high


def notices(scene: Scene, screening: Screening, *, option: str) -> list[str]:
    """What the user should know of a scene, a sentence each; `option` sets its nodata."""
    told = []
    if screening.fill is not None:
        value, share, end = screening.fill
        digits = _digits(value, scene.dtype)
        told.append(
            f"{scene.path}: {share:.1%} of its pixels are {digits} in all bands, its {end} number; if that is "
            f"fill or saturation, declare it: {_declaration(scene, digits, option)}"
        )
    if screening.absurd:
        told.append(
            f"{scene.path}: {screening.absurd} values lie absurdly far from all others; the scene's statistics are "
            "taken without them, but they are fused as they are; is a nodata value missing?"
        )
    return told


def _declaration(scene: Scene, digits: str, option: str) -> str:
    """How nodata is declared of a GeoTIFF, an ENVI file, or an array, whose name has no extension."""
    match scene.path.suffix.lower():
        case ".tif" | ".tiff":
            return f"gdal_edit.py -a_nodata {digits} {scene.path}, or {option} {digits}"
        case "":
            return f"make it NaN, or {option[2:].replace('-', '_')}={digits}"
        case _:
            return f"data ignore value = {digits} in its header, or {option} {digits}"


def _digits(value: float, dtype: str) -> str:
    """As many digits as a stored number needs to be read back; pixels reach us as float32."""
    if np.issubdtype(np.dtype(dtype), np.integer):
        limits = np.iinfo(dtype)
        return str(min(max(int(value), limits.min), limits.max))
    return str(int(value)) if value.is_integer() and abs(value) < LARGEST_WHOLE else str(np.float32(value))
