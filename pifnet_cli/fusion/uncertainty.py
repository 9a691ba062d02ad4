"""How far guided kriging may be off: tiles with their standard deviation, and what a scene's will be on average."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.degrade.psf import Psf
from pifnet_cli.fusion.closed_form import KrigingEngine
from pifnet_cli.pair.alignment import Alignment
from pifnet_cli.pair.tile import PairGeometry, PairTile, plan_windows
from pifnet_cli.scene import Pixels, Spread, Window, spread_windows

SAMPLES = 3  # windows along either side of a scene that are looked at

ReadWindow = Callable[[Window], Pixels]


class BandErrors:
    """Mean square of the standard deviations that were added, band by band."""

    def __init__(self, bands: int) -> None:
        self._squares = np.zeros(bands)
        self._counts = np.zeros(bands)

    def add(self, sigma: Pixels) -> None:
        """(C, h, w), NaN where invalid."""
        flat = sigma.reshape(len(sigma), -1)
        finite = np.isfinite(flat)
        self._squares += np.square(np.where(finite, flat, 0), dtype=np.float64).sum(axis=1)
        self._counts += finite.sum(axis=1)

    @property
    def rms(self) -> NDArray[np.float64]:
        """(C,) in pixel units; NaN for bands without a valid pixel."""
        empty = self._counts == 0
        return np.asarray(np.where(empty, np.nan, np.sqrt(self._squares / np.where(empty, 1, self._counts))))


def expected_error(
    engine: KrigingEngine, read_lr: ReadWindow, read_hr: ReadWindow, *, alignment: Alignment, psf: Psf
) -> NDArray[np.float64]:
    """Root mean square error that each band of the fused scene is expected to have, (C,), in pixel units.

    A few cores spread over the output are fused for it, the scene is not.

    Args:
        engine: Of the pair, from `kriging_engine` with `Sigma.TELL`.
        read_lr: LR window -> (C, h, w).
        read_hr: HR window -> (M, H, W).
        alignment: How the scenes lie on each other.
        psf: The hyperspectral sensor's blur, in HR pixels.

    Returns:
        NaN for bands of which no core has a valid pixel.
    """
    errors: BandErrors | None = None
    for window in spread_windows(alignment.output, side=engine.core, most=SAMPLES, spread=Spread.APART):
        windows = plan_windows(alignment, window, psf, margin=engine.margin)
        if not windows.lr.is_empty:
            lr_hsi = read_lr(windows.lr)
            tile = PairTile(lr_hsi, read_hr(windows.hr), PairGeometry.of_windows(alignment, windows), psf)
            errors = errors or BandErrors(len(lr_hsi))
            sigma = engine.fuse(tile).sigma
            if sigma is not None:
                errors.add(sigma)
    return np.full(engine.bands, np.nan) if errors is None else errors.rms
