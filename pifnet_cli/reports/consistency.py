"""Maps of where a fused scene agrees with the pair that it was made from, gathered block by block."""

from pathlib import Path

from pifnet_cli.metrics.spectral_angle import spectral_angle_deg
from pifnet_cli.reports.comparison import DifferenceMosaic, spectral_rmse, write_difference
from pifnet_cli.scene import Grid, Pixels, Window


class ConsistencyMaps:
    """An observer of `score_without_reference`: three maps of at most 2048 pixels a side, NaN where nothing is scored.

    `lr_sam` is the angle between the degraded fused scene and the LR-HSI, in degrees; `lr_rmse` their root mean square
    difference over bands; `msi_rmse` that between the projected fused spectra and the HR-MSI.
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
        """(h, w)."""
        return self._lr_sam.image()

    @property
    def lr_rmse(self) -> Pixels:
        """(h, w)."""
        return self._lr_rmse.image()

    @property
    def msi_rmse(self) -> Pixels:
        """(H, W)."""
        return self._msi_rmse.image()

    def write(self, *, sam_map: Path | None, error_map: Path | None) -> tuple[str, ...]:
        """Publish those maps at LR that have a name; returns what their colours mean."""
        maps = (
            (sam_map, self.lr_sam, "spectral angle to the LR-HSI in degrees"),
            (error_map, self.lr_rmse, "root mean square difference from the LR-HSI"),
        )
        return tuple(write_difference(path, image, quantity=what) for path, image, what in maps if path is not None)
