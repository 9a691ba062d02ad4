"""GSA: Gram-Schmidt adaptive component substitution, per MSI band."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pifnet_models.classical.bands import (
    Array32,
    Group,
    add_product,
    column,
    finite_product,
    flat,
    invalid_pixels,
    minimum_norm,
    selected_groups,
)
from pifnet_models.classical.moments import Array64, SceneMoments

SINGULAR = 1e-6  # eigenvalues of a group's covariance below this share of the largest are taken as zero


@dataclass(frozen=True, slots=True, eq=False)
class GSA:
    """z_j = up(x_j) + g_j (y - I), I the combination of a group's bands that comes closest to its MSI band y.

    Aiazzi, Baronti and Selva, "Improving component substitution pansharpening through multivariate regression of MS+Pan
    data", IEEE TGRS 45 (2007); bands are grouped by largest correlation (Yokoya et al., IEEE GRSM 5(2), 2017). The
    combination is fitted at LR to down(y). It is singular where a group has more bands than the scene has LR pixels or
    bands that repeat each other: then the solution of least norm is taken, eigenvalues of the group's covariance below
    1e-6 of the largest counting as zero. Gains are cov(I, x_j) / var(I) at LR: up() passes through the LR samples, so
    those are the moments of the interpolated planes there. A group without variance is interpolated only.

    Attributes:
        hsi_mean: (C,); NaN for dead bands.
        msi_bands: (G,), the MSI band of each group.
        msi_mean: (G,), of those bands.
        intensity: (G, C), weights that combine centred bands to I.
        gains: (C, G); each band has a gain in its own group only, dead bands in none.
    """

    hsi_mean: Array64
    msi_bands: NDArray[np.intp]
    msi_mean: Array64
    intensity: Array64
    gains: Array64

    @classmethod
    def from_moments(cls, moments: SceneMoments) -> Self:
        """Groups, weights and gains of a scene pair."""
        groups = selected_groups(moments)
        chosen = np.array([group.msi_band for group in groups], dtype=np.intp)
        intensity = np.zeros((len(groups), len(moments.hsi_mean)))
        gains = np.zeros(intensity.shape[::-1])
        for index, group in enumerate(groups):
            intensity[index, group.members], gains[group.members, index] = _fitted(moments, group)
        return cls(moments.hsi_mean, chosen, moments.msi_mean[chosen], intensity, gains)

    def apply(self, upsampled: Array32, hr_msi: Array32, msi_smooth: Array32) -> Array32:
        """The fused tile, (C, H, W); NaN where the band or any MSI plane is.

        A band that is NaN at a pixel enters its group's intensity there with its mean.

        Args:
            upsampled: (C, H, W), up(X).
            hr_msi: (M, H, W).
            msi_smooth: (M, H, W), up(down(Y)); only its invalid pixels matter.
        """
        sharp, mean = flat(hr_msi), column(self.hsi_mean)
        fused = flat(upsampled) - mean
        fused[np.isnan(self.hsi_mean)] = 0.0  # dead bands; their mean makes them NaN again
        detail = np.ones((len(self.msi_bands) + 1, fused.shape[1]), dtype=np.float32)  # the last row restores the mean
        np.subtract(sharp[self.msi_bands], column(self.msi_mean), out=detail[:-1])
        detail[:-1] -= finite_product(self.intensity.astype(np.float32), fused)
        detail[:, invalid_pixels(sharp, flat(msi_smooth))] = np.nan
        add_product(fused, np.hstack([self.gains.astype(np.float32), mean]), detail)
        return fused.reshape(upsampled.shape)


def _fitted(moments: SceneMoments, group: Group) -> tuple[Array64, Array64]:
    """Weights (n,) and gains (n,) of a group's n bands."""
    covariance = moments.hsi_covariance[np.ix_(group.members, group.members)]
    weights = minimum_norm(covariance, moments.cross_covariance[group.members, group.msi_band], cutoff=SINGULAR)
    shared = covariance @ weights
    variance = float(weights @ shared)
    return weights, shared / variance if variance > 0 else np.zeros_like(shared)
