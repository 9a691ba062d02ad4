"""Path -> ENVI or GeoTIFF, with header and data file paired."""

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pifnet_cli.choices import SceneFormat
from pifnet_cli.errors import SceneReadError, SceneWriteError

ENVI_DATA_SUFFIXES = (".img", ".dat", ".bsq", ".bil", ".bip", ".raw", ".bin", ".cube", ".sli", ".hyspex")
GEOTIFF_SUFFIXES = (".tif", ".tiff")
_NEVER_DATA = (".hdr", ".xml", ".sta", ".enp", ".png", ".jpg", ".jpeg", ".txt", ".csv", *GEOTIFF_SUFFIXES)
_SNIFFED = 1024  # bytes; comments may stand before the first element of XML
_TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_FOREIGN_MAGIC = {
    b"\x89HDF": "an HDF5 or netCDF-4 file",
    b"CDF": "a netCDF file",
    b"\x0e\x03\x13\x01": "an HDF4 file",
    b"MATLAB": "a MATLAB file",
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"\0\0\0\x0cjP": "a JPEG 2000 file",
    b"\xff\x4f\xff\x51": "a JPEG 2000 codestream",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"\x93NUMPY": "a NumPy file",
    b"<VRTDataset": "a GDAL virtual raster",
    b"NITF": "a NITF file",
}


@dataclass(frozen=True, slots=True)
class SceneFiles:
    """The files of one scene.

    `header` is an ENVI header, which a GeoTIFF may have beside it too; `crs` GDAL's .aux.xml beside an output whose CRS
    its own keys cannot hold.
    """

    scene_format: SceneFormat
    data: Path
    header: Path | None = None
    crs: Path | None = None

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file, data first."""
        return tuple(path for path in (self.data, self.header, self.crs) if path is not None)


def find_scene(path: Path) -> SceneFiles:
    """The files of the scene that a user names by its data file or its ENVI header.

    Raises:
        SceneReadError: No file, a folder, an empty or unreadable file, an unpaired one, or another format.
    """
    start = _first_bytes(path)
    if path.suffix.lower() == ".hdr":
        return _from_header(path, start)
    if start.startswith(_TIFF_MAGIC):
        return SceneFiles(SceneFormat.GEOTIFF, path, _tiff_sidecar(path))
    headers = _headers_of(path)
    if not headers:
        kind = _foreign_kind(start)
        raise SceneReadError(
            f"{path}: {f'is {kind}' if kind else 'no ENVI header lies beside it'}; "
            f"GeoTIFF, or ENVI with its header {path.stem}.hdr, was expected; "
            f"{'' if kind else 'put the header beside it, or '}convert it to GeoTIFF"
        )
    if len(headers) > 1:
        raise SceneReadError(
            f"{path}: two ENVI headers claim it, {headers[0].name} and {headers[1].name}; one was expected; "
            "move the wrong one away"
        )
    return SceneFiles(SceneFormat.ENVI, path, headers[0])


def data_files_of(header: Path) -> list[Path]:
    """Files that may be the data of an ENVI header, by their names in any letter case.

    One of exactly the header's name without .hdr comes before all others; GeoTIFFs count where nothing else fits.

    Raises:
        SceneReadError: The folder cannot be listed.
    """
    stem = header.stem.lower()
    fitting = [path for path in _siblings(header) if path.name != header.name]
    exact = [path for path in fitting if path.name.lower() == stem]
    if exact:
        return exact
    for suffixes in (ENVI_DATA_SUFFIXES, GEOTIFF_SUFFIXES):
        found = [path for path in fitting if path.stem.lower() == stem and path.suffix.lower() in suffixes]
        if found:
            return found
    return []


def output_files(path: Path) -> SceneFiles:
    """The files that an output of this name consists of; the format follows the extension.

    Raises:
        SceneWriteError: The extension stands for no format that is written.
    """
    suffix = path.suffix.lower()
    if suffix in GEOTIFF_SUFFIXES:
        return SceneFiles(SceneFormat.GEOTIFF, path)
    if suffix == ".hdr":
        stem = path.with_suffix("")
        data = stem if stem.suffix.lower() in ENVI_DATA_SUFFIXES else path.with_suffix(".img")
        return SceneFiles(SceneFormat.ENVI, data, path)
    if suffix in (".img", ".dat", ".bsq", ".bil", ".bip"):
        return SceneFiles(SceneFormat.ENVI, path, path.with_suffix(".hdr"))
    raise SceneWriteError(
        f"{path}: the extension {suffix or '(none)'} names no format; .tif for GeoTIFF, or .hdr, .img, .dat, .bsq, "
        ".bil or .bip for ENVI was expected; rename the output"
    )


def _first_bytes(path: Path) -> bytes:
    """The start of a file that exists, is a file, is readable and not empty."""
    try:
        if path.is_dir():
            raise SceneReadError(f"{path}: is a folder; a raster file was expected; name the file inside it")
        if path.exists() and not path.is_file():
            raise SceneReadError(f"{path}: is no regular file; a raster file was expected; copy it to disk first")
        with path.open("rb") as file:
            start = file.read(_SNIFFED)
    except FileNotFoundError:
        raise SceneReadError(f"{path}: no such file; an ENVI or GeoTIFF scene was expected; check the path") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise SceneReadError(f"{path}: cannot be read ({reason}); check the path and its permissions") from error
    if not start:
        raise SceneReadError(f"{path}: is empty; a raster was expected; copy or export it again")
    return start


def _from_header(header: Path, start: bytes) -> SceneFiles:
    if not start.lstrip(b"\xef\xbb\xbf").startswith(b"ENVI"):
        raise SceneReadError(
            f"{header}: is no ENVI header (its first word is not ENVI); name the data file, or convert it to GeoTIFF"
        )
    candidates = data_files_of(header)
    if not candidates:
        expected = f"{header.stem}, {header.stem}.img or the like was expected beside it"
        others = [path.name for path in _siblings(header) if _may_be_data(path, header)]
        if others:
            raise SceneReadError(
                f"{header}: no file of a usual name is its data; {expected}; if {' or '.join(others[:3])} is its data, "
                "name that file instead"
            )
        raise SceneReadError(f"{header}: its data file is missing; {expected}; put both files into one folder")
    if len(candidates) > 1:
        names = ", ".join(candidate.name for candidate in candidates)
        raise SceneReadError(f"{header}: several files may be its data ({names}); name the data file itself")
    start = _first_bytes(candidates[0])
    if candidates[0].suffix.lower() in GEOTIFF_SUFFIXES and start.startswith(_TIFF_MAGIC):
        return SceneFiles(SceneFormat.GEOTIFF, candidates[0], header)
    return SceneFiles(SceneFormat.ENVI, candidates[0], header)


def _may_be_data(path: Path, header: Path) -> bool:
    """Whether a file has a header's name but for an extension that tells nothing."""
    return path.stem.lower() == header.stem.lower() and path.suffix.lower() not in _NEVER_DATA


def _foreign_kind(start: bytes) -> str | None:
    """What a file is that is no scene for us, by its first bytes; None where they tell nothing."""
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"<?xml"):
        return _FOREIGN_MAGIC[b"<VRTDataset"] if b"<VRTDataset" in text else "an XML file"
    return next(
        (name for magic, name in _FOREIGN_MAGIC.items() if start.startswith(magic) or text.startswith(magic)), None
    )


def _siblings(path: Path) -> list[Path]:
    try:
        with os.scandir(path.parent) as entries:
            return sorted(path.parent / entry.name for entry in entries if entry.is_file())
    except OSError as error:
        raise SceneReadError(f"{path.parent}: cannot be listed ({error.strerror}); check its permissions") from error


def _headers_of(data: Path) -> list[Path]:
    """ENVI headers that fit the data file's name in any letter case."""
    names = {f"{data.name}.hdr".lower(), f"{data.stem}.hdr".lower()}
    found = [path for path in _siblings(data) if path.name.lower() in names]
    return [path for path in found if _first_bytes_or_none(path).lstrip(b"\xef\xbb\xbf").startswith(b"ENVI")] or found


def _first_bytes_or_none(path: Path) -> bytes:
    try:
        return _first_bytes(path)
    except SceneReadError:
        return b""


def _tiff_sidecar(path: Path) -> Path | None:
    """The one ENVI header beside a GeoTIFF, if there is one; whether it speaks of the GeoTIFF, its file type says."""
    with suppress(SceneReadError):
        headers = [header for header in _headers_of(path) if _first_bytes_or_none(header).startswith(b"ENVI")]
        return headers[0] if len(headers) == 1 else None
    return None
