"""Raw pixels of an ENVI file, by window: which bytes they are, and reading them.

GDAL reads every line of such files whole or every band alone: measured 67 s for 1 GiB of BIP, 8192 pixels wide, by
windows of 256 pixels, where this takes 4 s. It also reads zeros, without an error, where a file ends too early.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.raster.envi.header import EnviLayout
from pifnet_cli.raster.stored_numbers import Stored
from pifnet_cli.scene import Window

Runs = NDArray[np.int64]
_TO_FILE = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (1, 2, 0)}
_FROM_FILE = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (2, 0, 1)}


def runs_of(layout: EnviLayout, bands: Sequence[int], window: Window) -> tuple[Runs, int]:
    """The stretches of consecutive values that hold some bands of a window, in file order.

    Args:
        layout: How the file is laid out.
        bands: Positions from 0; all of them where pixels are interleaved.
        window: Inside the scene.

    Returns:
        First value of each stretch, counted in values from the first pixel; values in each stretch.
    """
    chosen = np.asarray(bands, dtype=np.int64)
    rows = np.arange(window.row, window.bottom, dtype=np.int64)
    match layout.interleave:
        case "bsq":
            lines = chosen[:, None] * layout.lines + rows
        case "bil":
            lines = rows[:, None] * layout.bands + chosen
        case _:
            return (rows * layout.samples + window.column) * layout.bands, window.width * layout.bands
    return (lines * layout.samples + window.column).ravel(), window.width


def in_file_order(stored: Stored, interleave: str) -> Stored:
    """(C, h, w) with its axes as they follow each other in the file, contiguous."""
    return np.ascontiguousarray(stored.transpose(_TO_FILE[interleave]))


def joined(starts: Runs, length: int) -> list[tuple[int, int]]:
    """Stretches that touch become one: (first value, values) of each."""
    breaks = np.flatnonzero(np.diff(starts) != length) + 1
    edges = [0, *breaks.tolist(), len(starts)]
    return [(int(starts[a]), (b - a) * length) for a, b in pairwise(edges)]


class EnviPixels:
    """The pixels of an ENVI data file."""

    def __init__(self, path: Path, layout: EnviLayout) -> None:
        """Open the data file.

        Raises:
            OSError: It cannot be opened.
        """
        self._layout = layout
        self._file = path.open("rb", buffering=0)

    def read(self, bands: Sequence[int], window: Window) -> Stored:
        """Stored numbers (C, h, w) of some bands, in the machine's byte order.

        Raises:
            OSError: The disk failed, or the file has been cut since it was opened.
        """
        layout = self._layout
        held = range(layout.bands) if layout.interleave == "bip" else bands
        starts, length = runs_of(layout, held, window)
        values = np.empty(len(starts) * length, dtype=layout.dtype)
        place = 0
        for start, count in joined(starts, length):
            self._fill(values[place : place + count], layout.offset + start * layout.dtype.itemsize)
            place += count
        order = _TO_FILE[layout.interleave]
        shape = (len(held), window.height, window.width)
        stored = values.reshape([shape[axis] for axis in order]).transpose(_FROM_FILE[layout.interleave])
        if layout.interleave == "bip" and list(bands) != list(held):
            stored = stored[list(bands)]
        return np.ascontiguousarray(stored, dtype=layout.dtype.newbyteorder("="))

    def invalid(self, _window: Window) -> None:
        """ENVI files have no mask."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _fill(self, values: Stored, position: int) -> None:
        rest = values.view(np.uint8).data
        self._file.seek(position)
        while rest:
            count = self._file.readinto(rest)
            if not count:
                raise OSError("it ends too early")
            rest = rest[count:]
