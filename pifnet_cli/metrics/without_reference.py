"""Scores of a fused scene that need no truth: QNR, and whether it agrees with the pair that it was made from.

QNR is that of Alparone et al., "Multispectral and panchromatic data fusion assessment without reference",
Photogrammetric Engineering & Remote Sensing 74(2), 2008 (doi 10.14358/PERS.74.2.193), with all exponents 1 and the
HR-MSI in the panchromatic band's place. With F the fused scene, X the LR-HSI, Y the HR-MSI, down(Y) as the LR-HSI's
sensor would see it, C and M bands, and Q the UIQI of two bands, mean over blocks:

    D_lambda = mean over pairs of bands k != l of |Q(F_k, F_l) - Q(X_k, X_l)|
    D_s = mean over bands l, m of |Q(F_l, Y_m) - Q(X_l, down(Y)_m)|
    QNR = (1 - D_lambda) (1 - D_s)

They ask whether relations between bands are the same at both scales, not whether values are right: interpolation has
a small D_lambda. So agreement is told besides: the fused scene degraded against X, and its spectra projected on the
MSI bands against Y. A scene may agree with both and still be wrong in what neither sees.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.metrics.moments import Moments, pixel_moments, ratio_or_one
from pifnet_cli.metrics.running import QUALITY_BLOCK, SMALLEST_BLOCK
from pifnet_cli.metrics.spectral_angle import spectral_angle_deg
from pifnet_cli.metrics.with_reference import Scores
from pifnet_cli.scene import Pixels, Window

LEAST_LR_BLOCK = 8  # LR pixels: blocks of fewer say little of a correlation

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class BandAgreement:
    """One band that was made from the fused scene beside the one that was measured.

    `band` counts from 1; `rmse` and the measured band's `mean` and `noise` are in the units of the scene; `cc` is NaN
    where the measured band is flat, `noise` where it is not known.
    """

    band: int
    rmse: float
    cc: float
    mean: float
    noise: float


@dataclass(frozen=True, slots=True)
class UsedOperator:
    """How the LR-HSI was taken to sample the ground, along rows and columns.

    Attributes:
        mtf_at_nyquist: Frequency response at the LR Nyquist frequency.
        shift_lr_pixels: How much further the LR-HSI lies down and right than its georeferencing says.
        source: `given`, `found` from the pair, or `assumed`.
    """

    mtf_at_nyquist: tuple[float, float]
    shift_lr_pixels: tuple[float, float]
    source: str


@dataclass(frozen=True, slots=True)
class WaldScores:
    """The method's scores one level down: the pair degraded by the ratio once more, fused, compared with the LR-HSI.

    Statistics differ between levels (mixture, noise, pixels to learn from): these are not the scores of the scene.
    """

    method: str
    scores: Scores


@dataclass(frozen=True, slots=True)
class UnreferencedScores:
    """What can be said of a fused scene without the truth. NaN: not defined. Bands count from 1.

    Attributes:
        qnr: 1 is best; see the module for this and the next two.
        d_lambda: Spectral distortion, 0 is best; 0 where there is one band.
        d_s: Spatial distortion, 0 is best.
        lr_rmse: Of the degraded fused scene against the LR-HSI, over all bands, in the units of the scene.
        lr_sam: Mean angle between their spectra, degrees.
        lr_rmse_over_noise: Median over bands of RMSE over the LR-HSI's own noise, as far as neighbouring bands tell it:
            about 1 for the truth, and for whoever keeps to the LR-HSI as closely as its noise allows. Less is no merit.
        msi_rmse: Of the fused spectra projected on the MSI bands against the HR-MSI, over all its bands.
        msi_sam: Mean angle between their spectra, degrees.
        msi_cc: Mean correlation coefficient over MSI bands.
        pixels: HR pixels scored: every counted band and every MSI band valid.
        lr_pixels: LR pixels scored; those that see more than a little beyond the fused scene are not.
        bands: Bands that hold data in both the fused scene and the LR-HSI.
        excluded_bands: The others.
        operator: Which one the fused scene was degraded by.
        lr_per_band: Agreement with the LR-HSI.
        msi_per_band: Agreement with the HR-MSI.
        wald: None where they were not asked for, or the scenes are too small.
    """

    qnr: float
    d_lambda: float
    d_s: float
    lr_rmse: float
    lr_sam: float
    lr_rmse_over_noise: float
    msi_rmse: float
    msi_sam: float
    msi_cc: float
    pixels: int
    lr_pixels: int
    bands: int
    excluded_bands: tuple[int, ...]
    operator: UsedOperator
    lr_per_band: tuple[BandAgreement, ...]
    msi_per_band: tuple[BandAgreement, ...]
    wald: WaldScores | None = None


@dataclass(frozen=True, slots=True)
class LevelTotals:
    """What all blocks of one level come to.

    Attributes:
        quality: (C, C + M), mean UIQI of every band with every other and with every MSI band; NaN without a block.
        agreement: Moments of what was made of the fused scene (as `fused`) and of what was measured (as `reference`).
        sam: Mean angle between the two, degrees.
    """

    quality: Floats
    agreement: Moments
    sam: float


class LevelSums:
    """Sums over blocks of one level, HR or LR; blocks may come in any order, and memory does not grow."""

    def __init__(self, *, bands: int, msi_bands: int, compared: int, side: int) -> None:
        """Start from nothing.

        Args:
            bands: C of the hyperspectral image.
            msi_bands: M.
            compared: Bands of the images whose agreement is measured.
            side: Of the blocks of UIQI, in pixels of this level.
        """
        self._side = side
        self._quality = np.zeros((bands, bands + msi_bands))
        self._quality_pixels = 0
        self._agreement = Moments.none(compared)
        self._angle_sum = 0.0

    def add(self, image: Pixels, msi: Pixels, made: Pixels, measured: Pixels) -> NDArray[np.bool_]:
        """Add one part of the scene, invalid pixels as NaN.

        Args:
            image: (C, h, w), the fused scene or the LR-HSI; its first row and column are multiples of the blocks' side
                from those of the area, so that blocks do not depend on the parts.
            msi: (M, h, w), the HR-MSI as this level sees it.
            made: (D, h, w), what follows from the fused scene.
            measured: (D, h, w), what it should be.

        Returns:
            (h, w), the pixels that count: valid in all four.
        """
        counts = _valid(image) & _valid(msi) & _valid(made) & _valid(measured)
        for block in Window(0, 0, *counts.shape).blocks(self._side):
            inside = counts[block.slices]
            if inside.any():
                rows, columns = block.slices
                parts = (part[:, rows, columns][:, inside] for part in (image, msi, made, measured))
                self._add_block(*(part.astype(np.float64) for part in parts))
        return counts

    def totals(self) -> LevelTotals:
        """What the blocks so far come to."""
        pixels = self._agreement.count
        return LevelTotals(
            quality=self._quality / self._quality_pixels if self._quality_pixels else self._quality * np.nan,
            agreement=self._agreement,
            sam=self._angle_sum / pixels if pixels else float("nan"),
        )

    def _add_block(self, image: Floats, msi: Floats, made: Floats, measured: Floats) -> None:
        self._agreement = self._agreement.merged(pixel_moments(made, measured))
        self._angle_sum += float(spectral_angle_deg(made, measured).sum())
        pixels = image.shape[1]
        if pixels >= SMALLEST_BLOCK:
            self._quality += pixels * pairwise_quality(image, np.concatenate([image, msi]))
            self._quality_pixels += pixels


def block_sides(ratio: float) -> tuple[int, int]:
    """Sides of the blocks of UIQI at HR and at LR, of about the same ground: 32 HR pixels, or as many as LR needs."""
    lr_side = max(round(QUALITY_BLOCK / ratio), LEAST_LR_BLOCK)
    return max(round(lr_side * ratio), QUALITY_BLOCK), lr_side


def pairwise_quality(first: Floats, second: Floats) -> Floats:
    """UIQI (Wang and Bovik 2002) of each band of (C, P) with each of (D, P), as (C, D); -1 to 1.

    As in `Moments.quality`, a factor whose denominator is zero is 1.
    """
    first_mean, second_mean = first.mean(axis=1), second.mean(axis=1)
    first_part, second_part = first - first_mean[:, None], second - second_mean[:, None]
    first_scatter, second_scatter = (np.einsum("cp,cp->c", part, part) for part in (first_part, second_part))
    scatters = first_scatter[:, None] + second_scatter
    energies = first_mean[:, None] ** 2 + second_mean**2
    structure = ratio_or_one(2 * first_part @ second_part.T, scatters)
    return structure * ratio_or_one(2 * np.outer(first_mean, second_mean), energies)


def spectral_distortion(fused: LevelTotals, lr: LevelTotals) -> float:
    """D_lambda, from the HR and the LR level."""
    bands = len(fused.quality)
    change = np.abs(fused.quality - lr.quality)[:, :bands]
    return float(change[~np.eye(bands, dtype=bool)].mean()) if bands > 1 else 0.0


def spatial_distortion(fused: LevelTotals, lr: LevelTotals) -> float:
    """D_s, from the HR and the LR level."""
    return float(np.abs(fused.quality - lr.quality)[:, len(fused.quality) :].mean())


def root_mean_square_error(agreement: Moments) -> float:
    """Over all bands and pixels; NaN without a pixel."""
    return float(np.sqrt(agreement.squared_error.mean() / agreement.count)) if agreement.count else float("nan")


def agreement_per_band(
    agreement: Moments, numbers: tuple[int, ...], *, noise: Floats | None = None
) -> tuple[BandAgreement, ...]:
    """One entry per band; `numbers` are theirs, from 1, and `noise` is (D,) of the measured bands."""
    errors = np.sqrt(agreement.squared_error / max(agreement.count, 1))
    known = np.full(len(errors), np.nan) if noise is None else noise
    columns = (errors, agreement.correlation, agreement.reference_mean, known)
    rows = zip(numbers, *(column.tolist() for column in columns), strict=True)
    return tuple(BandAgreement(number, *values) for number, *values in rows)


def median_error_over_noise(bands: tuple[BandAgreement, ...]) -> float:
    """Of those bands whose noise is known and not zero; NaN where there is none."""
    shares = [band.rmse / band.noise for band in bands if band.noise > 0]
    return float(np.median(shares)) if shares else float("nan")


def _valid(image: Pixels) -> NDArray[np.bool_]:
    return np.asarray(np.isfinite(image).all(axis=0))
