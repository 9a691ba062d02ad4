"""Interpolation alone: what every fusion method must beat."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from pifnet_models.classical.bands import Array32
from pifnet_models.classical.moments import SceneMoments


@dataclass(frozen=True, slots=True)
class Bicubic:
    """The LR-HSI interpolated by Keys' cubic convolution (IEEE TASSP 29, 1981) at its true sampling phase."""

    @classmethod
    def from_moments(cls, _moments: SceneMoments) -> Self:
        """No statistics are needed."""
        return cls()

    def apply(self, upsampled: Array32, hr_msi: Array32, msi_smooth: Array32) -> Array32:
        """A copy of `upsampled`, (C, H, W); NaN also where an MSI plane is, as in every other method.

        Args:
            upsampled: (C, H, W), up(X).
            hr_msi: (M, H, W).
            msi_smooth: (M, H, W), up(down(Y)).
        """
        result = np.array(upsampled, dtype=np.float32)
        result[:, ~np.isfinite(hr_msi).all(axis=0) | ~np.isfinite(msi_smooth).all(axis=0)] = np.nan
        return result
