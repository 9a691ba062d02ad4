"""The units of two scenes, where files do not say: one in reflectance, the other in ten thousandths of it."""

import numpy as np


def unit_factor(*, hsi_rms: float, msi_rms: float) -> float:
    """A power of ten that an HR-MSI's values are to be multiplied by, where it is in another unit than the LR-HSI.

    Reflectance times 10 000 or per cent in one file and plain in the other; one where the values are of one order,
    within a factor of ten, as those of two sensors that see different parts of the spectrum may be.
    """
    if not (hsi_rms > 0 and msi_rms > 0):
        return 1.0
    decades = np.log10(hsi_rms / msi_rms)
    return float(10.0 ** np.rint(decades)) if abs(decades) > 1 else 1.0
