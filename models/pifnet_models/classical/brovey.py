"""Brovey's transform, haze-corrected, per MSI band."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pifnet_models.classical.bands import (
    Array32,
    Group,
    Synthesis,
    column,
    finite_product,
    flat,
    invalid_pixels,
    nonnegative_weights,
    pieces,
    selected_groups,
)
from pifnet_models.classical.moments import Array64, SceneMoments

DARK = 1e-3  # of the mean intensity: it is not divided by less
LARGEST_RATIO = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class Brovey:
    """z_j = (up(x_j) - m_j) P / I + m_j, with I = sum of w_k (up(x_k) - m_k) over a group and P its matched MSI band.

    Gillespie, Kahle and Walker, RSE 22 (1987); haze correction after Lolli et al., "Haze correction for contrast-based
    multispectral pansharpening", IEEE GRSL 14 (2017): m_j is the band's minimum at LR (`haze_corrected=False` takes
    zero). How Brovey is applied to several fine bands is not in the publications; here bands are grouped by largest
    correlation (Yokoya et al., IEEE GRSM 5(2), 2017), w is the non-negative least-squares fit, up to a constant, of
    the group to its MSI band at LR (the mean of the group where that fit is zero), and P is brought to the mean and
    standard deviation that I has at LR. Non-negative weights keep I from changing sign. The divisor is at least 0.001
    of the mean of I and the ratio is held within 0 to 10, so dark pixels stay dark; a value below m, as interpolation
    may give, is not taken further down. A group in which I or P does not
    vary is interpolated only.

    Attributes:
        minimum: (C,), m; NaN for dead bands.
        group_of: (C,), the group of each band.
        intensity: (G, C), w.
        matched: Weights (G, M) and offsets (G,) that give P from the MSI.
        floor: (G,), smallest divisor.
    """

    minimum: Array64
    group_of: NDArray[np.intp]
    intensity: Array64
    matched: Synthesis
    floor: Array64

    @classmethod
    def from_moments(cls, moments: SceneMoments, *, haze_corrected: bool = True) -> Self:
        """Groups, weights and matching of a scene pair; moments at LR serve, as up() passes through the LR samples."""
        groups = selected_groups(moments)
        bands, msi_bands = moments.cross_covariance.shape
        minimum = np.where(moments.hsi_live, moments.hsi_minimum if haze_corrected else 0.0, np.nan)
        group_of = np.zeros(bands, dtype=np.intp)
        intensity, floor = np.zeros((len(groups), bands)), np.ones(len(groups))
        gain, offset = np.zeros((len(groups), msi_bands)), np.ones(len(groups))
        for index, group in enumerate(groups):
            group_of[group.members] = index
            weights = _weights(moments, group)
            mean = float(weights @ (moments.hsi_mean - minimum)[group.members])
            match = _matching_gain(moments, group, weights)
            if mean > 0 and match > 0:  # otherwise P and I stay one
                intensity[index, group.members], floor[index] = weights, DARK * mean
                gain[index, group.msi_band] = match
                offset[index] = mean - match * moments.msi_mean[group.msi_band]
        return cls(minimum, group_of, intensity, Synthesis(gain, offset), floor)

    def apply(self, upsampled: Array32, hr_msi: Array32, msi_smooth: Array32) -> Array32:
        """The fused tile, (C, H, W); NaN where the band or any MSI plane is.

        A band that is NaN at a pixel enters its group's intensity there with its minimum.

        Args:
            upsampled: (C, H, W), up(X).
            hr_msi: (M, H, W).
            msi_smooth: (M, H, W), up(down(Y)); only its invalid pixels matter.
        """
        planes, sharp, smooth = flat(upsampled), flat(hr_msi), flat(msi_smooth)
        intensity, gain = self.intensity.astype(np.float32), self.matched.weights.astype(np.float32)
        minimum, offset, smallest = column(self.minimum), column(self.matched.offset), column(self.floor)
        fused, is_dead = np.empty_like(planes), np.isnan(self.minimum)
        for piece in pieces(*planes.shape):
            above = planes[:, piece] - minimum
            above[is_dead] = 0.0  # their minimum makes them NaN again
            ratio = gain @ sharp[:, piece]
            ratio += offset
            ratio /= np.maximum(finite_product(intensity, above), smallest)
            np.clip(ratio, 0.0, LARGEST_RATIO, out=ratio)
            ratio[:, invalid_pixels(sharp[:, piece], smooth[:, piece])] = np.nan
            lowest = np.minimum(above, 0.0)
            above *= ratio[self.group_of]
            np.add(np.maximum(above, lowest, out=above), minimum, out=fused[:, piece])
        return fused.reshape(upsampled.shape)


def _weights(moments: SceneMoments, group: Group) -> Array64:
    """(n,), not negative, of a group's n bands."""
    members = group.members
    covariance = moments.hsi_covariance[np.ix_(members, members)]
    weights = nonnegative_weights(covariance, moments.cross_covariance[members, group.msi_band])
    return weights if weights.any() else np.full(len(members), 1 / len(members))


def _matching_gain(moments: SceneMoments, group: Group, weights: Array64) -> float:
    """Standard deviation of I over that of the MSI band; zero where either is."""
    covariance = moments.hsi_covariance[np.ix_(group.members, group.members)]
    variance = float(moments.msi_covariance[group.msi_band, group.msi_band])
    return float(np.sqrt(max(float(weights @ covariance @ weights), 0.0) / variance)) if variance > 0 else 0.0
