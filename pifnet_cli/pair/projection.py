"""Map coordinates of one scene as those of another, each longitude on the turn round the earth that the other is on."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.errors import RasterioError
from rasterio.warp import transform as transform_points

from pifnet_cli.errors import GridError
from pifnet_cli.scene import Grid, Scene

Coordinates = NDArray[np.float64]
MapTransform = Callable[[Coordinates, Coordinates], tuple[Coordinates, Coordinates]]


def map_transforms(lr: Scene, hr: Scene) -> tuple[MapTransform | None, MapTransform | None]:
    """Functions from HR map coordinates to LR ones and back; `None` where both share a CRS."""
    if lr.grid.crs_wkt is None or hr.grid.crs_wkt is None:
        return None, None
    lr_crs, hr_crs = CRS.from_wkt(lr.grid.crs_wkt), CRS.from_wkt(hr.grid.crs_wkt)
    if lr_crs == hr_crs:
        return None, None
    return _projector(hr_crs, lr_crs, hr, onto=lr.grid), _projector(lr_crs, hr_crs, lr, onto=hr.grid)


def _projector(source: CRS, target: CRS, scene: Scene, *, onto: Grid) -> MapTransform:
    """From one CRS to another, on the turn round the earth that the grid `onto` lies on."""
    turn, middle = _turn(target), _middle(onto)

    def project(x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
        try:
            mapped_x, mapped_y = transform_points(source, target, x.ravel(), y.ravel())[:2]
        except (RasterioError, CPLE_BaseError) as error:  # PROJ's own come as the latter, which is no RasterioError
            raise GridError(
                f"{scene.path}: PROJ cannot bring it to the CRS of the other scene ({_crs_name(source)} to "
                f"{_crs_name(target)}); two scenes of the same ground were expected; check both with: gdalinfo FILE"
            ) from error
        eastings = np.asarray(mapped_x).reshape(x.shape)
        if turn is not None:
            turns = np.zeros_like(eastings)
            np.divide(middle - eastings, turn, out=turns, where=np.isfinite(eastings))
            eastings = eastings + np.rint(turns) * turn
        return eastings, np.asarray(mapped_y).reshape(x.shape)

    return project


def on_the_turn_of(hr: Grid, lr: Grid) -> Grid:
    """The LR grid where the same CRS counts it by the same turn as the HR grid: longitudes of 190 as -170."""
    turn = None if lr.crs_wkt is None else _turn(CRS.from_wkt(lr.crs_wkt))
    turns = 0.0 if turn is None else float(np.rint((_middle(hr) - _middle(lr)) / turn))
    if turn is None or turns == 0:
        return lr
    return replace(lr, transform=Affine.translation(turns * turn, 0) @ lr.transform)


def _middle(grid: Grid) -> float:
    """The easting or longitude of the middle."""
    return float((grid.transform @ (grid.width / 2, grid.height / 2))[0])


def _turn(crs: CRS) -> float | None:
    """By how much the easting grows in one turn round the earth: of geographic and cylindrical CRS; None of others."""
    if crs.is_geographic:
        return float(2 * np.pi / crs.units_factor[1])
    method = str((crs.to_dict(projjson=True).get("conversion") or {}).get("method", {}).get("name", "")).lower()
    is_cylindrical = ("mercator" in method or "cylindrical" in method) and not (
        "transverse" in method or "oblique" in method
    )
    if not is_cylindrical:
        return None
    steps = 6
    longitudes = 1.0 + 360 / steps * np.arange(steps + 1)
    try:
        eastings = transform_points(CRS.from_epsg(4326), crs, longitudes, np.zeros(steps + 1))[0]
    except (RasterioError, CPLE_BaseError):
        return None
    return steps * float(np.median(np.diff(eastings)))  # one of the steps crosses the cut


def _crs_name(crs: CRS) -> str:
    """As its WKT begins: PROJCRS["WGS 84 / UTM zone 33N", ..."""
    return str(crs.to_wkt().split('"')[1])
