"""ENVI outputs: raw pixels at their place in a preallocated file, and the header in words."""

import errno
import os
from collections.abc import Iterable
from io import FileIO
from pathlib import Path

import numpy as np

from pifnet_cli.raster.bands import display_bands
from pifnet_cli.raster.envi.header import DATA_TYPES, EnviLayout
from pifnet_cli.raster.envi.pixels import in_file_order, joined, runs_of
from pifnet_cli.raster.georeference import coordinate_system_string, map_info
from pifnet_cli.raster.stored_numbers import Stored
from pifnet_cli.scene import Bands, Scene, Window

_CODES = {name: code for code, name in DATA_TYPES.items()}
_SAFE = str.maketrans({"{": "(", "}": ")", "\n": " ", "\r": " "})
_SAFE_IN_LISTS = _SAFE | {ord(","): ";"}


class EnviFile:
    """A raw file, as long from the start as it will be, so that a full disk shows before the work."""

    def __init__(self, path: Path, scene: Scene, interleave: str) -> None:
        """Create the file and reserve its space.

        Raises:
            OSError: The disk refused; the caller removes the file.
        """
        dtype = np.dtype(scene.dtype).newbyteorder("<")
        self._layout = EnviLayout(
            samples=scene.grid.width,
            lines=scene.grid.height,
            bands=scene.bands.count,
            offset=0,
            dtype=dtype,
            interleave=interleave,
        )
        self._file = path.open("xb", buffering=0)
        try:
            _reserve(self._file, self._layout.pixel_bytes)
        except OSError:
            self._file.close()
            raise

    def write(self, stored: Stored, window: Window) -> None:
        """Put stored numbers (C, h, w) where they belong.

        Raises:
            OSError: The disk refused.
        """
        layout = self._layout
        starts, length = runs_of(layout, range(layout.bands), window)
        values = in_file_order(stored.astype(layout.dtype, copy=False), layout.interleave).reshape(-1)
        place = 0
        for start, count in joined(starts, length):
            self._file.seek(start * layout.dtype.itemsize)
            _write(self._file, values[place : place + count].view(np.uint8).data)
            place += count

    def close(self) -> None:
        """Close the file; nothing when it is closed."""
        self._file.close()


def header_text(scene: Scene, interleave: str) -> str:
    """The ENVI header of a scene; numbers in as many digits as they need to be read back unchanged.

    Raises:
        GridError: The grid is sheared, or rotated with unequal or flipped sides; or ENVI has no words for its CRS.
    """
    fields = {
        "samples": str(scene.grid.width),
        "lines": str(scene.grid.height),
        "bands": str(scene.bands.count),
        "header offset": "0",
        "file type": "ENVI Standard",
        "data type": str(_CODES[scene.dtype]),
        "interleave": interleave,
        "byte order": "0",
    }
    for name, text in scene.acquisition:
        safe = text.translate(_SAFE)
        fields[name] = f"{{{safe}}}" if name == "description" else safe
    if scene.nodata is not None:
        fields["data ignore value"] = _number(scene.nodata)
    fields |= _scaling(scene) | _position(scene) | band_list_fields(scene.bands)
    if scene.bands.names is not None:
        fields["band names"] = _braced(name.translate(_SAFE_IN_LISTS) for name in scene.bands.names)
    return "ENVI\n" + "".join(f"{name} = {value}\n" for name, value in fields.items())


def band_list_fields(bands: Bands) -> dict[str, str]:
    """Wavelengths, FWHM, bad bands and default bands as ENVI fields, by name with blanks."""
    fields = {}
    if (shown := display_bands(bands)) is not None:
        fields["default bands"] = _braced(map(str, shown))
    if bands.wavelengths is not None:
        fields["wavelength units"] = bands.unit.value if bands.unit else "Unknown"
        fields["wavelength"] = _braced(map(_number, bands.wavelengths))
    if bands.fwhm is not None:
        fields["fwhm"] = _braced(map(_number, bands.fwhm))
    if bands.good is not None:
        fields["bbl"] = _braced(str(int(good)) for good in bands.good)
    return fields


def _scaling(scene: Scene) -> dict[str, str]:
    """Gains and offsets, which GDAL applies, and where they are one scale alone the factor that ENVI and SPy apply."""
    fields = {}
    scales, offsets = scene.scales, scene.offsets
    if scales is not None and len(set(scales)) == 1 and offsets is None:
        fields["reflectance scale factor"] = _number(_inverse(scales[0]))
    if scales is not None or offsets is not None:
        fields["data gain values"] = _braced(map(_number, scales or (1.0,) * scene.bands.count))
    if offsets is not None:
        fields["data offset values"] = _braced(map(_number, offsets))
    return fields


def _position(scene: Scene) -> dict[str, str]:
    fields = {}
    info = map_info(scene.grid, scene.path)
    if info is not None:
        fields["map info"] = info
    if scene.grid.crs_wkt is not None:
        fields["coordinate system string"] = f"{{{coordinate_system_string(scene.grid.crs_wkt, scene.path)}}}"
    return fields


def _inverse(scale: float) -> float:
    """1 / scale, without the last digits that binary division adds: 10000 for 0.0001."""
    plain = float(format(1 / scale, ".12g"))
    return plain if 1 / plain == scale else 1 / scale


def _number(value: float) -> str:
    is_whole = isinstance(value, int) or (value.is_integer() and abs(value) < 2**53)
    return str(int(value)) if is_whole else repr(float(value))


def _braced(entries: Iterable[str]) -> str:
    return f"{{{', '.join(entries)}}}"


def _reserve(file: FileIO, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                raise
        else:
            return
    file.truncate(size)


def _write(file: FileIO, block: memoryview) -> None:
    while block:
        block = block[file.write(block) :]
