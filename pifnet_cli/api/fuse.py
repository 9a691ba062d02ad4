"""`pifnet.fuse`: one scene from two, files or arrays."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from pifnet_cli.api.words import (
    NodataWord,
    Pair,
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
from pifnet_cli.choices import (
    Align,
    BandChoice,
    Device,
    Extent,
    Phase,
    Precision,
    Protocol,
)
from pifnet_cli.errors import SettingsError
from pifnet_cli.progress import Progress, silent
from pifnet_cli.results import Fused, Record
from pifnet_cli.settings import FuseSettings, ReportSettings

if TYPE_CHECKING:
    from xarray import DataArray

    from pifnet_cli.fusion.run import FusedScene

    Image = PathLike | NDArray[Any] | DataArray


IN_MEMORY = Path("fused"), Path("uncertainty")  # what results are called that are no files


def fuse(
    lr_hsi: "Image",
    hr_msi: "Image",
    output: PathLike | None = None,
    *,
    ratio: float | Pair | None = None,
    lr_transform: Affine | None = None,
    hr_transform: Affine | None = None,
    method: str | None = None,
    checkpoint: PathLike | None = None,
    protocol: str | None = None,
    mtf: float | None = None,
    phase: str | None = None,
    align: str = FuseSettings.align,
    shift: Pair | None = None,
    tile_size: int = FuseSettings.tile_size,
    overlap: int = FuseSettings.overlap,
    halo: int = FuseSettings.halo,
    extent: str = FuseSettings.extent,
    bands: str = FuseSettings.bands,
    nodata: NodataWord | None = None,
    hsi_nodata: NodataWord | None = None,
    msi_nodata: NodataWord | None = None,
    uncertainty: PathLike | bool | None = None,
    dtype: str | None = None,
    scale: float | None = None,
    device: str = FuseSettings.device,
    precision: str = FuseSettings.precision,
    co: Sequence[str] = (),
    report: PathLike | None = None,
    point: Sequence[tuple[int, int]] = (),
    dry_run: bool = False,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Fused:
    """Fuse a hyperspectral scene with a sharper multispectral one of the same ground: `pifnet fuse`.

    Both scenes are files, or both are arrays. From files a file is made, `output`. Arrays stay in memory, and give the
    same numbers: `xarray.DataArray` by rioxarray's conventions (CRS, transform and nodata of `.rio`; a coordinate
    `wavelength` along the bands, with its `units`), NumPy arrays (C, h, w) and (M, H, W) with `ratio`, or with
    `lr_transform` and `hr_transform`. A fused DataArray has the LR-HSI's dimensions, band coordinates and attributes on
    the HR-MSI's pixels and CRS.

    Args:
        lr_hsi: The LR-HSI.
        hr_msi: The HR-MSI.
        output: The file to be written, for files.
        ratio: Side of an LR pixel in HR pixels, or (rows, columns), for NumPy arrays that begin at the same corner.
        lr_transform: Pixel corners (column, row) of the LR-HSI -> (x, y), for NumPy arrays.
        hr_transform: The same of the HR-MSI.
        method: One of `methods()`; by default the best that fits the pair.
        checkpoint: A network from `train`.
        protocol: Sensor model of the LR-HSI, paper or mtf; by default the checkpoint's, or found from the pair.
        mtf: MTF of the LR-HSI's sensor at its Nyquist frequency; by default found from the pair.
        phase: true or naive; by default the checkpoint's, or true.
        align: What is corrected of a misregistration: none, shift or affine.
        shift: (rows, columns): HR pixels by which the LR-HSI lies down and right of where its georeferencing puts it;
            by default found from the pair.
        tile_size: Side of a tile, overlap included, in HR pixels.
        overlap: HR pixels that neighbouring tiles share and blend.
        halo: HR pixels round a tile that a network sees besides.
        extent: common or hr: the common footprint, or all of the HR-MSI.
        bands: all or good: whether bands that the LR-HSI's bad-band list marks are left out.
        nodata: The stored number of invalid pixels in both scenes, or "none"; by default what they declare.
        hsi_nodata: The same of the LR-HSI alone.
        msi_nodata: The same of the HR-MSI alone.
        uncertainty: The file of standard deviations, or True for arrays. Kriging only.
        dtype: Stored number type of the output file; by default the LR-HSI's.
        scale: Value of one stored unit of the output file; by default the LR-HSI's.
        device: auto, cpu or cuda, for networks.
        precision: auto, float32 or bfloat16, for networks.
        co: GDAL creation options, NAME=VALUE.
        report: An HTML page about the result, for files.
        point: (row, column) of pixels whose spectra the report shows.
        dry_run: Check everything, say what would be done, and stop.
        overwrite: Replace outputs that exist.
        progress: See `pifnet_cli.api`.

    Returns:
        `fused` (a path, or an array of the kind that was given), and the facts of the fusion.

    Raises:
        PifnetError: An input cannot be used, the two do not fit, or the output cannot be written.

    Example:
        >>> import pifnet_cli as pifnet
        >>> result = pifnet.fuse("sample_data/lr.hdr", "sample_data/hr.tif", "fused.tif")
        >>> result.method, result.bands, result.height, result.width
        ('kriging', 80, 162, 162)

        In memory, with NumPy:

        >>> import rasterio
        >>> with rasterio.open("sample_data/lr.img") as lr, rasterio.open("sample_data/hr.tif") as hr:
        ...     lr_hsi, hr_msi = lr.read() * 1e-4, hr.read() * 1e-4
        >>> fused = pifnet.fuse(lr_hsi, hr_msi, ratio=3)
        >>> fused.fused.shape
        (80, 162, 162)
    """
    of_hsi, of_msi = pair_nodata(nodata, hsi_nodata, msi_nodata)
    settings = FuseSettings(
        method=optional_choice(Method, "--method", method),
        checkpoint=optional_path(checkpoint),
        tile_size=tile_size,
        overlap=overlap,
        halo=halo,
        protocol=optional_choice(Protocol, "--protocol", protocol),
        mtf_at_nyquist=mtf,
        phase=optional_choice(Phase, "--phase", phase),
        align=choice(Align, "--align", align),
        shift=shift,
        extent=choice(Extent, "--extent", extent),
        bands=choice(BandChoice, "--bands", bands),
        hsi_nodata=of_hsi,
        msi_nodata=of_msi,
        dtype=dtype,
        scale=scale,
        device=choice(Device, "--device", device),
        precision=choice(Precision, "--precision", precision),
        creation_options=tuple(co),
        overwrite=overwrite_of(overwrite),
        uncertainty=_uncertainty_path(uncertainty),
    )
    if isinstance(lr_hsi, str | Path) and isinstance(hr_msi, str | Path):
        if output is None:
            raise SettingsError("fuse: output: a path was expected, such as fused.tif")
        if ratio is not None or lr_transform is not None or hr_transform is not None or uncertainty is True:
            raise SettingsError("fuse: ratio, transforms and uncertainty=True are for arrays; the two scenes are files")
        files = path_of(lr_hsi), path_of(hr_msi), path_of(output)
        page = report_settings(report, point, settings.overwrite)
        return _fused_files(*files, settings, page, is_dry=dry_run, progress=progress)
    from pifnet_cli.arrays import is_data_array

    is_labelled = is_data_array(lr_hsi), is_data_array(hr_msi)
    is_plain = isinstance(lr_hsi, np.ndarray), isinstance(hr_msi, np.ndarray)
    if not (all(is_labelled) or all(is_plain)):
        kinds = " and ".join(type(image).__name__ for image in (lr_hsi, hr_msi))
        raise SettingsError(f"fuse: {kinds} were given; two paths, two DataArrays or two NumPy arrays were expected")
    if output is not None or report is not None or dtype is not None or scale is not None or co or dry_run:
        raise SettingsError(
            "fuse: output, report, dtype, scale, co and dry_run are for files; the two scenes are arrays"
        )
    return _fused_arrays(
        lr_hsi, hr_msi, settings, ratio=ratio, transforms=(lr_transform, hr_transform), progress=progress
    )


def _fused_files(
    lr_hsi: Path,
    hr_msi: Path,
    output: Path,
    settings: FuseSettings,
    page: ReportSettings | None,
    *,
    is_dry: bool,
    progress: Progress | None,
) -> Fused:
    from pifnet_cli.workflows.fuse import fuse_scene, preview_fusion

    if page is not None:
        from pifnet_cli.notices import Notices
        from pifnet_cli.pages.fusion_page import require_fusion_page, write_fusion_page
        from pifnet_cli.pages.provenance import FusionFiles, RunFacts, command_line

        files = FusionFiles(lr_hsi, hr_msi, output, settings.checkpoint, settings.uncertainty)
        require_fusion_page(page, files, settings)
    if is_dry:
        planned = preview_fusion(lr_hsi, hr_msi, output, settings)
        size = {"bytes uncompressed": planned.bytes_uncompressed}
        return _fused(planned, output, settings.uncertainty, record=planned.record() | size)
    if page is None:
        fused = fuse_scene(lr_hsi, hr_msi, output, settings, progress=progress or silent)
    else:
        with Notices() as notices:
            fused = fuse_scene(lr_hsi, hr_msi, output, settings, progress=progress or silent)
        run = RunFacts(command_line(), tuple(notices.words))
        write_fusion_page(page, fused, files, settings, run=run, progress=progress or silent)
    return _fused(fused, output, settings.uncertainty)


def _fused_arrays(
    lr_hsi: Any,
    hr_msi: Any,
    settings: FuseSettings,
    *,
    ratio: float | Pair | None,
    transforms: tuple[Affine | None, Affine | None],
    progress: Progress | None,
) -> Fused:
    from pifnet_cli import arrays
    from pifnet_cli.fusion.outputs import MemoryOutputs
    from pifnet_cli.fusion.run import run_fusion

    is_labelled = arrays.is_data_array(lr_hsi)
    told = [transform for transform in transforms if transform is not None]
    if is_labelled and (ratio is not None or told):
        raise SettingsError("fuse: ratio and transforms are for NumPy arrays; a DataArray brings its own")
    if len(told) == 1:
        raise SettingsError("fuse: lr_transform without hr_transform, or the other way round; give both, or neither")
    if is_labelled:
        lr, hr = arrays.data_array_scene("LR-HSI", lr_hsi), arrays.data_array_scene("HR-MSI", hr_msi)
    else:
        pair = (told[0], told[1]) if told else None
        lr, hr = arrays.numpy_pair(lr_hsi, hr_msi, ratio=ratio, transforms=pair)
    lr, hr = lr.with_nodata(settings.hsi_nodata), hr.with_nodata(settings.msi_nodata)
    outputs = MemoryOutputs()
    result = run_fusion(lr, hr, IN_MEMORY[0], settings, outputs, progress=progress or silent)
    images: list[Any] = list(outputs.arrays)
    if is_labelled:
        images = [arrays.data_array_like(lr_hsi, hr_msi, result.scene, pixels, result.window) for pixels in images]
    return _fused(result, images[0], images[1] if settings.uncertainty is not None else None)


def _fused(result: "FusedScene", fused: Any, uncertainty: Any, *, record: Record | None = None) -> Fused:
    plan, scene = result.plan, result.scene
    window = result.window
    return Fused(
        fused=fused,
        uncertainty=uncertainty,
        method=plan.choice.method.value,
        because=plan.choice.reason,
        bands=scene.bands.count,
        height=scene.grid.height,
        width=scene.grid.width,
        window=(window.row, window.column, window.height, window.width),
        gsd=scene.grid.gsd,
        ratio=plan.operator.alignment.ratio,
        mtf=plan.operator.mtf_at_nyquist,
        blur_source=plan.operator.source.value,
        shift=plan.operator.shift_lr,
        expected_error=result.expected_error,
        record=record or result.record(),
    )


def _uncertainty_path(wanted: PathLike | bool | None) -> Path | None:
    if wanted is None or wanted is False:
        return None
    return IN_MEMORY[1] if wanted is True else path_of(wanted)
