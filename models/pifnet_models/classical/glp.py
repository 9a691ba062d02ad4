"""MTF-GLP-HS: the generalised Laplacian pyramid with one synthetic fine band for every hyperspectral one."""

from dataclasses import dataclass
from typing import Self

import numpy as np

from pifnet_models.classical.bands import Array32, flat, least_squares_synthesis
from pifnet_models.classical.moments import Array64, SceneMoments


@dataclass(frozen=True, slots=True, eq=False)
class GLP:
    """z_j = up(x_j) + g_j (P_j - up(down(P_j))), P_j the least-squares synthesis of band j from the MSI.

    Aiazzi et al., "MTF-tailored multiscale fusion", PE&RS 72 (2006); Selva et al., "Hyper-sharpening: a first approach
    on SIM-GA data", IEEE JSTARS 8 (2015). The gain g_j = cov(x_j, down(P_j)) / var(down(P_j)) is taken at LR. (up()
    passes through the LR samples, so these are the moments of the interpolated planes at the LR positions; between
    them the planes vary a little less, both alike.)

    The publications degrade P_j with a filter other than that of the regression, and gains differ from one. Here both
    use the sensor's own blur and phase; then the normal equations make cov(x_j, down(P_j)) = var(down(P_j)), every gain
    is one (zero for a flat synthesis) and the method *is* the regression anchor, up(X) + W (Y - up(down(Y))). It goes
    under its own name because practitioners look for it, not because it gives another image.

    Attributes:
        weights: (C, M) of the synthesis; dead bands zero.
        gains: (C,).
    """

    weights: Array64
    gains: Array64

    @classmethod
    def from_moments(cls, moments: SceneMoments) -> Self:
        """Synthesis and gains of a scene pair."""
        weights = least_squares_synthesis(moments).weights
        shared = np.einsum("cm,cm->c", moments.cross_covariance, weights)
        variance = np.einsum("cm,mn,cn->c", weights, moments.msi_covariance, weights)
        gains = np.divide(shared, variance, out=np.zeros_like(shared), where=variance > 0)
        return cls(weights, gains)

    def apply(self, upsampled: Array32, hr_msi: Array32, msi_smooth: Array32) -> Array32:
        """The fused tile, (C, H, W); NaN where the band or any MSI plane is.

        Args:
            upsampled: (C, H, W), up(X).
            hr_msi: (M, H, W).
            msi_smooth: (M, H, W), up(down(Y)).
        """
        injection = (self.gains[:, None] * self.weights).astype(np.float32)
        fused = injection @ (flat(hr_msi) - flat(msi_smooth))
        fused += flat(upsampled)
        return fused.reshape(upsampled.shape)
