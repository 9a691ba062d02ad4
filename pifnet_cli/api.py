"""pifnet from Python: the commands as functions, with their options' names and defaults.

    import pifnet_cli as pifnet

Paths are `str` or `Path`. A choice is one of the words that the command line takes. Failures are
`pifnet_cli.errors.PifnetError`, whose message says what is wrong, where, and what to do; `SettingsError` means that an
option makes no sense, and that nothing was read. `progress` is called with the stage's name, steps done, and steps in
all.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from pifnet_cli.catalog import Method
from pifnet_cli.choices import (
    Align,
    Anchor,
    BandChoice,
    Compat,
    Device,
    Extent,
    HyperParameter,
    Log,
    Overwrite,
    Phase,
    Precision,
    Protocol,
    Sampling,
    SceneFormat,
    Schedule,
    Start,
    Variant,
    Wald,
)
from pifnet_cli.errors import SettingsError
from pifnet_cli.progress import Progress, silent
from pifnet_cli.results import Described, Estimated, Fused, MethodEntry, Record, Scored, Simulated, Trained
from pifnet_cli.settings import (
    FuseSettings,
    MethodsSettings,
    MetricsSettings,
    RecipeOverrides,
    ReportSettings,
    SimulateSettings,
    TrainSettings,
)

if TYPE_CHECKING:
    from xarray import DataArray

    from pifnet_cli.fusion.run import FusedScene
    from pifnet_cli.training.loop import ReportStatus, TrainingStatus

    PathLike = str | Path
    Image = PathLike | NDArray[Any] | DataArray

Choice = TypeVar("Choice", bound=StrEnum)
Pair = tuple[float, float]
IN_MEMORY = Path("fused"), Path("uncertainty")  # what results are called that are no files


def fuse(
    lr_hsi: "Image",
    hr_msi: "Image",
    output: "PathLike | None" = None,
    *,
    ratio: float | Pair | None = None,
    lr_transform: Affine | None = None,
    hr_transform: Affine | None = None,
    method: str | None = None,
    checkpoint: "PathLike | None" = None,
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
    uncertainty: "PathLike | bool | None" = None,
    dtype: str | None = None,
    scale: float | None = None,
    device: str = FuseSettings.device,
    precision: str = FuseSettings.precision,
    co: Sequence[str] = (),
    report: "PathLike | None" = None,
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
        mtf: Of the LR-HSI at its Nyquist frequency; by default found from the pair.
        phase: true or naive; by default the checkpoint's, or true.
        align: What is corrected of a misregistration: none, shift or affine.
        shift: (rows, columns), HR pixels that the LR-HSI lies further down and right than it says; by default found.
        tile_size: Side of a tile, overlap included, in HR pixels.
        overlap: HR pixels that neighbouring tiles share and blend.
        halo: HR pixels round a tile that a network sees besides.
        extent: common or hr: the common footprint, or all of the HR-MSI.
        bands: all or good: whether bands that the LR-HSI's bad-band list marks are left out.
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
        progress: See the module.

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
    from pifnet_cli.arrays import is_data_array

    settings = FuseSettings(
        method=_optional(Method, "--method", method),
        tile_size=tile_size,
        overlap=overlap,
        halo=halo,
        protocol=_optional(Protocol, "--protocol", protocol),
        mtf_at_nyquist=mtf,
        phase=_optional(Phase, "--phase", phase),
        align=_choice(Align, "--align", align),
        shift=shift,
        extent=_choice(Extent, "--extent", extent),
        bands=_choice(BandChoice, "--bands", bands),
        dtype=dtype,
        scale=scale,
        device=_choice(Device, "--device", device),
        precision=_choice(Precision, "--precision", precision),
        creation_options=tuple(co),
        overwrite=_overwrite(overwrite),
        uncertainty=_uncertainty_path(uncertainty),
    )
    network = _path(checkpoint)
    if isinstance(lr_hsi, str | Path) and isinstance(hr_msi, str | Path):
        if output is None:
            raise SettingsError("fuse: output: a path was expected, such as fused.tif")
        if ratio is not None or lr_transform is not None or hr_transform is not None or uncertainty is True:
            raise SettingsError("fuse: ratio, transforms and uncertainty=True are for arrays; the two scenes are files")
        files = Path(lr_hsi), Path(hr_msi), Path(output)
        page = _report_settings(report, point, settings.overwrite)
        return _fused_files(*files, settings, network, page, is_dry=dry_run, progress=progress)
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
        lr_hsi, hr_msi, settings, network, ratio=ratio, transforms=(lr_transform, hr_transform), progress=progress
    )


def simulate(
    scene: "PathLike",
    output: "PathLike",
    *,
    ratio: float = SimulateSettings.ratio,
    protocol: str = SimulateSettings.protocol,
    srf: str = SimulateSettings.srf,
    mtf: float = SimulateSettings.mtf_at_nyquist,
    hsi_snr: float | None = None,
    msi_snr: float | None = None,
    seed: int = SimulateSettings.seed,
    shift: Pair = SimulateSettings.shift,
    format: str = SimulateSettings.scene_format,  # noqa: A002 - the option's name
    block_size: int = SimulateSettings.block_size,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Simulated:
    """Degrade a hyperspectral scene into an LR-HSI and an HR-MSI, and keep it as their reference: `pifnet simulate`.

    Args:
        scene: The HR-HSI.
        output: The folder of the three scenes and of `simulation.json`.
        ratio: HR pixels along the side of an LR pixel; any number with the protocol mtf.
        protocol: paper (3 x 3 blur, pixel 0 of each block) or mtf (Gaussian, block centres).
        srf: Bands of the HR-MSI: a sensor, FILE.csv, or boxes:N.
        mtf: At the LR Nyquist frequency.
        hsi_snr: Noise on the LR-HSI: SNR of each band, dB.
        msi_snr: The same of the HR-MSI.
        seed: Of the noise's random numbers.
        shift: (rows, columns), HR pixels: the LR-HSI shows what lies further down and right than it says.
        format: geotiff or envi.
        block_size: HR pixels worked on at once; changes memory, not results.
        overwrite: Replace outputs that exist.
        progress: See the module.

    Raises:
        PifnetError: The scene cannot be used, the SRF does not fit it, or the folder cannot be written.

    Example:
        >>> import pifnet_cli as pifnet
        >>> pair = pifnet.simulate("sample_data/reference.tif", "pair", ratio=3, mtf=0.3)
        >>> pair.lr_hsi.name, pair.ratio
        ('lr_hsi.tif', 3)
    """
    settings = SimulateSettings(
        ratio=ratio,
        protocol=_choice(Protocol, "--protocol", protocol),
        mtf_at_nyquist=mtf,
        srf=srf,
        hsi_snr_db=hsi_snr,
        msi_snr_db=msi_snr,
        seed=seed,
        shift=shift,
        scene_format=_choice(SceneFormat, "--format", format),
        block_size=block_size,
        overwrite=_overwrite(overwrite),
    )
    from pifnet_cli.workflows.simulate import simulate_scene

    pair = simulate_scene(Path(scene), Path(output), settings, progress=progress or silent)
    return Simulated(
        lr_hsi=pair.lr_hsi.path,
        hr_msi=pair.hr_msi.path,
        reference=pair.reference.path,
        simulation=pair.record_path,
        ratio=pair.sensor.ratio,
        record=pair.record(),
    )


def train(
    inputs: "PathLike | Sequence[PathLike]",
    output: "PathLike",
    *,
    method: str = TrainSettings.method,
    variant: str | None = None,
    anchor: str | None = None,
    minutes: float | None = None,
    steps: int | None = None,
    epochs: int | None = None,
    resume: bool = False,
    validation: "Sequence[PathLike]" = (),
    validation_share: float = TrainSettings.validation_share,
    validations: int = TrainSettings.validations,
    patch_size: int | None = None,
    batch_size: int | None = None,
    sampling: str = TrainSettings.sampling,
    stride: int | None = None,
    learning_rate: float | None = None,
    schedule: str | None = None,
    decay_every: int | None = None,
    decay_factor: float | None = None,
    beta1: float | None = None,
    weight_decay: float | None = None,
    ema: float | None = None,
    clip: float | None = None,
    input_noise: float | None = None,
    pool: int | None = None,
    components: int = TrainSettings.components,
    inverse_weight: float | None = None,
    cosine_weight: float | None = None,
    network: Mapping[str, HyperParameter] | None = None,
    ratio: float = SimulateSettings.ratio,
    protocol: str = SimulateSettings.protocol,
    mtf: float = SimulateSettings.mtf_at_nyquist,
    srf: str = SimulateSettings.srf,
    hsi_snr: float | None = None,
    msi_snr: float | None = None,
    shift: Pair = SimulateSettings.shift,
    phase: str = TrainSettings.phase,
    seed: int = TrainSettings.seed,
    device: str = TrainSettings.device,
    precision: str = TrainSettings.precision,
    log: str = TrainSettings.log,
    overwrite: bool = False,
    progress: "ReportStatus | None" = None,
) -> Trained:
    """Train a network on simulated pairs, on real pairs with a reference, or on reference scenes: `pifnet train`.

    What is None follows the network's own recipe. The sensor model (`ratio` to `shift`) applies to reference scenes; a
    simulated pair brings its own.

    Args:
        inputs: Folders of `simulate`, folders with a real pair and its reference, or reference scenes.
        output: The folder of the checkpoint.
        method: A network of `methods()`.
        variant: anchored or paper, for PIF-Net.
        anchor: none, regression or kriging: what the network starts from.
        minutes: Budget; the first limit that is reached ends the training.
        steps: Budget in batches.
        epochs: Budget in passes over the scenes.
        resume: Go on where the folder's training stopped.
        validation: Held-out folders or scenes.
        validation_share: Rows of every scene that are held out where there is no `validation`.
        validations: How many, over the budget.
        patch_size: Side of a training crop, HR pixels.
        batch_size: Patches a step.
        sampling: random or strided.
        stride: HR pixels from one strided crop to the next.
        learning_rate: At its highest.
        schedule: cosine, steps or constant.
        decay_every: Epochs between the steps of the schedule.
        decay_factor: What the learning rate is multiplied by at a step.
        beta1: Adam's decay of the running mean of gradients.
        weight_decay: AdamW's; 0 is Adam.
        ema: Decay of the running mean of weights; 0 keeps none.
        clip: Largest norm of the gradient.
        input_noise: Standard deviation of what is added to the network's inputs.
        pool: Patches that are made once and used again; 0 makes every one anew.
        components: Of the residual's subspace, for the anchored variant.
        inverse_weight: Weight of PIF-Net's L_inv.
        cosine_weight: Weight of PIF-Net's cosine loss.
        network: Arguments of the network's constructor.
        ratio: As for `simulate`.
        protocol: As for `simulate`.
        mtf: As for `simulate`.
        srf: As for `simulate`.
        hsi_snr: As for `simulate`.
        msi_snr: As for `simulate`.
        shift: As for `simulate`.
        phase: true or naive.
        seed: Of all random numbers.
        device: auto, cpu or cuda.
        precision: auto, float32 or bfloat16.
        log: jsonl, or tensorboard besides.
        overwrite: Replace a checkpoint that exists.
        progress: Called with a `pifnet_cli.training.loop.TrainingStatus` after every step.

    Raises:
        PifnetError: An input cannot be used, inputs do not fit each other, or training stopped before its budget.

    Example:
        >>> import pifnet_cli as pifnet
        >>> pair = pifnet.simulate("sample_data/reference.tif", "pair", ratio=3, overwrite=True)
        >>> model = pifnet.train("pair", "model", steps=2, validations=1, network={"width": 8})
        >>> model.method, model.steps
        ('pifnet', 2)
    """
    settings = TrainSettings(
        method=_choice(Method, "--method", method),
        variant=_optional(Variant, "--variant", variant),
        anchor=_optional(Anchor, "--anchor", anchor),
        phase=_choice(Phase, "--phase", phase),
        epochs=epochs,
        steps=steps,
        minutes=minutes,
        overrides=RecipeOverrides(
            patch_size=patch_size,
            batch_size=batch_size,
            learning_rate=learning_rate,
            schedule=_optional(Schedule, "--schedule", schedule),
            decay_every=decay_every,
            decay_factor=decay_factor,
            beta1=beta1,
            weight_decay=weight_decay,
            ema_decay=ema,
            gradient_clip=clip,
            input_noise=input_noise,
            cached_examples=pool,
            inverse_weight=inverse_weight,
            cosine_weight=cosine_weight,
        ),
        network=dict(network or {}),
        components=components,
        degradation=SimulateSettings(
            ratio=ratio,
            protocol=_choice(Protocol, "--protocol", protocol),
            mtf_at_nyquist=mtf,
            srf=srf,
            hsi_snr_db=hsi_snr,
            msi_snr_db=msi_snr,
            shift=shift,
            seed=seed,
        ),
        validation=tuple(map(Path, validation)),
        validation_share=validation_share,
        validations=validations,
        sampling=_choice(Sampling, "--sampling", sampling),
        stride=stride,
        seed=seed,
        device=_choice(Device, "--device", device),
        precision=_choice(Precision, "--precision", precision),
        start=Start.RESUME if resume else Start.FRESH,
        log=_choice(Log, "--log", log),
        overwrite=_overwrite(overwrite),
    )
    from pifnet_cli.workflows.train import train_model

    paths = [inputs] if isinstance(inputs, str | Path) else inputs
    result = train_model(list(map(Path, paths)), Path(output), settings, progress=progress or _ignored)
    best = result.best
    return Trained(
        checkpoint=result.folder,
        method=result.header.method,
        steps=result.status.step,
        minutes=result.status.seconds / 60,
        psnr=None if best is None else best.psnr_db,
        gain=None if best is None else best.gain_db,
        anchor=settings.anchor_used.value,
        record=result.record(),
    )


def estimate(
    lr_hsi: "PathLike",
    hr_msi: "PathLike",
    *,
    align: str = Align.SHIFT,
    srf_csv: "PathLike | None" = None,
    overwrite: bool = False,
) -> Estimated:
    """Find blur and displacement of a pair, the HR-MSI's response, noise, and the error to expect: `pifnet estimate`.

    Args:
        lr_hsi: The LR-HSI.
        hr_msi: The HR-MSI.
        align: What is looked for: shift, or affine (rotation and scale besides).
        srf_csv: Receives the HR-MSI's response, as `simulate(srf=...)` takes it.
        overwrite: Replace that file.

    Raises:
        PifnetError: An input cannot be used, the two do not fit, or they share too few valid pixels.

    Example:
        >>> import pifnet_cli as pifnet
        >>> found = pifnet.estimate("sample_data/lr.hdr", "sample_data/hr.tif")
        >>> [round(value, 2) for value in found.mtf], found.is_reliable
        ([0.3, 0.3], True)
    """
    from pifnet_cli.workflows.estimate import estimate_scene_pair

    found = estimate_scene_pair(
        Path(lr_hsi),
        Path(hr_msi),
        _choice(Align, "--align", align),
        srf_csv=_path(srf_csv),
        overwrite=_overwrite(overwrite),
    )
    record = found.record()
    return Estimated(
        mtf=found.operator.mtf_at_nyquist,
        shift=found.operator.shift_lr,
        shift_error=tuple(record["shift_error_lr_pixels"]),
        is_reliable=found.operator.is_reliable,
        explained=record["explained"],
        expected_error=None if found.facts is None else found.facts.expected_error,
        record=record,
    )


def score(
    fused: "PathLike",
    reference: "PathLike | None" = None,
    *,
    lr: "PathLike | None" = None,
    hr: "PathLike | None" = None,
    protocol: str | None = None,
    mtf: float | None = None,
    wald: bool = False,
    method: str | None = None,
    checkpoint: "PathLike | None" = None,
    ratio: float | None = None,
    border: int = MetricsSettings.border,
    compat: str = MetricsSettings.compat,
    csv: "PathLike | None" = None,
    bands_csv: "PathLike | None" = None,
    quicklook: "PathLike | None" = None,
    rgb_bands: tuple[int, int, int] | None = None,
    sam_map: "PathLike | None" = None,
    error_map: "PathLike | None" = None,
    report: "PathLike | None" = None,
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
        protocol: Sensor model of the LR-HSI, paper or mtf; by default found from the pair.
        mtf: Of the LR-HSI at its Nyquist frequency; by default found from the pair.
        wald: Degrade the pair once more, fuse it, and score that against the LR-HSI.
        method: The method of `wald`; by default the one that the scene was fused by.
        checkpoint: The network of `wald`.
        ratio: GSD of the LR-HSI over that of the HR-MSI, for ERGAS; by default as recorded.
        border: Pixels left out along each side.
        compat: none, or paper: ERGAS and SAM as PIF-Net's own evaluation computes them.
        csv: Receives the scores.
        bands_csv: Receives each band's scores.
        quicklook: PNG: fused left, reference right.
        rgb_bands: Bands of the quicklook, counted from 1.
        sam_map: PNG: spectral angle of each pixel.
        error_map: PNG: RMSE of each pixel.
        report: An HTML page about the scores.
        point: (row, column) of pixels whose spectra the report shows.
        overwrite: Replace outputs that exist.
        progress: See the module.

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
    if reference is None and quicklook is not None:
        raise SettingsError("--quicklook: shows the reference beside the fused scene; give REFERENCE")
    settings = MetricsSettings(
        ratio=ratio,
        border=border,
        compat=_choice(Compat, "--compat", compat),
        rgb_bands=rgb_bands,
        overwrite=_overwrite(overwrite),
        protocol=_optional(Protocol, "--protocol", protocol),
        mtf_at_nyquist=mtf,
        wald=Wald.SCORE if wald else Wald.SKIP,
        method=_optional(Method, "--method", method),
    )
    page = _report_settings(report, point, settings.overwrite)
    files = {"csv": csv, "bands_csv": bands_csv, "sam_map": sam_map, "error_map": error_map, "quicklook": quicklook}
    return _scored(
        Path(fused), _path(reference), pair, settings, files=files, checkpoint=_path(checkpoint), page=page,
        progress=progress,
    )  # fmt: skip


def info(file: "PathLike") -> Described:
    """Tell what pifnet sees in a raster or a checkpoint: `pifnet info`.

    Args:
        file: ENVI or GeoTIFF, or a checkpoint.

    Raises:
        PifnetError: The file cannot be used.

    Example:
        >>> import pifnet_cli as pifnet
        >>> scene = pifnet.info("sample_data/lr.hdr")
        >>> scene.bands, scene.height, scene.width, scene.gsd
        (80, 54, 54, [30.0, 30.0])
    """
    from pifnet_cli.workflows.info import file_record

    return Described(file_record(Path(file)))


def methods(
    *,
    hsi_bands: int = MethodsSettings.hsi_bands,
    msi_bands: int = MethodsSettings.msi_bands,
    ratio: int = MethodsSettings.ratio,
) -> list[MethodEntry]:
    """List the methods, networks first: `pifnet methods`.

    Args:
        hsi_bands: Bands of the LR-HSI that networks are sized for.
        msi_bands: Bands of the HR-MSI.
        ratio: GSD of the LR-HSI over that of the HR-MSI.

    Raises:
        SettingsError: A network cannot be built for these bands and this ratio.

    Example:
        >>> import pifnet_cli as pifnet
        >>> {method.name: method.kind for method in pifnet.methods()}["kriging"]
        'training-free'
    """
    settings = MethodsSettings(hsi_bands=hsi_bands, msi_bands=msi_bands, ratio=ratio)
    from pifnet_cli.workflows.methods import list_methods

    return [
        MethodEntry(
            name=record["name"],
            title=record["title"],
            kind=record["kind"],
            parameters=record["parameters"],
            paper=record["paper"],
            doi=record["doi"],
            bibtex=tuple(paper.bibtex() for paper in Method(record["name"]).facts.papers),
            record=record,
        )
        for record in list_methods(settings)
    ]


def _fused_files(
    lr_hsi: Path,
    hr_msi: Path,
    output: Path,
    settings: FuseSettings,
    checkpoint: Path | None,
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

        files = FusionFiles(lr_hsi, hr_msi, output, checkpoint, settings.uncertainty)
        require_fusion_page(page, files, settings)
    if is_dry:
        planned = preview_fusion(lr_hsi, hr_msi, output, settings, checkpoint=checkpoint)
        size = {"bytes uncompressed": planned.bytes_uncompressed}
        return _fused(planned, output, settings.uncertainty, record=planned.record() | size)
    if page is None:
        fused = fuse_scene(lr_hsi, hr_msi, output, settings, checkpoint=checkpoint, progress=progress or silent)
    else:
        with Notices() as notices:
            fused = fuse_scene(lr_hsi, hr_msi, output, settings, checkpoint=checkpoint, progress=progress or silent)
        run = RunFacts(command_line(), tuple(notices.words))
        write_fusion_page(page, fused, files, settings, run=run, progress=progress or silent)
    return _fused(fused, output, settings.uncertainty)


def _fused_arrays(
    lr_hsi: Any,
    hr_msi: Any,
    settings: FuseSettings,
    checkpoint: Path | None,
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
    outputs = MemoryOutputs()
    result = run_fusion(lr, hr, IN_MEMORY[0], settings, outputs, checkpoint=checkpoint, progress=progress or silent)
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


def _scored(
    fused: Path,
    reference: Path | None,
    pair: tuple[Path, Path] | None,
    settings: MetricsSettings,
    *,
    files: dict[str, "PathLike | None"],
    checkpoint: Path | None,
    page: ReportSettings | None,
    progress: Progress | None,
) -> Scored:
    from pifnet_cli.reports.scores import assessment_record
    from pifnet_cli.scoring.with_reference import ReportFiles
    from pifnet_cli.workflows.metrics import assess_scene

    wanted = ReportFiles(**{name: _path(path) for name, path in files.items()})
    if page is None:
        found = assess_scene(
            fused, reference, pair, settings, files=wanted, checkpoint=checkpoint, progress=progress or silent
        )
        return Scored(found.scores, found.unreferenced, assessment_record(found.scores, found.unreferenced))
    from pifnet_cli.notices import Notices
    from pifnet_cli.pages.metrics_page import require_metrics_page, write_metrics_page
    from pifnet_cli.pages.provenance import RunFacts, ScoredFiles, command_line

    scenes = ScoredFiles(fused, reference, pair)
    require_metrics_page(page, scenes, others=wanted.asked_for)
    with Notices() as notices:
        found = assess_scene(
            fused, reference, pair, settings, files=wanted, checkpoint=checkpoint, progress=progress or silent
        )
    run = RunFacts(command_line(), tuple(notices.words))
    write_metrics_page(page, found, scenes, settings, run=run, progress=progress or silent)
    return Scored(found.scores, found.unreferenced, assessment_record(found.scores, found.unreferenced))


def _ignored(_status: "TrainingStatus") -> None:
    pass


def _choice(kind: type[Choice], option: str, word: str) -> Choice:
    try:
        return kind(word)
    except ValueError:
        known = ", ".join(entry.value for entry in kind)
        raise SettingsError(f"{option} {word}: one of {known} was expected") from None


def _optional(kind: type[Choice], option: str, word: str | None) -> Choice | None:
    return None if word is None else _choice(kind, option, word)


def _path(path: "PathLike | None") -> Path | None:
    return None if path is None else Path(path)


def _uncertainty_path(wanted: "PathLike | bool | None") -> Path | None:
    if wanted is None or wanted is False:
        return None
    return IN_MEMORY[1] if wanted is True else Path(wanted)


def _overwrite(is_wanted: bool) -> Overwrite:
    return Overwrite.REPLACE if is_wanted else Overwrite.REFUSE


def _pair(lr: "PathLike | None", hr: "PathLike | None") -> tuple[Path, Path] | None:
    """The pair, if it was given."""
    if lr is not None and hr is not None:
        return Path(lr), Path(hr)
    if lr is not None or hr is not None:
        raise SettingsError("--lr and --hr: one was given alone; give both scenes that FUSED was made from")
    return None


def _report_settings(
    page: "PathLike | None", points: Sequence[tuple[int, int]], overwrite: Overwrite
) -> ReportSettings | None:
    if page is None:
        if points:
            raise SettingsError("--point: belongs to --report; give both, or neither")
        return None
    return ReportSettings(Path(page), tuple((int(row), int(column)) for row, column in points), overwrite)
