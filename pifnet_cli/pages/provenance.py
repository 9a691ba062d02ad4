"""What a result was made from and with: command, files, options, bands, versions."""

import platform
import shlex
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from enum import Enum
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import rasterio

from pifnet_cli import __version__
from pifnet_cli.errors import PifnetError
from pifnet_cli.pages.page import Page, Section, Table, facts_table
from pifnet_cli.pages.sections import bands_table
from pifnet_cli.raster.formats import find_scene
from pifnet_cli.scene import Bands

PACKAGES = ("numpy", "scipy", "numba", "torch", "rasterio", "spectral", "matplotlib", "jinja2")
PROGRAMS = ("pifnet", "__main__.py")  # as Python names them that run the command line


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What only the run itself knows: its command line, and the warnings that it gave."""

    command: str = ""
    notices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FusionFiles:
    """The files that a fusion reads and writes."""

    lr_hsi: Path
    hr_msi: Path
    output: Path
    checkpoint: Path | None = None
    uncertainty: Path | None = None

    @property
    def inputs(self) -> list[Path]:
        """What is read."""
        return [path for path in (self.lr_hsi, self.hr_msi, self.checkpoint) if path is not None]

    @property
    def named(self) -> list[tuple[str, Path]]:
        """The files with their roles."""
        files = (
            ("LR-HSI", self.lr_hsi),
            ("HR-MSI", self.hr_msi),
            ("checkpoint", self.checkpoint),
            ("fused", self.output),
            ("uncertainty", self.uncertainty),
        )
        return [(role, path) for role, path in files if path is not None]


@dataclass(frozen=True, slots=True)
class ScoredFiles:
    """A fused scene and what it is scored by: its reference, its pair (LR-HSI and HR-MSI), or both."""

    fused: Path
    reference: Path | None = None
    pair: tuple[Path, Path] | None = None

    @property
    def named(self) -> list[tuple[str, Path]]:
        """The files with their roles."""
        lr_hsi, hr_msi = self.pair or (None, None)
        files = ("fused", self.fused), ("reference", self.reference), ("LR-HSI", lr_hsi), ("HR-MSI", hr_msi)
        return [(role, path) for role, path in files if path is not None]


def with_provenance(
    page: Page, files: FusionFiles | ScoredFiles, settings: Any, bands: Bands, run: RunFacts | None
) -> Page:
    """Add to a page what the run warned of, how to get the same result again, and when the page was made.

    Args:
        page: The page without its last section.
        files: What was read and written.
        settings: The options, a frozen dataclass.
        bands: Bands of the fused scene.
        run: Command line and warnings, where they are known.
    """
    run = run or RunFacts()
    made = f"pifnet, {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}"
    sections = (*page.sections, _parameters_section(files.named, settings, bands, run))
    return replace(page, notices=run.notices, sections=sections, footer=made)


def files_table(files: Sequence[tuple[str, Path]]) -> Table:
    """List role, path, size and time of last change of every file; a scene may consist of several files."""
    rows = [(role, str(path), *_state(path)) for role, named in files for path in _all_of(named)]
    return Table(tuple(rows), header=("file", "path", "bytes", "changed (UTC)"), caption="Files")


def options_table(settings: Any) -> Table:
    """List the fields of a settings object (a frozen dataclass), folded away."""
    facts = [(item.name.replace("_", " "), _word(getattr(settings, item.name))) for item in fields(settings)]
    return facts_table(facts, caption="All options", is_folded=True)


def versions_table() -> Table:
    """List the versions of pifnet, Python, GDAL and the packages that pifnet uses, folded away."""
    gdal = f"{rasterio.__gdal_version__}"
    facts = [("pifnet", __version__), ("Python", platform.python_version()), ("GDAL", gdal)]
    facts += [(name, _version(name)) for name in PACKAGES]
    facts.append(("platform", platform.platform()))
    return facts_table(facts, caption="Versions", is_folded=True)


def command_line() -> str:
    """The words that `pifnet` was started with; none inside another program."""
    program, *words = sys.argv or [""]
    return shlex.join(["pifnet", *words]) if Path(program).name in PROGRAMS else ""


def _parameters_section(files: Sequence[tuple[str, Path]], settings: Any, bands: Bands, run: RunFacts) -> Section:
    command = [facts_table([("command", run.command)])] if run.command else []
    tables = (*command, files_table(files), options_table(settings), bands_table(bands), versions_table())
    return Section(title="Parameters", parts=tables)


def _all_of(path: Path) -> Sequence[Path]:
    try:
        return find_scene(path).all
    except PifnetError:  # a checkpoint is no scene
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
