"""The page of `pifnet metrics`: by the reference where there is one, with what the pair tells; else by the pair."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

from pifnet_cli.fusion.pair_operator import find_operator
from pifnet_cli.pages.page import Section
from pifnet_cli.pages.pair_page import write_agreement_report
from pifnet_cli.pages.pair_sections import agreement_section, pair_sections
from pifnet_cli.pages.reference_page import write_score_report
from pifnet_cli.pages.views import RunFacts, require_inside
from pifnet_cli.raster.formats import find_scene
from pifnet_cli.raster.reader import reopen_scene
from pifnet_cli.reports.files import require_free
from pifnet_cli.settings import FuseSettings, MetricsSettings, ReportSettings
from pifnet_cli.workflows.metrics import Assessment

Pair = tuple[Path, Path]
Progress = Callable[[str, int, int], None]


def require_report(report: ReportSettings, scenes: Sequence[Path], *, others: Sequence[Path] = ()) -> None:
    """Refuse a page that could not be published, or points outside of the scene, before anything is scored.

    Args:
        report: The page.
        scenes: The fused scene, and those that it will be scored by.
        others: Further files that will be written.

    Raises:
        SceneWriteError: The page exists, is an input, or cannot be written.
        SettingsError: A point lies outside of the fused scene.
        PifnetError: An input cannot be used.
    """
    inputs = [path for named in scenes for path in find_scene(named).all]
    require_free([*others, report.page], inputs=inputs, overwrite=report.overwrite)
    with reopen_scene(scenes[0]) as reader:
        require_inside(report.points, height=reader.scene.grid.height, width=reader.scene.grid.width)


def write_report(
    report: ReportSettings,
    found: Assessment,
    fused: Path,
    reference: Path | None,
    pair: Pair | None,
    settings: MetricsSettings,
    *,
    run: RunFacts,
    progress: Progress,
) -> None:
    """Publish the page of an assessment.

    Args:
        report: Where, and the points to show.
        found: What it came to.
        fused: The scene that was scored.
        reference: Its truth, if that was given.
        pair: What it was made from, if that was given.
        settings: How it was scored.
        run: Command line and warnings.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        PifnetError: A scene cannot be read, or the page cannot be written.
    """
    if found.scores is not None and reference is not None:
        sections = [] if pair is None else _by_pair(found, fused, pair, settings)
        write_score_report(
            report, found.scores, fused, reference, settings, run=run, sections=sections, progress=progress
        )
    elif found.unreferenced is not None and found.maps is not None and pair is not None:
        write_agreement_report(
            report, found.unreferenced, found.maps, (fused, *pair), settings, run=run, progress=progress
        )


def _by_pair(found: Assessment, fused: Path, pair: Pair, settings: MetricsSettings) -> list[Section]:
    with ExitStack() as stack:
        scene, lr, hr = (stack.enter_context(reopen_scene(path)) for path in (fused, *pair))
        given = FuseSettings(mtf_at_nyquist=settings.mtf_at_nyquist, protocol=settings.protocol)
        about_pair = pair_sections(lr, hr, find_operator(lr, hr, given))
        if found.unreferenced is None or found.maps is None:
            return about_pair
        return [agreement_section(found.unreferenced, found.maps, scene.scene.bands), *about_pair]
