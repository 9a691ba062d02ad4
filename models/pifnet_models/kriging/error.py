"""How far guided kriging may be off, per pixel and band: the variance of what it does not know.

The true scene is W Y' + b + V E' + rest, of which the result knows W Y + b + V (prediction of E'); Y = Y' + noise. The
variance of the difference, in squared pixel units, is the sum over

- components k of v_ck^2 s_k (C(p, p) - c_p (D C Dt + rho_k I)^-1 c_p^T), the posterior variance of a Gaussian process
  with covariance s_k C, c_p the covariances of pixel p with the samples (Rasmussen and Williams, "Gaussian Processes
  for Machine Learning", 2006, eq. 2.26; through D as in area-to-point kriging, Kyriakidis, Geographical Analysis 36,
  2004). s_k is the most likely one by the tile's samples, together with as many samples of the scene as
  `SCENE_SAMPLES`. The components' errors are independent, as their scores are over the scene;
- W times the covariance of what is wrong with the HR-MSI (`pifnet_models.kriging.detail`) times W: it goes through W
  whole;
- the variance that the components leave, seen through D, less the noise: what nothing ties to its neighbours is larger
  at fine pixels than in samples, by one over the PSF's energy;
- the uncertainty of W and b, residual variance / n times (1 + Mahalanobis distance of the pixel's Y, squared).

What samples cannot tell is not in it: detail of single bands that averages out under the PSF, and errors of the assumed
blur and position.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pifnet_models.kriging.regression import Regression
from pifnet_models.sampling import SamplingOperator

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]

SCENE_SAMPLES = 20.0  # that the scene's signal counts for beside the tile's own
PIXELS_AT_ONCE = 4096


class SolvedSamples(NamedTuple):
    """A tile's equations in the basis in which the covariance of its n usable samples is diagonal.

    Attributes:
        values: (n,) eigenvalues of D C Dt.
        vectors: (n, n) eigenvectors, in columns.
        along: (n, K) the samples' component scores in that basis.
        damping: (K,), rho_k.
        with_core: (P, n), C Dt of the core's pixels.
    """

    values: Array64
    vectors: Array64
    along: Array64
    damping: Array64
    with_core: Array32


@dataclass(frozen=True, slots=True, eq=False)
class ErrorModel:
    """What is global to a scene pair of kriging's error.

    Attributes:
        power: (C, K), squares of `synthesis`.
        variance: (K,), of the samples' component scores over the scene.
        left: (C,), variance of samples that no component holds, and that is the scene's.
        by_msi: (C,), what the HR-MSI's noise adds to each band.
        of_mean: (C,), variance of the regression's result at the mean of the LR-MSI.
    """

    power: Array64
    variance: Array64
    left: Array64
    by_msi: Array64
    of_mean: Array64

    @classmethod
    def from_regression(
        cls,
        regression: Regression,
        *,
        synthesis: Array64,
        variance: Array64,
        noise_variance: Array64,
        share_kept: float,
        msi_error: NDArray[np.floating] | None,
    ) -> "ErrorModel":
        """Everything but the HR-MSI's noise follows from the regression's moments.

        Args:
            regression: Of the pair.
            synthesis: (C, K), component scores -> residual spectrum; uncorrelated over the scene.
            variance: (K,), of the scores over the scene.
            noise_variance: (C,), of the LR-HSI.
            share_kept: How much of the noise belongs to the scene, 0 to 1.
            msi_error: (M, M) covariance of what is wrong with the HR-MSI; None for nothing.
        """
        power, total = np.square(synthesis), np.diag(regression.residual_covariance)
        unmodelled = np.maximum(total - power @ variance - noise_variance, 0)
        weights = regression.weights
        return cls(
            power=power,
            variance=variance,
            left=unmodelled + share_kept * np.minimum(noise_variance, total),
            by_msi=np.zeros(len(total)) if msi_error is None else np.einsum("cm,mn,cn->c", weights, msi_error, weights),
            of_mean=total / regression.pixels,
        )

    def at_pixels(
        self,
        solved: SolvedSamples | None,
        operator: SamplingOperator,
        *,
        own: Array32,
        distances: Array32,
        pixels_at_once: int = PIXELS_AT_ONCE,
    ) -> Array32:
        """Variances of the bands at the core's pixels, (C, P).

        Args:
            solved: The tile's equations; None where it has no usable sample.
            operator: Of the tile.
            own: (P,), C(p, p).
            distances: (P,), squared Mahalanobis distances of the HR-MSI's spectra from the mean of the LR-MSI.
            pixels_at_once: Bounds the memory; the variances do not depend on it.
        """
        variances = np.outer(self.of_mean, 1 + distances).astype(np.float32)
        variances += (self.by_msi + self.left * _magnification(operator))[:, None].astype(np.float32)
        if solved is None:
            variances += (self.power @ self.variance)[:, None].astype(np.float32)
            return variances
        power = (self.power * self._signals(solved)).astype(np.float32)
        told = (1 / (solved.values[:, None] + solved.damping)).astype(np.float32)  # (n, K)
        vectors = solved.vectors.astype(np.float32)
        for start in range(0, len(own), pixels_at_once):
            part = slice(start, start + pixels_at_once)
            rest = own[part, None] - np.square(solved.with_core[part] @ vectors) @ told
            variances[:, part] += power @ np.maximum(rest, 0).T
        return variances

    def _signals(self, solved: SolvedSamples) -> Array64:
        """s_k, (K,): what the covariance is multiplied with."""
        count, spread = len(solved.values), solved.values[:, None] + solved.damping
        here = (np.square(solved.along) / spread).sum(axis=0)
        usual = self.variance / (solved.values.mean() + solved.damping)
        return np.asarray((here + SCENE_SAMPLES * usual) / (count + SCENE_SAMPLES))


def _magnification(operator: SamplingOperator) -> float:
    """Variance at fine pixels of what is uncorrelated there, over its variance in samples, less what samples tell."""
    (h, w), (height, width) = operator.lr_shape, operator.hr_shape
    energy = float(operator.rows.power(2).sum() / h * (operator.columns.power(2).sum() / w))
    return max(1 - h * w / (height * width), 0.0) / energy
