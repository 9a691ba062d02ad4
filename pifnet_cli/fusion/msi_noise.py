"""The HR-MSI's noise, and what takes it out of the detail, found from a few windows of the pair."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.degrade.psf import Psf
from pifnet_cli.scene import Pixels, Window, spread_windows
from pifnet_models.kriging.detail import DetailFilter, noise_bound, noise_by_texture
from pifnet_models.kriging.noise import hsi_noise_std
from pifnet_models.kriging.regression import Regression

WINDOW = 96  # HR pixels along the side of a window
WINDOWS = 3  # along either side of the scene, at most

ReadWindow = Callable[[Window], Pixels]


@dataclass(frozen=True, slots=True, eq=False)
class MsiNoise:
    """What guided kriging knows of the HR-MSI's noise.

    Attributes:
        std: (M,), pixel units.
        filter: Takes it out of the detail; None where it does not matter.
        error: (M, M), covariance of what is wrong with the filtered HR-MSI, or tells nothing of the LR-HSI: texture
            that bands do not share counts too.
    """

    std: NDArray[np.float64]
    filter: DetailFilter | None
    error: NDArray[np.float64]


def msi_noise(read_hr: ReadWindow, regression: Regression, *, area: Window, psf: Psf) -> MsiNoise:
    """Find the noise of a pair's HR-MSI.

    Args:
        read_hr: HR window -> (M, H, W).
        regression: Of the pair.
        area: HR pixels under the result.
        psf: The hyperspectral sensor's blur, in HR pixels.
    """
    windows = [read_hr(window) for window in spread_windows(area, side=WINDOW, most=WINDOWS)]
    unpredictable = noise_by_texture(windows)
    noise = np.minimum(unpredictable, noise_bound(regression, hsi_noise_std(regression), gain=psf.noise_gain))
    found = DetailFilter.from_windows(windows, noise)
    if found is None:
        return MsiNoise(noise, None, np.diag(np.square(unpredictable)))
    return MsiNoise(noise, found, found.error + np.diag(np.square(unpredictable) - np.square(noise)))
