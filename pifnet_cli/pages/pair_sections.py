"""Sections about a fused scene and the pair that it was made from: views, spectra, what the bands tell, agreement."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.fusion.pair_operator import PairOperator
from pifnet_cli.metrics.without_reference import UnreferencedScores
from pifnet_cli.pages.charts import Curve, Stroke
from pifnet_cli.pages.highlights import Point
from pifnet_cli.pages.page import Section, facts_table
from pifnet_cli.pages.sections import (
    BandFact,
    band_chart,
    band_positions,
    bands_section,
    map_image,
    map_section,
    spectra_section,
)
from pifnet_cli.pages.sensor_sections import srf_section
from pifnet_cli.pages.views import View, band_words, lr_pixel, natural_bands, reader_of_nearest, reader_on, spectrum_at
from pifnet_cli.pair.alignment import AS_DELIVERED, Alignment, share_a_map
from pifnet_cli.raster.reader import SceneReader
from pifnet_cli.reports.pictures import ConsistencyMaps
from pifnet_cli.reports.scores import UNREFERENCED_ROWS, shown_score
from pifnet_cli.scene import Bands
from pifnet_cli.workflows.estimate import scene_facts

COMPARABLE = 3.0  # factor between the numbers of two scenes, from which on one is scaled to the other in a chart

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FusedPair:
    """A fused scene and its pair, all open.

    Attributes:
        fused: The fused scene.
        lr: The LR-HSI, with the bands of the fused scene.
        hr: The HR-MSI.
        operator: Blur and grids; the output of its alignment is the fused scene's grid.
        sigma: Standard deviations on the fused scene's grid; None where there are none.
    """

    fused: SceneReader
    lr: SceneReader
    hr: SceneReader
    operator: PairOperator
    sigma: SceneReader | None = None

    @property
    def alignment(self) -> Alignment:
        """How the two grids of the pair lie on each other."""
        return self.operator.alignment


def pair_views(pair: FusedPair) -> list[View]:
    """Views of the LR-HSI as delivered, of the HR-MSI, and of the fused scene."""
    is_placed = share_a_map(pair.lr.scene, pair.hr.scene)
    placed = replace(pair.alignment, correction=AS_DELIVERED) if is_placed else pair.alignment
    bands, msi = pair.lr.scene.bands, pair.hr.scene.bands
    spectral, broad = natural_bands(bands), natural_bands(msi)
    words = band_words(bands, spectral)
    return [
        View("LR-HSI", f"{words}, as {'delivered' if is_placed else 'found'}",
             reader_of_nearest(pair.lr, spectral, placed), like=2),
        View("HR-MSI", band_words(msi, broad), reader_on(pair.hr, broad, origin=pair.alignment.output)),
        View("fused", words, reader_on(pair.fused, spectral)),
    ]  # fmt: skip


def pair_spectra_section(pair: FusedPair, points: Sequence[Point]) -> Section:
    """Show the spectra of all three scenes at each point."""
    positions, x_label = band_positions(pair.fused.scene.bands)
    fused = [spectrum_at(pair.fused, point.row, point.column) for point in points]
    curves = []
    for point, spectrum, of_msi in zip(points, fused, _msi_curves(pair, points, fused), strict=True):
        coarse = spectrum_at(pair.lr, *lr_pixel(pair.alignment, point.row, point.column))
        spread = None if pair.sigma is None else spectrum_at(pair.sigma, point.row, point.column)
        label = "fused" if spread is None else "fused, ± 1 standard deviation"
        of_pair = Curve(label, positions, spectrum, spread=spread), Curve("LR-HSI", positions, coarse, Stroke.DASHES)
        curves.append([*of_pair, *of_msi])
    text = (
        "The fused pixel, the LR-HSI's pixel that it lies in (a mixture of several of them), and the HR-MSI at the "
        "centres of its bands. Bands without data, or marked as bad, are left out."
    )
    return spectra_section(points, curves, x_label=x_label, text=text)


def bands_sections(pair: FusedPair) -> list[Section]:
    """Show what the HR-MSI explains of each band, noise, the error to expect, and the response; [] without pixels."""
    hr_grid, alignment = pair.hr.scene.grid, pair.alignment
    on_hr = replace(alignment, output=alignment.output.clipped(hr_grid.height, hr_grid.width))
    found = scene_facts(pair.lr, pair.hr, on_hr, pair.operator.psf)
    if found is None:
        return []
    facts, expected, bands, msi = found.bands, found.expected_error, pair.lr.scene.bands, pair.hr.scene.bands
    noise = np.where(facts.noise > 0, facts.noise, np.nan)
    explained = np.where(np.diag(facts.regression.residual_covariance) > 0, facts.explained, np.nan)
    by_band = bands_section(
        *band_positions(bands),
        [
            BandFact("share explained by the HR-MSI", (("", explained),)),
            BandFact("noise and error", (("noise of the LR-HSI", noise), ("error to expect", expected))),
        ],
        title="How well it can work here",
        text=_in_words(explained, expected, bands),
    )
    if facts.wavelengths_nm is None:
        return [by_band]
    names = msi.names or tuple(f"band {number + 1}" for number in range(msi.count))
    text = (
        "Found from the pair: weights, none below zero and smooth over wavelength, by which the LR-HSI's bands make up "
        "those of the HR-MSI. Neighbouring bands look alike, so that widths are less certain than centres."
    )
    order = np.argsort(facts.wavelengths_nm)
    weights = facts.response.relative[:, order]
    return [by_band, srf_section(weights, facts.wavelengths_nm[order], names=names, text=text)]


def agreement_section(scores: UnreferencedScores, maps: ConsistencyMaps, bands: Bands) -> Section:
    """Show how a fused scene agrees with its pair: maps, and scores that need no reference.

    Args:
        scores: From `score_without_reference`.
        maps: Maps that were filled while it scored.
        bands: Bands of the fused scene.
    """
    error, noise = np.full(bands.count, np.nan), np.full(bands.count, np.nan)
    for band in scores.lr_per_band:
        error[band.band - 1], noise[band.band - 1] = band.rmse, np.nan if band.noise is None else band.noise
    positions, x_label = band_positions(bands)
    curves = BandFact("difference from the LR-HSI", (("RMSE", error), ("its noise", noise)))
    rows = [
        (title, f"{shown_score(getattr(scores, name))}{f' {unit}' if unit else ''}")
        for name, title, unit, _ in UNREFERENCED_ROWS
    ]
    images = [
        map_image(maps.lr_rmse, name="RMSE to the LR-HSI, after degrading the fused scene"),
        map_image(maps.lr_sam, name="spectral angle to the LR-HSI", unit="degrees"),
        map_image(maps.msi_rmse, name="RMSE to the HR-MSI, after projecting the fused spectra"),
    ]
    return map_section(
        "Agreement with the pair",
        images,
        charts=[band_chart(positions, x_label, curves)],
        tables=[facts_table(rows)],
        text="No truth is needed for these, and none of them is the error: degraded by the sensor's blur the fused "
        "scene should differ from the LR-HSI by that scene's noise, projected on the MSI's bands by the HR-MSI's.",
    )


def _msi_curves(pair: FusedPair, points: Sequence[Point], fused: Sequence[Floats]) -> list[list[Curve]]:
    """The HR-MSI's curve at each point, in the numbers of the fused scene; none without wavelengths."""
    msi_nm, wavelengths_nm = pair.hr.scene.bands.wavelengths_nm, pair.fused.scene.bands.wavelengths_nm
    if msi_nm is None or wavelengths_nm is None:
        return [[] for _ in points]
    origin = pair.alignment.output
    msi = [spectrum_at(pair.hr, point.row + origin.row, point.column + origin.column) for point in points]
    factor = _factor(wavelengths_nm, fused, msi_nm, msi)
    label = "HR-MSI" if factor == 1.0 else f"HR-MSI x {factor:.4g}"
    return [[Curve(label, msi_nm, values * factor, stroke=Stroke.POINTS)] for values in msi]


def _factor(wavelengths_nm: Floats, fused: Sequence[Floats], msi_nm: Floats, msi: Sequence[Floats]) -> float:
    """Factor that brings the HR-MSI to the numbers of the fused scene; 1 where both are of one kind."""
    ratios = []
    for spectrum, values in zip(fused, msi, strict=True):
        order = np.argsort(wavelengths_nm)
        known = np.isfinite(spectrum[order])
        if known.any():
            there = np.interp(msi_nm, wavelengths_nm[order][known], spectrum[order][known], left=np.nan, right=np.nan)
            ratios += [one / other for one, other in zip(there, values, strict=True) if one > 0 and other > 0]
    usual = float(np.median(ratios)) if ratios else 1.0
    return 1.0 if 1 / COMPARABLE < usual < COMPARABLE else float(f"{usual:.2g}")


def _in_words(explained: Floats, expected: Floats, bands: Bands) -> str:
    """Sum up how much of the bands the HR-MSI explains; empty where that is not known."""
    known = np.flatnonzero(np.isfinite(explained))
    if not known.size or not np.isfinite(expected).any():
        return ""
    worst = int(known[np.argmin(explained[known])])
    wavelengths = bands.wavelengths_nm
    where = "" if wavelengths is None else f", {wavelengths[worst]:.0f} nm"
    middle, error = float(np.nanmedian(explained)), float(np.sqrt(np.nanmean(np.square(expected))))
    return (
        f"Of the variance of the LR-HSI's bands the HR-MSI explains {100 * middle:.1f} % in the median, least "
        f"({100 * explained[worst]:.1f} %) in band {worst + 1}{where}. What it does not explain comes from the LR-HSI. "
        f"Guided kriging expects an error of {error:.4g} over all bands (root mean square)."
    )
