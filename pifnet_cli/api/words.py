"""Words and paths of the API as settings take them."""

import os
import stat
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TypeVar

from pifnet_cli.choices import Overwrite
from pifnet_cli.errors import PathError, SettingsError
from pifnet_cli.settings import Nodata, ReportSettings

PathLike = str | Path
NodataWord = float | int | str
Pair = tuple[float, float]
Choice = TypeVar("Choice", bound=StrEnum)


def choice(kind: type[Choice], option: str, word: str) -> Choice:
    """The choice that a word names; SettingsError where it names none."""
    try:
        return kind(word)
    except ValueError:
        known = ", ".join(entry.value for entry in kind)
        raise SettingsError(f"{option} {word}: one of {known} was expected") from None


def optional_choice(kind: type[Choice], option: str, word: str | None) -> Choice | None:
    """The same, None being left to others."""
    return None if word is None else choice(kind, option, word)


def optional_path(path: PathLike | None) -> Path | None:
    """The path, if there is one."""
    return None if path is None else path_of(path)


def path_of(named: PathLike) -> Path:
    """The path of an input or output, which need not exist, once it is certain that the system can reach it.

    Raises:
        PathError: It is no UTF-8, too long, behind a folder that may not be entered, relative to a working directory
            that was deleted, a link to nowhere, or neither file nor folder.
    """
    path = Path(named)
    told = os.fsencode(path).decode("utf-8", "replace")
    try:
        str(path).encode("utf-8")
        if not path.is_absolute():
            Path.cwd()
    except UnicodeEncodeError:
        raise PathError(f"{told}: its name is not UTF-8, which GDAL needs; rename it") from None
    except OSError as error:
        raise PathError(f"{told}: the working directory is gone ({error.strerror}); cd to one that exists") from error
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise PathError(
                f"{told}: is a link to {path.readlink()}, which does not exist; remove the link, or name another file"
            ) from None
        return path
    except (OSError, ValueError) as error:
        words = error.strerror if isinstance(error, OSError) else str(error)
        raise PathError(
            f"{told}: cannot be reached ({words}); check its length and its folders' permissions"
        ) from error
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise PathError(
            f"{told}: is neither file nor folder; a pipe or a device is of no use here; name a file on disk"
        )
    return path


def srf_of(spec: str) -> str:
    """What `--srf` says; PathError where it names a table that cannot be reached."""
    if Path(spec).suffix.lower() == ".csv":
        path_of(spec)
    return spec


def pair_nodata(
    both: NodataWord | None, hsi: NodataWord | None, msi: NodataWord | None
) -> tuple[Nodata | None, Nodata | None]:
    """Of either scene, what `nodata=`, `hsi_nodata=` and `msi_nodata=` ask for; SettingsError for what is no number."""
    common = _nodata("--nodata", both)
    return _nodata("--hsi-nodata", hsi) or common, _nodata("--msi-nodata", msi) or common


def _nodata(option: str, word: NodataWord | None) -> Nodata | None:
    if word is None:
        return None
    text = str(word).strip().lower()
    if text == "none":
        return Nodata(None)
    try:
        return Nodata(int(text) if text.lstrip("+-").isdecimal() else float(text))
    except ValueError:
        raise SettingsError(f"{option} {word}: a number, nan or none was expected") from None


def overwrite_of(is_wanted: bool) -> Overwrite:
    """What `overwrite=` asks for."""
    return Overwrite.REPLACE if is_wanted else Overwrite.REFUSE


def report_settings(
    page: PathLike | None, points: Sequence[tuple[int, int]], overwrite: Overwrite
) -> ReportSettings | None:
    """The page that `report=` and `point=` ask for; SettingsError where there are points without a page."""
    if page is None:
        if points:
            raise SettingsError("--point: belongs to --report; give both, or neither")
        return None
    return ReportSettings(path_of(page), tuple((int(row), int(column)) for row, column in points), overwrite)
