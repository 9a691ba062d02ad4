"""What GDAL opens without complaint and pifnet refuses."""

from pathlib import Path

import numpy as np
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from pifnet_cli.errors import SceneReadError
from pifnet_cli.raster.gdal import CACHE_BYTES

MAX_BLOCK_BYTES = 2**30  # GDAL decodes a block whole, however small the window
TYPICAL_WINDOW = 256
WIDE = 8 * TYPICAL_WINDOW  # rows are decoded so many times over, where the cache does not hold them
MAX_GEOTIFF_BANDS = 4096  # rasterio's time grows with the square of their number: 0.4 ms for each at this many
SPARSE_BYTES = 64 * 2**30
SPARSE_RATIO = 5000  # no compressor gets near it on pixels that differ


def require_supported(dataset: DatasetReader, path: Path, remarks: list[str]) -> None:
    """Refuse several images in one file, complex or mixed pixels, blocks that fill the memory, and sparse bombs.

    Args:
        dataset: Stays open.
        path: Named in errors and remarks.
        remarks: Receives advice where the layout makes windows slow.

    Raises:
        SceneReadError: The message names the problem and the remedy.
    """
    if len(dataset.subdatasets) > 1:
        raise SceneReadError(
            f"{path}: holds {len(dataset.subdatasets)} images; one was expected; extract it with gdal_translate "
            f"{dataset.subdatasets[0]} OUT.tif"
        )
    if dataset.count == 0:
        raise SceneReadError(f"{path}: has no bands; a raster was expected; check the path")
    if dataset.driver == "GTiff" and dataset.count > MAX_GEOTIFF_BANDS:
        raise SceneReadError(
            f"{path}: has {dataset.count} bands, at most {MAX_GEOTIFF_BANDS} were expected of a GeoTIFF; convert it "
            "with gdal_translate -of ENVI, which may have more"
        )
    if len(set(dataset.dtypes)) > 1:
        raise SceneReadError(
            f"{path}: its bands have different types; one was expected; convert with gdal_translate -ot"
        )
    if dataset.dtypes[0].startswith("complex"):
        raise SceneReadError(f"{path}: its pixels are complex; real numbers were expected; convert it first")
    if dataset.driver == "GTiff":
        _require_small_blocks(dataset, path, remarks)
        _require_filled(dataset, path)


def _require_small_blocks(dataset: DatasetReader, path: Path, remarks: list[str]) -> None:
    rows, columns = dataset.block_shapes[0]
    is_pixel_interleaved = str(dataset.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE", "")).upper() == "PIXEL"
    bands = dataset.count if is_pixel_interleaved else 1
    pixel_bytes = np.dtype(dataset.dtypes[0]).itemsize * bands
    if rows * columns * pixel_bytes > MAX_BLOCK_BYTES:
        raise SceneReadError(
            f"{path}: is stored in blocks of {rows * columns * pixel_bytes / 2**30:.1f} GiB, which are decoded whole; "
            "tiles were expected; convert it with gdal_translate -co TILED=YES"
        )
    row_bytes = columns * np.dtype(dataset.dtypes[0]).itemsize * dataset.count
    if columns == dataset.width >= WIDE and max(rows, TYPICAL_WINDOW) * row_bytes > CACHE_BYTES:
        remarks.append(
            f"{path}: is stored by whole rows, slow to read by windows; gdal_translate -co TILED=YES -co "
            "INTERLEAVE=BAND makes it faster"
        )


def _require_filled(dataset: DatasetReader, path: Path) -> None:
    declared = dataset.width * dataset.height * dataset.count * np.dtype(dataset.dtypes[0]).itemsize
    stored = path.stat().st_size
    if declared > SPARSE_BYTES and declared > SPARSE_RATIO * stored:
        raise SceneReadError(
            f"{path}: declares {declared / 2**30:.0f} GiB of pixels in a file of {stored / 2**20:.1f} MiB; it is "
            "almost empty; crop it with gdal_translate -srcwin"
        )


def reason(error: BaseException) -> str:
    """GDAL's own words, on one line."""
    cause = error.__cause__ if isinstance(error, RasterioError) and error.__cause__ else error
    return " ".join(str(cause).split()) or type(cause).__name__
