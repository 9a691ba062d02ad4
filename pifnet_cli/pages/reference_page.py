"""The page of a fused scene that was scored against its reference."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.metrics.spectral_angle import spectral_angle_deg
from pifnet_cli.metrics.with_reference import Scores
from pifnet_cli.pages.charts import Curve, Stroke
from pifnet_cli.pages.highlights import Point, distinct_spectra, named_points
from pifnet_cli.pages.page import Page, Section, Table, facts_table
from pifnet_cli.pages.provenance import ScoredFiles
from pifnet_cli.pages.sections import (
    BandFact,
    band_positions,
    bands_section,
    detail_section,
    map_image,
    map_section,
    overview_section,
    spectra_section,
)
from pifnet_cli.pages.views import (
    RgbBands,
    View,
    band_words,
    draw_views,
    full_blocks,
    natural_bands,
    reader_on,
    spectrum_at,
)
from pifnet_cli.progress import Progress
from pifnet_cli.reports.pictures import DifferenceMosaic, spectral_rmse
from pifnet_cli.reports.scores import TABLE_ROWS, shown_score
from pifnet_cli.scene import Window, spread_windows
from pifnet_cli.scoring.with_reference import ScoredPair

EDGE = 4  # pixels along the sides, whose spectra are not typical
SEARCHED = 48  # pixels along the side of the windows in which points are looked for


def reference_page(
    scores: Scores,
    pair: ScoredPair,
    files: ScoredFiles,
    *,
    points: Sequence[tuple[int, int]],
    rgb_bands: RgbBands | None,
    progress: Progress,
) -> Page:
    """Make the page without its provenance.

    Args:
        scores: Scores against the reference.
        pair: The scenes that were scored.
        files: Their files.
        points: (row, column) of pixels whose spectra are shown; [] to choose some.
        rgb_bands: Bands of the views, counted from 1; None to choose them by wavelength.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        PifnetError: A scene cannot be read.
    """
    grid = pair.fused.scene.grid
    views = draw_views(_views(pair, rgb_bands), height=grid.height, width=grid.width, textured=1, progress=progress)
    marked = named_points([(*place, "asked for") for place in points] or _distinct_places(pair), grid)
    reference = "" if files.reference is None else files.reference.name
    return Page(
        title=files.fused.name,
        subtitle=f"scored against {reference}: {scores.pixels} pixels, {scores.bands} bands",
        facts=_facts(scores),
        notices=(),
        sections=(
            overview_section("Fused and reference", views.drawn, points=marked, scene=(grid.height, grid.width)),
            detail_section(views.drawn, window=views.detail, points=marked),
            _errors(pair, scores, progress),
            _bands(pair, scores),
            *([_spectra(pair, marked)] if marked else []),
        ),
    )


def _views(pair: ScoredPair, chosen: RgbBands | None) -> list[View]:
    """Views of the fused scene and of the reference, on the pixels of the former."""
    bands = natural_bands(pair.bands) if chosen is None else (chosen[0] - 1, chosen[1] - 1, chosen[2] - 1)
    words = band_words(pair.bands, bands)
    return [
        View("fused", words, reader_on(pair.fused, bands), like=1),
        View("reference", words, reader_on(pair.reference, bands, origin=_origin(pair), within=pair.area.reference)),
    ]


def _distinct_places(pair: ScoredPair) -> list[tuple[int, int, str]]:
    """Pixels of the fused scene where the spectra of the reference tell the scene apart."""
    spectra, places = [], []
    edge = EDGE if min(pair.area.height, pair.area.width) > 4 * EDGE else 0
    for window in spread_windows(Window(0, 0, pair.area.height, pair.area.width).grown(-edge), side=SEARCHED, most=3):
        in_fused, in_reference = pair.area.windows(window)
        rows, columns = np.mgrid[in_fused.row : in_fused.bottom, in_fused.column : in_fused.right]
        spectra.append(pair.reference.read(in_reference).reshape(pair.bands.count, -1).T)
        places += list(zip(rows.ravel().tolist(), columns.ravel().tolist(), strict=True))
    return [(*places[number], reason) for number, reason in distinct_spectra(np.concatenate(spectra))]


def _errors(pair: ScoredPair, scores: Scores, progress: Progress) -> Section:
    """Map the error and the spectral angle over the scored area; one pass over both files."""
    area = pair.area
    bands = tuple(band for band in range(pair.bands.count) if band + 1 not in scores.excluded_bands)
    maps = [
        DifferenceMosaic(difference, bands=bands, height=area.height, width=area.width)
        for difference in (spectral_rmse, spectral_angle_deg)
    ]
    blocks = full_blocks(area.height, area.width, bands=pair.bands.count)
    for done, block in enumerate(blocks, start=1):
        fused, reference = pair.read(block)
        for one in maps:
            one.add(fused, reference, block)
        progress("mapping errors", done, len(blocks))
    rmse, angle = (one.image() for one in maps)
    images = [
        map_image(rmse, name="root mean square error over the bands"),
        map_image(angle, name="spectral angle", unit="degrees"),
    ]
    return map_section("Errors", images)


def _bands(pair: ScoredPair, scores: Scores) -> Section:
    """Show the scores of each band."""

    def over_bands(name: str) -> NDArray[np.float64]:
        values = np.full(pair.bands.count, np.nan)
        for band in scores.per_band:
            value = getattr(band, name)
            values[band.band - 1] = value if np.isfinite(value) else np.nan
        return values

    mean = over_bands("mean")
    relative = over_bands("rmse") / np.where(mean > 0, mean, np.nan)
    facts = [
        BandFact("PSNR, dB", (("", over_bands("psnr")),), from_zero=False),
        BandFact("RMSE over the reference's mean, %", (("", 100 * relative),)),
        BandFact("score", tuple((name.upper(), over_bands(name)) for name in ("ssim", "uiqi", "cc")), from_zero=False),
    ]
    return bands_section(*band_positions(pair.bands), facts)


def _spectra(pair: ScoredPair, points: Sequence[Point]) -> Section:
    """Show the spectra of both scenes at each point; the reference's within the scored area only."""
    positions, x_label = band_positions(pair.bands)
    origin = _origin(pair)
    curves = []
    for point in points:
        fused = spectrum_at(pair.fused, point.row, point.column)
        row, column = point.row + origin.row, point.column + origin.column
        truth = spectrum_at(pair.reference, row, column, within=pair.area.reference)
        curves.append([Curve("fused", positions, fused), Curve("reference", positions, truth, stroke=Stroke.DASHES)])
    return spectra_section(points, curves, x_label=x_label)


def _origin(pair: ScoredPair) -> Window:
    """The window of the reference that the fused scene covers; may leave it."""
    grid, area = pair.fused.scene.grid, pair.area
    return Window(area.reference.row - area.fused.row, area.reference.column - area.fused.column,
                  grid.height, grid.width)  # fmt: skip


def _facts(scores: Scores) -> Table:
    facts = [
        (title, f"{shown_score(getattr(scores, name))}{f' {unit}' if unit else ''}")
        for name, title, unit, _ in TABLE_ROWS
    ]
    return facts_table([*facts, ("missing", f"{100 * scores.missing:.3g} %"), ("ratio of ERGAS", f"{scores.ratio:g}")])
