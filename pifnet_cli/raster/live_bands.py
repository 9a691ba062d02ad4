"""Which bands of a scene hold anything."""

from collections.abc import Sequence

import numpy as np

from pifnet_cli.raster.reader import SceneReader
from pifnet_cli.scene import Window


def bands_with_pixels(source: SceneReader, candidates: Sequence[int], *, block_size: int) -> frozenset[int]:
    """Those of some bands, counted from 0, that hold a valid pixel; reads no further than it must."""
    empty, grid = list(candidates), source.scene.grid
    for row in range(0, grid.height, block_size):
        for column in range(0, grid.width, block_size):
            if not empty:
                break
            window = Window(row, column, block_size, block_size).clipped(grid.height, grid.width)
            pixels = source.read(window, bands=empty)
            empty = [band for band, image in zip(empty, pixels, strict=True) if np.isnan(image).all()]
    return frozenset(candidates) - frozenset(empty)
