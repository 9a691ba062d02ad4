"""A fusion on one page: looked at once more, from the files that it read and wrote."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.choices import Phase
from pifnet_cli.errors import GridError, PifnetError, SceneWriteError
from pifnet_cli.estimation.blur_and_shift import PairEstimate, sample_windows
from pifnet_cli.fusion.plan import FusionPlan
from pifnet_cli.fusion.run import FusedScene, chosen_bands
from pifnet_cli.pages.charts import Curve, Stroke
from pifnet_cli.pages.highlights import distinct_spectra
from pifnet_cli.pages.page import Page, Section, Table, facts_table, write_page
from pifnet_cli.pages.pair_sections import agreement_section, pair_sections
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
from pifnet_cli.pages.sensor_sections import PSF_SOURCES, BandFact, SensorFacts, band_chart, sensor_section
from pifnet_cli.pages.views import (
    OVERVIEW_SIDE,
    Eye,
    Look,
    RunFacts,
    band_words,
    command_table,
    full_blocks,
    look_at,
    lr_pixel,
    named_points,
    natural_bands,
    reader_of_nearest,
    reader_on,
    require_inside,
    spectrum_at,
)
from pifnet_cli.pair.alignment import AS_DELIVERED, align, share_a_map
from pifnet_cli.raster.formats import find_scene, output_files
from pifnet_cli.raster.reader import SceneReader, reopen_scene
from pifnet_cli.reports.files import require_free
from pifnet_cli.reports.pictures import ConsistencyMaps, Mosaic
from pifnet_cli.scene import Bands, Window
from pifnet_cli.scoring.without_reference import score_without_reference
from pifnet_cli.settings import FuseSettings, MetricsSettings, ReportSettings

TOLD_ELSEWHERE = ("output", "because", "bands", "height", "width", "gsd", "dtype")  # of a fusion's record
SHORT = 4  # numbers of a list among the facts
COMPARABLE = 3.0  # factor between the numbers of two scenes, from which on one is scaled to the other in a chart

Progress = Callable[[str, int, int], None]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FusionFiles:
    """What a fusion read and wrote."""

    lr_hsi: Path
    hr_msi: Path
    output: Path
    checkpoint: Path | None = None
    uncertainty: Path | None = None

    @property
    def named(self) -> list[tuple[str, Path]]:
        """With their roles."""
        files = (
            ("LR-HSI", self.lr_hsi),
            ("HR-MSI", self.hr_msi),
            ("checkpoint", self.checkpoint),
            ("fused", self.output),
            ("uncertainty", self.uncertainty),
        )
        return [(role, path) for role, path in files if path is not None]


@dataclass(frozen=True, slots=True)
class _Opened:
    fused: SceneReader
    lr: SceneReader
    hr: SceneReader
    sigma: SceneReader | None


def require_fusion_report(report: ReportSettings, files: FusionFiles, settings: FuseSettings) -> None:
    """Refuse a page that could not be published, or points outside of the scene, before anything is fused.

    Raises:
        SceneWriteError: The page exists, is an input or the output, or cannot be written.
        SettingsError: A point lies outside of what will be fused.
        PifnetError: An input cannot be used.
    """
    outputs = [path for named in (files.output, files.uncertainty) if named for path in output_files(named).all]
    clash = [path for path in outputs if path.resolve() == report.page.resolve()]
    if clash:
        raise SceneWriteError(f"{report.page}: is also the output; choose another name")
    inputs = [path for named in (files.lr_hsi, files.hr_msi) for path in find_scene(named).all]
    require_free([report.page], inputs=inputs, overwrite=report.overwrite)
    if report.points:
        with suppress(GridError), reopen_scene(files.lr_hsi) as lr, reopen_scene(files.hr_msi) as hr:
            # Where two scenes do not fit as they are, the fusion itself finds out how they do, or says why not.
            output = align(lr.scene, hr.scene, extent=settings.extent, phase=settings.phase or Phase.TRUE).output
            require_inside(report.points, height=output.height, width=output.width)


def write_fusion_report(
    report: ReportSettings,
    fused: FusedScene,
    files: FusionFiles,
    settings: FuseSettings,
    *,
    run: RunFacts | None = None,
    sections: Sequence[Section] = (),
    progress: Progress = lambda _stage, _done, _total: None,
) -> None:
    """Publish the page of a fusion that is complete.

    Args:
        report: Where, and the points to show.
        fused: What was done.
        files: The files of the fusion; an uncertainty has the bands and the pixels of the output.
        settings: How it was done.
        run: Command line and warnings.
        sections: Further ones, before the parameters: spectral response, consistency, facts per band.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        SceneWriteError: The page cannot be made; the message says that the fused scene is complete.
    """
    try:
        with ExitStack() as stack:
            opened = _Opened(
                fused=stack.enter_context(reopen_scene(files.output)),
                lr=chosen_bands(stack.enter_context(reopen_scene(files.lr_hsi)), settings.bands),
                hr=stack.enter_context(reopen_scene(files.hr_msi)),
                sigma=None if files.uncertainty is None else stack.enter_context(reopen_scene(files.uncertainty)),
            )
            sections = [*sections, *_about_the_pair(opened, fused.plan, files, progress)]
            page = _page(opened, fused, files, settings, report.points, run or RunFacts(),
                         sections=sections, progress=progress)  # fmt: skip
        write_page(report.page, page)
    except PifnetError as error:
        raise SceneWriteError(f"{error}; no report was written, but {files.output} is complete") from error


def _about_the_pair(opened: _Opened, plan: FusionPlan, files: FusionFiles, progress: Progress) -> list[Section]:
    """What the bands tell, and how the result agrees with the pair; the latter where no band was left out."""
    sections = pair_sections(opened.lr, opened.hr, plan.operator)
    with reopen_scene(files.lr_hsi) as whole:
        if whole.scene.bands.count != opened.fused.scene.bands.count:
            return sections
    maps = ConsistencyMaps()
    scores = score_without_reference(
        files.output, files.lr_hsi, files.hr_msi, MetricsSettings(), operator=plan.operator, observers=[maps],
        progress=progress,
    )  # fmt: skip
    return [*sections, agreement_section(scores, maps, opened.fused.scene.bands)]


def _page(
    opened: _Opened,
    fused: FusedScene,
    files: FusionFiles,
    settings: FuseSettings,
    chosen: Sequence[tuple[int, int]],
    run: RunFacts,
    *,
    sections: Sequence[Section],
    progress: Progress,
) -> Page:
    grid, plan = opened.fused.scene.grid, fused.plan
    require_inside(chosen, height=grid.height, width=grid.width)
    look = look_at(_eyes(opened, plan), height=grid.height, width=grid.width, textured=1, progress=progress)
    places = [(*place, "asked for") for place in chosen] or _default_places(opened, plan, look)
    points = named_points(places, grid)
    parts = [
        overview_section("Before and after", look.views, points=points, scene=(grid.height, grid.width)),
        detail_section(look.views, window=look.window, points=points),
        *([_spectra(opened, plan, points)] if points else []),
        sensor_section(_sensor_facts(plan, settings)),
        *sections,
        *([] if opened.sigma is None else [_uncertainty(opened.sigma, progress)]),
        _parameters(files, settings, run, opened.fused.scene.bands),
    ]
    return Page(
        title=files.output.name,
        subtitle=f"{files.lr_hsi.name} sharpened with {files.hr_msi.name}: {plan.choice.method.value}, "
        f"{plan.choice.reason}",
        facts=_facts(opened, fused),
        notices=run.notices,
        sections=tuple(parts),
        footer=f"pifnet, {time_of_day()}",
    )


def _eyes(opened: _Opened, plan: FusionPlan) -> list[Eye]:
    """The LR-HSI as delivered, the HR-MSI, the fused scene."""
    shared = share_a_map(opened.lr.scene, opened.hr.scene)
    placed = replace(plan.operator.alignment, correction=AS_DELIVERED) if shared else plan.operator.alignment
    bands = opened.lr.scene.bands
    spectral, broad = natural_bands(bands), natural_bands(opened.hr.scene.bands)
    return [
        Eye("LR-HSI", spectral, f"{band_words(bands, spectral)}, as {'delivered' if shared else 'found'}",
            reader_of_nearest(opened.lr, spectral, placed), like=2),
        Eye("HR-MSI", broad, band_words(opened.hr.scene.bands, broad),
            reader_on(opened.hr, broad, plan.operator.alignment.output)),
        Eye("fused", spectral, band_words(bands, spectral), reader_on(opened.fused, spectral, Window(0, 0, 0, 0))),
    ]  # fmt: skip


def _default_places(opened: _Opened, plan: FusionPlan, look: Look) -> list[tuple[int, int, str]]:
    """Output pixels at the centres of LR pixels whose spectra tell the scene apart."""
    spectra, places = [], []
    grid, origin = opened.fused.scene.grid, plan.operator.alignment.output
    for window in sample_windows(plan.operator.alignment):
        pixels = opened.lr.read(window).reshape(opened.lr.scene.bands.count, -1)
        at = plan.operator.alignment.hr_positions(window)
        axes = np.meshgrid(at.rows, at.columns, indexing="ij") if at.is_separable else (at.rows, at.columns)
        rows, columns = (
            np.nan_to_num(np.rint(axis.ravel() - first), nan=-1).astype(int)
            for axis, first in zip(axes, (origin.row, origin.column), strict=True)
        )
        edge = round(plan.operator.alignment.ratio)  # what is pieced together there is no typical spectrum
        inside = (rows >= edge) & (rows < grid.height - edge) & (columns >= edge) & (columns < grid.width - edge)
        seen = [
            number for number in np.flatnonzero(inside) if look.shows(rows[number], columns[number], height=grid.height)
        ]
        spectra.append(pixels[:, seen].T)
        places += [(int(rows[number]), int(columns[number])) for number in seen]
    found = distinct_spectra(np.concatenate(spectra)) if places else []
    return [(*places[number], reason) for number, reason in found]


def _spectra(opened: _Opened, plan: FusionPlan, points: Sequence[Point]) -> Section:
    bands = opened.fused.scene.bands
    positions, x_label = band_positions(bands)
    fused = [spectrum_at(opened.fused, point.row, point.column) for point in points]
    msi = [_msi_spectrum(opened.hr, plan, point) for point in points]
    msi_nm = opened.hr.scene.bands.wavelengths_nm
    factor = 1.0 if msi_nm is None or bands.wavelengths_nm is None else _factor(positions, fused, msi_nm, msi)
    curves = []
    for point, spectrum, values in zip(points, fused, msi, strict=True):
        window = lr_pixel(plan.operator.alignment, point.row, point.column)
        spread = None if opened.sigma is None else spectrum_at(opened.sigma, point.row, point.column)
        of_point = [
            Curve("fused" if spread is None else "fused, ± 1 standard deviation", positions, spectrum, spread=spread),
            Curve("LR-HSI", positions, spectrum_at(opened.lr, window.row, window.column), stroke=Stroke.DASHES),
        ]
        if msi_nm is not None and bands.wavelengths_nm is not None:
            label = "HR-MSI" if factor == 1.0 else f"HR-MSI x {factor:.4g}"
            of_point.append(Curve(label, msi_nm, values * factor, stroke=Stroke.POINTS))
        curves.append(of_point)
    text = (
        "The fused pixel, the LR-HSI's pixel that it lies in (a mixture of several of them), and the HR-MSI at the "
        "centres of its bands. Bands without data, or marked as bad, are left out."
    )
    return spectra_section(points, curves, x_label=x_label, text=text)


def _msi_spectrum(hr: SceneReader, plan: FusionPlan, point: Point) -> Floats:
    return spectrum_at(
        hr, point.row + plan.operator.alignment.output.row, point.column + plan.operator.alignment.output.column
    )


def _factor(positions: Floats, fused: Sequence[Floats], msi_nm: Floats, msi: Sequence[Floats]) -> float:
    """What brings the HR-MSI to the numbers of the fused scene; 1 where both are of one kind."""
    ratios = []
    for spectrum, values in zip(fused, msi, strict=True):
        order = np.argsort(positions)
        known = np.isfinite(spectrum[order])
        if known.any():
            there = np.interp(msi_nm, positions[order][known], spectrum[order][known], left=np.nan, right=np.nan)
            ratios += [one / other for one, other in zip(there, values, strict=True) if one > 0 and other > 0]
    usual = float(np.median(ratios)) if ratios else 1.0
    return 1.0 if 1 / COMPARABLE < usual < COMPARABLE else float(f"{usual:.2g}")


def _sensor_facts(plan: FusionPlan, settings: FuseSettings) -> SensorFacts:
    alignment, found = plan.operator.alignment, plan.operator.estimate
    ratio = alignment.ratio_rows, alignment.ratio_columns
    is_found = found is not None and plan.operator.psf == found.psf and any(found.fitted.sigma_error)
    used = alignment.shift[0] / ratio[0], alignment.shift[1] / ratio[1]
    facts = SensorFacts(
        psf=plan.operator.psf, ratio=ratio, source=_psf_source(plan, settings, is_found=is_found), shift_used_lr=used
    )
    if found is None:
        return facts
    errors = found.fitted.shift_error
    return replace(
        facts,
        sigma_error=found.fitted.sigma_error if is_found else None,
        shift_lr=found.shift_lr,
        shift_error_lr=(errors[0] / ratio[0], errors[1] / ratio[1]),
        further=_estimate_facts(found),
    )


def _estimate_facts(found: PairEstimate) -> tuple[tuple[str, str], ...]:
    estimate = found.fitted
    return (
        ("variance that the HR-MSI explains, as delivered", f"{100 * estimate.explained_before:.2f} %"),
        ("the same with this blur and shift", f"{100 * estimate.explained:.2f} %"),
        ("gain of log-likelihood", f"{estimate.gain:.1f}"),
        ("LR pixels that it was found from", str(estimate.pixels)),
    )


def _psf_source(plan: FusionPlan, settings: FuseSettings, *, is_found: bool) -> str:
    if settings.protocol is not None or settings.mtf_at_nyquist is not None:
        return PSF_SOURCES["given"]
    if is_found:
        return PSF_SOURCES["found"]
    if plan.choice.header is not None:
        return PSF_SOURCES["trained"]
    return PSF_SOURCES["assumed"]


def _uncertainty(sigma: SceneReader, progress: Progress) -> Section:
    """Mean over bands on the map, mean over pixels by band; one pass over all bands."""
    grid, bands = sigma.scene.grid, sigma.scene.bands
    mosaic = Mosaic(1, height=grid.height, width=grid.width, largest_side=OVERVIEW_SIDE)
    sums, counts = np.zeros(bands.count), np.zeros(bands.count)
    blocks = full_blocks(grid.height, grid.width, bands=bands.count)
    for done, block in enumerate(blocks, start=1):
        pixels = sigma.read(block)
        is_valid = np.isfinite(pixels)
        filled = np.where(is_valid, pixels, np.float32(0))
        number = is_valid.sum(axis=0)
        mean = np.where(number > 0, filled.sum(axis=0) / np.maximum(number, 1), np.nan)
        mosaic.add(mean[None], block)
        sums += filled.sum(axis=(1, 2), dtype=np.float64)
        counts += is_valid.sum(axis=(1, 2))
        progress("reading the uncertainty", done, len(blocks))
    means = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    positions, x_label = band_positions(bands)
    image = map_image(mosaic.image()[0], name="standard deviation, mean over bands")
    chart = band_chart(positions, x_label, BandFact("mean standard deviation", (("", means),)))
    return map_section(
        "Uncertainty",
        [image],
        charts=[chart],
        text="What the method expects its own error to be, one standard deviation.",
    )


def _facts(opened: _Opened, fused: FusedScene) -> Table:
    scene, record = fused.scene, fused.record()
    grid = scene.grid
    crs = "none" if grid.crs_wkt is None else grid.crs_wkt.split('"')[1]
    return facts_table(
        [
            *((role, _size(reader)) for role, reader in (("LR-HSI", opened.lr), ("HR-MSI", opened.hr))),
            ("fused", _size(opened.fused)),
            ("stored as", scene.dtype),
            ("map", crs),
            *((key, _words(value)) for key, value in record.items() if key not in TOLD_ELSEWHERE and _is_short(value)),
        ]
    )


def _is_short(value: object) -> bool:
    """Not a list of one number a band."""
    return not isinstance(value, list) or len(value) <= SHORT


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _size(reader: SceneReader) -> str:
    grid, bands = reader.scene.grid, reader.scene.bands
    return f"{grid.width} x {grid.height} pixels of {grid.gsd[1]:.5g}, {bands.count} bands"


def _parameters(files: FusionFiles, settings: FuseSettings, run: RunFacts, bands: Bands) -> Section:
    tables = (files_table(files.named), options_table(settings), bands_table(bands), versions_table())
    return Section(title="Parameters", parts=(*command_table(run), *tables))
