"""How much of an HR-MSI's detail is noise, and the detail without it.

Where bands look alike, regression gives them large weights of opposite sign: they cancel for the ground, but not for
the noise of the HR-MSI, which at LR is averaged out and goes unnoticed. So detail is filtered before it is used: at two
scales, each band's from all bands', by Wiener's rule A = S (S + N)^-1 of its signal S and its noise N.

N is estimated from the HR-MSI alone, which takes texture for noise at times, and bounded by the LR-HSI, which saw the
same ground: what a band of the LR-MSI has in common with it is no noise. A pair that was simulated without noise is so
left as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize, stats

from pifnet_models.kriging.noise import seen_alike
from pifnet_models.kriging.regression import Regression

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]

SCALES = (1.0, 3.0)  # HR pixels, standard deviations of the blurs that tell detail from the rest
TRUNCATE = 4.0  # standard deviations to which a blur reaches
MINIMUM_WEIGHT = 0.1  # of a blur on valid pixels; what is left of it alone would be noise
SIDE = 6  # pixels along the side of the blocks that texture is looked for in
QUIET_HALF, QUIETEST = 0.5, 0.1  # quantiles over blocks: what the regression is fitted on; what tells the noise
ROUNDS = 4  # of finding the quiet half
FEWEST_BLOCKS = 16
NEGLIGIBLE = 1e-3  # noise over detail, in variance, below which nothing is filtered


@dataclass(frozen=True, slots=True, eq=False)
class DetailFilter:
    """A filter of the HR-MSI's detail. Made by `from_windows`.

    Attributes:
        matrices: (scales, M, M), from detail with noise to detail without.
        error: (M, M), covariance of what is wrong with the filtered HR-MSI.
    """

    matrices: Array64
    error: Array64

    @classmethod
    def from_windows(cls, windows: Sequence[Array32], noise: Array64) -> Self | None:
        """The filter; None where noise does not matter.

        Args:
            windows: (M, H, W) each, of the HR-MSI; NaN where invalid.
            noise: (M,) standard deviations of its noise.
        """
        *gains, of_rest = _noise_gains()
        matrices, error = [], np.diag(np.square(noise) * of_rest)
        details = [_details(window)[0] for window in windows]
        worst = 0.0
        for scale, gain in enumerate(gains):
            known = np.concatenate([_valid(detail[scale]) for detail in details], axis=1)
            if known.shape[1] <= len(noise):
                return None
            covariance, noisy = np.atleast_2d(np.cov(known)), np.diag(np.square(noise) * gain)
            worst = max(worst, float((noisy.diagonal() / np.maximum(covariance.diagonal(), 1e-300)).max()))
            signal = _positive(covariance - noisy)
            matrices.append(signal @ np.linalg.pinv(signal + noisy, hermitian=True))
            error += signal - matrices[-1] @ signal
        overlap = sum(gains) + of_rest  # below one: parts of the same noise are not independent
        return cls(np.stack(matrices), error / overlap) if worst > NEGLIGIBLE else None

    @property
    def reach(self) -> int:
        """Pixels on either side that a filtered pixel depends on."""
        return sum(int(TRUNCATE * scale + 0.5) for scale in SCALES)

    def apply(self, hr_msi: Array32) -> Array32:
        """(M, H, W) -> (M, H, W), filtered; NaN stays where it is."""
        details, smooth = _details(hr_msi)
        filtered = smooth
        for matrix, detail in zip(self.matrices.astype(np.float32), details, strict=True):
            filtered = filtered + (matrix @ detail.reshape(len(detail), -1)).reshape(detail.shape)
        return filtered


def noise_by_texture(windows: Sequence[Array32]) -> Array64:
    """What neighbours in space and spectrum do not predict in the quietest parts, (M,) standard deviations.

    Bands are regressed on the other bands and on all bands of the four neighbours, on the quiet half of the blocks; the
    residual's variance is that of the quietest ones, as chance leaves it there. It holds the predictors' noise too,
    which a system of equations takes out. (Roger and Arnold, Int. J. Remote Sensing 17, 1996, for blocks and spectral
    regression; Gao, Opt. Eng. 32, 1993, for the quietest blocks.) Zero where there are too few blocks to tell.
    """
    blocks = [_blocks(window) for window in windows]
    centres = np.concatenate([block[0] for block in blocks], axis=1)  # (M, B, P)
    neighbours = np.concatenate([block[1] for block in blocks], axis=1)  # (4 M, B, P)
    bands, count = centres.shape[:2]
    if count < FEWEST_BLOCKS or count * SIDE**2 * QUIET_HALF < 2 * 5 * bands:
        return np.zeros(bands)
    left, mixing = np.zeros(bands), np.eye(bands)
    for band in range(bands):
        others = np.delete(np.arange(bands), band)
        variance, weights = _quiet_residual(centres[band], np.concatenate([centres[others], neighbours]))
        left[band] = variance
        mixing[band, others] += np.square(weights[: bands - 1])
        mixing[band] += np.square(weights[bands - 1 :]).reshape(4, bands).sum(axis=0)
    scale = np.maximum(left, np.finfo(np.float64).tiny)
    return np.sqrt(optimize.nnls(mixing * (scale[None] / scale[:, None]), left / scale)[0] * scale)


def _quiet_residual(target: Array64, predictors: Array64) -> tuple[float, Array64]:
    """Residual variance in the quietest blocks, and the regression's weights; (B, P) on (R, B, P)."""
    quiet = np.full(len(target), fill_value=True)
    for _ in range(ROUNDS):
        known, wanted = predictors[:, quiet].reshape(len(predictors), -1), target[quiet].reshape(-1)
        mean, centre = known.mean(axis=1), wanted.mean()
        weights = np.linalg.lstsq((known - mean[:, None]).T, wanted - centre, rcond=None)[0]
        residual = target - centre - np.tensordot(weights, predictors - mean[:, None, None], 1)
        variances = np.square(residual).mean(axis=1)
        quiet = variances <= np.quantile(variances, QUIET_HALF)
    pixels = SIDE**2
    expected = float(stats.chi2.ppf(QUIETEST, pixels)) / pixels  # of that quantile, where the variance is one
    return float(np.quantile(variances, QUIETEST)) / expected, weights


def _blocks(image: Array32) -> tuple[Array64, Array64]:
    """(M, H, W) -> its valid blocks (M, B, P), and those of the four neighbours (4 M, B, P)."""
    pixels = image.astype(np.float64)
    sides = [(slice(1, -1), slice(0, -2)), (slice(1, -1), slice(2, None)), (slice(0, -2), slice(1, -1)),
             (slice(2, None), slice(1, -1))]  # fmt: skip
    centre = _cut(pixels[:, 1:-1, 1:-1])
    around = np.concatenate([_cut(pixels[:, *side]) for side in sides])
    usable = np.isfinite(centre).all(axis=(0, 2)) & np.isfinite(around).all(axis=(0, 2))
    return centre[:, usable], around[:, usable]


def _cut(image: Array64) -> Array64:
    bands, height, width = image.shape
    rows, columns = max(height, 0) // SIDE, max(width, 0) // SIDE
    whole = image[:, : rows * SIDE, : columns * SIDE].reshape(bands, rows, SIDE, columns, SIDE)
    return whole.transpose(0, 1, 3, 2, 4).reshape(bands, rows * columns, SIDE**2)


def noise_bound(regression: Regression, hsi_noise: Array64, *, gain: float) -> Array64:
    """What the LR-HSI leaves of the bands of the LR-MSI, were it all noise of the HR-MSI: (M,) standard deviations.

    Args:
        regression: Of the pair.
        hsi_noise: (C,), from `pifnet_models.kriging.noise.hsi_noise_std`.
        gain: Variance that the PSF leaves of white noise of variance one.

    Returns:
        Zeros where LR pixels are too few to tell.
    """
    found = seen_alike(regression, hsi_noise)
    return np.zeros(len(regression.msi_mean)) if found is None else np.sqrt(found.unexplained / gain)


def _details(hr_msi: Array32) -> tuple[list[Array32], Array32]:
    """(M, H, W) -> its detail at every scale, and what is left; their sum is the image."""
    is_valid = np.asarray(np.isfinite(hr_msi).all(axis=0))
    filled = np.where(is_valid, hr_msi, np.float32(0))
    details, sharper = [], hr_msi
    for scale in SCALES:
        smooth = _blurred(filled, scale)
        if not is_valid.all():
            smooth /= np.maximum(_blurred(is_valid[None].astype(np.float32), scale), np.float32(MINIMUM_WEIGHT))
            smooth[:, ~is_valid] = np.nan
        details.append(sharper - smooth)
        sharper = smooth
    return details, sharper


def _blurred(image: Array32, scale: float) -> Array32:
    return np.asarray(ndimage.gaussian_filter(image, (0, scale, scale), mode="mirror", truncate=TRUNCATE))


def _noise_gains() -> list[float]:
    """Variance of white noise of variance one, in the detail at every scale, and in what is left."""
    side = 2 * int(TRUNCATE * SCALES[-1] + 0.5) + 1
    point = np.zeros((1, side, side), dtype=np.float32)
    point[0, side // 2, side // 2] = 1
    details, smooth = _details(point)
    return [float(np.square(part).sum()) for part in (*details, smooth)]


def _valid(image: Array32) -> Array64:
    """(M, P), the pixels that are valid."""
    flat = image.reshape(len(image), -1).astype(np.float64)
    return np.asarray(flat[:, np.isfinite(flat).all(axis=0)])


def _positive(matrix: Array64) -> Array64:
    """The nearest covariance."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)
