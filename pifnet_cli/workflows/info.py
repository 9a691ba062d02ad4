"""What pifnet sees in a raster or a checkpoint, as JSON values."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from rasterio.crs import CRS

from pifnet_cli.networks.checkpoint import HEADER_FILE, header_record, is_checkpoint
from pifnet_cli.raster.reader import SceneReader, open_scene
from pifnet_cli.scene import Bands, Grid, Spread, spread_windows

SAMPLE_SIDE = 64  # pixels along the side of a window that is looked at
SAMPLES = 3  # windows along either side of the scene, at most

Record = dict[str, Any]


def file_record(path: Path) -> Record:
    """Describe a raster or a checkpoint.

    Args:
        path: An ENVI or GeoTIFF scene, a checkpoint's folder or its .safetensors file.

    Returns:
        `kind` ("scene" or "checkpoint") and what belongs to it; everything can be written as JSON.

    Raises:
        PifnetError: The file cannot be used.
    """
    if is_checkpoint(path) or (path / HEADER_FILE).is_file():
        return {"kind": "checkpoint", "path": str(path), **header_record(path)}
    with open_scene(path) as reader:
        return scene_record(reader)


def scene_record(reader: SceneReader) -> Record:
    """Describe an open scene; reads nine small windows of it."""
    scene = reader.scene
    return {
        "kind": "scene",
        "path": str(reader.path),
        "header": None if reader.header is None else str(reader.header),
        "driver": reader.driver,
        "height": scene.grid.height,
        "width": scene.grid.width,
        "bands": scene.bands.count,
        "dtype": scene.dtype,
        "nodata": _finite(scene.nodata),
        "scale": _one_or_all(scene.scales, default=1.0),
        "offset": _one_or_all(scene.offsets, default=0.0),
        **grid_record(scene.grid),
        **bands_record(scene.bands),
        "sample": sample_record(reader),
        "acquisition": dict(scene.acquisition),
        "remarks": list(reader.remarks),
    }


def grid_record(grid: Grid) -> Record:
    """CRS, transform, bounds, GSD and rotation of a grid, in map units."""
    transform = grid.transform
    corners = [transform @ corner for corner in ((0, 0), (grid.width, 0), (0, grid.height), (grid.width, grid.height))]
    xs, ys = zip(*corners, strict=True)
    gsd_rows, gsd_columns = grid.gsd
    return {
        **_crs_record(grid.crs_wkt),
        "transform": list(transform[:6]),
        "bounds": [min(xs), min(ys), max(xs), max(ys)],
        "gsd": [gsd_columns, gsd_rows],
        "rotation_deg": math.degrees(math.atan2(transform.d, transform.a)),
        "south_up": grid.is_georeferenced and transform.determinant > 0,
    }


def bands_record(bands: Bands) -> Record:
    """Names, wavelengths and bad bands; positions are counted from 1."""
    wavelengths, fwhm = bands.wavelengths_nm, bands.fwhm_nm
    bad = [] if bands.good is None else [position for position, good in enumerate(bands.good, start=1) if not good]
    return {
        "wavelengths_nm": None if wavelengths is None else wavelengths.tolist(),
        "fwhm_nm": None if fwhm is None else fwhm.tolist(),
        "wavelength_unit": None if bands.unit is None else bands.unit.value,
        "wavelengths_increase": None if wavelengths is None else bool(np.all(np.diff(wavelengths) > 0)),
        "bad_bands": bad,
        "band_names": None if bands.names is None else list(bands.names),
    }


def sample_record(reader: SceneReader) -> Record:
    """Valid share, range and empty bands of nine windows spread over the scene."""
    pixels = valid = 0
    low, high = math.inf, -math.inf
    is_empty = np.ones(reader.scene.bands.count, dtype=bool)
    for window in spread_windows(reader.scene.grid.window, side=SAMPLE_SIDE, most=SAMPLES, spread=Spread.OVERLAPPING):
        image = reader.read(window)
        is_valid = np.isfinite(image)
        pixels += image.size
        valid += int(np.count_nonzero(is_valid))
        is_empty &= ~is_valid.any(axis=(1, 2))
        if is_valid.any():
            low, high = min(low, float(np.nanmin(image))), max(high, float(np.nanmax(image)))
    return {
        "valid_share": valid / pixels,
        "minimum": low if valid else None,
        "maximum": high if valid else None,
        "empty_bands": (np.flatnonzero(is_empty) + 1).tolist(),
    }


def _crs_record(wkt: str | None) -> Record:
    if wkt is None:
        return {"crs": None, "crs_name": None, "map_unit": "pixel"}
    crs = CRS.from_wkt(wkt)
    authority = crs.to_authority()
    return {
        "crs": ":".join(authority) if authority else wkt,
        "crs_name": wkt.split('"')[1],
        "map_unit": "degree" if crs.is_geographic else crs.linear_units,
    }


def _finite(value: float | None) -> float | str | None:
    """JSON has no NaN."""
    return value if value is None or math.isfinite(value) else str(value)


def _one_or_all(values: tuple[float, ...] | None, *, default: float) -> float | list[float]:
    if values is None:
        return default
    return values[0] if len(set(values)) == 1 else list(values)
