"""Pairs across 180 degrees, and longitudes counted otherwise, lie as the same pair elsewhere on the same parallel."""

from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS
from rasterio.warp import transform as transform_points

from pifnet_cli.errors import GridError
from pifnet_cli.pair.alignment import align
from pifnet_cli.scene import Bands, Grid, Scene, Window

RATIO, HEIGHT, WIDTH = 3, 28, 32  # of the LR-HSI
LATITUDE, DEGREES, METRES = 10.0, 9e-5, 10.0  # an HR pixel
KINDS = ["utm", "wgs84", "etrs89", "mercator", "plate carree"]
CODES = {"wgs84": 4326, "etrs89": 4258, "mercator": 3857, "plate carree": 32662}


def scene(kind: str, longitude: float, *, ratio: int, turns: int = 0) -> Scene:
    """A scene amid the parallel of 10 degrees; `turns` counts its longitudes from elsewhere."""
    crs = CRS.from_epsg(CODES.get(kind, 32601 if longitude == 180 else 32631))
    near = longitude - 1e-7
    x, y = (
        (longitude, LATITUDE)
        if crs.is_geographic
        else (values[0] for values in transform_points(CRS.from_epsg(4326), crs, [near], [LATITUDE]))
    )
    step = ratio * (DEGREES if crs.is_geographic else METRES)
    turn = 360.0 if crs.is_geographic else 2 * np.pi * 6378137
    height, width = (side * RATIO // ratio for side in (HEIGHT, WIDTH))
    at = Affine(step, 0, x + turns * turn - step * width / 2, 0, -step, y + step * height / 2)
    return Scene(Path(f"{kind}.tif"), Grid(height, width, at, crs.to_wkt()), Bands(2))


def positions(lr: Scene, hr: Scene) -> np.ndarray:
    found = align(lr, hr)
    at = found.lr_positions(Window(0, 0, hr.grid.height, hr.grid.width))
    rows, columns = (at.rows, at.columns) if not at.is_separable else np.meshgrid(at.rows, at.columns, indexing="ij")
    return np.array([rows, columns])


@pytest.mark.parametrize("turns", [(0, 0), (-1, 0), (0, -1), (1, -1)])
@pytest.mark.parametrize("hr_kind", KINDS)
@pytest.mark.parametrize("lr_kind", KINDS)
def test_a_pair_across_180_degrees_lies_as_the_same_pair_elsewhere(lr_kind, hr_kind, turns):
    lr_turns, hr_turns = (
        0 if kind == "utm" else count for kind, count in zip((lr_kind, hr_kind), turns, strict=True)
    )  # fmt: skip
    there = positions(scene(lr_kind, 0, ratio=RATIO), scene(hr_kind, 0, ratio=1))
    found = positions(
        scene(lr_kind, 180, ratio=RATIO, turns=lr_turns), scene(hr_kind, 180, ratio=1, turns=hr_turns)
    )  # fmt: skip
    assert np.abs(found - there).max() < 1e-3  # LR pixels; UTM's central meridian is 3 degrees east of both


def test_a_scene_that_its_crs_tears_apart_is_refused():
    torn = scene("utm", 180, ratio=1)
    torn = Scene(
        Path("hr.tif"),
        Grid(84, 96, Affine(10, 0, 17122000.0, 0, -10, 1290000.0), CRS.from_epsg(8857).to_wkt()),
        torn.bands,
    )
    with pytest.raises(GridError, match=r"utm\.tif: it or hr\.tif is torn apart in the other's CRS"):
        align(scene("utm", 180, ratio=RATIO), torn)
