"""A scene at a coarser pixel, small enough to be held: read by blocks, so that memory does not grow with the scene."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from affine import Affine

from pifnet_cli.scene import Pixels, Scene, Window

ReadWindow = Callable[[Window], Pixels]

BLOCK = 512  # pixels along the side of what is read at a time, or one coarse pixel
MINIMUM_VALID = 0.5  # share of a coarse pixel's pixels


@dataclass(frozen=True, slots=True)
class WindowedScene:
    """A scene and how a window of its pixels is read: (C, h, w), NaN where invalid."""

    scene: Scene
    read: ReadWindow

    def coarse(self, factor: int) -> "WindowedScene":
        """The scene of means over `factor` x `factor` pixels; a remainder at the end of an axis is left out."""
        if factor == 1:
            return self
        grid = self.scene.grid
        height, width = grid.height // factor, grid.width // factor
        pixels = np.empty((self.scene.bands.count, height, width), dtype=np.float32)
        step = max(BLOCK // factor, 1)
        for part in Window(0, 0, height, width).blocks(step):
            pixels[:, *part.slices] = _means(self.read(part.scaled(factor)), factor)
        coarse_grid = replace(grid, height=height, width=width, transform=grid.transform @ Affine.scale(factor))
        return WindowedScene(replace(self.scene, grid=coarse_grid), lambda window: pixels[:, *window.slices])

    def pixels(self) -> Pixels:
        """All pixels of the scene, (C, H, W)."""
        return self.read(self.scene.grid.window)


def _means(image: Pixels, factor: int) -> Pixels:
    """(C, H, W) -> (C, H / factor, W / factor), over the valid pixels."""
    bands, height, width = image.shape
    blocks = image.reshape(bands, height // factor, factor, width // factor, factor)
    is_valid = np.isfinite(blocks)
    count = is_valid.sum(axis=(2, 4))
    total = np.where(is_valid, blocks, np.float32(0)).sum(axis=(2, 4))
    means = np.where(count >= MINIMUM_VALID * factor**2, total / np.maximum(count, 1), np.nan)
    return np.asarray(means, dtype=np.float32)
