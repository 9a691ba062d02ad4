"""What a pair tells about its own sensors."""

from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_limits

from pifnet_cli.align import align
from pifnet_cli.degrade.psf import DEFAULT_MTF
from pifnet_cli.errors import GridError
from pifnet_cli.estimation.pair import estimate_pair
from pifnet_cli.raster.reader import open_scene


def estimate_scene_pair(lr_hsi: Path, hr_msi: Path) -> dict[str, Any]:
    """Blur and misregistration of a pair as JSON values, with standard errors.

    The shift is how much further down (rows) and right (columns) LR pixels lie than their georeferencing says.

    Args:
        lr_hsi: LR-HSI, ENVI or GeoTIFF.
        hr_msi: HR-MSI of the same ground.

    Raises:
        PifnetError: An input cannot be used, the two do not fit, or they share too few valid pixels.
    """
    with threadpool_limits(limits=1, user_api="blas"), open_scene(lr_hsi) as lr, open_scene(hr_msi) as hr:
        alignment = align(lr.scene, hr.scene)
        try:
            found = estimate_pair(lr.read, hr.read, alignment=alignment, default_mtf=DEFAULT_MTF)
        except ValueError as error:
            raise GridError(f"{lr_hsi}: {error} ({hr_msi}); blur and shift cannot be found") from error
    shifts = zip(found.shift_lr, lr.scene.grid.gsd, strict=True)
    return found.record() | {"shift_map_units": [round(float(shift * side), 6) for shift, side in shifts]}
