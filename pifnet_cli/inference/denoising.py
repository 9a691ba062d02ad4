"""The HR-MSI's noise, and what takes it out of the detail, found from a few windows of the pair."""

from collections.abc import Callable

from models.anchors.detail import DetailFilter, msi_noise
from models.anchors.noise import noise_std
from models.anchors.regression import Regression
from pifnet_cli.align import Alignment
from pifnet_cli.degrade.psf import Psf
from pifnet_cli.scene import Pixels, Window, spread_windows

WINDOW = 192  # HR pixels along the side of a window
WINDOWS = 3  # along either side of the scene, at most


def detail_filter(
    read_hr: Callable[[Window], Pixels], regression: Regression, *, alignment: Alignment, psf: Psf
) -> DetailFilter | None:
    """What guided kriging filters the HR-MSI by; None where its noise does not matter.

    Args:
        read_hr: HR window -> (M, H, W).
        regression: Of the pair.
        alignment: How the scenes lie on each other.
        psf: The hyperspectral sensor's blur, in HR pixels.
    """
    windows = [read_hr(window) for window in spread_windows(alignment.output, side=WINDOW, most=WINDOWS)]
    noise = msi_noise(windows, regression, noise_std(regression), gain=psf.noise_gain)
    return DetailFilter.from_windows(windows, noise)
