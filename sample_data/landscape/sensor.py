"""The bands of the sample scene's hyperspectral sensor: irregular, without the two deep water-vapour bands."""

import numpy as np
from numpy.typing import NDArray

# First and last centre in nm, number of bands; the gaps at 1350-1430 and 1800-1950 nm are where air is opaque.
_RUNS = ((423.0, 992.0, 37), (1011.0, 1342.0, 14), (1438.0, 1791.0, 13), (1961.0, 2441.0, 16))


def band_centres_nm() -> NDArray[np.float64]:
    """Centres in nanometres, increasing, (80,), to a hundredth: a grating's spacing is never quite even."""
    centres = np.concatenate([np.linspace(*run) for run in _RUNS])
    number = np.arange(len(centres))
    return np.round(centres + 1.3 * np.sin(0.37 * number) + 0.6 * np.cos(2.1 * number), 2)


def band_widths_nm() -> NDArray[np.float64]:
    """Full widths at half maximum in nanometres, (80,), 8 to 12."""
    return np.round(10 - 1.9 * np.cos(band_centres_nm() / 310), 2)
