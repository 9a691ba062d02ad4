"""A finished output, opened again before it gets its name."""

from enum import StrEnum
from pathlib import Path

import rasterio
from rasterio.errors import RasterioError

from pifnet_cli.errors import PifnetError, SceneWriteError
from pifnet_cli.raster.gdal import gdal_session
from pifnet_cli.raster.georeference import same_crs
from pifnet_cli.raster.reader import reopen_scene
from pifnet_cli.scene import Scene, Window


class MissingBlocks(StrEnum):
    """What it means that a GeoTIFF lacks blocks."""

    REFUSED = "refused"
    NODATA = "nodata"


def verify(partial: Path, scene: Scene, *, missing: MissingBlocks = MissingBlocks.REFUSED) -> None:
    """Check that a finished file opens, is what `scene` says, and holds its pixels to the last one.

    Args:
        partial: The data file.
        scene: What was written; its path is named in errors.
        missing: What blocks of a GeoTIFF that are not in the file mean.

    Raises:
        SceneWriteError: It is not; the disk is probably full or damaged.
    """
    grid = scene.grid
    try:
        with reopen_scene(partial) as reader:
            found = reader.scene
            reader.read(Window(grid.height - 1, grid.width - 1, 1, 1))
            is_tiff = reader.driver == "GTiff"
    except PifnetError as error:
        raise SceneWriteError(f"{scene.path}: cannot be read again after writing ({error}); check the disk") from error
    same_shape = (found.grid.height, found.grid.width, found.bands.count, found.dtype) == (
        grid.height, grid.width, scene.bands.count, scene.dtype,
    )  # fmt: skip
    if not same_shape or not found.grid.transform.almost_equals(grid.transform, precision=1e-6):
        raise SceneWriteError(f"{scene.path}: is not what was written when read again; check the disk")
    if not same_crs(found.grid.crs_wkt, grid.crs_wkt):
        raise SceneWriteError(
            f"{scene.path}: its coordinate system is another one when read again; is another file of its name in the "
            "way? write elsewhere"
        )
    if is_tiff:
        _require_blocks(partial, scene, missing)


def _require_blocks(partial: Path, scene: Scene, missing: MissingBlocks) -> None:
    """Every block of a GeoTIFF lies inside the file: GDAL reads what is missing as nodata, without an error."""
    size = partial.stat().st_size
    try:
        with gdal_session(), rasterio.open(partial, driver="GTiff") as dataset:
            rows, columns = dataset.block_shapes[0]
            for row in range(-(-scene.grid.height // rows)):
                for column in range(-(-scene.grid.width // columns)):
                    for band in dataset.indexes:
                        offset = dataset.get_tag_item(f"BLOCK_OFFSET_{column}_{row}", "TIFF", bidx=band)
                        length = dataset.get_tag_item(f"BLOCK_SIZE_{column}_{row}", "TIFF", bidx=band)
                        end = int(offset or 0) + int(length or 0)
                        if end > size or (end == 0 and missing is MissingBlocks.REFUSED):
                            raise SceneWriteError(f"{scene.path}: is incomplete after writing; check the disk")
    except RasterioError as error:
        raise SceneWriteError(f"{scene.path}: cannot be read again after writing; check the disk") from error
