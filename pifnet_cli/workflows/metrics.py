"""All that can be said of a fused scene: against its reference, by its pair, or both."""

from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from threadpoolctl import threadpool_limits

from pifnet_cli.errors import SettingsError
from pifnet_cli.fusion.pair_operator import PairOperator
from pifnet_cli.metrics.with_reference import Scores
from pifnet_cli.metrics.without_reference import UnreferencedScores
from pifnet_cli.progress import Progress, silent
from pifnet_cli.raster.reader import open_scene, reopen_scene
from pifnet_cli.reports.files import require_free, write_text
from pifnet_cli.reports.pictures import ConsistencyMaps
from pifnet_cli.reports.scores import agreement_csv, assessment_csv
from pifnet_cli.scoring.with_reference import ReportFiles, score_scene
from pifnet_cli.scoring.without_reference import fused_and_pair, score_open_scenes
from pifnet_cli.settings import MetricsSettings


@dataclass(frozen=True, slots=True)
class PairAssessment:
    """Scores without a reference, their maps, and the blur and the grids of the pair that both were made with."""

    scores: UnreferencedScores
    maps: ConsistencyMaps
    operator: PairOperator


@dataclass(frozen=True, slots=True)
class Assessment:
    """Scores against the reference, those without it, or both.

    Attributes:
        scores: Against the reference; None where there is none.
        by_pair: From the LR-HSI and the HR-MSI; None where they were not given.
    """

    scores: Scores | None
    by_pair: PairAssessment | None = None

    @property
    def unreferenced(self) -> UnreferencedScores | None:
        """The scores that need no reference."""
        return None if self.by_pair is None else self.by_pair.scores


def assess_scene(
    fused: Path,
    reference: Path | None,
    pair: tuple[Path, Path] | None,
    settings: MetricsSettings,
    *,
    files: ReportFiles | None = None,
    progress: Progress = silent,
) -> Assessment:
    """Score a fused scene against its reference, by its pair, or both.

    Args:
        fused: ENVI or GeoTIFF.
        reference: As for `score_scene`.
        pair: LR-HSI and HR-MSI, as for `score_without_reference`.
        settings: How.
        files: Reports. With a reference all but the CSV of scores are about it; without one the maps and the bands'
            scores are about the agreement with the LR-HSI, and there is no quicklook.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        PifnetError: A scene cannot be read, scenes do not belong together, or a report cannot be written.
    """
    files = files or ReportFiles()
    if pair is None:
        if reference is None:
            raise SettingsError("nothing to score by: give REFERENCE, or --lr and --hr, or all three")
        return Assessment(score_scene(fused, reference, settings, files=files, progress=progress))
    inputs = [path for path in (fused, *pair, reference, settings.checkpoint) if path is not None]
    require_free(files.asked_for, inputs=inputs, overwrite=settings.overwrite)
    if reference is None:
        by_pair = _by_pair(fused, pair, settings, progress=progress)
        _write_without_reference(by_pair, fused, pair, files)
        return Assessment(None, by_pair)
    scores = score_scene(fused, reference, settings, files=replace(files, csv=None), progress=progress)
    by_pair = _by_pair(fused, pair, settings, progress=progress)
    if files.csv is not None:
        paths = {"fused": fused, "reference": reference, "lr": pair[0], "hr": pair[1]}
        write_text(files.csv, assessment_csv(scores, by_pair.scores, paths=paths))
    return Assessment(scores, by_pair)


def _by_pair(
    fused: Path,
    pair: tuple[Path, Path],
    settings: MetricsSettings,
    *,
    progress: Progress,
) -> PairAssessment:
    maps = ConsistencyMaps()
    with ExitStack() as stack:
        stack.enter_context(threadpool_limits(limits=1, user_api="blas"))
        fused_reader = stack.enter_context(open_scene(fused))
        lr = stack.enter_context(open_scene(pair[0], nodata=settings.hsi_nodata))
        hr = stack.enter_context(open_scene(pair[1], nodata=settings.msi_nodata))
        scenes = fused_and_pair(fused_reader, lr, hr, settings)
        scores = score_open_scenes(scenes, settings, observers=[maps], progress=progress)
    return PairAssessment(scores, maps, scenes.operator)


def _write_without_reference(found: PairAssessment, fused: Path, pair: tuple[Path, Path], files: ReportFiles) -> None:
    if files.csv is not None:
        paths = {"fused": fused, "lr": pair[0], "hr": pair[1]}
        write_text(files.csv, assessment_csv(None, found.scores, paths=paths))
    if files.bands_csv is not None:
        with reopen_scene(pair[0]) as lr:
            write_text(files.bands_csv, agreement_csv(found.scores, lr.scene.bands))
    found.maps.write(sam_map=files.sam_map, error_map=files.error_map)
