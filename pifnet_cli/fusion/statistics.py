"""What is global to a scene pair, gathered by streaming over LR windows before any tile is fused."""

from collections.abc import Callable
from typing import Protocol, TypeVar

import numpy as np

from pifnet_cli.degrade.psf import Psf
from pifnet_cli.pair.alignment import Alignment
from pifnet_cli.pair.tile import degrade_msi
from pifnet_cli.scene import Pixels, Window

BLOCK = 128  # LR pixels per side that are held at once

ReadWindow = Callable[[Window], Pixels]
Solved = TypeVar("Solved", covariant=True)


def lr_blocks(alignment: Alignment) -> list[Window]:
    """Windows that cover the LR pixels under the output, once each."""
    return list(alignment.lr_window(alignment.output, 0).blocks(BLOCK))


class Sums(Protocol[Solved]):
    """Statistics that blocks of LR pixels are added to, and what follows from them."""

    def add(self, lr_hsi: Pixels, msi_low: Pixels) -> None:
        """(C, P) and (M, P), NaN where invalid."""

    def solve(self) -> Solved:
        """After the last block; ValueError where no LR pixel is valid in both scenes."""


def scene_statistics(
    sums: Sums[Solved],
    read_lr: ReadWindow,
    read_hr: ReadWindow,
    *,
    alignment: Alignment,
    psf: Psf,
    report: Callable[[int, int], None],
) -> Solved:
    """What follows from all LR pixels of the common footprint, with the HR-MSI as the LR-HSI's sensor sees it there.

    Args:
        sums: What is gathered, in one pass.
        read_lr: LR window -> (C, h, w).
        read_hr: HR window -> (M, H, W).
        alignment: How the scenes lie on each other.
        psf: The hyperspectral sensor's blur, in HR pixels.
        report: Called with blocks done and blocks in all.

    Raises:
        ValueError: No LR pixel is valid in both scenes.
    """
    blocks = lr_blocks(alignment)
    for done, block in enumerate(blocks, start=1):
        reach = alignment.hr_window(block, psf.radius)
        lr_hsi = read_lr(block)
        if not reach.is_empty and np.isfinite(lr_hsi).any():
            positions = alignment.hr_positions(block).moved(reach.row, reach.column)
            msi_low = degrade_msi(read_hr(reach), positions, psf)
            sums.add(lr_hsi.reshape(len(lr_hsi), -1), msi_low.reshape(len(msi_low), -1))
        report(done, len(blocks))
    return sums.solve()
