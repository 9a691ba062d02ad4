"""Sums over blocks of a scene, from which its scores follow; memory does not grow with the scene.

Two passes: `RunningSurvey` finds which bands count and their peaks, `RunningTotals` adds up everything else. Blocks
may come in any order.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.metrics.moments import Moments, block_moments
from pifnet_cli.metrics.spectral_angle import spectral_angle_deg
from pifnet_cli.metrics.structure import RADIUS, ssim_map, whole_windows
from pifnet_cli.scene import Pixels, Window

HALO = RADIUS  # pixels that a block needs around it
QUALITY_BLOCK = 32  # side of the blocks of UIQI and Q2n, as published
SMALLEST_BLOCK = 2  # pixels: one alone has no variance

Angle = Callable[[NDArray[np.float64], NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Survey:
    """Which bands count, and how large they are. Bands are indices from 0.

    Attributes:
        bands: Bands with at least one pixel valid in both images.
        excluded: The others.
        peaks: Largest reference value of each counted band, (len(bands),).
        missing: Fraction of the reference's valid values for which the fused image has none, 0 to 1.
    """

    bands: tuple[int, ...]
    excluded: tuple[int, ...]
    peaks: NDArray[np.float64]
    missing: float

    @property
    def peak(self) -> float:
        """The reference's largest value; NaN where no band counts."""
        return float(self.peaks.max()) if self.bands else float("nan")


class RunningSurvey:
    """First pass: counts of valid values and maxima per band."""

    def __init__(self, band_count: int) -> None:
        self._paired = np.zeros(band_count, dtype=np.int64)
        self._referenced = np.zeros(band_count, dtype=np.int64)
        self._peaks = np.full(band_count, -np.inf)

    def add(self, fused: Pixels, reference: Pixels) -> None:
        """Add one block, (C, h, w) each, invalid as NaN."""
        for band, (fused_band, reference_band) in enumerate(zip(fused, reference, strict=True)):
            is_valid = np.isfinite(reference_band)
            self._referenced[band] += np.count_nonzero(is_valid)
            self._paired[band] += np.count_nonzero(is_valid & np.isfinite(fused_band))
            peak = np.max(reference_band, where=is_valid, initial=-np.inf)
            self._peaks[band] = max(self._peaks[band], peak)

    def survey(self) -> Survey:
        """What the blocks so far show."""
        counts = self._paired > 0
        expected = int(self._referenced.sum())
        missing = (expected - int(self._paired.sum())) / expected if expected else 0.0
        return Survey(
            bands=tuple(np.flatnonzero(counts).tolist()),
            excluded=tuple(np.flatnonzero(~counts).tolist()),
            peaks=self._peaks[counts],
            missing=missing,
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of a whole scene; arrays have one entry per counted band.

    A pixel counts where every counted band is valid in both images. `quality_sum` and `hypercomplex_sum` weigh each
    block by its `quality_pixels`; `ssim_sum` runs over `ssim_windows` windows.
    """

    survey: Survey
    moments: Moments
    excluded_pixels: int
    angle_sum: float
    quality_pixels: int
    quality_sum: NDArray[np.float64]
    hypercomplex_sum: float
    ssim_windows: int
    ssim_sum: NDArray[np.float64]


class RunningTotals:
    """Second pass: sums over blocks, each pixel and each SSIM window once."""

    def __init__(
        self, survey: Survey, *, angle: Angle = spectral_angle_deg, value_range: tuple[float, float] | None = None
    ) -> None:
        """Begin with nothing.

        Args:
            survey: Of the first pass.
            angle: Between spectra.
            value_range: Lowest and highest value that a scene is taken to have: the fused image is cut to them, and
                SSIM has their range. Without it nothing is cut, and SSIM has the range from 0 to the reference's peak.
        """
        self._survey = survey
        self._bands = np.asarray(survey.bands, dtype=np.intp)
        self._angle = angle
        self._value_range = value_range
        self._structure_range = survey.peak if value_range is None else value_range[1] - value_range[0]
        self._moments = Moments.none(self._bands.size)
        self._excluded_pixels = 0
        self._angle_sum = 0.0
        self._quality_pixels = 0
        self._quality_sum = np.zeros(self._bands.size)
        self._hypercomplex_sum = 0.0
        self._ssim_windows = 0
        self._ssim_sum = np.zeros(self._bands.size)

    def add(self, fused: Pixels, reference: Pixels, *, core: Window) -> None:
        """Add the pixels inside `core`.

        Args:
            fused: (C, h, w), invalid as NaN; the core with a margin of `HALO` pixels wherever the scored area goes on.
            reference: The same pixels.
            core: The pixels that count now, in rows and columns of the arrays. Its first row and column are multiples
                of `QUALITY_BLOCK` pixels from those of the scored area, so that blocks do not depend on the tiling.
        """
        is_valid = self._valid_pixels(fused, reference)
        for block in core.blocks(QUALITY_BLOCK):
            self._add_block(fused, reference, is_valid, block=block)
        if self._structure_range > 0:
            self._add_structure(fused, reference, is_valid, core=core)

    def totals(self) -> Totals:
        """The sums so far."""
        return Totals(
            survey=self._survey,
            moments=self._moments,
            excluded_pixels=self._excluded_pixels,
            angle_sum=self._angle_sum,
            quality_pixels=self._quality_pixels,
            quality_sum=self._quality_sum.copy(),
            hypercomplex_sum=self._hypercomplex_sum,
            ssim_windows=self._ssim_windows,
            ssim_sum=self._ssim_sum.copy(),
        )

    def _valid_pixels(self, fused: Pixels, reference: Pixels) -> NDArray[np.bool_]:
        is_valid = np.full(fused.shape[1:], self._bands.size > 0)
        for band in self._bands:
            is_valid &= np.isfinite(fused[band])
            is_valid &= np.isfinite(reference[band])
        return is_valid

    def _add_block(self, fused: Pixels, reference: Pixels, is_valid: NDArray[np.bool_], *, block: Window) -> None:
        inside = is_valid[block.slices]
        self._excluded_pixels += int(np.count_nonzero(~inside))
        if not inside.any():
            return
        fused_pixels = self._cut(fused[(self._bands, *block.slices)][:, inside].astype(np.float64))  # (C, P)
        reference_pixels = reference[(self._bands, *block.slices)][:, inside].astype(np.float64)
        self._angle_sum += float(self._angle(fused_pixels, reference_pixels).sum())
        moments, hypercomplex_quality = block_moments(fused_pixels, reference_pixels)
        self._moments = self._moments.merged(moments)
        if moments.count >= SMALLEST_BLOCK:
            self._quality_pixels += moments.count
            self._quality_sum += moments.count * moments.quality
            self._hypercomplex_sum += moments.count * hypercomplex_quality

    def _add_structure(self, fused: Pixels, reference: Pixels, is_valid: NDArray[np.bool_], *, core: Window) -> None:
        """Add the SSIM windows whose centres lie in the core."""
        area = core.grown(HALO).clipped(*is_valid.shape)
        centres = core.relative_to(area).moved_by(-HALO, -HALO)
        centres = centres.clipped(area.height - 2 * HALO, area.width - 2 * HALO)
        if centres.is_empty:
            return
        is_valid = is_valid[area.slices]
        counts = whole_windows(is_valid)[centres.slices]
        self._ssim_windows += int(np.count_nonzero(counts))
        for index, band in enumerate(self._bands):
            fused_band, reference_band = (
                np.where(is_valid, image[band][area.slices], 0.0).astype(np.float64) for image in (fused, reference)
            )
            one = self._structure_range
            structure = ssim_map(self._cut(fused_band) / one, reference_band / one)[centres.slices]
            self._ssim_sum[index] += np.sum(structure, where=counts)

    def _cut(self, fused: NDArray[np.float64]) -> NDArray[np.float64]:
        return fused if self._value_range is None else np.clip(fused, *self._value_range)
