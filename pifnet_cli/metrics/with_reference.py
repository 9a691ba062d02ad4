"""Scores of a fused image against the true one: PSNR, SSIM, SAM, ERGAS, RMSE, UIQI, Q2n, CC (docs/design.md 9.1)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.choices import Compat
from pifnet_cli.metrics.running import RunningSurvey, RunningTotals, Totals
from pifnet_cli.metrics.spectral_angle import paper_spectral_angle_deg
from pifnet_cli.scene import Pixels, Window

PAPER_RANGE = (0.0, 1.0)  # of the authors' scenes, which they cut results to
PAPER_ERGAS_RATIO = 4.0  # the authors' code never passes the scale (docs/design.md 9.2)
NEGLIGIBLE_MEAN = 1e-6  # of the largest band mean: below it a relative error means nothing


@dataclass(frozen=True, slots=True)
class BandScores:
    """One band's part; `band` counts from 1, NaN where a score is not defined."""

    band: int
    psnr: float
    ssim: float
    rmse: float
    uiqi: float
    cc: float
    mean: float


@dataclass(frozen=True, slots=True)
class Scores:
    """How near a fused image comes to its reference. NaN: not defined. Bands count from 1.

    Attributes:
        psnr: 10 log10(peak^2 / MSE) over the whole cube, dB; infinite for identical images.
        psnr_bands: Mean over bands of 10 log10(peak_b^2 / MSE_b), each with its own peak, dB; bands without error are
            left out unless none has any.
        ssim: 11 x 11 Gaussian windows, sigma 1.5, of images divided by the peak; mean over windows, then bands.
        sam: Mean angle between spectra, degrees.
        ergas: 100 / ratio times the root mean square of RMSE_b / mean_b.
        rmse: Root mean square error over the whole cube, in the units of the image.
        uiqi: Mean over 32 x 32 blocks that do not overlap (those cut by a border weigh less), then bands.
        q2n: Mean over the same blocks of the hypercomplex index of whole spectra.
        cc: Mean over bands of the correlation coefficient; bands flat in the reference are left out.
        peak: Largest value of the reference.
        ratio: The one ERGAS was computed with; NaN where unknown, and ERGAS with it.
        pixels: Pixels scored: every counted band valid in both images.
        excluded_pixels: The other pixels of the area.
        bands: Number of bands scored.
        excluded_bands: Bands without a single valid pixel in one of the images.
        ergas_left_out: Counted bands whose mean is too near zero for ERGAS.
        missing: Fraction of the reference's valid values for which the fused image has none.
        is_identical: No value differs.
        compat: Whose definitions were followed.
        per_band: Scores of the counted bands.
    """

    psnr: float
    psnr_bands: float
    ssim: float
    sam: float
    ergas: float
    rmse: float
    uiqi: float
    q2n: float
    cc: float
    peak: float
    ratio: float
    pixels: int
    excluded_pixels: int
    bands: int
    excluded_bands: tuple[int, ...]
    ergas_left_out: tuple[int, ...]
    missing: float
    is_identical: bool
    compat: Compat
    per_band: tuple[BandScores, ...]


def scores(fused: Pixels, reference: Pixels, *, ratio: float | None, compat: Compat = Compat.NONE) -> Scores:
    """Score whole arrays.

    Args:
        fused: (C, H, W), invalid as NaN.
        reference: The truth, the same shape and units.
        ratio: GSD of the LR-HSI over that of the HR-MSI; without it ERGAS is NaN.
        compat: `PAPER` scores as PIF-Net's own evaluation does, whose scenes lie in [0, 1].

    Raises:
        ValueError: The arrays are not of one (C, H, W) shape.
    """
    if fused.shape != reference.shape or fused.ndim != 3:
        raise ValueError(f"two (C, H, W) arrays of one shape were expected, got {fused.shape} and {reference.shape}")
    survey = RunningSurvey(fused.shape[0])
    survey.add(fused, reference)
    totals = running_totals(survey, compat=compat)
    totals.add(fused, reference, core=Window(0, 0, *fused.shape[1:]))
    return scores_from(totals.totals(), ratio=ratio, compat=compat)


def running_totals(survey: RunningSurvey, *, compat: Compat) -> RunningTotals:
    """The empty sums of the second pass, by the definitions that `compat` asks for."""
    if compat is Compat.PAPER:
        return RunningTotals(survey.survey(), angle=paper_spectral_angle_deg, value_range=PAPER_RANGE)
    return RunningTotals(survey.survey())


def scores_from(totals: Totals, *, ratio: float | None, compat: Compat = Compat.NONE) -> Scores:
    """The scores that the sums of a whole scene come to; all NaN where no pixel counts."""
    survey, moments = totals.survey, totals.moments
    squared_errors = moments.squared_error / moments.count if moments.count else np.full(len(survey.bands), np.nan)
    mean_squared_error = _mean(squared_errors)
    used_ratio = PAPER_ERGAS_RATIO if compat is Compat.PAPER else (ratio if ratio is not None else float("nan"))
    is_usable = usable_means(moments.reference_mean)
    per_band = _band_scores(totals, squared_errors)
    return Scores(
        psnr=float(psnr_db(np.asarray(mean_squared_error), np.asarray(survey.peak))),
        psnr_bands=_mean_psnr(psnr_db(squared_errors, survey.peaks)),
        ssim=_mean(np.array([band.ssim for band in per_band])),
        sam=totals.angle_sum / moments.count if moments.count else float("nan"),
        ergas=ergas(squared_errors[is_usable], moments.reference_mean[is_usable], ratio=used_ratio),
        rmse=float(np.sqrt(mean_squared_error)),
        uiqi=_mean(np.array([band.uiqi for band in per_band])),
        q2n=totals.hypercomplex_sum / totals.quality_pixels if totals.quality_pixels else float("nan"),
        cc=_mean(np.array([band.cc for band in per_band])),
        peak=survey.peak,
        ratio=used_ratio,
        pixels=moments.count,
        excluded_pixels=totals.excluded_pixels,
        bands=len(survey.bands),
        excluded_bands=tuple(band + 1 for band in survey.excluded),
        ergas_left_out=tuple(survey.bands[index] + 1 for index in np.flatnonzero(~is_usable)),
        missing=survey.missing,
        is_identical=mean_squared_error == 0,
        compat=compat,
        per_band=per_band,
    )


def psnr_db(squared_errors: NDArray[np.float64], peaks: NDArray[np.float64]) -> NDArray[np.float64]:
    """10 log10(peak^2 / MSE), element by element: infinite without error, NaN where the peak is not positive."""
    with np.errstate(divide="ignore", invalid="ignore"):
        psnr = 20 * np.log10(np.where(peaks > 0, peaks, np.nan)) - 10 * np.log10(squared_errors)
    return np.asarray(psnr)


def usable_means(means: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which band means are far enough from zero to divide by, (C,)."""
    sizes = np.abs(means)
    return np.asarray(sizes > NEGLIGIBLE_MEAN * sizes.max(initial=0.0))


def ergas(squared_errors: NDArray[np.float64], means: NDArray[np.float64], *, ratio: float) -> float:
    """Relative global error of synthesis (Wald 2000) from each band's mean square error and mean, (C,) both."""
    if squared_errors.size == 0:
        return float("nan")
    return float(100.0 / ratio * np.sqrt(np.mean(squared_errors / means**2)))


def _band_scores(totals: Totals, squared_errors: NDArray[np.float64]) -> tuple[BandScores, ...]:
    survey, moments = totals.survey, totals.moments
    columns = (
        psnr_db(squared_errors, survey.peaks),
        _over(totals.ssim_sum, totals.ssim_windows),
        np.sqrt(squared_errors),
        _over(totals.quality_sum, totals.quality_pixels),
        moments.correlation,
        moments.reference_mean,
    )
    rows = zip(survey.bands, *(column.tolist() for column in columns), strict=True)
    return tuple(BandScores(band + 1, *values) for band, *values in rows)


def _over(sums: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    return sums / count if count else np.full_like(sums, np.nan)


def _mean(values: NDArray[np.float64]) -> float:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if defined.size else float("nan")


def _mean_psnr(values: NDArray[np.float64]) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if finite.size else _mean(values)
