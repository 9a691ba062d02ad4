"""ENVI headers: their fields, and the pixel layout that they declare, checked against the data file."""

import locale
import math
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from spectral.io import envi

from pifnet_cli.errors import SceneReadError
from pifnet_cli.raster.formats import SceneFiles

MAX_HEADER_BYTES = 16 * 2**20
MAX_SIDE = 2**31 - 1  # what GDAL counts rows and columns with
MAX_BANDS = 65536
DATA_TYPES = {
    1: "uint8", 2: "int16", 3: "int32", 4: "float32", 5: "float64",
    12: "uint16", 13: "uint32", 14: "int64", 15: "uint64",
}  # fmt: skip
COMPLEX_TYPES = (6, 9)
IMAGE_TYPES = ("", "envi", "envi standard", "envi classification")

_BUDGET = ((b"\n", "lines", 2**20), (b"\r", "lines", 2**20), (b",", "entries in lists", 2**20), (b"=", "fields", 2**14))
_OF_BANDS = ("description", "wavelength", "wavelengths", "fwhm", "bbl", "band names")
_CLOSING = {"{": "}", "[": "]"}

Field = str | list[str]


@dataclass(frozen=True, slots=True)
class EnviHeader:
    """A header's fields by lower-case name; lists were in braces."""

    path: Path
    fields: Mapping[str, Field]

    def text(self, name: str) -> str | None:
        """A field as text, or None where it is absent or blank."""
        value = self.fields.get(name)
        value = ", ".join(value) if isinstance(value, list) else value
        return value.strip() or None if value is not None else None

    @property
    def describes_tiff(self) -> bool:
        """The data file is a TIFF that carries its own layout."""
        return (self.text("file type") or "").lower() == "tiff"


@dataclass(frozen=True, slots=True)
class EnviLayout:
    """How pixels lie in the data file."""

    samples: int
    lines: int
    bands: int
    offset: int
    dtype: np.dtype[np.generic]
    interleave: str

    @property
    def pixel_bytes(self) -> int:
        """Bytes of all pixels, without what precedes them."""
        return self.samples * self.lines * self.bands * self.dtype.itemsize


def read_header(path: Path) -> EnviHeader:
    """The fields of an ENVI header, whatever its letter case, line ends, comments and encoding.

    Raises:
        SceneReadError: No ENVI header, or damaged.
    """
    content = _content(path)
    for sign, what, most in _BUDGET:
        if (found := content.count(sign)) > most:
            raise SceneReadError(
                f"{path}: has {found} {what}, at most {most} were expected of an ENVI header; is it the data file? "
                "remove the lists that do not belong there"
            )
    fields = _fields(path, _decoded(content))
    for name, value in fields.items():
        if isinstance(value, list) and any("{" in entry for entry in value):
            raise SceneReadError(f"{path}: the brace of '{name}' is never closed; add the missing }} to the header")
    return EnviHeader(path, fields)


def condensed_text(header: EnviHeader) -> str:
    """The header without what describes bands, a field a line: GDAL takes minutes over lists of many lines."""
    texts = {
        name: f"{{{', '.join(value)}}}" if isinstance(value, list) else value for name, value in header.fields.items()
    }
    kept = (f"{name} = {' '.join(text.split())}" for name, text in texts.items() if name not in _OF_BANDS)
    return "\n".join(["ENVI", *kept, ""])


def read_layout(header: EnviHeader) -> EnviLayout:
    """The pixel layout that a header declares.

    Raises:
        SceneReadError: A field is absent, not supported or out of range; the message names it.
    """
    _require_image(header)
    bands = _count(header, "bands", low=1, high=MAX_BANDS)
    layout = EnviLayout(
        samples=_count(header, "samples", low=1, high=MAX_SIDE),
        lines=_count(header, "lines", low=1, high=MAX_SIDE),
        bands=bands,
        offset=_count(header, "header offset", low=0, high=2**62) if header.text("header offset") else 0,
        dtype=_dtype(header),
        interleave=_interleave(header, bands),
    )
    if layout.pixel_bytes >= 2**62:
        raise SceneReadError(
            f"{header.path}: declares {layout.samples} x {layout.lines} x {layout.bands} pixels, more than any disk "
            "holds; correct samples, lines and bands"
        )
    return layout


def require_size(layout: EnviLayout, files: SceneFiles) -> list[str]:
    """Check that a data file is as long as its header says; GDAL would read zeros beyond its end.

    Returns:
        A remark where bytes are left over that fit no miscounted row, column or band.

    Raises:
        SceneReadError: The file is too short, or longer by whole rows, columns or bands.
    """
    data, header = files.data, files.header.name if files.header else "its header"
    expected, size = layout.offset + layout.pixel_bytes, data.stat().st_size
    declared = (
        f"{layout.samples} samples x {layout.lines} lines x {layout.bands} bands of {layout.dtype.name} after "
        f"{layout.offset} bytes"
    )
    if size < expected:
        raise SceneReadError(
            f"{data}: holds {size} bytes, {header} declares {expected} ({declared}): the file is truncated or the "
            "header wrong; copy the file again or correct the header"
        )
    excess = size - expected
    for name, count in (("lines", layout.lines), ("bands", layout.bands), ("samples", layout.samples)):
        unit = layout.pixel_bytes // count
        if excess and excess % unit == 0:
            raise SceneReadError(
                f"{data}: holds {size} bytes, {header} declares {expected} ({declared}), too few by whole {name}: "
                f"{count + excess // unit} would fit; correct the header or copy the file again"
            )
    return [f"{data}: {excess} bytes after the last pixel are ignored"] if excess else []


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_HEADER_BYTES:
            raise SceneReadError(f"{path}: is too long for an ENVI header; is it the data file?")
        content = path.read_bytes()
    except OSError as error:
        raise SceneReadError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise SceneReadError(
            f"{path}: starts with a byte order mark, which GDAL does not read; plain text that starts with ENVI was "
            "expected; save the header as UTF-8 without byte order mark"
        )
    if not content.startswith(b"ENVI") or b"\0" in content:
        raise SceneReadError(f"{path}: is no ENVI header; text that starts with ENVI was expected; check the path")
    return content


def _decoded(content: bytes) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _fields(path: Path, text: str) -> dict[str, Field]:
    """Fields by lower-case name, as SPy reads them; lists were in braces.

    Raises:
        SceneReadError: SPy finds no sense in them, or a brace is never closed.
    """
    with tempfile.TemporaryDirectory() as folder:
        readable = Path(folder) / "header.hdr"
        lines = "\n".join(["ENVI", *_joined_lines(path, text), ""])
        readable.write_text(lines, encoding=locale.getencoding(), errors="replace")  # the only one that SPy reads
        try:
            fields: dict[str, Field] = envi.read_envi_header(str(readable))
        except envi.EnviException as error:
            raise SceneReadError(f"{path}: the ENVI header cannot be parsed ({error}); correct the header") from error
    return fields


def _joined_lines(path: Path, text: str) -> Iterator[str]:
    """A line a field, names in lower case: SPy's time grows with the square of a list's lines, this with the text.

    A list goes on until a line ends with its closing bracket; comments inside are left out.
    """
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    lines.reverse()
    while lines:
        line = lines.pop()
        name, equals, value = line.partition("=")
        if not equals or line.startswith(";"):
            continue
        parts = [value.strip()]
        closing = _CLOSING.get(parts[0][:1])
        while closing is not None and not parts[-1].endswith(closing):
            if not lines:
                raise SceneReadError(
                    f"{path}: the ENVI header cannot be parsed; a brace is probably never closed at the end of its "
                    f"line, that of '{name.strip()[:40]}'; correct the header"
                )
            if closing == "]" and "=" in lines[-1]:
                break
            following = lines.pop()
            if not following.startswith(";"):
                parts.append(following.strip())
        yield f"{name.strip().lower()} = {' '.join(parts)}"


def _require_image(header: EnviHeader) -> None:
    file_type = header.text("file type") or ""
    if file_type.lower() not in IMAGE_TYPES:
        raise SceneReadError(
            f"{header.path}: file type is {file_type}; an image (ENVI Standard) was expected; convert it, for example "
            "to GeoTIFF"
        )
    for name in ("file compression", "major frame offsets", "minor frame offsets"):
        value = header.fields.get(name, "0")
        if any(_number(entry) != 0 for entry in ([value] if isinstance(value, str) else value)):
            raise SceneReadError(f"{header.path}: '{name}' is not supported; export the scene without it")


def _dtype(header: EnviHeader) -> np.dtype[np.generic]:
    code = _count(header, "data type", low=0, high=99)
    if code in COMPLEX_TYPES:
        raise SceneReadError(
            f"{header.path}: data type {code} is complex; real numbers were expected; convert it first"
        )
    if code not in DATA_TYPES:
        raise SceneReadError(
            f"{header.path}: data type {code} is unknown; one of {', '.join(map(str, DATA_TYPES))} was expected; "
            "correct the header"
        )
    dtype = np.dtype(DATA_TYPES[code])
    if dtype.itemsize == 1 and header.text("byte order") is None:
        return dtype
    return dtype.newbyteorder(">" if _count(header, "byte order", low=0, high=1) else "<")


def _interleave(header: EnviHeader, bands: int) -> str:
    text = header.text("interleave")
    if text is None and bands == 1:
        return "bsq"
    if text is None or text.lower() not in ("bsq", "bil", "bip"):
        raise SceneReadError(
            f"{header.path}: interleave is {text or 'missing'}; bsq, bil or bip was expected; correct the header"
        )
    return text.lower()


def _count(header: EnviHeader, name: str, *, low: int, high: int) -> int:
    text = header.text(name)
    if text is None:
        raise SceneReadError(f"{header.path}: '{name}' is missing; add it to the header")
    value = _number(text)
    if not low <= value <= high or value != int(value):
        raise SceneReadError(
            f"{header.path}: {name} = {text[:40]}; a whole number from {low} to {high} was expected; correct the header"
        )
    return int(value)


def _number(text: str) -> float:
    """A header's number, NaN where the text is none."""
    try:
        return float(text)
    except ValueError:
        return math.nan
