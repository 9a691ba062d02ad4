"""ATPRK: area-to-point regression kriging."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from pifnet_models.classical.area_to_point import correlation_range, krige
from pifnet_models.classical.bands import Array32, Synthesis, column, flat, least_squares_synthesis
from pifnet_models.classical.moments import SceneMoments
from pifnet_models.sampling import SamplingOperator


@dataclass(frozen=True, slots=True, eq=False)
class ATPRK:
    """Z = W Y + b + K(X - W down(Y) - b), K area-to-point kriging with a covariance that depends on position only.

    Wang, Shi, Atkinson and Zhao, "Downscaling MODIS images with area-to-point regression kriging", RSE 166 (2015), doi
    10.1016/j.rse.2015.06.003. Each band is regressed on the MSI over the whole scene. What the regression leaves at LR
    is kriged from 5 x 5 LR pixels with the operator's own blur and phase, under the condition that weights sum to one.
    The exponential covariance has one range for all bands, found from their pooled residual; the paper fits each band.
    As published, the result is coherent: it degrades to the LR-HSI, noise included. Undoing the blur amplifies
    that noise; on noisy scenes the method falls below its own regression.

    Attributes:
        regression: W and b; zero for dead bands, which are kriged as they are.
        distance: Range of the covariance in HR pixels; None has every block find its own. Blocks whose ranges differ
            do not join exactly: a scene in blocks should be given one.
    """

    # Two LR pixels of neighbourhood, one to the nearest LR pixel, two that a Gaussian blur of MTF 0.3 reaches.
    halo: ClassVar[int] = 5

    regression: Synthesis
    distance: float | None = None

    @classmethod
    def from_moments(cls, moments: SceneMoments, *, distance: float | None = None) -> Self:
        """The regression of a scene pair; moments hold no distances, so the range is given or found later."""
        return cls(least_squares_synthesis(moments), distance)

    def fuse_block(self, lr_hsi: Array32, hr_msi: Array32, operator: SamplingOperator) -> Array32:
        """Fuse a block.

        Degrading the result gives back the LR-HSI as closely as neighbourhoods of 5 x 5 allow.

        Args:
            lr_hsi: (C, h, w), finite.
            hr_msi: (M, H, W), finite.
            operator: Takes the fine grid to the coarse one; any ratio and phase.

        Returns:
            (C, H, W).
        """
        residual = self.residual(lr_hsi, hr_msi, operator)
        distance = correlation_range(residual, operator) if self.distance is None else self.distance
        fused = krige(residual, operator, distance=distance)
        fused += self._explained(hr_msi)
        return fused

    def residual(self, lr_hsi: Array32, hr_msi: Array32, operator: SamplingOperator) -> Array32:
        """(C, h, w): what the regression leaves of a block at LR; `correlation_range` takes it."""
        return lr_hsi - self._explained(operator.down(hr_msi))

    def _explained(self, msi: Array32) -> Array32:
        """(M, H, W) -> (C, H, W), W Y + b."""
        explained = self.regression.weights.astype(np.float32) @ flat(msi)
        explained += column(self.regression.offset)
        return explained.reshape(-1, *msi.shape[1:])
