"""Sections of a page about the pair itself: what its bands tell, and how a fused scene agrees with it."""

import numpy as np

from pifnet_cli.fusion.pair_operator import PairOperator
from pifnet_cli.metrics.without_reference import UnreferencedScores
from pifnet_cli.pages.page import Section, facts_table
from pifnet_cli.pages.sections import band_positions, map_image, map_section
from pifnet_cli.pages.sensor_sections import BandFact, band_chart, bands_section, srf_section
from pifnet_cli.raster.reader import SceneReader
from pifnet_cli.reports.pictures import ConsistencyMaps
from pifnet_cli.reports.scores import UNREFERENCED_ROWS, shown_score
from pifnet_cli.scene import Bands
from pifnet_cli.workflows.estimate import scene_facts


def pair_sections(lr: SceneReader, hr: SceneReader, operator: PairOperator) -> list[Section]:
    """What the HR-MSI explains band by band, noise, the error to expect, and the response; none without pixels."""
    found = scene_facts(lr, hr, operator.alignment, operator.psf)
    if found is None:
        return []
    facts, expected, bands, msi = found.bands, found.expected_error, lr.scene.bands, hr.scene.bands
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
    """How a fused scene agrees with the pair that it was made from: maps, and scores that need no truth.

    Args:
        scores: Of `score_without_reference`.
        maps: That have watched it.
        bands: Of the fused scene.
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


def _in_words(explained: np.ndarray, expected: np.ndarray, bands: Bands) -> str:
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
