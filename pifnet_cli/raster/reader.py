"""SceneReader: grid and bands at once, pixels by window. All checks of what a file declares happen on opening."""

import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Protocol, Self

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader

from pifnet_cli.choices import SceneFormat
from pifnet_cli.errors import SceneReadError
from pifnet_cli.raster.checks import reason, require_supported
from pifnet_cli.raster.description import describe
from pifnet_cli.raster.envi.header import (
    EnviHeader,
    EnviLayout,
    condensed_text,
    read_header,
    read_layout,
    require_size,
)
from pifnet_cli.raster.envi.pixels import EnviPixels
from pifnet_cli.raster.formats import SceneFiles, find_scene
from pifnet_cli.raster.gdal import gdal_session
from pifnet_cli.raster.geotiff.budget import require_little_metadata
from pifnet_cli.raster.geotiff.masks import mask_bands
from pifnet_cli.raster.geotiff.pixels import GeoTiffPixels
from pifnet_cli.raster.stored_numbers import BandCoding, Stored, to_physical
from pifnet_cli.scene import Pixels, Scene, Window
from pifnet_cli.settings import Nodata

_LOG = logging.getLogger(__name__)
LONG_HEADER_BYTES = 2**16
_DRIVERS = {SceneFormat.ENVI: "ENVI", SceneFormat.GEOTIFF: "GTiff"}


class PixelSource(Protocol):
    """An open file of stored numbers."""

    def read(self, bands: Sequence[int], window: Window) -> Stored:
        """Stored numbers (C, h, w) of some bands."""

    def invalid(self, window: Window) -> NDArray[np.bool_] | None:
        """Where a mask hides pixels (h, w); None without mask."""

    def close(self) -> None:
        """Close the file."""


class SceneReader:
    """An open scene; a context manager. Not for several threads at once.

    Attributes:
        scene: Grid, bands and coding, already checked.
        files: Its files.
        remarks: What was inferred or left out on opening, one sentence each; logged as well.
    """

    def __init__(
        self,
        pixels: PixelSource,
        scene: Scene,
        files: SceneFiles,
        *,
        codings: list[BandCoding],
        remarks: Sequence[str],
        positions: Sequence[int] | None = None,
    ) -> None:
        """`positions` are those of the scene's bands in the file, from 0; all of them in order when None."""
        self.scene = scene
        self.files = files
        self.remarks = tuple(remarks)
        self._pixels = pixels
        self._codings = codings
        self._positions = list(range(scene.bands.count)) if positions is None else list(positions)

    @property
    def driver(self) -> str:
        """GDAL's name of the format: ENVI or GTiff."""
        return _DRIVERS[self.files.scene_format]

    @property
    def header(self) -> Path | None:
        """The ENVI header beside the data file."""
        return self.files.header

    @property
    def path(self) -> Path:
        """The data file."""
        return self.files.data

    def read(self, window: Window | None = None, *, bands: Sequence[int] | None = None) -> Pixels:
        """Read pixels in physical units, invalid ones as NaN.

        Args:
            window: Must lie inside the scene; all of it when None.
            bands: Positions from 0, in the order wanted; all when None.

        Returns:
            (C, h, w); the file's scale and offset are applied, and no value is infinite.

        Raises:
            SceneReadError: The window leaves the scene, or the file is damaged.
        """
        window = self.scene.grid.window if window is None else window
        self._require_inside(window)
        chosen = list(range(self.scene.bands.count)) if bands is None else list(bands)
        if not chosen:
            return np.empty((0, window.height, window.width), dtype=np.float32)
        try:
            stored = self._pixels.read([self._positions[band] for band in chosen], window)
            invalid = self._pixels.invalid(window)
        except (RasterioError, OSError) as error:
            raise SceneReadError(
                f"{self.path}: rows {window.row} to {window.bottom - 1} cannot be read ({reason(error)}); is the file "
                "complete? copy it again"
            ) from error
        physical = to_physical(stored, [self._codings[band] for band in chosen])
        if invalid is not None:
            physical[:, invalid] = np.nan
        return physical

    def cut(self, bands: Sequence[int]) -> "SceneReader":
        """The same open file as a scene of some of its bands, by positions from 0."""
        return SceneReader(
            self._pixels,
            self.scene.cut(bands),
            self.files,
            codings=[self._codings[band] for band in bands],
            remarks=self.remarks,
            positions=[self._positions[band] for band in bands],
        )

    def close(self) -> None:
        """Close the file; further reads fail."""
        self._pixels.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _require_inside(self, window: Window) -> None:
        grid = self.scene.grid
        if window.is_empty or window.clipped(grid.height, grid.width) != window:
            raise SceneReadError(
                f"{self.path}: rows {window.row}-{window.bottom}, columns {window.column}-{window.right} were asked "
                f"for; the scene has {grid.height} rows and {grid.width} columns"
            )


def open_scene(path: Path, *, nodata: Nodata | None = None) -> SceneReader:
    """Open an ENVI or GeoTIFF scene, named by its data file or its ENVI header, and check all that it declares.

    Args:
        path: The data file, or the header.
        nodata: Taken in place of the nodata that the file declares.

    Returns:
        A reader that the caller closes, best by `with`.

    Raises:
        SceneReadError: Not readable, not a raster, truncated, or declared in a way that is not supported.
        BandsError: Wavelengths or other band lists do not fit the bands.
        GridError: Georeferencing that is damaged, or by control points only.
    """
    reader = reopen_scene(path, nodata=nodata)
    for remark in reader.remarks:
        _LOG.warning(remark)
    return reader


def reopen_scene(path: Path, *, nodata: Nodata | None = None) -> SceneReader:
    """Open a scene once more, or one that pifnet itself has just written: as `open_scene`, but nothing is logged."""
    files = find_scene(path)
    remarks: list[str] = []
    header = _header(files)
    if header is None and path.suffix.lower() == ".hdr":
        raise SceneReadError(
            f"{path}: its data file is missing; {files.data.name} is a GeoTIFF, which the header does not speak of; "
            "name the GeoTIFF itself"
        )
    layout = read_layout(header) if header is not None and files.scene_format is SceneFormat.ENVI else None
    if layout is not None:
        remarks.extend(require_size(layout, files))
    dataset = _open_dataset(files) if header is None or layout is None else _open_envi(files, header)
    try:
        with gdal_session():
            require_supported(dataset, files.data, remarks)
            masks = mask_bands(dataset, files.data, remarks) if layout is None else ()
            scene, codings = describe(dataset, files.data, header, remarks, nodata=nodata, masks=masks)
        positions = [band for band in range(dataset.count) if band not in masks]
        pixels = _pixel_source(dataset, files, layout, masks)
    except UnicodeDecodeError as error:
        dataset.close()
        raise SceneReadError(
            f"{files.data}: its text is not UTF-8 ({error}); correct it, or export it again"
        ) from error
    except BaseException:
        dataset.close()
        raise
    return SceneReader(pixels, scene, files, codings=codings, remarks=remarks, positions=positions)


def _header(files: SceneFiles) -> EnviHeader | None:
    """The ENVI header; None where it says nothing of a GeoTIFF."""
    if files.header is None:
        return None
    header = read_header(files.header)
    return header if files.scene_format is SceneFormat.ENVI or header.describes_tiff else None


def _open_dataset(files: SceneFiles, data: Path | None = None) -> DatasetReader:
    driver = _DRIVERS[files.scene_format]
    if files.scene_format is SceneFormat.GEOTIFF:
        require_little_metadata(files.data)
    try:
        with gdal_session():
            return rasterio.open(data or files.data, driver=driver)
    except (RasterioError, UnicodeDecodeError) as error:  # the latter where GDAL quotes text that is not UTF-8
        raise SceneReadError(
            f"{files.data}: cannot be opened as {driver} ({reason(error)}); is the file complete? copy it again"
        ) from error


def _open_envi(files: SceneFiles, header: EnviHeader) -> DatasetReader:
    """Open an ENVI file; by a copy of a long header in which no list is left that GDAL need not read."""
    if header.path.stat().st_size > LONG_HEADER_BYTES:
        with suppress(OSError), TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            data = Path(folder) / "scene.img"
            data.symlink_to(files.data.resolve())
            data.with_name("scene.img.aux.xml").symlink_to(f"{files.data.resolve()}.aux.xml")
            data.with_suffix(".hdr").write_text(condensed_text(header), encoding="utf-8")
            return _open_dataset(files, data)
    return _open_dataset(files)


def _pixel_source(
    dataset: DatasetReader, files: SceneFiles, layout: EnviLayout | None, masks: Sequence[int]
) -> PixelSource:
    if layout is None:
        return GeoTiffPixels(dataset, masks)
    dataset.close()
    try:
        return EnviPixels(files.data, layout)
    except OSError as error:
        raise SceneReadError(f"{files.data}: cannot be read ({reason(error)}); check its permissions") from error


def bands_with_pixels(source: SceneReader, candidates: Sequence[int], *, block_size: int) -> frozenset[int]:
    """Those of some bands, counted from 0, that hold a valid pixel; reads no further than it must."""
    empty = list(candidates)
    for window in source.scene.grid.window.blocks(block_size):
        if not empty:
            break
        pixels = source.read(window, bands=empty)
        empty = [band for band, image in zip(empty, pixels, strict=True) if np.isnan(image).all()]
    return frozenset(candidates) - frozenset(empty)
