"""What a network that predicts the image itself sees of a tile."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.pair.lr_grid import blocked
from pifnet_cli.pair.tile import PairTile
from pifnet_cli.scene import Pixels, Window


@dataclass(frozen=True, slots=True, eq=False)
class ImagePlanes:
    """A tile, grown to whole LR pixels where the network takes those; zero where invalid.

    Attributes:
        hsi: (C, H, W), the anchor, or the LR-HSI on the fine grid.
        msi: (M, H, W).
        lr_hsi: (C, h, w), the LR pixels that are the blocks of the fine planes; None where it is not asked for.
        tile: The tile within the fine planes.
        is_valid: (C, height, width) of the tile: where all that is seen is valid.
    """

    hsi: Pixels
    msi: Pixels
    lr_hsi: Pixels | None
    tile: Window
    is_valid: NDArray[np.bool_]

    @property
    def inputs(self) -> tuple[Pixels, ...]:
        """What the network is called with."""
        return (self.hsi, self.msi) if self.lr_hsi is None else (self.hsi, self.msi, self.lr_hsi)

    def answer(self, image: Pixels, scale: np.float32) -> Pixels:
        """The network's image (C, H, W) in pixel units on the tile, NaN where it has nothing to go by."""
        rows, columns = self.tile.slices
        fused = image[:, rows, columns] * scale
        fused[~self.is_valid] = np.nan
        return fused


def image_planes(
    tile: PairTile, *, block_ratio: int | None, anchor: Pixels | None, scales: tuple[np.float32, np.float32]
) -> ImagePlanes:
    """Divide each scene by one number and lay them out for a network.

    Args:
        tile: As read.
        block_ratio: HR pixels along the side of an LR pixel, where the network takes the LR-HSI itself; else None.
        anchor: (C, height, width) of the tile; takes the place of the interpolated LR-HSI.
        scales: What the LR-HSI and the HR-MSI are divided by.
    """
    if block_ratio is None:
        inputs = tile.inputs()
        hsi, msi, lr_hsi, inside = inputs.upsampled, inputs.hr_msi, None, Window(0, 0, *inputs.hr_msi.shape[1:])
    else:
        blocks = blocked(tile, block_ratio)
        hsi, msi, lr_hsi, inside = blocks.upsampled, blocks.hr_msi, blocks.lr_hsi, blocks.tile
    rows, columns = inside.slices
    if anchor is not None:
        hsi = hsi.copy()
        hsi[:, rows, columns] = anchor
    is_valid = (np.isfinite(hsi) & np.isfinite(msi).all(axis=0))[:, rows, columns]
    return ImagePlanes(
        hsi=_scaled(hsi, scales[0]),
        msi=_scaled(msi, scales[1]),
        lr_hsi=None if lr_hsi is None else _scaled(lr_hsi, scales[0]),
        tile=inside,
        is_valid=is_valid,
    )


def _scaled(image: Pixels, scale: np.float32) -> Pixels:
    """Divided by the scale; zero where invalid."""
    return np.where(np.isfinite(image), image / scale, np.float32(0))
