"""The regression anchor: what the HR-MSI explains linearly, plus the interpolated rest (docs/design.md 4.1).

Z0 = W Y + b + up(X - W down(Y) - b) = up(X) + W (Y - up(down(Y))): the intercept cancels.

W is the least-squares solution, but for bands that the HR-MSI hardly predicts. F compares what the M bands of the
LR-MSI explain of a band with what M bands of noise would. Weights are whole from F = `CERTAIN_F` on, zero up to F = 1,
and in between a part of them is kept (firm shrinkage, Gao and Bruce, "WaveShrink with Firm Shrinkage", Statistica
Sinica 7, 1997). A band that the HR-MSI does not predict is so taken from the LR-HSI instead of being given detail by
chance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

RELATIVE_CUTOFF = 1e-9  # eigenvalues of the MSI correlation matrix below this share of the largest are ignored
CERTAIN_F = 10.0  # no chance, also where neighbouring pixels are alike: 4 % explained by 4 bands over 900 pixels
MSI_EIGENVALUE_FLOOR = 1e-3  # of the largest: an MSI band that repeats others must not be blown up
ROUNDING = 1e-12  # of a band's mean square: a smaller variance is rounding

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Regression:
    """Least-squares regression of every hyperspectral band on the multispectral ones at LR, over one scene pair.

    Attributes:
        weights: (C, M), shrunk where they may be chance.
        intercept: (C,).
        residual_covariance: (C, C), of X - W down(Y) - b; zero for bands without a valid pixel.
        msi_mean: (M,), of down(Y).
        msi_covariance: (M, M), of down(Y).
        pixels: LR pixels that were used.
        least_squares: (C, M), the weights before they were shrunk; where it is None they were not.
    """

    weights: Array64
    intercept: Array64
    residual_covariance: Array64
    msi_mean: Array64
    msi_covariance: Array64
    pixels: int
    least_squares: Array64 | None = None

    @property
    def msi_cross_covariance(self) -> Array64:
        """(C, M) covariance of the LR-HSI with down(Y)."""
        weights = self.weights if self.least_squares is None else self.least_squares
        return np.asarray(weights @ self.msi_covariance)

    @property
    def hsi_variance(self) -> Array64:
        """(C,) of the LR-HSI over the scene: of X - W down(Y), and what W takes from X, whatever the weights."""
        weights = self.weights
        taken = 2 * np.einsum("cm,cm->c", weights, self.msi_cross_covariance)
        taken -= np.einsum("cm,mn,cn->c", weights, self.msi_covariance, weights)
        return np.asarray(np.diag(self.residual_covariance) + taken)

    @property
    def explained(self) -> Array64:
        """Share of each band's variance over LR pixels that the LR-MSI explains, (C,): the adjusted R^2, 0 to 1.

        Zero for a band of which the LR-MSI explains no more than chance, that does not vary, or has no valid pixel.
        """
        whole = self.weights if self.least_squares is None else self.least_squares
        share = _share(np.einsum("cm,cm->c", whole, self.msi_cross_covariance), self.hsi_variance)
        statistic = _statistic(share, self.pixels, len(self.msi_mean))
        # 1 - 1 / F is what turns R^2 into the adjusted R^2.
        return np.asarray(share * (1 - 1 / np.maximum(statistic, 1)))

    @property
    def residual_rms(self) -> float:
        """Root mean square of the LR residual over pixels and live bands."""
        variances = np.diag(self.residual_covariance)
        live = variances > 0
        return float(np.sqrt(variances[live].mean())) if live.any() else 0.0

    def apply(self, upsampled: Array32, hr_msi: Array32, msi_smooth: Array32) -> Array32:
        """The anchor Z0 on a tile, (C, H, W); NaN where any input is.

        Args:
            upsampled: (C, H, W), the interpolated LR-HSI.
            hr_msi: (M, H, W).
            msi_smooth: (M, H, W), up(down(Y)).
        """
        detail = (hr_msi - msi_smooth).reshape(len(hr_msi), -1)
        fused = self.weights.astype(np.float32) @ detail
        fused += upsampled.reshape(len(upsampled), -1)
        return fused.reshape(upsampled.shape)


class RegressionSums:
    """Sums over LR pixels, from which the regression follows in closed form; blocks may come in any order."""

    def __init__(self, *, hsi_bands: int, msi_bands: int) -> None:
        size = msi_bands + 1
        self._design = np.zeros((hsi_bands, size, size))  # per band: bands may be invalid in different places
        self._cross = np.zeros((hsi_bands, size))
        self._square = np.zeros((hsi_bands, hsi_bands))
        self._counts = np.zeros((hsi_bands, hsi_bands))

    def add(self, lr_hsi: Array32, msi_low: Array32) -> None:
        """Take in a block: (C, P) and (M, P), NaN where invalid."""
        is_usable = np.isfinite(msi_low).all(axis=0) & np.isfinite(lr_hsi).any(axis=0)
        if not is_usable.any():
            return
        hsi = lr_hsi[:, is_usable].astype(np.float64)
        design = np.concatenate([np.ones((1, hsi.shape[1])), msi_low[:, is_usable]]).astype(np.float64)
        mask = np.isfinite(hsi)
        live = mask.any(axis=1)
        hsi = np.where(mask, hsi, 0.0)
        if mask[live].all():
            self._design[live] += design @ design.T
            self._counts[np.ix_(live, live)] += hsi.shape[1]
        else:
            products = design[:, None] * design[None]  # (M + 1, M + 1, P)
            self._design += np.einsum("cp,ijp->cij", mask.astype(np.float64), products, optimize=True)
            self._counts += mask.astype(np.float64) @ mask.T
        self._cross += hsi @ design.T
        self._square += hsi @ hsi.T

    @property
    def pixels(self) -> int:
        """LR pixels taken in so far, in the band that has most."""
        return int(self._counts.diagonal().max())

    def solve(self) -> Regression:
        """The regression over all that was added. Bands without a valid pixel get zero weights.

        Raises:
            ValueError: No pixel was valid in both scenes.
        """
        counts = self._counts.diagonal()
        if counts.max() == 0:
            raise ValueError("no LR pixel is valid in both scenes")
        coefficients, fitted = np.zeros_like(self._cross), np.zeros_like(self._cross[:, 1:])
        for band in np.flatnonzero(counts):
            whole = _least_squares(self._design[band], self._cross[band])
            coefficients[band], fitted[band] = self._shrunk(whole, int(band)), whole[1:]
        fullest = self._design[int(counts.argmax())]
        mean = fullest[0, 1:] / fullest[0, 0]
        return Regression(
            weights=coefficients[:, 1:],
            intercept=coefficients[:, 0],
            residual_covariance=self._residual_covariance(coefficients),
            msi_mean=mean,
            msi_covariance=fullest[1:, 1:] / fullest[0, 0] - np.outer(mean, mean),
            pixels=int(counts.max()),
            least_squares=fitted,
        )

    def _shrunk(self, coefficients: Array64, band: int) -> Array64:
        """(1 + M,): what is kept of the weights, the intercept such that the mean stays."""
        design, cross, count = self._design[band], self._cross[band], self._counts[band, band]
        msi_mean, mean, weights = design[0, 1:] / count, cross[0] / count, coefficients[1:]
        fitted = weights @ (design[1:, 1:] / count - np.outer(msi_mean, msi_mean)) @ weights
        square = self._square[band, band] / count
        total = max(square - mean**2, ROUNDING * square)
        statistic = _statistic(_share(np.array([fitted]), np.array([total])), int(count), len(weights))
        kept = np.clip((statistic - 1) / (CERTAIN_F - 1), 0, 1)
        return np.r_[mean - msi_mean @ (weights * kept), weights * kept]

    def _residual_covariance(self, coefficients: Array64) -> Array64:
        """(C, C) of X - B d with d = (1, down(Y)); exact where all live bands share their valid pixels."""
        explained = coefficients @ self._cross.T
        both = np.einsum("ci,cij,dj->cd", coefficients, self._design, coefficients, optimize=True)
        sums = self._square - explained - explained.T + (both + both.T) / 2
        covariance = sums / np.maximum(self._counts, 1)
        floor = ROUNDING * np.maximum(self._square.diagonal() / np.maximum(self._counts.diagonal(), 1), 0)
        index = np.arange(len(covariance))
        covariance[index, index] = np.maximum(covariance.diagonal(), floor)
        return covariance


def msi_whitening(regression: Regression) -> Array32:
    """(M, M) symmetric matrix (ZCA) that gives the LR-MSI unit covariance."""
    values, vectors = np.linalg.eigh(np.asarray(regression.msi_covariance, dtype=np.float64))
    floor = max(MSI_EIGENVALUE_FLOOR * float(values.max(initial=0.0)), 1e-20)
    return ((vectors / np.sqrt(np.maximum(values, floor))) @ vectors.T).astype(np.float32)


def _share(fitted: Array64, total: Array64) -> Array64:
    """R^2 from variances; zero where there is none."""
    return np.clip(np.divide(fitted, total, out=np.zeros_like(fitted), where=total > 0), 0, 1)


def _statistic(share: Array64, pixels: int, variables: int) -> Array64:
    """F of regressions that explain a `share` of `pixels` values; zero where pixels are too few."""
    by_chance = (1 - share) * variables / max(pixels - variables - 1, 1)
    found = np.divide(share, by_chance, out=np.full_like(share, np.inf), where=by_chance > 0)
    return found if pixels > variables + 1 else np.zeros_like(share)


def _least_squares(design: Array64, cross: Array64) -> Array64:
    """Solve the normal equations in centred, scaled variables; directions without variance get no weight."""
    count = design[0, 0]
    mean = design[0, 1:] / count
    covariance = design[1:, 1:] / count - np.outer(mean, mean)
    target_mean = cross[0] / count
    moment = cross[1:] / count - mean * target_mean
    scale = np.sqrt(np.maximum(covariance.diagonal(), np.finfo(np.float64).tiny))
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    kept = values > RELATIVE_CUTOFF * max(values.max(), 0.0)
    inverse = np.where(kept, 1 / np.where(kept, values, 1.0), 0.0)
    weights = vectors @ (inverse * (vectors.T @ (moment / scale))) / scale
    return np.r_[target_mean - mean @ weights, weights]
