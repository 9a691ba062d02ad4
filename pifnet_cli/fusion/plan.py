"""All of a fusion that is decided before the first pixel is fused: grid, sensor model, method, tiles, output."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from pifnet_cli.choices import Align, Method, Phase, Protocol
from pifnet_cli.degrade.psf import DEFAULT_MTF, Psf, gaussian_from_mtf, paper_psf
from pifnet_cli.errors import SettingsError
from pifnet_cli.estimation.blur_and_shift import PairEstimate, estimate_pair
from pifnet_cli.estimation.registration.pair import register_scenes
from pifnet_cli.fusion.choose_method import Choice, choose_method
from pifnet_cli.networks.checkpoint import read_header
from pifnet_cli.pair.alignment import Alignment, align
from pifnet_cli.pair.lr_grid import REGULAR
from pifnet_cli.raster.reader import SceneReader
from pifnet_cli.raster.writer import require_apart
from pifnet_cli.scene import METHOD_FIELD, RATIO_FIELD, Scene, Window
from pifnet_cli.settings import FuseSettings
from pifnet_cli.tiling.layout import TilePlan

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FusionPlan:
    """All that is decided before the first pixel is fused. `uncertainty` is the raster of standard deviations."""

    choice: Choice
    estimate: PairEstimate | None
    psf: Psf
    alignment: Alignment
    tiles: TilePlan
    target: Scene
    uncertainty: Scene | None = None


@dataclass(frozen=True, slots=True)
class PairOperator:
    """How a pair's LR-HSI samples the ground, and where the blur is known from: `given`, `found` or `assumed`."""

    psf: Psf
    alignment: Alignment
    source: str


def plan_fusion(
    lr: SceneReader, hr: SceneReader, output: Path, settings: FuseSettings, *, checkpoint: Path | None = None
) -> FusionPlan:
    """Decide grid, sensor model, method and tiles; of the pixels, a few windows are looked at."""
    if settings.uncertainty is not None and checkpoint is not None:
        raise SettingsError(
            "--uncertainty: only kriging says how far it may be off, a network does not; leave --checkpoint out"
        )
    header = None if checkpoint is None else read_header(checkpoint)
    phase = settings.phase or Phase((header or {}).get("phase", Phase.TRUE))
    estimate: PairEstimate | None
    if settings.align is Align.AFFINE:
        estimate, alignment = _registered(lr, hr, settings, header, phase)
        given = _given_psf(settings, header, alignment)
    else:
        alignment = align(lr.scene, hr.scene, extent=settings.extent, phase=phase)
        if settings.shift is not None:
            alignment = replace(alignment, correction=Affine.translation(*settings.shift))
        given = _given_psf(settings, header, alignment)
        estimate = _estimate(lr, hr, alignment, given) if _is_estimated(settings, given, phase) else None
    choice = choose_method(
        settings.method,
        checkpoint,
        lr_bands=lr.scene.bands,
        hr_bands=hr.scene.bands,
        ratio=alignment.ratio,
        is_sensor_known=given is not None or estimate is not None,
    )
    if settings.uncertainty is not None and choice.method is not Method.KRIGING:
        raise SettingsError(
            f"--uncertainty: only kriging says how far it may be off, and {choice.method.value} was chosen "
            f"({choice.reason}); add --method kriging, or leave --uncertainty out"
        )
    if given is None and choice.header is not None:
        given = _given_psf(settings, choice.header, alignment)
    psf = given or (_usual_psf(alignment) if estimate is None else estimate.estimate.operator.psf)
    if estimate is not None and settings.finds_shift:
        alignment = replace(alignment, correction=estimate.correction)
    for notice in (*alignment.notices, *_regrid_notices(choice, alignment), *_shift_notices(estimate, settings)):
        log.warning("%s, %s: %s", lr.scene.path, hr.scene.path, notice)
    log.info("method %s: %s", choice.method.value, choice.reason)
    target = _target(lr.scene, output, alignment, settings, method=choice.method)
    return FusionPlan(
        choice=choice,
        estimate=estimate,
        psf=psf,
        alignment=alignment,
        tiles=_tiles(settings, choice, alignment),
        target=target,
        uncertainty=None if settings.uncertainty is None else _uncertainty(target, settings.uncertainty),
    )


def pair_operator(lr: SceneReader, hr: SceneReader, settings: FuseSettings) -> PairOperator:
    """Blur and grids as `plan_fusion` would take them, without a method."""
    alignment = align(lr.scene, hr.scene)
    given = _given_psf(settings, None, alignment)
    estimate = _estimate(lr, hr, alignment, given)
    if estimate is not None:
        alignment = replace(alignment, correction=estimate.correction)
    if given is not None:
        return PairOperator(given, alignment, "given")
    if estimate is not None:
        return PairOperator(estimate.estimate.operator.psf, alignment, "found")
    return PairOperator(_usual_psf(alignment), alignment, "assumed")


def _is_estimated(settings: FuseSettings, given: Psf | None, phase: Phase) -> bool:
    """Not where everything is told, nor where positions are not the map's."""
    return phase is Phase.TRUE and (given is None or settings.finds_shift)


def _estimate(lr: SceneReader, hr: SceneReader, alignment: Alignment, given: Psf | None) -> PairEstimate | None:
    """Blur and shift as the pair tells them; None where it does not."""
    sigma = None if given is None else (given.sigma_rows, given.sigma_columns)
    try:
        found = estimate_pair(lr.read, hr.read, alignment=alignment, default_mtf=DEFAULT_MTF, sigma=sigma)
    except ValueError as error:
        log.info("%s, %s: blur and shift cannot be found: %s", lr.scene.path, hr.scene.path, error)
        return None
    log.info(
        "found from the pair (rows, columns): MTF %.3f, %.3f at LR Nyquist, shift %+.3f, %+.3f LR pixels, "
        "varying by %.3f%s",
        *found.mtf_at_nyquist,
        *found.shift_lr,
        found.shift_spread_lr,
        "" if found.is_reliable else "; it tells too little to rely on",
    )
    return found if found.is_reliable else None


def _registered(
    lr: SceneReader, hr: SceneReader, settings: FuseSettings, header: Mapping[str, Any] | None, phase: Phase
) -> tuple[PairEstimate, Alignment]:
    """Blur and affine correction as the pair tells them."""
    if phase is Phase.NAIVE:
        raise SettingsError("--align affine: --phase naive takes upper left corners to coincide; choose one of both")

    def sigma_of(alignment: Alignment) -> tuple[float, float] | None:
        given = _given_psf(settings, header, alignment)
        return None if given is None else (given.sigma_rows, given.sigma_columns)

    estimate = register_scenes(lr, hr, sigma_of=sigma_of)
    return estimate, align(lr.scene, hr.scene, extent=settings.extent, correction=estimate.correction)


def _given_psf(settings: FuseSettings, header: Mapping[str, Any] | None, alignment: Alignment) -> Psf | None:
    """The user's sensor model, else the checkpoint's; None where neither says anything."""
    trained = (header or {}).get("sensor") or {}
    protocol = settings.protocol or (Protocol(trained["protocol"]) if "protocol" in trained else None)
    mtf = settings.mtf_at_nyquist or trained.get("mtf_at_nyquist")
    if protocol is Protocol.PAPER:
        return paper_psf()
    if protocol is None and mtf is None:
        return None
    return gaussian_from_mtf(mtf or DEFAULT_MTF, ratio_rows=alignment.ratio_rows, ratio_columns=alignment.ratio_columns)


def _usual_psf(alignment: Alignment) -> Psf:
    return gaussian_from_mtf(DEFAULT_MTF, ratio_rows=alignment.ratio_rows, ratio_columns=alignment.ratio_columns)


def _shift_notices(estimate: PairEstimate | None, settings: FuseSettings) -> list[str]:
    """What the user should know about where the scenes lie."""
    if estimate is None:
        return []
    notices = []
    if estimate.is_worrying:
        rows, columns = estimate.shift_lr
        option = "--align none was asked for" if settings.align is Align.NONE else "--shift was given"
        done = "corrected" if settings.finds_shift else f"not corrected, since {option}"
        beyond = "" if settings.shift is None else " of where --shift puts it"
        notices.append(
            f"the LR-HSI lies {rows:+.2f} LR pixels down and {columns:+.2f} right{beyond or ' of the HR-MSI'}: {done}"
        )
    if estimate.is_uneven:
        is_rest = settings.align is Align.AFFINE
        remedy = "no affine correction removes that" if is_rest else "--align affine corrects rotation and scale"
        notices.append(f"its shift varies by {estimate.shift_spread_lr:.2f} LR pixels over the scene: {remedy}")
    return notices


def _tiles(settings: FuseSettings, choice: Choice, alignment: Alignment) -> TilePlan:
    """Networks and block methods get overlapping tiles; a pointwise one gives the same pixels whatever the tile.

    Networks also get a halo; what is not a network takes the LR pixels that it wants round a tile itself.
    """
    is_blended = choice.method.is_network or choice.method in (Method.CNMF, Method.HYSURE)
    return TilePlan(
        height=alignment.output.height,
        width=alignment.output.width,
        tile_size=settings.tile_size if is_blended else settings.tile_size - settings.overlap,
        overlap=settings.overlap if is_blended else 0,
        halo=settings.halo if choice.method.is_network else 0,
    )


def _target(lr: Scene, output: Path, alignment: Alignment, settings: FuseSettings, *, method: Method) -> Scene:
    """The scene to be written: bands and numbers of the LR-HSI on the grid of the HR-MSI."""
    dtype = settings.dtype or lr.dtype
    scales, offsets = _scaling(lr, dtype, settings.scale)
    nodata = lr.nodata if lr.nodata is not None and _holds(dtype, lr.nodata) else None  # the writer chooses one
    told = tuple(field for field in lr.acquisition if field[0] not in (RATIO_FIELD, METHOD_FIELD))
    return replace(
        lr,
        path=output,
        grid=alignment.output_grid,
        dtype=dtype,
        nodata=nodata,
        scales=scales,
        offsets=offsets,
        acquisition=(*told, (RATIO_FIELD, f"{alignment.ratio:.6g}"), (METHOD_FIELD, method.value)),
    )


def _uncertainty(target: Scene, path: Path) -> Scene:
    """The raster of standard deviations: the output's grid and bands, as floats in its physical units."""
    scene = replace(target, path=path, dtype="float32", nodata=None, scales=None, offsets=None)
    require_apart(scene, target)
    return scene


def _scaling(lr: Scene, dtype: str, scale: float | None) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """Scale and offset of the stored numbers: the user's, else the LR-HSI's where both store the same kind."""
    if scale is not None:
        return (scale,) * lr.bands.count, None
    is_integer, was_integer = (np.issubdtype(kind, np.integer) for kind in (dtype, lr.dtype))
    if is_integer and not was_integer:
        raise SettingsError(
            f"--dtype {dtype}: the LR-HSI holds {lr.dtype} numbers; say what one stored unit is worth, "
            f"e.g. --scale 0.0001 for reflectance times 10 000"
        )
    return (lr.scales, lr.offsets) if is_integer == was_integer else (None, None)


def _holds(dtype: str, value: float) -> bool:
    if np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        return limits.min <= value <= limits.max and float(value).is_integer()
    return True


def _regrid_notices(choice: Choice, alignment: Alignment) -> list[str]:
    """What the user should know about methods that need whole or parallel LR pixels."""
    is_rotated = not alignment.lr_positions(Window(0, 0, 2, 2)).is_separable
    if choice.method.is_network and "ratio" in ((choice.header or {}).get("hyper_parameters") or {}):
        ratio = round(alignment.ratio)
        if is_rotated or max(abs(alignment.ratio_rows - ratio), abs(alignment.ratio_columns - ratio)) > REGULAR:
            return [
                f"{choice.method.value} takes LR pixels as {ratio} x {ratio} blocks; the LR-HSI is interpolated there"
            ]
    elif is_rotated and choice.method in (Method.KRIGING, Method.ATPRK, Method.CNMF, Method.HYSURE):
        return [f"{choice.method.value} needs LR rows along HR rows; the LR-HSI is interpolated there"]
    return []
