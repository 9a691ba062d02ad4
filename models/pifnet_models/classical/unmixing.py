"""What unmixing methods start from: how the HR-MSI follows from the bands of the LR-HSI, and how bright both are."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from pifnet_models.classical.moments import SceneMoments

Array64 = NDArray[np.float64]

CUTOFF = 1e-12  # of the largest eigenvalue of the correlation matrix: directions below it hold rounding errors
FLAT = 1e-12  # of a band's mean square: a variance below it is rounding of float32 pixels


@dataclass(frozen=True, slots=True, eq=False)
class UnmixingResponse:
    """down(Y) = weights X + offset, MSI band by MSI band.

    Attributes:
        weights: (M, C), not negative; zero for bands that are dead or flat.
        offset: (M,), of either sign, in pixel units.
    """

    weights: Array64
    offset: Array64

    @classmethod
    def from_moments(cls, moments: SceneMoments) -> "UnmixingResponse":
        """Non-negative least squares of every MSI band on the hyperspectral ones, with a free offset.

        The offset takes the means away. What is left is min r' S r - 2 r' s over r >= 0, with S the covariance of X and
        s that of X with the MSI band: |root r - target|^2 with root' root = S and root' target = s, solved for bands of
        unit variance. An MSI band that no hyperspectral band follows gets zero weights, and is its offset.
        """
        variances = moments.hsi_covariance.diagonal()
        used = moments.hsi_live & (variances > FLAT * (np.square(moments.hsi_mean) + variances))
        weights = np.zeros((len(moments.msi_mean), len(used)))
        if used.any():
            scale = np.sqrt(variances[used])
            values, vectors = np.linalg.eigh(moments.hsi_covariance[np.ix_(used, used)] / np.outer(scale, scale))
            kept = values > CUTOFF * values.max()
            lengths, vectors = np.sqrt(values[kept]), vectors[:, kept]
            root = lengths[:, None] * vectors.T
            targets = (vectors.T @ (moments.cross_covariance[used] / scale[:, None])) / lengths[:, None]
            weights[:, used] = [nnls(root, target)[0] / scale for target in targets.T]
        offset = moments.msi_mean - weights @ np.where(moments.hsi_live, moments.hsi_mean, 0.0)
        return cls(weights, offset)


def peak_level(moments: SceneMoments) -> float:
    """About the largest value of the LR-HSI, what unmixing divides pixels by: the highest mean plus 3 deviations.

    It is the same for all blocks of a scene, and no single glint sets it. 1 where that is not above zero.
    """
    live = moments.hsi_live
    level = float((moments.hsi_mean[live] + 3 * np.sqrt(moments.hsi_covariance.diagonal()[live])).max())
    return level if level > 0 else 1.0
