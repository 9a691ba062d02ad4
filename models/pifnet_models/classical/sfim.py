"""SFIM-HS: smoothing-filter-based intensity modulation with one synthetic fine band for every hyperspectral one."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from pifnet_models.classical.bands import Array32, Synthesis, column, flat, nonnegative_synthesis, pieces
from pifnet_models.classical.moments import Array64, SceneMoments

DARK = 1e-3  # of the mean of a synthetic band: it is not divided by less
LARGEST_RATIO = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class SFIM:
    """z_j = up(x_j) P_j / up(down(P_j)), P_j the non-negative synthesis (offset included) of band j from the MSI.

    Liu, "Smoothing filter-based intensity modulation", IJRS 21 (2000), in the form of Yokoya et al. (IEEE GRSM 5(2),
    2017). Their toolbox brings x_j and down(P_j) to the fine grid by repeating pixels; ours interpolates both, at the
    true phase, which leaves no blocks. The divisor is at least 0.001 of the synthetic band's mean and the ratio is held
    within 0 to 10, so dark pixels stay dark; a value below zero, as interpolation may give, is not taken further down.
    A band that no non-negative synthesis explains is interpolated only.

    Attributes:
        synthesis: Weights (C, M) and offsets (C,), none below zero; offset one where there is nothing to synthesise.
        floor: (C,), smallest divisor.
    """

    synthesis: Synthesis
    floor: Array64

    @classmethod
    def from_moments(cls, moments: SceneMoments) -> Self:
        """The synthesis of a scene pair. Moments at LR are all it takes: up() passes through the LR samples."""
        weights, offset = nonnegative_synthesis(moments)
        mean = weights @ moments.msi_mean + offset
        is_usable = mean > 0
        weights, offset = weights * is_usable[:, None], np.where(is_usable, offset, 1.0)
        return cls(Synthesis(weights, offset), DARK * np.where(is_usable, mean, 1.0))

    def apply(self, upsampled: Array32, hr_msi: Array32, msi_smooth: Array32) -> Array32:
        """The fused tile, (C, H, W); NaN where the band or any MSI plane is.

        Args:
            upsampled: (C, H, W), up(X).
            hr_msi: (M, H, W).
            msi_smooth: (M, H, W), up(down(Y)).
        """
        weights, offset, floor = self.synthesis.weights.astype(np.float32), column(self.synthesis.offset), self.floor
        planes, sharp, smooth = flat(upsampled), flat(hr_msi), flat(msi_smooth)
        fused, smallest = np.empty_like(planes), column(floor)
        for piece in pieces(*planes.shape):
            divisor = weights @ smooth[:, piece]
            divisor += offset
            ratio = weights @ sharp[:, piece]
            ratio += offset
            ratio /= np.maximum(divisor, smallest, out=divisor)
            np.clip(ratio, 0.0, LARGEST_RATIO, out=ratio)
            ratio *= planes[:, piece]
            np.maximum(ratio, np.minimum(planes[:, piece], 0.0), out=fused[:, piece])
        return fused.reshape(upsampled.shape)
