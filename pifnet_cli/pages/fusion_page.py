"""The page of `pifnet fuse`, made from the files that a fusion read and wrote, once it is complete."""

from collections.abc import Sequence
from contextlib import ExitStack, suppress

import numpy as np

from pifnet_cli.choices import Phase
from pifnet_cli.errors import GridError, PifnetError, SceneWriteError
from pifnet_cli.estimation.blur_and_shift import sample_windows
from pifnet_cli.fusion.run import FusedScene, chosen_bands
from pifnet_cli.pages.highlights import distinct_spectra, named_points, require_inside
from pifnet_cli.pages.page import Page, Section, Table, facts_table, write_page
from pifnet_cli.pages.pair_sections import (
    FusedPair,
    agreement_section,
    bands_sections,
    pair_spectra_section,
    pair_views,
)
from pifnet_cli.pages.provenance import FusionFiles, RunFacts, with_provenance
from pifnet_cli.pages.sections import (
    BandFact,
    band_chart,
    band_positions,
    detail_section,
    map_image,
    map_section,
    overview_section,
)
from pifnet_cli.pages.sensor_sections import sensor_facts, sensor_section
from pifnet_cli.pages.views import OVERVIEW_SIDE, Views, draw_views, full_blocks
from pifnet_cli.pair.alignment import align
from pifnet_cli.progress import Progress, silent
from pifnet_cli.raster.formats import output_files
from pifnet_cli.raster.publishing.publication import sidecars
from pifnet_cli.raster.reader import SceneReader, reopen_scene
from pifnet_cli.reports.files import require_free
from pifnet_cli.reports.pictures import ConsistencyMaps, Mosaic
from pifnet_cli.scoring.without_reference import fused_and_pair, score_open_scenes
from pifnet_cli.settings import FuseSettings, MetricsSettings, ReportSettings

TOLD_ELSEWHERE = ("output", "because", "bands", "height", "width", "gsd", "dtype")  # keys of a fusion's record
SHORT = 4  # numbers of a list among the facts


def require_fusion_page(report: ReportSettings, files: FusionFiles, settings: FuseSettings) -> None:
    """Refuse a page that could not be published, or points outside of the scene, before anything is fused.

    Raises:
        SceneWriteError: The page exists, is an input or the output, or cannot be written.
        SettingsError: A point lies outside of what will be fused.
        PifnetError: An input cannot be used.
    """
    scenes = [output_files(path) for path in (files.output, files.uncertainty) if path is not None]
    taken = [path for scene in scenes for path in (*scene.all, *sidecars(scene))]
    require_free([report.page], inputs=files.inputs, overwrite=report.overwrite, taken=taken)
    if report.points:
        with (
            suppress(GridError),
            reopen_scene(files.lr_hsi, nodata=settings.hsi_nodata) as lr,
            reopen_scene(files.hr_msi, nodata=settings.msi_nodata) as hr,
        ):
            # Where two scenes do not fit as they are, the fusion itself finds out how they do, or says why not.
            output = align(lr.scene, hr.scene, extent=settings.extent, phase=settings.phase or Phase.TRUE).output
            require_inside(report.points, height=output.height, width=output.width)


def write_fusion_page(
    report: ReportSettings,
    fused: FusedScene,
    files: FusionFiles,
    settings: FuseSettings,
    *,
    run: RunFacts | None = None,
    sections: Sequence[Section] = (),
    progress: Progress = silent,
) -> None:
    """Publish the page of a fusion that is complete.

    Args:
        report: Where to write the page, and the points to show.
        fused: The result of the fusion.
        files: The files of the fusion; an uncertainty has the bands and the pixels of the output.
        settings: The options of the fusion.
        run: Command line and warnings.
        sections: Further sections, shown before the parameters.
        progress: Called with the stage's name, steps done, and steps in all.

    Raises:
        SceneWriteError: The page cannot be made; the message says that the fused scene is complete.
    """
    try:
        with ExitStack() as stack:
            pair, is_whole = _opened(fused, files, settings, stack)
            parts = [
                *_shown(pair, report.points, progress),
                *bands_sections(pair),
                *([_agreement(pair, progress)] if is_whole else []),
                *([] if pair.sigma is None else [_uncertainty(pair.sigma, progress)]),
                *sections,
            ]
            page = with_provenance(_page(pair, fused, files, parts), files, settings, pair.fused.scene.bands, run)
        write_page(report.page, page)
    except PifnetError as error:
        raise SceneWriteError(f"{error}; no report was written, but {files.output} is complete") from error


def _opened(fused: FusedScene, files: FusionFiles, settings: FuseSettings, stack: ExitStack) -> tuple[FusedPair, bool]:
    """Open the files of a fusion, and tell whether all bands of the LR-HSI were fused."""
    lr = stack.enter_context(reopen_scene(files.lr_hsi, nodata=settings.hsi_nodata))
    pair = FusedPair(
        fused=stack.enter_context(reopen_scene(files.output)),
        lr=chosen_bands(lr, settings.bands),
        hr=stack.enter_context(reopen_scene(files.hr_msi, nodata=settings.msi_nodata)),
        operator=fused.plan.operator,
        sigma=None if files.uncertainty is None else stack.enter_context(reopen_scene(files.uncertainty)),
    )
    return pair, pair.lr.scene.bands.count == lr.scene.bands.count


def _page(pair: FusedPair, fused: FusedScene, files: FusionFiles, sections: Sequence[Section]) -> Page:
    choice = fused.plan.choice
    return Page(
        title=files.output.name,
        subtitle=f"{files.lr_hsi.name} sharpened with {files.hr_msi.name}: {choice.method.value}, {choice.reason}",
        facts=_facts(pair, fused),
        notices=(),
        sections=tuple(sections),
    )


def _agreement(pair: FusedPair, progress: Progress) -> Section:
    """Show how the result agrees with the pair."""
    maps, settings = ConsistencyMaps(), MetricsSettings()
    scenes = fused_and_pair(pair.fused, pair.lr, pair.hr, settings, operator=pair.operator)
    scores = score_open_scenes(scenes, settings, observers=[maps], progress=progress)
    return agreement_section(scores, maps, pair.fused.scene.bands)


def _shown(pair: FusedPair, chosen: Sequence[tuple[int, int]], progress: Progress) -> list[Section]:
    """Show views, spectra at points, and the sensor."""
    grid = pair.fused.scene.grid
    require_inside(chosen, height=grid.height, width=grid.width)
    views = draw_views(pair_views(pair), height=grid.height, width=grid.width, textured=1, progress=progress)
    places = [(*place, "asked for") for place in chosen] or _distinct_places(pair, views)
    points = named_points(places, grid)
    return [
        overview_section("Before and after", views.drawn, points=points, scene=(grid.height, grid.width)),
        detail_section(views.drawn, window=views.detail, points=points),
        *([pair_spectra_section(pair, points)] if points else []),
        sensor_section(sensor_facts(pair.operator)),
    ]


def _distinct_places(pair: FusedPair, views: Views) -> list[tuple[int, int, str]]:
    """Output pixels at the centres of LR pixels whose spectra tell the scene apart."""
    spectra, places = [], []
    grid, origin = pair.fused.scene.grid, pair.alignment.output
    for window in sample_windows(pair.alignment):
        pixels = pair.lr.read(window).reshape(pair.lr.scene.bands.count, -1)
        at = pair.alignment.hr_positions(window)
        axes = np.meshgrid(at.rows, at.columns, indexing="ij") if at.is_separable else (at.rows, at.columns)
        rows, columns = (
            np.nan_to_num(np.rint(axis.ravel() - first), nan=-1).astype(int)
            for axis, first in zip(axes, (origin.row, origin.column), strict=True)
        )
        edge = round(pair.alignment.ratio)  # spectra that are pieced together there are not typical
        inside = (rows >= edge) & (rows < grid.height - edge) & (columns >= edge) & (columns < grid.width - edge)
        seen = [
            number
            for number in np.flatnonzero(inside)
            if views.last_shows(rows[number], columns[number], height=grid.height)
        ]
        spectra.append(pixels[:, seen].T)
        places += [(int(rows[number]), int(columns[number])) for number in seen]
    found = distinct_spectra(np.concatenate(spectra)) if places else []
    return [(*places[number], reason) for number, reason in found]


def _uncertainty(sigma: SceneReader, progress: Progress) -> Section:
    """Map the mean over bands, and draw the mean over pixels by band; one pass over all bands."""
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
    text = "What the method expects its own error to be, one standard deviation."
    return map_section("Uncertainty", [image], charts=[chart], text=text)


def _facts(pair: FusedPair, fused: FusedScene) -> Table:
    scene, record = fused.scene, fused.record()
    crs = "none" if scene.grid.crs_wkt is None else scene.grid.crs_wkt.split('"')[1]
    return facts_table(
        [
            *((role, _size(reader)) for role, reader in (("LR-HSI", pair.lr), ("HR-MSI", pair.hr))),
            ("fused", _size(pair.fused)),
            ("stored as", scene.dtype),
            ("map", crs),
            *((key, _words(value)) for key, value in record.items() if key not in TOLD_ELSEWHERE and _is_short(value)),
        ]
    )


def _is_short(value: object) -> bool:
    """Whether a value of the record is no list of one number a band."""
    return not isinstance(value, list) or len(value) <= SHORT


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _size(reader: SceneReader) -> str:
    grid, bands = reader.scene.grid, reader.scene.bands
    return f"{grid.width} x {grid.height} pixels of {grid.gsd[1]:.5g}, {bands.count} bands"
