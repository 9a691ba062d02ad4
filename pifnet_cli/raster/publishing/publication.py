"""Outputs that appear complete or not at all: partial names, clashes with inputs, disk space, publishing."""

import atexit
import os
import secrets
import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from pifnet_cli.choices import Overwrite
from pifnet_cli.errors import SceneWriteError
from pifnet_cli.raster.formats import GEOTIFF_SUFFIXES, SceneFiles, data_files_of
from pifnet_cli.raster.publishing.places import first_shared, require_no_input

_ROOM = 200  # bytes
_PENDING: set[tuple[int, Path]] = set()  # (process, path): partial files that may exist


def partial_files(files: SceneFiles) -> SceneFiles:
    """Names beside the output's that no other run uses, and that pair like the output's.

    Whatever still bears them when the process ends is removed then: a signal may come where no `with` block is entered
    yet, or has been left already.
    """
    data = files.data
    partial = data.with_name(f".{shortened(data.stem)}.{os.getpid()}.{secrets.token_hex(4)}.partial{data.suffix}")
    header = None if files.header is None else partial.with_suffix(".hdr")
    crs = None if files.crs is None else partial.with_name(f"{partial.name}.aux.xml")
    named = SceneFiles(files.scene_format, partial, header, crs)
    _PENDING.update((os.getpid(), path.absolute()) for path in named.all)
    return named


def shortened(name: str) -> str:
    """As much of a name as leaves room for what partial names add, within the 255 bytes that systems take."""
    return os.fsencode(name)[:_ROOM].decode("utf-8", "ignore")


def require_free_name(files: SceneFiles, *, inputs: Sequence[Path], overwrite: Overwrite) -> None:
    """Refuse an output that is an input by any name, that exists, or whose folder cannot be written.

    Raises:
        SceneWriteError: The message names the file and the remedy.
    """
    folder = files.data.parent
    if not os.path.isdir(folder):  # noqa: PTH112 - Path.is_dir raises where a parent may not be entered
        raise SceneWriteError(f"{files.data}: the folder {folder} does not exist; create it first")
    existing = [path for path in (*files.all, *sidecars(files)) if os.path.lexists(path)]
    for path in existing:
        if path.is_dir():
            raise SceneWriteError(f"{path}: is a folder; a file name was expected; choose another output")
    require_no_input((*files.all, *sidecars(files)), inputs)
    _require_only_data(files)
    if existing and overwrite is Overwrite.REFUSE:
        raise SceneWriteError(f"{existing[0]}: exists already; choose another output, or replace it with --overwrite")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise SceneWriteError(f"{files.data}: the folder {folder} cannot be written; check its permissions")


def require_apart(files: SceneFiles, others: SceneFiles) -> None:
    """Refuse two outputs of which one would be, or be read together with, a file of the other.

    Raises:
        SceneWriteError: The message names both and the remedy.
    """
    shared = first_shared([*files.all, *sidecars(files)], others.all) or first_shared(files.all, sidecars(others))
    if shared is not None:
        raise SceneWriteError(
            f"{files.data}: needs {shared.name}, which is or goes with the output {others.data}; choose another name"
        )


def sidecars(files: SceneFiles) -> list[Path]:
    """Files of other names that programs would read together with an output, and so change its meaning."""
    data = files.data
    names = [f"{data.name}.aux.xml", f"{data.name}.ovr", f"{data.name}.msk"]
    if files.header is not None:
        names += [f"{data.name}.hdr", f"{data.stem}.hdr"]
    return [path for name in dict.fromkeys(names) if (path := data.with_name(name)) not in files.all]


def require_space(folder: Path, needed: int, output: Path) -> None:
    """Refuse an output that the disk cannot hold.

    Raises:
        SceneWriteError: Fewer than `needed` bytes are free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SceneWriteError(
            f"{output}: needs {_size(needed)} more, {_size(free)} are free in {folder}; free some or write elsewhere"
        )


def publish(pairs: Sequence[tuple[Path, Path]], stale: Iterable[Path]) -> None:
    """Give partial files their names, the last one last; all are on disk before the first is renamed.

    Where the disk refuses one of the names, those that were given already are taken away again.

    Args:
        pairs: (partial, final), of one scene or of several that belong together; what exists under the final names is
            replaced. A scene's header comes last, and an old one is removed first, so that no header ever stands beside
            another's data.
        stale: Files to remove, because they would change the meaning of the output.

    Raises:
        SceneWriteError: The disk refused.
    """
    published: list[Path] = []
    try:
        for partial, _ in pairs:
            _flush_to_disk(partial)
        for path in (*stale, *(final for _, final in pairs[1:])):
            if os.path.lexists(path):  # a sidecar's name may be too long for the system
                path.unlink(missing_ok=True)
        for partial, final in pairs:
            partial.replace(final)
            published.append(final)
    except OSError as error:
        for path in published:
            with suppress(OSError):
                path.unlink(missing_ok=True)
        raise SceneWriteError(f"{pairs[0][1]}: cannot be completed ({error.strerror}); check the disk") from error

    with suppress(OSError):  # some file systems cannot flush a folder; the files are there all the same
        _flush_to_disk(pairs[0][1].parent)


def discard(partials: Iterable[Path]) -> None:
    """Remove partial files, whatever state they are in."""
    for path in partials:
        for leftover in (path, path.with_name(f"{path.name}.aux.xml")):
            with suppress(OSError):
                leftover.unlink(missing_ok=True)
        _PENDING.discard((os.getpid(), path.absolute()))


@atexit.register
def _discard_pending() -> None:
    discard([path for process, path in tuple(_PENDING) if process == os.getpid()])


def _require_only_data(files: SceneFiles) -> None:
    """Refuse an ENVI header's name that another data file beside it would claim too."""
    if files.header is None:
        return
    for rival in data_files_of(files.header):
        if rival.name.lower() != files.data.name.lower() and rival.suffix.lower() not in GEOTIFF_SUFFIXES:
            raise SceneWriteError(
                f"{files.data}: {rival.name} beside it has the same name but for the extension, and would be taken for "
                "the data of its header; choose another output"
            )


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _size(count: int) -> str:
    return f"{count / 2**30:.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"
