"""What a result was made from and with: files, options, versions."""

import platform
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import rasterio

from pifnet_cli import __version__
from pifnet_cli.errors import PifnetError
from pifnet_cli.pages.page import Table, facts_table
from pifnet_cli.raster.formats import find_scene

PACKAGES = ("numpy", "scipy", "numba", "torch", "rasterio", "spectral", "matplotlib", "jinja2")
PROGRAMS = ("pifnet", "__main__.py")  # as Python names them that run the command line


def files_table(files: Sequence[tuple[str, Path]]) -> Table:
    """Role, path, size and time of last change of every file; a scene may be several."""
    rows = [(role, str(path), *_state(path)) for role, named in files for path in _all_of(named)]
    return Table(tuple(rows), header=("file", "path", "bytes", "changed (UTC)"), caption="Files")


def options_table(*settings: Any) -> Table:
    """The fields of settings objects (frozen dataclasses), folded away."""
    facts = [(item.name.replace("_", " "), _word(getattr(one, item.name))) for one in settings for item in fields(one)]
    return facts_table(facts, caption="All options", is_folded=True)


def versions_table() -> Table:
    """Of pifnet, Python, GDAL and the packages that took part or may have, folded away."""
    gdal = f"{rasterio.__gdal_version__}"
    facts = [("pifnet", __version__), ("Python", platform.python_version()), ("GDAL", gdal)]
    facts += [(name, _version(name)) for name in PACKAGES]
    facts.append(("platform", platform.platform()))
    return facts_table(facts, caption="Versions", is_folded=True)


def command_line() -> str:
    """The words that `pifnet` was started with; none inside another program."""
    program, *words = sys.argv or [""]
    return shlex.join(["pifnet", *words]) if Path(program).name in PROGRAMS else ""


def time_of_day() -> str:
    """Now, UTC."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())


def _all_of(path: Path) -> Sequence[Path]:
    try:
        return find_scene(path).all
    except PifnetError:  # a checkpoint
        return (path,)


def _state(path: Path) -> tuple[str, str]:
    try:
        state = path.stat()
    except OSError:
        return "", ""
    changed = time.strftime("%Y-%m-%d %H:%M", time.gmtime(state.st_mtime))
    return (f"{state.st_size:,}".replace(",", " ") if path.is_file() else "folder"), changed


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _word(value: object) -> str:
    match value:
        case None:
            return "not given"
        case Enum():
            return str(value.value)
        case tuple():
            return ", ".join(map(_word, value)) or "none"
        case _:
            return str(value)
