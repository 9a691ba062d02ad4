"""A fused scene and the pair that it was made from on one page, where nobody knows the truth."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from pifnet_cli.fusion.pair_operator import PairOperator, find_operator
from pifnet_cli.metrics.area import scored_area
from pifnet_cli.metrics.without_reference import UnreferencedScores
from pifnet_cli.pages.charts import Curve, Stroke
from pifnet_cli.pages.page import Page, Section, facts_table, write_page
from pifnet_cli.pages.pair_sections import agreement_section, pair_sections
from pifnet_cli.pages.provenance import files_table, options_table, time_of_day, versions_table
from pifnet_cli.pages.sections import (
    Point,
    band_positions,
    bands_table,
    detail_section,
    overview_section,
    spectra_section,
)
from pifnet_cli.pages.sensor_sections import PSF_SOURCES, SensorFacts, sensor_section
from pifnet_cli.pages.views import (
    Eye,
    RunFacts,
    band_words,
    command_table,
    look_at,
    lr_pixel,
    named_points,
    natural_bands,
    reader_of_nearest,
    reader_on,
    spectrum_at,
)
from pifnet_cli.raster.reader import SceneReader, reopen_scene
from pifnet_cli.reports.pictures import ConsistencyMaps
from pifnet_cli.reports.scores import UNREFERENCED_ROWS, shown_score
from pifnet_cli.scene import Window
from pifnet_cli.settings import FuseSettings, MetricsSettings, ReportSettings

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class _Opened:
    """Three scenes; the operator's output begins with the first pixel of the fused scene."""

    fused: SceneReader
    lr: SceneReader
    hr: SceneReader
    operator: PairOperator


def write_agreement_report(
    report: ReportSettings,
    scores: UnreferencedScores,
    maps: ConsistencyMaps,
    scenes: tuple[Path, Path, Path],
    settings: MetricsSettings,
    *,
    run: RunFacts | None = None,
    progress: Progress = lambda _stage, _done, _total: None,
) -> None:
    """Publish the page.

    Args:
        report: Where, and the points to show.
        scores: Of `score_without_reference`.
        maps: That have watched it.
        scenes: Fused scene, LR-HSI and HR-MSI.
        settings: How they were scored.
        run: Command line and warnings.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        PifnetError: A scene cannot be read, or the page cannot be written.
    """
    run = run or RunFacts()
    with ExitStack() as stack:
        fused, lr, hr = (stack.enter_context(reopen_scene(path)) for path in scenes)
        opened = _opened(fused, lr, hr, settings)
        grid = opened.fused.scene.grid
        look = look_at(_eyes(opened), height=grid.height, width=grid.width, textured=1, progress=progress)
        points = named_points([(*place, "asked for") for place in report.points], grid)
        parts = [
            overview_section("Before and after", look.views, points=points, scene=(grid.height, grid.width)),
            detail_section(look.views, window=look.window, points=points),
            *([_spectra(opened, points)] if points else []),
            agreement_section(scores, maps, opened.fused.scene.bands),
            sensor_section(_sensor_facts(opened.operator)),
            *pair_sections(opened.lr, opened.hr, opened.operator),
            _parameters(scenes, opened, settings, run),
        ]
    rows = [(title, shown_score(getattr(scores, name))) for name, title, _, _ in UNREFERENCED_ROWS]
    page = Page(
        title=scenes[0].name,
        subtitle=f"scored by {scenes[1].name} and {scenes[2].name}: {scores.pixels} pixels, {scores.bands} bands",
        facts=facts_table(rows),
        notices=run.notices,
        sections=tuple(parts),
        footer=f"pifnet, {time_of_day()}",
    )
    write_page(report.page, page)


def _opened(fused: SceneReader, lr: SceneReader, hr: SceneReader, settings: MetricsSettings) -> _Opened:
    given = FuseSettings(mtf_at_nyquist=settings.mtf_at_nyquist, protocol=settings.protocol)
    operator, area = find_operator(lr, hr, given), scored_area(fused.scene, hr.scene, border=0, role="HR-MSI")
    grid, there = fused.scene.grid, area.reference
    begins = grid.window.moved_by(there.row - area.fused.row, there.column - area.fused.column)
    return _Opened(fused, lr, hr, replace(operator, alignment=replace(operator.alignment, output=begins)))


def _eyes(opened: _Opened) -> list[Eye]:
    alignment, bands, msi = opened.operator.alignment, opened.fused.scene.bands, opened.hr.scene.bands
    spectral, broad = natural_bands(bands), natural_bands(msi)
    words = band_words(bands, spectral)
    return [
        Eye("LR-HSI", spectral, words, reader_of_nearest(opened.lr, spectral, alignment), like=2),
        Eye("HR-MSI", broad, band_words(msi, broad), reader_on(opened.hr, broad, alignment.output)),
        Eye("fused", spectral, words, reader_on(opened.fused, spectral, Window(0, 0, 0, 0))),
    ]


def _spectra(opened: _Opened, points: Sequence[Point]) -> Section:
    positions, x_label = band_positions(opened.fused.scene.bands)
    curves = []
    for point in points:
        there = lr_pixel(opened.operator.alignment, point.row, point.column)
        fused, coarse = (
            spectrum_at(opened.fused, point.row, point.column),
            spectrum_at(opened.lr, there.row, there.column),
        )
        curves.append([Curve("fused", positions, fused), Curve("LR-HSI", positions, coarse, stroke=Stroke.DASHES)])
    return spectra_section(points, curves, x_label=x_label)


def _sensor_facts(operator: PairOperator) -> SensorFacts:
    alignment = operator.alignment
    ratio = alignment.ratio_rows, alignment.ratio_columns
    used = alignment.shift[0] / ratio[0], alignment.shift[1] / ratio[1]
    return SensorFacts(psf=operator.psf, ratio=ratio, source=PSF_SOURCES[operator.source], shift_used_lr=used)


def _parameters(scenes: tuple[Path, Path, Path], opened: _Opened, settings: MetricsSettings, run: RunFacts) -> Section:
    files = list(zip(("fused", "LR-HSI", "HR-MSI"), scenes, strict=True))
    tables = (files_table(files), options_table(settings), bands_table(opened.fused.scene.bands), versions_table())
    return Section(title="Parameters", parts=(*command_table(run), *tables))
