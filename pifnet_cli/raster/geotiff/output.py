"""GeoTIFF outputs: tiled, band-interleaved, compressed, described where GIS programs look for it."""

from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.enums import ColorInterp
from rasterio.io import DatasetWriter
from rasterio.windows import Window as GdalWindow

from pifnet_cli.errors import SettingsError
from pifnet_cli.raster.bands import colour_bands, wavelength_names
from pifnet_cli.raster.checks import MAX_GEOTIFF_BANDS
from pifnet_cli.raster.envi.output import band_list_fields
from pifnet_cli.raster.gdal import CACHE_BYTES, gdal_session
from pifnet_cli.raster.publishing.publication import require_space
from pifnet_cli.raster.stored_numbers import Stored
from pifnet_cli.scene import Bands, Scene, Window

DEFAULT_BLOCK = 256
PIXEL_BLOCK_BYTES = 8 * 2**20  # of pixel-interleaved tiles, which hold all bands
_PREDICTED = ("DEFLATE", "LZW", "ZSTD")
_SWITCH = ("YES", "NO", "TRUE", "FALSE", "ON", "OFF")
_OPTIONS: dict[str, tuple[str, ...] | range] = {
    "BIGTIFF": ("YES", "NO", "IF_NEEDED", "IF_SAFER"),
    "BLOCKXSIZE": range(16, 4097, 16),
    "BLOCKYSIZE": range(16, 4097, 16),
    "COMPRESS": ("NONE", "LZW", "DEFLATE", "ZSTD", "LZMA", "PACKBITS"),
    "INTERLEAVE": ("BAND", "PIXEL"),
    "LZMA_PRESET": range(10),
    "NUM_THREADS": ("ALL_CPUS", *map(str, range(1, 257))),
    "PREDICTOR": range(1, 4),
    "SPARSE_OK": _SWITCH,
    "TILED": _SWITCH,
    "ZLEVEL": range(1, 13),
    "ZSTD_LEVEL": range(1, 23),
}


class GeoTiffFile:
    """A GeoTIFF that grows window by window."""

    def __init__(self, path: Path, scene: Scene, profile: dict[str, str]) -> None:
        """Create the file and write all that is not pixels.

        Compression stays on one thread unless the user asks for more: GDAL's own threads lose the error of a full disk.

        Args:
            path: A new file.
            scene: What the file describes.
            profile: Creation options, see `creation_profile`.

        Raises:
            RasterioError: GDAL refused; the caller removes the file.
        """
        self._path = path
        self._output = scene.path
        self._unflushed = 0
        with gdal_session(GDAL_PAM_ENABLED=False):
            self._dataset: DatasetWriter = rasterio.open(
                path,
                "w",
                driver="GTiff",
                width=scene.grid.width,
                height=scene.grid.height,
                count=scene.bands.count,
                dtype=scene.dtype,
                nodata=scene.nodata,
                **_place(scene),
                **profile,
            )
            _describe(self._dataset, scene)

    def write(self, stored: Stored, window: Window) -> None:
        """Put stored numbers (C, h, w) where they belong.

        Raises:
            RasterioError: The disk or GDAL refused.
            SceneWriteError: The disk could not take what GDAL has not written yet.
        """
        needed = self._unflushed + stored.nbytes
        require_space(self._path.parent, needed, self._output)  # GDAL notices late, or not at all
        self._unflushed = min(needed, CACHE_BYTES)
        with gdal_session(GDAL_PAM_ENABLED=False):
            self._dataset.write(stored, window=GdalWindow(window.column, window.row, window.width, window.height))

    def close(self) -> None:
        """Write what GDAL still holds, and close; nothing when it is closed.

        Raises:
            RasterioError: The disk or GDAL refused.
        """
        with gdal_session(GDAL_PAM_ENABLED=False):
            self._dataset.close()


def creation_profile(scene: Scene, creation_options: tuple[str, ...], *, block_size: int | None) -> dict[str, str]:
    """GDAL creation options: ours, then the user's NAME=VALUE.

    GDAL ignores options and values that it does not know; here they are errors.

    Args:
        scene: What is written.
        creation_options: The user's.
        block_size: Side of the tiles, a multiple of 16.

    Raises:
        SettingsError: An option is not supported, its value is out of range, or the bands are too many for a GeoTIFF.
    """
    if scene.bands.count > MAX_GEOTIFF_BANDS:
        raise SettingsError(
            f"{scene.path}: {scene.bands.count} bands, a GeoTIFF takes {MAX_GEOTIFF_BANDS}; write ENVI (.hdr) instead"
        )
    if block_size is not None and (block_size % 16 or block_size <= 0):
        raise SettingsError(f"{scene.path}: blocks of {block_size} pixels; a multiple of 16 was expected")
    chosen = dict(_option(text) for text in creation_options)
    side = str(_block_side(scene, chosen, block_size or DEFAULT_BLOCK))
    profile = {
        "PHOTOMETRIC": "MINISBLACK",
        "ALPHA": "NO",
        "TILED": "YES",
        "BLOCKXSIZE": side,
        "BLOCKYSIZE": side,
        "INTERLEAVE": "BAND",
        "BIGTIFF": "IF_SAFER",
        "COMPRESS": "DEFLATE",
    } | chosen
    if profile["COMPRESS"] in _PREDICTED:
        is_float = np.issubdtype(np.dtype(scene.dtype), np.floating)
        profile.setdefault("PREDICTOR", "3" if is_float else "2")
    if profile["COMPRESS"] == "ZSTD":
        profile.setdefault("ZSTD_LEVEL", "1")
    return profile


def _block_side(scene: Scene, chosen: dict[str, str], side: int) -> int:
    """No larger than the scene needs, and small enough for all bands together where they are interleaved by pixel."""
    longest = max(scene.grid.height, scene.grid.width)
    side = min(side, -(-longest // 16) * 16)
    pixel_bytes = np.dtype(scene.dtype).itemsize * scene.bands.count
    while chosen.get("INTERLEAVE") == "PIXEL" and side > 16 and side * side * pixel_bytes > PIXEL_BLOCK_BYTES:
        side = max(side // 32 * 16, 16)
    return side


def _option(text: str) -> tuple[str, str]:
    name, equals, value = (part.strip().upper() for part in text.partition("="))
    if not (equals and value):
        raise SettingsError(f"--co {text}: NAME=VALUE was expected, such as COMPRESS=DEFLATE")
    if name not in _OPTIONS:
        raise SettingsError(f"--co {text}: no such GeoTIFF option is supported; {', '.join(_OPTIONS)} are")
    allowed = _OPTIONS[name]
    if value not in map(str, allowed):
        words = f"{allowed[0]} to {allowed[-1]}" if isinstance(allowed, range) else ", ".join(allowed[:6])
        raise SettingsError(f"--co {text}: {words} was expected")
    return name, value


def _place(scene: Scene) -> dict[str, object]:
    """CRS and transform; an identity transform without CRS stands for none, and is not written."""
    if scene.grid.crs_wkt is None and scene.grid.transform == Affine.identity():
        return {}
    return {"crs": scene.grid.crs_wkt, "transform": scene.grid.transform}


def _describe(dataset: DatasetWriter, scene: Scene) -> None:
    bands = scene.bands
    dataset.colorinterp = _colours(bands)
    if scene.scales is not None or scene.offsets is not None:
        dataset.scales = scene.scales or (1.0,) * bands.count
        dataset.offsets = scene.offsets or (0.0,) * bands.count
    descriptions = bands.names or wavelength_names(bands)
    for position in range(bands.count):
        if descriptions is not None:
            dataset.set_band_description(position + 1, descriptions[position])
        dataset.update_tags(position + 1, **_band_tags(bands, position))
        dataset.update_tags(position + 1, ns="IMAGERY", **_imagery_tags(bands, position))
    fields = band_list_fields(bands) | dict(scene.acquisition)
    dataset.update_tags(ns="ENVI", **{name.replace(" ", "_"): value for name, value in fields.items()})


def _colours(bands: Bands) -> list[ColorInterp]:
    """Red, green and blue where the scene shows them; else as of a file of grey bands."""
    colours = [ColorInterp.gray] + [ColorInterp.undefined] * (bands.count - 1)
    shown = colour_bands(bands)
    if shown is not None:
        colours[0] = ColorInterp.undefined
        for position, colour in zip(shown, (ColorInterp.red, ColorInterp.green, ColorInterp.blue), strict=True):
            colours[position] = colour
    return colours


def _band_tags(bands: Bands, position: int) -> dict[str, str]:
    tags = {}
    if bands.wavelengths is not None:
        tags["wavelength"] = repr(bands.wavelengths[position])
        tags["wavelength_units"] = bands.unit.value if bands.unit else "Unknown"
    if bands.fwhm is not None:
        tags["fwhm"] = repr(bands.fwhm[position])
    if bands.good is not None:
        tags["bbl"] = str(int(bands.good[position]))
    return tags


def _imagery_tags(bands: Bands, position: int) -> dict[str, str]:
    tags = {}
    if bands.wavelengths_nm is not None:
        tags["CENTRAL_WAVELENGTH_UM"] = f"{bands.wavelengths_nm[position] / 1000:.9f}"
    if bands.fwhm_nm is not None:
        tags["FWHM_UM"] = f"{bands.fwhm_nm[position] / 1000:.9f}"
    return tags
