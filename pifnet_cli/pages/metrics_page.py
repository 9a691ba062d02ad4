"""The page of `pifnet metrics --report`: about the reference where there is one, else about the pair alone."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from pifnet_cli.errors import SettingsError
from pifnet_cli.metrics.area import scored_area
from pifnet_cli.pages.highlights import require_inside
from pifnet_cli.pages.page import Section, write_page
from pifnet_cli.pages.pair_page import pair_page
from pifnet_cli.pages.pair_sections import FusedPair, agreement_section, bands_sections
from pifnet_cli.pages.provenance import RunFacts, ScoredFiles
from pifnet_cli.pages.reference_page import reference_page
from pifnet_cli.raster.formats import find_scene
from pifnet_cli.raster.reader import SceneReader, reopen_scene
from pifnet_cli.reports.files import require_free
from pifnet_cli.scene import Window
from pifnet_cli.scoring.with_reference import ScoredPair
from pifnet_cli.settings import MetricsSettings, ReportSettings
from pifnet_cli.workflows.metrics import Assessment, PairAssessment

Progress = Callable[[str, int, int], None]


def require_metrics_page(report: ReportSettings, files: ScoredFiles, *, others: Sequence[Path] = ()) -> None:
    """Refuse a page that could not be published, or points outside of the scene, before anything is scored.

    Args:
        report: The page.
        files: The fused scene, and the scenes that it will be scored by.
        others: Further files that will be written.

    Raises:
        SceneWriteError: The page exists, is an input, or cannot be written.
        SettingsError: A point lies outside of the fused scene.
        PifnetError: An input cannot be used.
    """
    inputs = [path for _, named in files.named for path in find_scene(named).all]
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
    progress: Progress = lambda _stage, _done, _total: None,
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
    run, points, by_pair = run or RunFacts(), report.points, found.by_pair
    with ExitStack() as stack:
        fused = stack.enter_context(reopen_scene(files.fused))
        pair = None if by_pair is None else _fused_pair(fused, files, by_pair, stack)
        if found.scores is not None and files.reference is not None:
            reference = stack.enter_context(reopen_scene(files.reference))
            area = scored_area(fused.scene, reference.scene, border=settings.border)
            if by_pair is not None and pair is not None:
                agreement = agreement_section(by_pair.scores, by_pair.maps, fused.scene.bands)
                sections = [*sections, agreement, *bands_sections(pair)]
            page = reference_page(
                found.scores, ScoredPair(fused, reference, area), files, settings, points=points, run=run,
                sections=sections, progress=progress,
            )  # fmt: skip
        elif by_pair is not None and pair is not None:
            page = pair_page(
                by_pair, pair, files, settings, points=points, run=run, sections=sections, progress=progress
            )
        else:
            raise SettingsError("nothing was scored; a page needs scores, and the files that they are of")
    write_page(report.page, page)


def _fused_pair(fused: SceneReader, files: ScoredFiles, found: PairAssessment, stack: ExitStack) -> FusedPair:
    """Open the pair, with the blur and the grids that it was scored with, on the fused scene's grid."""
    if files.pair is None:
        raise SettingsError("scores of a pair, but not its files; give both")
    lr, hr = (stack.enter_context(reopen_scene(path)) for path in files.pair)
    area, grid = scored_area(fused.scene, hr.scene, border=0, role="HR-MSI"), fused.scene.grid
    first = area.reference.row - area.fused.row, area.reference.column - area.fused.column
    on_fused = replace(found.operator.alignment, output=Window(*first, grid.height, grid.width))
    return FusedPair(fused, lr, hr, replace(found.operator, alignment=on_fused))
