"""The page of `pifnet metrics --report`: about the reference where there is one, else about the pair alone."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from pifnet_cli.errors import SettingsError
from pifnet_cli.metrics.area import scored_area
from pifnet_cli.pages.highlights import require_inside
from pifnet_cli.pages.page import Page, Section, write_page
from pifnet_cli.pages.pair_page import pair_page
from pifnet_cli.pages.pair_sections import FusedPair, agreement_section, bands_sections
from pifnet_cli.pages.provenance import RunFacts, ScoredFiles, with_provenance
from pifnet_cli.pages.reference_page import reference_page
from pifnet_cli.progress import Progress, silent
from pifnet_cli.raster.reader import SceneReader, reopen_scene
from pifnet_cli.reports.files import require_free
from pifnet_cli.scene import Window
from pifnet_cli.scoring.with_reference import ScoredPair
from pifnet_cli.settings import MetricsSettings, ReportSettings
from pifnet_cli.workflows.metrics import Assessment, PairAssessment


def require_metrics_page(
    report: ReportSettings, files: ScoredFiles, *, others: Sequence[Path] = (), checkpoint: Path | None = None
) -> None:
    """Refuse a page that could not be published, or points outside of the scene, before anything is scored.

    Args:
        report: The page.
        files: The fused scene, and the scenes that it will be scored by.
        others: Further files that will be written.
        checkpoint: Is read as well.

    Raises:
        SceneWriteError: The page exists, is an input, or cannot be written.
        SettingsError: A point lies outside of the fused scene.
        PifnetError: An input cannot be used.
    """
    inputs = [*(path for _, path in files.named), *([] if checkpoint is None else [checkpoint])]
    require_free([*others, report.page], inputs=inputs, overwrite=report.overwrite)
    with reopen_scene(files.fused) as reader:
        require_inside(report.points, height=reader.scene.grid.height, width=reader.scene.grid.width)


def write_metrics_page(
    report: ReportSettings,
    found: Assessment,
    files: ScoredFiles,
    settings: MetricsSettings,
    *,
    run: RunFacts | None = None,
    sections: Sequence[Section] = (),
    progress: Progress = silent,
) -> None:
    """Publish the page of a fused scene that was scored.

    Args:
        report: Where to write the page, and the points to show.
        found: The scores.
        files: The scenes that were scored.
        settings: The options of the scoring.
        run: Command line and warnings.
        sections: Further sections, shown before the parameters.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        PifnetError: A scene cannot be read, or the page cannot be written.
    """
    with ExitStack() as stack:
        fused = stack.enter_context(reopen_scene(files.fused))
        scored = _scored_pair(fused, files, settings, stack)
        pair = None if found.by_pair is None else _fused_pair(fused, files, found.by_pair, settings, stack)
        page = _page(found, scored, pair, files, settings, points=report.points, progress=progress)
        page = replace(page, sections=(*page.sections, *sections))
        page = with_provenance(page, files, settings, fused.scene.bands if scored is None else scored.bands, run)
    write_page(report.page, page)


def _page(
    found: Assessment,
    scored: ScoredPair | None,
    pair: FusedPair | None,
    files: ScoredFiles,
    settings: MetricsSettings,
    *,
    points: Sequence[tuple[int, int]],
    progress: Progress,
) -> Page:
    """Make the page about the reference, or about the pair where there is no reference."""
    by_pair, rgb_bands = found.by_pair, settings.rgb_bands
    if found.scores is not None and scored is not None:
        page = reference_page(found.scores, scored, files, points=points, rgb_bands=rgb_bands, progress=progress)
        if by_pair is None or pair is None:
            return page
        agreement = agreement_section(by_pair.scores, by_pair.maps, pair.fused.scene.bands)
        return replace(page, sections=(*page.sections, agreement, *bands_sections(pair)))
    if by_pair is not None and pair is not None:
        return pair_page(by_pair, pair, files, points=points, progress=progress)
    raise SettingsError("a page needs scores, and the files that they are of; neither a reference nor a pair is here")


def _scored_pair(
    fused: SceneReader, files: ScoredFiles, settings: MetricsSettings, stack: ExitStack
) -> ScoredPair | None:
    """Open the reference where there is one; `stack` closes it."""
    if files.reference is None:
        return None
    reference = stack.enter_context(reopen_scene(files.reference))
    return ScoredPair(fused, reference, scored_area(fused.scene, reference.scene, border=settings.border))


def _fused_pair(
    fused: SceneReader, files: ScoredFiles, found: PairAssessment, settings: MetricsSettings, stack: ExitStack
) -> FusedPair:
    """Open the pair, with the blur and the grids that it was scored with; `stack` closes it."""
    if files.pair is None:
        raise SettingsError("a page about a pair needs the files of the pair; give them beside the scores")
    lr = stack.enter_context(reopen_scene(files.pair[0], nodata=settings.hsi_nodata))
    hr = stack.enter_context(reopen_scene(files.pair[1], nodata=settings.msi_nodata))
    area, grid = scored_area(fused.scene, hr.scene, border=0, role="HR-MSI"), fused.scene.grid
    first = area.reference.row - area.fused.row, area.reference.column - area.fused.column
    on_fused = replace(found.operator.alignment, output=Window(*first, grid.height, grid.width))
    return FusedPair(fused, lr, hr, replace(found.operator, alignment=on_fused))
