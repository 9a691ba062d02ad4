"""`pifnet.score`: how near a fused scene comes to the truth, or to the pair that it was made from."""

from collections.abc import Sequence
from pathlib import Path

from pifnet_cli.api.words import (
    NodataWord,
    PathLike,
    choice,
    optional_choice,
    optional_path,
    overwrite_of,
    pair_nodata,
    path_of,
    report_settings,
)
from pifnet_cli.catalog import Method
from pifnet_cli.choices import Compat, Protocol, Wald
from pifnet_cli.errors import SettingsError
from pifnet_cli.progress import Progress, silent
from pifnet_cli.results import Scored
from pifnet_cli.settings import MetricsSettings, ReportSettings


def score(
    fused: PathLike,
    reference: PathLike | None = None,
    *,
    lr: PathLike | None = None,
    hr: PathLike | None = None,
    nodata: NodataWord | None = None,
    hsi_nodata: NodataWord | None = None,
    msi_nodata: NodataWord | None = None,
    protocol: str | None = None,
    mtf: float | None = None,
    wald: bool = False,
    method: str | None = None,
    checkpoint: PathLike | None = None,
    ratio: float | None = None,
    border: int = MetricsSettings.border,
    compat: str = MetricsSettings.compat,
    csv: PathLike | None = None,
    bands_csv: PathLike | None = None,
    quicklook: PathLike | None = None,
    rgb_bands: tuple[int, int, int] | None = None,
    sam_map: PathLike | None = None,
    error_map: PathLike | None = None,
    report: PathLike | None = None,
    point: Sequence[tuple[int, int]] = (),
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Scored:
    """Score a fused scene against its reference, by the pair that it was made from, or both: `pifnet metrics`.

    Args:
        fused: The fused scene.
        reference: The true scene: same bands, same pixels, may be larger.
        lr: The LR-HSI that it was made from.
        hr: The HR-MSI that it was made from.
        nodata: The stored number of invalid pixels in both scenes of the pair, or "none"; by default what they declare.
        hsi_nodata: The same of the LR-HSI alone.
        msi_nodata: The same of the HR-MSI alone.
        protocol: Sensor model of the LR-HSI, paper or mtf; by default found from the pair.
        mtf: MTF of the LR-HSI's sensor at its Nyquist frequency; by default found from the pair.
        wald: Degrade the pair once more, fuse it, and score that against the LR-HSI.
        method: The method of `wald`; by default the one that the scene was fused by.
        checkpoint: The network of `wald`.
        ratio: GSD of the LR-HSI over that of the HR-MSI, for ERGAS; by default as recorded.
        border: Pixels left out along each side.
        compat: none, or paper: the scores as PIF-Net's own evaluation computes them, for scenes in [0, 1].
        csv: Receives the scores.
        bands_csv: Receives each band's scores.
        quicklook: PNG: fused left, reference right.
        rgb_bands: Bands of the quicklook, counted from 1.
        sam_map: PNG: spectral angle of each pixel.
        error_map: PNG: RMSE of each pixel.
        report: An HTML page about the scores.
        point: (row, column) of pixels whose spectra the report shows.
        overwrite: Replace outputs that exist.
        progress: See `pifnet_cli.api`.

    Raises:
        PifnetError: A scene cannot be read, scenes do not belong together, or an output cannot be written.

    Example:
        >>> import pifnet_cli as pifnet
        >>> fused = pifnet.fuse("sample_data/lr.hdr", "sample_data/hr.tif", "fused.tif", overwrite=True)
        >>> scores = pifnet.score("fused.tif", "sample_data/reference.tif")
        >>> round(scores.psnr, 1), round(scores.sam, 1)
        (47.0, 1.2)
    """
    pair = _pair(lr, hr)
    if pair is None and (wald or method or checkpoint or mtf or protocol):
        raise SettingsError("--wald, --method, --checkpoint, --mtf, --protocol: need the pair; give --lr and --hr")
    of_hsi, of_msi = pair_nodata(nodata, hsi_nodata, msi_nodata)
    if pair is None and (of_hsi or of_msi):
        raise SettingsError("--nodata, --hsi-nodata, --msi-nodata: are of the pair; give --lr and --hr")
    if reference is None and quicklook is not None:
        raise SettingsError("--quicklook: shows the reference beside the fused scene; give REFERENCE")
    settings = MetricsSettings(
        ratio=ratio,
        border=border,
        compat=choice(Compat, "--compat", compat),
        rgb_bands=rgb_bands,
        overwrite=overwrite_of(overwrite),
        protocol=optional_choice(Protocol, "--protocol", protocol),
        mtf_at_nyquist=mtf,
        wald=Wald.SCORE if wald else Wald.SKIP,
        method=optional_choice(Method, "--method", method),
        checkpoint=optional_path(checkpoint),
        hsi_nodata=of_hsi,
        msi_nodata=of_msi,
    )
    page = report_settings(report, point, settings.overwrite)
    files = {"csv": csv, "bands_csv": bands_csv, "sam_map": sam_map, "error_map": error_map, "quicklook": quicklook}
    return _scored(
        path_of(fused), optional_path(reference), pair, settings, files=files, page=page,
        progress=progress,
    )  # fmt: skip


def _scored(
    fused: Path,
    reference: Path | None,
    pair: tuple[Path, Path] | None,
    settings: MetricsSettings,
    *,
    files: dict[str, PathLike | None],
    page: ReportSettings | None,
    progress: Progress | None,
) -> Scored:
    from pifnet_cli.reports.scores import assessment_record
    from pifnet_cli.scoring.with_reference import ReportFiles
    from pifnet_cli.workflows.metrics import assess_scene

    wanted = ReportFiles(**{name: optional_path(path) for name, path in files.items()})
    if page is None:
        found = assess_scene(fused, reference, pair, settings, files=wanted, progress=progress or silent)
        return Scored(found.scores, found.unreferenced, assessment_record(found.scores, found.unreferenced))
    from pifnet_cli.notices import Notices
    from pifnet_cli.pages.metrics_page import require_metrics_page, write_metrics_page
    from pifnet_cli.pages.provenance import RunFacts, ScoredFiles, command_line

    scenes = ScoredFiles(fused, reference, pair)
    require_metrics_page(page, scenes, others=wanted.asked_for, checkpoint=settings.checkpoint)
    with Notices() as notices:
        found = assess_scene(fused, reference, pair, settings, files=wanted, progress=progress or silent)
    run = RunFacts(command_line(), tuple(notices.words))
    write_metrics_page(page, found, scenes, settings, run=run, progress=progress or silent)
    return Scored(found.scores, found.unreferenced, assessment_record(found.scores, found.unreferenced))


def _pair(lr: PathLike | None, hr: PathLike | None) -> tuple[Path, Path] | None:
    """The pair, if it was given."""
    if lr is not None and hr is not None:
        return path_of(lr), path_of(hr)
    if lr is not None or hr is not None:
        raise SettingsError("--lr and --hr: one was given alone; give both scenes that FUSED was made from")
    return None
