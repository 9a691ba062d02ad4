"""All of a fusion that is decided before the first pixel is fused: sensor model, method, tiles, output."""

import logging
import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pifnet_cli.catalog import Kind, Method
from pifnet_cli.errors import SettingsError
from pifnet_cli.fusion.choose_method import Choice, choose_method
from pifnet_cli.fusion.pair_operator import BlurSource, PairOperator, find_operator, shift_notices
from pifnet_cli.networks.checkpoint import read_header
from pifnet_cli.pair.alignment import Alignment
from pifnet_cli.pair.lr_grid import REGULAR
from pifnet_cli.scene import METHOD_FIELD, RATIO_FIELD, OpenScene, Scene, Window
from pifnet_cli.settings import FuseSettings
from pifnet_cli.tiling.layout import TilePlan

log = logging.getLogger(__name__)

GEOTIFF_BLOCKS = 16  # pixels that the sides of a GeoTIFF's tiles are multiples of
LARGER = 4 / 3  # times what was asked for: tiles may be so large where they then lie on whole blocks of the output


@dataclass(frozen=True, slots=True)
class FusionPlan:
    """All that is decided before the first pixel is fused.

    Attributes:
        choice: The method, and why.
        operator: How the LR-HSI samples the ground.
        tiles: How the output is cut.
        target: The scene to be written.
        uncertainty: The raster of standard deviations; None where it is not asked for.
    """

    choice: Choice
    operator: PairOperator
    tiles: TilePlan
    target: Scene
    uncertainty: Scene | None = None

    @property
    def outputs(self) -> list[Scene]:
        """The result, and the raster of standard deviations where that is asked for."""
        return [self.target] if self.uncertainty is None else [self.target, self.uncertainty]


def plan_fusion(lr: OpenScene, hr: OpenScene, output: Path, settings: FuseSettings) -> FusionPlan:
    """Decide sensor model, method, tiles and output; of the pixels, a few windows are looked at.

    Args:
        lr: The LR-HSI.
        hr: The HR-MSI.
        output: What the result will be called.
        settings: How.

    Raises:
        PifnetError: The scenes do not fit each other, or the method asked for does not fit them.
    """
    checkpoint = settings.checkpoint
    header = None if checkpoint is None else read_header(checkpoint)
    operator = find_operator(lr, hr, settings, header=header)
    choice = choose_method(
        settings.method,
        None if checkpoint is None or header is None else (checkpoint, header),
        lr_bands=lr.scene.bands,
        hr_bands=hr.scene.bands,
        ratio=operator.alignment.ratio,
        is_sensor_known=operator.is_sensor_known,
    )
    _require_sigma(settings, choice)
    if choice.header is not None:
        operator = operator.trained_with(choice.header.sensor or {})
    alignment = operator.alignment
    notices = [
        *alignment.notices,
        *_method_notices(choice, lr.scene.bands.count),
        *_regrid_notices(choice, alignment),
        *shift_notices(operator, settings),
    ]
    for notice in notices:
        log.warning("%s, %s: %s", lr.scene.path, hr.scene.path, notice)
    if operator.source is not BlurSource.FOUND:
        log.info("blur, MTF %.3f, %.3f at LR Nyquist: %s", *operator.mtf_at_nyquist, operator.source.told)
    log.info("method %s: %s", choice.method.value, choice.reason)
    target = _target(lr.scene, output, alignment, settings, method=choice.method)
    return FusionPlan(
        choice=choice,
        operator=operator,
        tiles=_tiles(settings, choice, alignment),
        target=target,
        uncertainty=None if settings.uncertainty is None else _uncertainty(target, settings.uncertainty),
    )


def _require_sigma(settings: FuseSettings, choice: Choice) -> None:
    if settings.uncertainty is not None and not choice.method.facts.tells_sigma:
        raise SettingsError(
            f"--uncertainty: only kriging says how far it may be off, and {choice.method.value} was chosen "
            f"({choice.reason}); add --method kriging, or leave --uncertainty out"
        )


def _tiles(settings: FuseSettings, choice: Choice, alignment: Alignment) -> TilePlan:
    """Networks and block methods get overlapping tiles; other methods give the same pixels whatever the tile.

    Networks also get a halo; what is not a network takes the LR pixels that it wants round a tile itself. Tiles of
    kriging are whole cores, so that none is solved for two of them.
    """
    is_blended = choice.method.facts.blends_tiles
    side = settings.tile_size if is_blended else settings.tile_size - settings.overlap
    if choice.method.facts.kind is Kind.KRIGING:
        side = _whole_cores(side, choice.method.facts.load().core_at(alignment.ratio))
    return TilePlan(
        height=alignment.output.height,
        width=alignment.output.width,
        tile_size=side,
        overlap=settings.overlap if is_blended else 0,
        halo=settings.halo if choice.method.is_network else 0,
    )


def _whole_cores(side: int, core: int) -> int:
    """Pixels that whole cores take, near `side`: blocks of a GeoTIFF are multiples of 16, so this is one if it can."""
    counts = range(1, int(LARGER * side) // core + 1)
    on_blocks = [count * core for count in counts if count * core % GEOTIFF_BLOCKS == 0]
    return min(on_blocks, key=lambda size: abs(size - side), default=max(side // core, 1) * core)


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
    return replace(target, path=path, dtype="float32", nodata=None, scales=None, offsets=None)


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
    return not math.isfinite(value) or abs(value) <= float(np.finfo(dtype).max)


def _method_notices(choice: Choice, hsi_bands: int) -> list[str]:
    """What the user should know where another method is known to do better."""
    told = []
    header, facts = choice.header, choice.method.facts
    if hsi_bands < facts.least_bands:
        told.append(
            f"{choice.method.value} takes bands together and does worse than interpolation on an LR-HSI of "
            f"{hsi_bands}; use --method kriging or regression"
        )
    if header is not None and header.gain_db is not None and header.gain_db < 0:
        told.append(
            f"{choice.checkpoint} is {-header.gain_db:.2f} dB worse than {header.compared_with.value} on its held-out "
            f"area; use --method {header.compared_with.value} instead, or train it for longer"
        )
    return told


def _regrid_notices(choice: Choice, alignment: Alignment) -> list[str]:
    """What the user should know about methods that need whole or parallel LR pixels."""
    is_rotated = not alignment.lr_positions(Window(0, 0, 2, 2)).is_separable
    if choice.header is not None and choice.header.takes_blocks:
        ratio = round(alignment.ratio)
        if is_rotated or max(abs(alignment.ratio_rows - ratio), abs(alignment.ratio_columns - ratio)) > REGULAR:
            return [
                f"{choice.method.value} takes LR pixels as {ratio} x {ratio} blocks; the LR-HSI is interpolated there"
            ]
    elif is_rotated and choice.method.facts.needs_parallel_grid:
        return [f"{choice.method.value} needs LR rows along HR rows; the LR-HSI is interpolated there"]
    return []
