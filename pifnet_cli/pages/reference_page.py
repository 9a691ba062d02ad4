"""A fused scene beside its reference on one page; a pass over both files."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.metrics.area import scored_area
from pifnet_cli.metrics.spectral_angle import spectral_angle_deg
from pifnet_cli.metrics.with_reference import Scores
from pifnet_cli.pages.charts import Curve, Stroke
from pifnet_cli.pages.highlights import distinct_spectra
from pifnet_cli.pages.page import Page, Section, Table, facts_table, write_page
from pifnet_cli.pages.provenance import files_table, options_table, time_of_day, versions_table
from pifnet_cli.pages.sections import (
    Point,
    band_positions,
    bands_table,
    detail_section,
    map_image,
    map_section,
    overview_section,
    spectra_section,
)
from pifnet_cli.pages.sensor_sections import BandFact, bands_section
from pifnet_cli.pages.views import (
    Eye,
    RunFacts,
    band_words,
    command_table,
    full_blocks,
    look_at,
    named_points,
    natural_bands,
    reader_on,
    spectrum_at,
)
from pifnet_cli.raster.reader import reopen_scene
from pifnet_cli.reports.pictures import DifferenceMosaic, spectral_rmse
from pifnet_cli.reports.scores import TABLE_ROWS, shown_score
from pifnet_cli.scene import Pixels, Window, spread_windows
from pifnet_cli.scoring.with_reference import ScoredPair
from pifnet_cli.settings import MetricsSettings, ReportSettings

EDGE = 4  # pixels along the sides that are no typical ones
SEARCHED = 48  # pixels along the side of the windows that places are chosen from

Progress = Callable[[str, int, int], None]


def write_score_report(
    report: ReportSettings,
    scores: Scores,
    fused: Path,
    reference: Path,
    settings: MetricsSettings,
    *,
    run: RunFacts | None = None,
    sections: Sequence[Section] = (),
    progress: Progress = lambda _stage, _done, _total: None,
) -> None:
    """Publish the page of scenes that were scored.

    Args:
        report: Where, and the points to show.
        scores: Of the two scenes.
        fused: As it was scored.
        reference: Likewise.
        settings: How it was scored.
        run: Command line and warnings.
        sections: Further ones, before the parameters.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        PifnetError: A scene cannot be read, or the page cannot be written.
    """
    run = run or RunFacts()
    with reopen_scene(fused) as fused_reader, reopen_scene(reference) as reference_reader:
        area = scored_area(fused_reader.scene, reference_reader.scene, border=settings.border)
        pair = ScoredPair(fused_reader, reference_reader, area)
        grid = fused_reader.scene.grid
        look = look_at(_eyes(pair, settings), height=grid.height, width=grid.width, textured=1, progress=progress)
        places = [(*place, "asked for") for place in report.points] or _default_places(pair)
        points = named_points(places, grid)
        parts = [
            overview_section("Fused and reference", look.views, points=points, scene=(grid.height, grid.width)),
            detail_section(look.views, window=look.window, points=points),
            _errors(pair, scores, progress),
            _bands(pair, scores),
            *([_spectra(pair, points)] if points else []),
            *sections,
            _parameters(pair, settings, run),
        ]
    page = Page(
        title=fused.name,
        subtitle=f"scored against {reference.name}: {scores.pixels} pixels, {scores.bands} bands",
        facts=_facts(scores),
        notices=run.notices,
        sections=tuple(parts),
        footer=f"pifnet, {time_of_day()}",
    )
    write_page(report.page, page)


def _eyes(pair: ScoredPair, settings: MetricsSettings) -> list[Eye]:
    """The fused scene and the reference, on the pixels of the former."""
    chosen = settings.rgb_bands
    bands = natural_bands(pair.bands) if chosen is None else (chosen[0] - 1, chosen[1] - 1, chosen[2] - 1)
    words = band_words(pair.bands, bands)
    return [
        Eye("fused", bands, words, reader_on(pair.fused, bands, Window(0, 0, 0, 0)), like=1),
        Eye("reference", bands, words, _reference_reader(pair, bands)),
    ]


def _reference_reader(pair: ScoredPair, bands: tuple[int, int, int]) -> Callable[[Window], Pixels]:
    """Reads windows of the fused scene; NaN where nothing is scored."""
    area = pair.area

    def read(window: Window) -> Pixels:
        image = np.full((len(bands), window.height, window.width), np.nan, dtype=np.float32)
        part = window.relative_to(area.fused).clipped(area.height, area.width)
        if not part.is_empty:
            in_fused, in_reference = area.windows(part)
            inside = in_fused.relative_to(window)
            image[(slice(None), *inside.slices)] = pair.reference.read(in_reference, bands=bands)
        return image

    return read


def _default_places(pair: ScoredPair) -> list[tuple[int, int, str]]:
    """Pixels of the fused scene where the spectra of the reference tell it apart."""
    spectra, places = [], []
    edge = EDGE if min(pair.area.height, pair.area.width) > 4 * EDGE else 0
    for window in spread_windows(Window(0, 0, pair.area.height, pair.area.width).grown(-edge), side=SEARCHED, most=3):
        in_fused, in_reference = pair.area.windows(window)
        rows, columns = np.mgrid[in_fused.row : in_fused.bottom, in_fused.column : in_fused.right]
        spectra.append(pair.reference.read(in_reference).reshape(pair.bands.count, -1).T)
        places += list(zip(rows.ravel().tolist(), columns.ravel().tolist(), strict=True))
    return [(*places[number], reason) for number, reason in distinct_spectra(np.concatenate(spectra))]


def _errors(pair: ScoredPair, scores: Scores, progress: Progress) -> Section:
    """Maps of the error and of the spectral angle over the scored area."""
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
    """Scores over wavelength."""

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
    positions, x_label = band_positions(pair.bands)
    curves = []
    for point in points:
        inside = Window(point.row, point.column, 1, 1).relative_to(pair.area.fused)
        fused = spectrum_at(pair.fused, point.row, point.column)
        truth = np.full(len(fused), np.nan)
        if not inside.clipped(pair.area.height, pair.area.width).is_empty:
            there = pair.area.windows(inside)[1]
            truth = spectrum_at(pair.reference, there.row, there.column)
        curves.append([Curve("fused", positions, fused), Curve("reference", positions, truth, stroke=Stroke.DASHES)])
    return spectra_section(points, curves, x_label=x_label)


def _facts(scores: Scores) -> Table:
    facts = [
        (title, f"{shown_score(getattr(scores, name))}{f' {unit}' if unit else ''}")
        for name, title, unit, _ in TABLE_ROWS
    ]
    return facts_table([*facts, ("missing", f"{100 * scores.missing:.3g} %"), ("ratio of ERGAS", f"{scores.ratio:g}")])


def _parameters(pair: ScoredPair, settings: MetricsSettings, run: RunFacts) -> Section:
    files = [("fused", pair.fused.path), ("reference", pair.reference.path)]
    tables = (files_table(files), options_table(settings), bands_table(pair.bands), versions_table())
    return Section(title="Parameters", parts=(*command_table(run), *tables))
