"""What a pair tells about its own sensors."""

import logging
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from pifnet_cli.align import align
from pifnet_cli.degrade.psf import DEFAULT_MTF
from pifnet_cli.errors import GridError, SettingsError
from pifnet_cli.estimation.overview import Source
from pifnet_cli.estimation.pair import PairEstimate, estimate_pair
from pifnet_cli.estimation.registration import SigmaOf, register_pair
from pifnet_cli.raster.reader import SceneReader, open_scene
from pifnet_cli.settings import Align

log = logging.getLogger(__name__)


def estimate_scene_pair(lr_hsi: Path, hr_msi: Path, correction: Align = Align.SHIFT) -> dict[str, Any]:
    """Blur and misregistration of a pair as JSON values, with standard errors.

    The shift is how much further down (rows) and right (columns) LR pixels lie than their georeferencing says.

    Args:
        lr_hsi: LR-HSI, ENVI or GeoTIFF.
        hr_msi: HR-MSI of the same ground.
        correction: What is looked for: a shift, or an affine correction.

    Raises:
        PifnetError: An input cannot be used, the two do not fit, or they share too few valid pixels.
    """
    if correction is Align.NONE:
        raise SettingsError("--align none: there is nothing to estimate; shift or affine was expected")
    with threadpool_limits(limits=1, user_api="blas"), open_scene(lr_hsi) as lr, open_scene(hr_msi) as hr:
        found = _shifted(lr, hr) if correction is Align.SHIFT else register_scenes(lr, hr)
    shifts = zip(found.shift_lr, lr.scene.grid.gsd, strict=True)
    return found.record() | {"shift_map_units": [round(float(shift * side), 6) for shift, side in shifts]}


def register_scenes(lr: SceneReader, hr: SceneReader, *, sigma_of: SigmaOf = lambda _: None) -> PairEstimate:
    """The affine correction of a pair (`register_pair`), and its log.

    Raises:
        GridError: The pair does not tell.
    """
    try:
        found = register_pair(
            Source(lr.scene, lr.read), Source(hr.scene, hr.read), default_mtf=DEFAULT_MTF, sigma_of=sigma_of
        )
    except ValueError as error:
        raise _unknown(lr, hr, error) from error
    if found.affine is None:
        log.info("found from the pair: no rotation, scale or shear beside a shift")
    else:
        log.info(
            "found from the pair: rotation %+.3f degrees, scale %.4f, %.4f (rows, columns), to %.3f LR pixels",
            found.affine.rotation_deg,
            *found.affine.scale,
            found.affine.place_error,
        )
    return found


def _shifted(lr: SceneReader, hr: SceneReader) -> PairEstimate:
    try:
        return estimate_pair(lr.read, hr.read, alignment=align(lr.scene, hr.scene), default_mtf=DEFAULT_MTF)
    except ValueError as error:
        raise _unknown(lr, hr, error) from error


def _unknown(lr: SceneReader, hr: SceneReader, error: ValueError) -> GridError:
    return GridError(f"{lr.scene.path}: {error} ({hr.scene.path}); blur and shift cannot be found")
