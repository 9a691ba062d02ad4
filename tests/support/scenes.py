"""Real scenes on disk for tests, written with rasterio or as plain bytes: never with pifnet's own writer."""

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning

UTM_33N = "EPSG:32633"
NORTH_UP = Affine(30.0, 0.0, 365055.0, 0.0, -30.0, 5807085.0)
SOUTH_UP = Affine(30.0, 0.0, 365055.0, 0.0, 30.0, 5807085.0)
ROTATED = Affine.translation(365055.0, 5807085.0) @ Affine.rotation(30) @ Affine.scale(30.0, -30.0)
ENVI_CODES = {
    "uint8": 1, "int16": 2, "int32": 3, "float32": 4, "float64": 5, "complex64": 6, "complex128": 9, "uint16": 12,
    "uint32": 13, "int64": 14, "uint64": 15,
}  # fmt: skip
ENVI_ORDER = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (1, 2, 0)}
GEOTIFF_SUFFIXES = (".tif", ".tiff")


def random_pixels(bands: int, height: int, width: int, *, dtype: str = "float32", seed: int = 0) -> NDArray:
    """(C, H, W) of the given type, between 1 and 200, all different from common nodata numbers."""
    values = np.random.default_rng(seed).uniform(1, 200, (bands, height, width))
    return values.astype(dtype)


def write_scene(
    path: Path,
    pixels: NDArray,
    *,
    transform: Affine | None = NORTH_UP,
    crs: str | None = UTM_33N,
    nodata: float | None = None,
    wavelengths: Sequence[float] | None = None,
    fwhm: Sequence[float] | None = None,
    unit: str | None = "Nanometers",
    good: Sequence[int] | None = None,
    names: Sequence[str] | None = None,
    scales: Sequence[float] | None = None,
    offsets: Sequence[float] | None = None,
    interleave: str = "bsq",
    byte_order: int = 0,
    header_offset: int = 0,
    fields: Mapping[str, str | None] | None = None,
    profile: Mapping[str, object] | None = None,
) -> Path:
    """Write stored numbers (C, H, W) as they are, with everything that describes them.

    Args:
        path: `.tif` for GeoTIFF; else the data file or the `.hdr` of an ENVI pair (its data file is then `.img`).
        transform: None for none.
        interleave: ENVI only, as are `byte_order`, `header_offset` and `fields`.
        fields: ENVI header fields that replace others; None removes one.
        profile: Creation options of the GeoTIFF.

    Returns:
        `path`.
    """
    bands = {"wavelengths": wavelengths, "fwhm": fwhm, "unit": unit, "good": good, "names": names}
    coding = {"nodata": nodata, "scales": scales, "offsets": offsets}
    if path.suffix.lower() in GEOTIFF_SUFFIXES:
        _write_geotiff(path, pixels, transform, crs, bands, coding, profile or {})
        return path
    content = _envi_fields(pixels, interleave, byte_order, header_offset)
    content |= _envi_bands(bands) | _envi_coding(coding) | _envi_position(transform, crs) | dict(fields or {})
    lines = [f"{name} = {value}" for name, value in content.items() if value is not None]
    is_header = path.suffix.lower() == ".hdr"
    header, data = (path, path.with_suffix(".img")) if is_header else (path.with_suffix(".hdr"), path)
    header.write_text("\n".join(["ENVI", *lines]) + "\n", encoding="utf-8")
    stored = pixels.astype(pixels.dtype.newbyteorder("<>"[byte_order])).transpose(ENVI_ORDER[interleave])
    data.write_bytes(b"\xab" * header_offset + stored.tobytes())
    return path


def _write_geotiff(path, pixels, transform, crs, bands, coding, profile) -> None:
    options = {
        "driver": "GTiff", "count": pixels.shape[0], "height": pixels.shape[1], "width": pixels.shape[2],
        "dtype": pixels.dtype, "crs": crs, "nodata": coding["nodata"], "photometric": "minisblack", **profile,
    }  # fmt: skip
    if transform is not None:
        options["transform"] = transform
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.Env(GDAL_PAM_ENABLED=False), rasterio.open(path, "w", **options) as dataset:
            dataset.write(pixels)
            if coding["scales"] is not None:
                dataset.scales = coding["scales"]
            if coding["offsets"] is not None:
                dataset.offsets = coding["offsets"]
            for position in range(pixels.shape[0]):
                if bands["names"] is not None:
                    dataset.set_band_description(position + 1, bands["names"][position])
                dataset.update_tags(position + 1, **_geotiff_tags(bands, position))


def _geotiff_tags(bands, position: int) -> dict[str, str]:
    tags = {}
    for name, key in (("wavelengths", "wavelength"), ("fwhm", "fwhm"), ("good", "bbl")):
        if bands[name] is not None:
            tags[key] = str(bands[name][position])
    if bands["wavelengths"] is not None and bands["unit"] is not None:
        tags["wavelength_units"] = bands["unit"]
    return tags


def _envi_fields(pixels, interleave: str, byte_order: int, header_offset: int) -> dict[str, str | None]:
    count, height, width = pixels.shape
    return {
        "samples": str(width), "lines": str(height), "bands": str(count), "header offset": str(header_offset),
        "file type": "ENVI Standard", "data type": str(ENVI_CODES[pixels.dtype.name]), "interleave": interleave,
        "byte order": str(byte_order),
    }  # fmt: skip


def _envi_bands(bands) -> dict[str, str | None]:
    fields: dict[str, str | None] = {}
    keys = (("wavelengths", "wavelength"), ("fwhm", "fwhm"), ("good", "bbl"), ("names", "band names"))
    for name, key in keys:
        if bands[name] is not None:
            fields[key] = "{" + ", ".join(map(str, bands[name])) + "}"
    if bands["wavelengths"] is not None and bands["unit"] is not None:
        fields["wavelength units"] = bands["unit"]
    return fields


def _envi_coding(coding) -> dict[str, str | None]:
    fields: dict[str, str | None] = {}
    if coding["nodata"] is not None:
        fields["data ignore value"] = str(coding["nodata"])
    for name, key in (("scales", "data gain values"), ("offsets", "data offset values")):
        if coding[name] is not None:
            fields[key] = "{" + ", ".join(map(str, coding[name])) + "}"
    return fields


def _envi_position(transform: Affine | None, crs: str | None) -> dict[str, str | None]:
    if transform is None:
        return {}
    degrees = math.degrees(math.atan2(transform.d, transform.a))
    size_x = math.hypot(transform.a, transform.d)
    size_y = math.copysign(math.hypot(transform.b, transform.e), -transform.e)
    place = f"1, 1, {transform.c!r}, {transform.f!r}, {size_x!r}, {size_y!r}"
    fields: dict[str, str | None] = {"map info": f"{{Projected, {place}, rotation={degrees!r}}}"}
    if crs is not None:
        fields["coordinate system string"] = "{" + CRS.from_user_input(crs).to_wkt(version="WKT1_ESRI") + "}"
    return fields
