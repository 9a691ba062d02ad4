"""Pictures of a fused scene beside its reference, gathered block by block."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.metrics.running import quality_blocks
from pifnet_cli.reports.quicklook import Mosaic, colour_map, pseudo_colour, side_by_side, stretch_limits, write_png
from pifnet_cli.scene import Pixels, Window


class ComparisonPicture(Protocol):
    """What a pass over two scenes can fill."""

    def add(self, fused: Pixels, reference: Pixels, window: Window) -> None:
        """Add (C, h, w) of both scenes that lie at `window` of the scored area."""

    def write(self) -> str:
        """Publish the picture; returns what its colours mean."""


class PseudoColour:
    """Fused scene left, reference right, both stretched between the 2 % and 98 % points of the reference.

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


Difference = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


class DifferenceMosaic:
    """A difference per pixel, gathered block by block.

    `difference` turns two (C, h, w) into (h, w); `bands`, from 0, are those that it sees, None for all.
    """

    def __init__(
        self, difference: Difference, *, height: int, width: int, bands: tuple[int, ...] | None = None
    ) -> None:
        self._difference = difference
        self._bands = slice(None) if bands is None else np.array(bands, dtype=np.intp)
        self._mosaic = Mosaic(1, height=height, width=width)

    def add(self, fused: Pixels, reference: Pixels, window: Window) -> None:
        """Add one block, in parts that bound the memory of the float64 copies."""
        for part in quality_blocks(Window(0, 0, window.height, window.width)):
            spectra = [image[(self._bands, *part.slices)].astype(np.float64) for image in (fused, reference)]
            is_valid = np.isfinite(spectra[0]).all(axis=0) & np.isfinite(spectra[1]).all(axis=0)
            values = np.where(is_valid, self._difference(spectra[0], spectra[1]), np.nan)
            place = Window(window.row + part.row, window.column + part.column, part.height, part.width)
            self._mosaic.add(values[None], place)

    def image(self) -> Pixels:
        """(h, w), averaged down where the scene is large; NaN where invalid."""
        return np.asarray(self._mosaic.image()[0])


class DifferenceMap:
    """A difference per pixel, painted from dark blue at 0 to pale yellow at its 98 % point.

    `difference` turns two (C, h, w) into (h, w); `quantity` says what it is, with its unit.
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
    """Publish a map of differences (h, w); returns what its colours mean."""
    _, top = stretch_limits(image)
    description = f"{quantity}, 0 (dark) to {top:.4g} (bright)"
    write_png(path, colour_map(image, top=top), description=description)
    return description


def spectral_rmse(fused: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """(C, ...) and (C, ...) -> (...): root mean square difference over the bands."""
    return np.asarray(np.sqrt(np.mean((fused - reference) ** 2, axis=0)))
