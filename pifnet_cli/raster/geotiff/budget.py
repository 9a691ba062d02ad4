"""Refuse GeoTIFFs of endless metadata before GDAL opens them: its time grows with the square of their number."""

import re
import struct
from collections import Counter
from pathlib import Path

from pifnet_cli.errors import SceneReadError

MAX_BYTES = 16 * 2**20
MAX_ITEMS = 10_000  # of one band, or of the whole file
_METADATA_TAG = 42112  # GDAL_METADATA
_ITEM = re.compile(rb'<Item\b[^>]{0,500}?(?:\bsample="(\d{1,6})"[^>]{0,500})?>')


def require_little_metadata(path: Path) -> None:
    """Look at GDAL's metadata in the first directory of a TIFF, and in the .aux.xml beside it.

    What cannot be followed is left to GDAL.

    Raises:
        SceneReadError: They are more than any scene needs.
    """
    beside = path.with_name(f"{path.name}.aux.xml")
    try:
        size, start = _metadata(path)
        sizes = {path: size, beside: beside.stat().st_size if beside.is_file() else 0}
        for file, count in sizes.items():
            if count > MAX_BYTES:
                raise SceneReadError(
                    f"{file}: holds {count / 2**20:.0f} MiB of metadata, at most {MAX_BYTES // 2**20} were expected; "
                    "write the scene again without them"
                )
        items = Counter(match[1] for match in _ITEM.finditer(_bytes(path, start, size)))
        lists = _bytes(beside, 0, sizes[beside]).split(b"<Metadata")
    except (OSError, struct.error):
        return
    most = max([*items.values(), *(text.count(b"<MDI") for text in lists)])
    if most > MAX_ITEMS:
        raise SceneReadError(
            f"{path}: has {most} metadata items in one place, at most {MAX_ITEMS} were expected; write the scene again "
            "without them"
        )


def _bytes(path: Path, start: int, size: int) -> bytes:
    if not size:
        return b""
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)


def _metadata(path: Path) -> tuple[int, int]:
    """Length and place of GDAL's metadata in the first directory, (0, 0) where it has none."""
    with path.open("rb") as file:
        head = file.read(16)
        order = "<" if head[:2] == b"II" else ">"
        is_big = head[2:4] in (b"+\0", b"\0+")
        place, count_format, entry_format = ("Q", "Q", "HHQQ") if is_big else ("I", "H", "HHII")
        (directory,) = struct.unpack_from(order + place, head, 8 if is_big else 4)
        file.seek(directory)
        (count,) = struct.unpack(order + count_format, file.read(struct.calcsize(order + count_format)))
        length = struct.calcsize(order + entry_format)
        entries = file.read(min(count, 2**16) * length)
    for tag, _, size, start in struct.iter_unpack(order + entry_format, entries[: len(entries) // length * length]):
        if tag == _METADATA_TAG and size > struct.calcsize(order + place):
            return size, start
    return 0, 0
