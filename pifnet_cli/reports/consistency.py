"""Maps of where a fused scene agrees with the pair that it was made from, gathered block by block."""

from pathlib import Path

import numpy as np

from pifnet_cli.metrics.spectral_angle import spectral_angle_deg
from pifnet_cli.reports.comparison import add_difference, spectral_rmse, write_difference
from pifnet_cli.reports.quicklook import Mosaic
from pifnet_cli.scene import Grid, Pixels, Window


class ConsistencyMaps:
    """An observer of `score_without_reference`: three maps of at most 2048 pixels a side, NaN where nothing is scored.

    `lr_sam` is the angle between the degraded fused scene and the LR-HSI, in degrees; `lr_rmse` their root mean square
    difference over bands; `msi_rmse` that between the projected fused spectra and the HR-MSI.
    """

    def begin(self, lr_grid: Grid, hr_grid: Grid) -> None:
        """Start empty maps."""
        self._lr_sam, self._lr_rmse = (Mosaic(1, height=lr_grid.height, width=lr_grid.width) for _ in range(2))
        self._msi_rmse = Mosaic(1, height=hr_grid.height, width=hr_grid.width)

    def add_lr(self, degraded: Pixels, lr_hsi: Pixels, window: Window) -> None:
        """Add one block of LR pixels."""
        every = np.arange(len(lr_hsi))
        add_difference(self._lr_sam, spectral_angle_deg, (degraded, lr_hsi), window, bands=every)
        add_difference(self._lr_rmse, spectral_rmse, (degraded, lr_hsi), window, bands=every)

    def add_hr(self, projected: Pixels, hr_msi: Pixels, window: Window) -> None:
        """Add one block of HR pixels."""
        add_difference(self._msi_rmse, spectral_rmse, (projected, hr_msi), window, bands=np.arange(len(hr_msi)))

    @property
    def lr_sam(self) -> Pixels:
        """(h, w)."""
        return _plane(self._lr_sam)

    @property
    def lr_rmse(self) -> Pixels:
        """(h, w)."""
        return _plane(self._lr_rmse)

    @property
    def msi_rmse(self) -> Pixels:
        """(H, W)."""
        return _plane(self._msi_rmse)

    def write(self, *, sam_map: Path | None, error_map: Path | None) -> tuple[str, ...]:
        """Publish those maps at LR that have a name; returns what their colours mean."""
        maps = (
            (sam_map, self._lr_sam, "spectral angle to the LR-HSI in degrees"),
            (error_map, self._lr_rmse, "root mean square difference from the LR-HSI"),
        )
        return tuple(write_difference(path, mosaic, quantity=what) for path, mosaic, what in maps if path is not None)


def _plane(mosaic: Mosaic) -> Pixels:
    image: Pixels = mosaic.image()[0]
    return image
