"""The page of a fused scene that was scored by its pair alone, without a reference."""

from collections.abc import Sequence

from pifnet_cli.pages.highlights import named_points
from pifnet_cli.pages.page import Page, facts_table
from pifnet_cli.pages.pair_sections import (
    FusedPair,
    agreement_section,
    bands_sections,
    pair_spectra_section,
    pair_views,
)
from pifnet_cli.pages.provenance import ScoredFiles
from pifnet_cli.pages.sections import detail_section, overview_section
from pifnet_cli.pages.sensor_sections import sensor_facts, sensor_section
from pifnet_cli.pages.views import draw_views
from pifnet_cli.progress import Progress
from pifnet_cli.reports.scores import UNREFERENCED_ROWS, shown_score
from pifnet_cli.workflows.metrics import PairAssessment


def pair_page(
    found: PairAssessment,
    pair: FusedPair,
    files: ScoredFiles,
    *,
    points: Sequence[tuple[int, int]],
    progress: Progress,
) -> Page:
    """Make the page without its provenance.

    Args:
        found: The scores and their maps.
        pair: The scenes that were scored.
        files: Their files.
        points: (row, column) of pixels whose spectra are shown.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        PifnetError: A scene cannot be read.
    """
    grid, scores = pair.fused.scene.grid, found.scores
    views = draw_views(pair_views(pair), height=grid.height, width=grid.width, textured=1, progress=progress)
    marked = named_points([(*place, "asked for") for place in points], grid)
    sections = (
        overview_section("Before and after", views.drawn, points=marked, scene=(grid.height, grid.width)),
        detail_section(views.drawn, window=views.detail, points=marked),
        *([pair_spectra_section(pair, marked)] if marked else []),
        agreement_section(scores, found.maps, pair.fused.scene.bands),
        sensor_section(sensor_facts(pair.operator)),
        *bands_sections(pair),
    )
    scored_by = " and ".join(path.name for path in files.pair or ())
    return Page(
        title=files.fused.name,
        subtitle=f"scored by {scored_by}: {scores.pixels} pixels, {scores.bands} bands",
        facts=facts_table([(title, shown_score(getattr(scores, name))) for name, title, _, _ in UNREFERENCED_ROWS]),
        notices=(),
        sections=sections,
    )
