"""What no output may touch: the files that a command reads, all that programs read together with them, each other."""

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from pifnet_cli.errors import SceneReadError, SceneWriteError
from pifnet_cli.raster.formats import find_scene

# What GDAL and ENVI programs read beside NAME.EXT, as NAME.EXT.xyz and as NAME.xyz, in any letter case.
_AFTER_NAME = (".aux.xml", ".ovr", ".msk", ".hdr", ".msk.ovr", ".ovr.msk", ".ovr.ovr")
_AFTER_STEM = (
    ".hdr", ".aux", ".rrd", ".sta", ".tfw", ".tifw", ".tiffw", ".wld", ".rpb", ".imd", "_rpc.txt", "_rpb.txt"
)  # fmt: skip
_CHANGE_MEANING = (".aux.xml", ".ovr", ".msk")  # after the name; even where there is none yet


def require_no_input(outputs: Iterable[Path], inputs: Iterable[Path]) -> None:
    """Refuse outputs of which one is, by whatever name, a file that is read or goes with one.

    Args:
        outputs: Every file that would be written, replaced or removed.
        inputs: As the user named them: scenes, tables, checkpoints; of a folder all files.

    Raises:
        SceneWriteError: The message names both.
    """
    known = {key: source for source in inputs for file in files_read(source) for key in _identities(file)}
    for output in outputs:
        for key in _identities(output):
            if key in known:
                raise SceneWriteError(
                    f"{output}: is also an input ({known[key]}) or goes with it; writing would destroy it; choose "
                    "another name"
                )


def first_shared(outputs: Sequence[Path], others: Sequence[Path]) -> Path | None:
    """The first of `outputs` that is, by whatever name, also one of `others`."""
    known = {key for other in others for key in _identities(other)}
    return next((output for output in outputs if not known.isdisjoint(_identities(output))), None)


def files_read(source: Path) -> list[Path]:
    """The files that stand behind the name of an input, with what is, or would be, read together with them."""
    if os.path.isdir(source):  # noqa: PTH112 - Path.is_dir raises where a parent may not be entered
        return [source, *_beside(source)]
    named = [source]
    with suppress(SceneReadError):
        named += [path for path in find_scene(source).all if path != source]
    names = {f"{path.name}{end}".lower() for path in named for end in _AFTER_NAME}
    names |= {f"{path.stem}{end}".lower() for path in named for end in _AFTER_STEM}
    found = [path for path in _beside(source.parent) if path.name.lower() in names]
    return [*named, *found, *(path.with_name(path.name + end) for path in named for end in _CHANGE_MEANING)]


def _beside(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [folder / entry.name for entry in entries]
    except OSError:
        return []  # what cannot be listed is told where it is read


def _identities(path: Path) -> set[object]:
    """What two names of one file have in common: the file itself where it is there, else its place."""
    place = os.path.realpath(path)
    folder = os.path.dirname(place)  # noqa: PTH120 - a string, as realpath makes it
    found: set[object] = {place.casefold() if _ignores_case(folder) else place}
    with suppress(OSError, ValueError):
        status = path.stat()
        found.add((status.st_dev, status.st_ino))
    return found


def _ignores_case(folder: str) -> bool:
    """Whether names that differ in letter case alone are one name in a folder, as one of its entries tells."""
    try:
        with os.scandir(folder) as entries:
            known = next((entry.name for entry in entries if entry.name.swapcase() != entry.name), None)
            return known is not None and Path(folder, known.swapcase()).samefile(Path(folder, known))
    except (OSError, ValueError):
        return False
