"""Fused scene and reference -> common ground -> scores -> reports and pictures."""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from rasterio.crs import CRS

from pifnet_cli.choices import Compat
from pifnet_cli.degrade.record import simulated_ratio
from pifnet_cli.errors import BandsError, GridError, SceneReadError
from pifnet_cli.metrics.area import ScoredArea, scored_area
from pifnet_cli.metrics.running import HALO, QUALITY_BLOCK, RunningSurvey, Survey
from pifnet_cli.metrics.spectral_angle import spectral_angle_deg
from pifnet_cli.metrics.with_reference import PAPER_RANGE, Scores, running_totals, scores_from
from pifnet_cli.progress import Progress, silent
from pifnet_cli.raster.reader import SceneReader, open_scene
from pifnet_cli.reports.files import require_free, write_text
from pifnet_cli.reports.pictures import ComparisonPicture, DifferenceMap, PseudoColour, rgb_bands, spectral_rmse
from pifnet_cli.reports.scores import band_scores_csv, scores_csv
from pifnet_cli.scene import RATIO_FIELD, Bands, Pixels, Scene, Window
from pifnet_cli.settings import MetricsSettings

log = logging.getLogger(__name__)

WAVELENGTH_TOLERANCE_NM = 0.5


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Files to be written besides: scores and per-band scores as CSV, three pictures as PNG."""

    csv: Path | None = None
    bands_csv: Path | None = None
    sam_map: Path | None = None
    error_map: Path | None = None
    quicklook: Path | None = None

    @property
    def asked_for(self) -> tuple[Path, ...]:
        """Those that were named."""
        paths = (getattr(self, item.name) for item in fields(self))
        return tuple(path for path in paths if path is not None)


@dataclass(frozen=True, slots=True)
class ScoredPair:
    """Two open scenes and the ground they share."""

    fused: SceneReader
    reference: SceneReader
    area: ScoredArea

    @property
    def bands(self) -> Bands:
        """The bands of both, as the file describes them that knows their wavelengths."""
        described = self.reference.scene.bands
        return self.fused.scene.bands if described.wavelengths_nm is None else described

    def read(self, part: Window) -> tuple[Pixels, Pixels]:
        """The pixels of both in a part of the area."""
        in_fused, in_reference = self.area.windows(part)
        return self.fused.read(in_fused), self.reference.read(in_reference)


def score_scene(
    fused: Path,
    reference: Path,
    settings: MetricsSettings,
    *,
    files: ReportFiles | None = None,
    progress: Progress = silent,
) -> Scores:
    """Score a fused scene against the true one, block by block.

    Args:
        fused: ENVI or GeoTIFF.
        reference: Scene with the same bands; its pixels coincide with those of `fused` where both lie.
        settings: How.
        files: Reports to be written; each appears complete or not at all.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        PifnetError: A scene cannot be read, the two cannot be compared, or a report cannot be written.
    """
    files = files or ReportFiles()
    with open_scene(fused) as fused_reader, open_scene(reference) as reference_reader:
        require_free(files.asked_for, inputs=[fused, reference], overwrite=settings.overwrite)
        pair = _comparable_pair(fused_reader, reference_reader, border=settings.border)
        whole = Window(0, 0, pair.area.height, pair.area.width)
        blocks = list(whole.blocks(_block_side(settings, bands=pair.bands.count)))
        survey = _survey(pair, blocks, progress)
        pictures = _pictures(pair, survey.survey(), settings, files)
        totals = running_totals(survey, compat=settings.compat)
        for done, core in enumerate(blocks, start=1):
            around = core.grown(HALO).clipped(pair.area.height, pair.area.width)
            inside = core.relative_to(around)
            fused_pixels, reference_pixels = pair.read(around)
            totals.add(fused_pixels, reference_pixels, core=inside)
            for picture in pictures:
                picture.add(_part(fused_pixels, inside), _part(reference_pixels, inside), core)
            progress("scoring", done, len(blocks))
    ratio = _ratio(settings.ratio, pair.fused.scene, reference)
    scores = scores_from(totals.totals(), ratio=ratio, compat=settings.compat)
    _tell(scores, pair)
    if settings.compat is Compat.PAPER and scores.peak > PAPER_RANGE[1]:
        log.warning(
            "%s: its values reach %.6g, but PIF-Net's own evaluation takes scenes within [0, 1], to which %s was cut; "
            "scale both to [0, 1], or leave out --compat paper",
            reference,
            scores.peak,
            fused,
        )
    _write(scores, pair, pictures, files)
    return scores


def _comparable_pair(fused: SceneReader, reference: SceneReader, *, border: int) -> ScoredPair:
    """The pair, or the reason why its pixels or bands cannot be compared."""
    require_same_bands(fused.scene, reference.scene)
    require_same_crs(fused.scene, reference.scene)
    area = scored_area(fused.scene, reference.scene, border=border)
    for notice in area.notices:
        log.warning("%s", notice)
    return ScoredPair(fused, reference, area)


def require_same_bands(fused: Scene, reference: Scene, *, role: str = "reference") -> None:
    """Refuse other counts or wavelengths; `role` names the second scene in messages."""
    if fused.bands.count != reference.bands.count:
        raise BandsError(
            f"{fused.path}: {fused.bands.count} bands, but {reference.path} has {reference.bands.count}; "
            f"a fused scene and its {role} have the same bands; select them with: gdal_translate -b"
        )
    fused_nm, reference_nm = fused.bands.wavelengths_nm, reference.bands.wavelengths_nm
    if fused_nm is None or reference_nm is None:
        return
    worst = int(np.argmax(np.abs(fused_nm - reference_nm)))
    if abs(fused_nm[worst] - reference_nm[worst]) > WAVELENGTH_TOLERANCE_NM:
        raise BandsError(
            f"{fused.path}: band {worst + 1} lies at {fused_nm[worst]:.6g} nm, but at {reference_nm[worst]:.6g} nm in "
            f"{reference.path}; the same bands in the same order were expected"
        )


def require_same_crs(fused: Scene, reference: Scene, *, role: str = "reference") -> None:
    """Refuse scenes in two CRS, or with a CRS on one alone; `role` names the second scene in messages."""
    if fused.grid.is_georeferenced != reference.grid.is_georeferenced:
        bare, located = (reference, fused) if fused.grid.is_georeferenced else (fused, reference)
        raise GridError(
            f"{bare.path}: has no CRS, but {located.path} has one; both or neither must be georeferenced; "
            f"assign one with: gdal_edit.py -a_srs EPSG:CODE {bare.path}"
        )
    if fused.grid.crs_wkt is None or reference.grid.crs_wkt is None or fused.grid.crs_wkt == reference.grid.crs_wkt:
        return
    fused_crs, reference_crs = CRS.from_wkt(fused.grid.crs_wkt), CRS.from_wkt(reference.grid.crs_wkt)
    fused_code, reference_code = fused_crs.to_epsg(), reference_crs.to_epsg()
    if fused_crs != reference_crs and (fused_code is None or fused_code != reference_code):
        raise GridError(
            f"{fused.path}: its CRS ({fused_code or 'without EPSG code'}) is not that of {reference.path} "
            f"({reference_code or 'without EPSG code'}); scores need the same pixels: fuse in the {role}'s CRS, or "
            f"bring the fused scene onto its grid with gdalwarp"
        )


def _block_side(settings: MetricsSettings, *, bands: int) -> int:
    """Side of a block: a multiple of `QUALITY_BLOCK` whose pixels, with their margin, keep to the settings."""
    affordable = math.isqrt(settings.block_bytes // (4 * bands)) - 2 * HALO
    return max(min(settings.block_size, affordable) // QUALITY_BLOCK, 1) * QUALITY_BLOCK


def _survey(pair: ScoredPair, blocks: Sequence[Window], progress: Progress) -> RunningSurvey:
    survey = RunningSurvey(pair.bands.count)
    for done, core in enumerate(blocks, start=1):
        survey.add(*pair.read(core))
        progress("surveying", done, len(blocks))
    if not survey.survey().bands:
        raise SceneReadError(
            f"{pair.fused.scene.path}: no pixel is valid both here and in {pair.reference.scene.path}; nothing can be "
            f"scored; is nodata declared rightly in both?"
        )
    return survey


def _pictures(
    pair: ScoredPair, survey: Survey, settings: MetricsSettings, files: ReportFiles
) -> tuple[ComparisonPicture, ...]:
    height, width = pair.area.height, pair.area.width
    pictures: list[ComparisonPicture] = []
    if files.quicklook is not None:
        path = pair.reference.scene.path
        bands = settings.rgb_bands or rgb_bands(pair.bands, usable=survey.bands, path=path)
        if max(bands) > pair.bands.count:
            raise BandsError(f"{path}: has {pair.bands.count} bands; --rgb-bands asks for {max(bands)}")
        pictures.append(PseudoColour(files.quicklook, bands=bands, height=height, width=width))
    maps = (
        (files.sam_map, "spectral angle in degrees", spectral_angle_deg),
        (files.error_map, "root mean square error over the bands", spectral_rmse),
    )
    pictures += [
        DifferenceMap(name, quantity=quantity, difference=difference, bands=survey.bands, height=height, width=width)
        for name, quantity, difference in maps
        if name is not None
    ]
    return tuple(pictures)


def _ratio(given: float | None, fused: Scene, reference: Path) -> float | None:
    """The ratio of the fusion: given, or noted in the fused file, or in the simulation's record at the reference."""
    if given is not None:
        return given
    noted = [value for name, value in fused.acquisition if name == RATIO_FIELD]
    try:
        ratio = float(noted[0]) if noted else math.nan
    except ValueError:
        ratio = math.nan
    return ratio if ratio >= 1 else simulated_ratio(reference.parent)


def _tell(scores: Scores, pair: ScoredPair) -> None:
    """Say what was left out of the scores."""
    fused, reference = pair.fused.scene.path, pair.reference.scene.path
    if scores.pixels == 0:
        raise SceneReadError(
            f"{fused}: no pixel has all {scores.bands} bands valid both here and in {reference}; nothing can be scored"
        )
    if scores.excluded_bands:
        log.warning("%s: not scored, without data: %s", fused, _named_bands(scores.excluded_bands, pair.bands))
    if scores.missing:
        log.warning("%s: no data for %.3g %% of the reference's valid values", fused, 100 * scores.missing)
    if scores.excluded_pixels:
        total = scores.excluded_pixels + scores.pixels
        log.info("%d of %d pixels without data were left out", scores.excluded_pixels, total)
    if math.isnan(scores.ratio):
        log.warning("%s: the ratio of the fusion is not known, so ERGAS is not; give --ratio", fused)
    if scores.ergas_left_out:
        log.warning("ERGAS is without bands of mean zero: %s", _named_bands(scores.ergas_left_out, pair.bands))
    if math.isnan(scores.ssim):
        log.warning("%s: no SSIM: no 11 x 11 window is all valid, or the reference is nowhere positive", reference)


def _named_bands(numbers: Sequence[int], bands: Bands) -> str:
    wavelengths = bands.wavelengths_nm
    if wavelengths is None:
        return f"bands {', '.join(map(str, numbers))}"
    return "bands " + ", ".join(f"{number} ({wavelengths[number - 1]:.5g} nm)" for number in numbers)


def _write(scores: Scores, pair: ScoredPair, pictures: Sequence[ComparisonPicture], files: ReportFiles) -> None:
    fused, reference = pair.fused.scene.path, pair.reference.scene.path
    if files.csv is not None:
        write_text(files.csv, scores_csv(scores, fused=fused, reference=reference))
    if files.bands_csv is not None:
        write_text(files.bands_csv, band_scores_csv(scores, pair.bands))
    for picture in pictures:
        log.info("%s", picture.write())


def _part(pixels: Pixels, window: Window) -> Pixels:
    return pixels[(slice(None), *window.slices)]
