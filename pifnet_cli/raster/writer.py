"""SceneWriter: create, fill by window, publish when complete."""

import logging
import math
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from rasterio.errors import RasterioError

from pifnet_cli.choices import Overwrite, SceneFormat
from pifnet_cli.errors import SceneWriteError, SettingsError
from pifnet_cli.raster.checks import reason
from pifnet_cli.raster.envi.header import DATA_TYPES
from pifnet_cli.raster.envi.output import EnviFile, header_text
from pifnet_cli.raster.formats import SceneFiles, output_files
from pifnet_cli.raster.georeference import crs_sidecar, is_held_by_keys
from pifnet_cli.raster.geotiff.output import GeoTiffFile, creation_profile
from pifnet_cli.raster.publishing import publication
from pifnet_cli.raster.publishing.verification import MissingBlocks, verify
from pifnet_cli.raster.stored_numbers import BandCoding, Stored, exact_nodata, to_stored
from pifnet_cli.scene import Pixels, Scene, Window

_LOG = logging.getLogger(__name__)
INTERLEAVES = ("bsq", "bil", "bip")
LARGEST_NODATA = 2**64 - 2048  # of ENVI: the largest of uint64 that is a float64 too, as which GDAL reads it
LARGEST_TIFF_NODATA = 2**53  # GDAL writes larger ones of 64-bit integers as floats, and reads them as other numbers
HOPEFUL_COMPRESSION = 20  # a disk smaller than this part of the raw size is full for certain


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """How a scene is written: `block_size` of GeoTIFF tiles, a multiple of 16; `interleave` bsq, bil or bip."""

    overwrite: Overwrite
    creation_options: tuple[str, ...] = ()
    block_size: int | None = None
    interleave: str | None = None


class PixelFile(Protocol):
    """A file under its partial name that takes stored numbers."""

    def write(self, stored: Stored, window: Window) -> None:
        """Put stored numbers (C, h, w) where they belong."""

    def close(self) -> None:
        """Flush and close."""


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """An output that passed all checks: `profile` of a GeoTIFF, `interleave` and `header` of an ENVI file."""

    scene: Scene
    files: SceneFiles
    profile: dict[str, str] | None = None
    interleave: str = "bsq"
    header: str = ""

    @property
    def missing(self) -> MissingBlocks:
        """What blocks mean that the finished file lacks."""
        is_sparse = (self.profile or {}).get("SPARSE_OK") in ("YES", "TRUE", "ON")
        return MissingBlocks.NODATA if is_sparse else MissingBlocks.REFUSED


class SceneWriter:
    """A scene under construction; a context manager.

    Leaving the block publishes the complete scene under its name; an exception inside removes all traces of it.

    Attributes:
        scene: What is written; its `nodata` is always a number.
        path: The data file, once published.
    """

    def __init__(self, plan: OutputPlan, partials: SceneFiles, pixels: PixelFile) -> None:
        scene = plan.scene
        self.scene = scene
        self.path = plan.files.data
        self._plan = plan
        self._partials = partials
        self._pixels = pixels
        self._codings = _codings(scene)
        self._dtype = np.dtype(scene.dtype)
        self._clipped = 0
        self._written = 0

    def write(self, pixels: Pixels, window: Window) -> None:
        """Write one window; every pixel of the scene must be written once.

        Args:
            pixels: (C, h, w) in physical units, invalid pixels NaN. Integers are rounded and clipped, never wrapped; a
                valid value that equals the nodata number is moved to its neighbour.
            window: Where; inside the scene, of the size of `pixels`.

        Raises:
            SceneWriteError: The disk refused.
        """
        expected = (self.scene.bands.count, window.height, window.width)
        if pixels.shape != expected or window.clipped(self.scene.grid.height, self.scene.grid.width) != window:
            raise ValueError(f"pixels of {pixels.shape} do not fit {window} of {self.scene.grid.window}")
        stored, clipped = to_stored(pixels, self._codings, self._dtype)
        try:
            self._pixels.write(stored, window)
        except (RasterioError, OSError) as error:
            raise _disk_error(self.path, error) from error
        self._clipped += clipped
        self._written += window.height * window.width

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                publish_together([self])
        finally:
            self.discard()

    def complete(self) -> None:
        """Close and verify the file, which keeps its partial name.

        Raises:
            SceneWriteError: The disk refused, or pixels are missing.
        """
        try:
            self._pixels.close()
        except (RasterioError, OSError) as error:
            raise _disk_error(self.path, error) from error
        if self._written < self.scene.grid.height * self.scene.grid.width:
            raise SceneWriteError(f"{self.path}: only {self._written} pixels were written; this is a bug, report it")
        verify(self._partials.data, self.scene, missing=self._plan.missing)

    def discard(self) -> None:
        """Remove what is not published, whatever state it is in."""
        with suppress(RasterioError, OSError):
            self._pixels.close()
        publication.discard(self._partials.all)

    def _names(self) -> list[tuple[Path, Path]]:
        """(partial, final) of every file."""
        return list(zip(self._partials.all, self._plan.files.all, strict=True))


class JointWriters:
    """Scenes under construction that appear together or not at all; a context manager round writers not entered."""

    def __init__(self, writers: Sequence[SceneWriter]) -> None:
        self._writers = writers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                publish_together(self._writers)
        finally:
            for writer in self._writers:
                writer.discard()


def publish_together(writers: Sequence[SceneWriter]) -> None:
    """Complete all scenes, then give them their names.

    Raises:
        SceneWriteError: One is not complete, or the disk refused; none is there then.
    """
    for writer in writers:
        writer.complete()
    publication.publish(
        [names for writer in writers for names in writer._names()],
        stale=[path for writer in writers for path in publication.sidecars(writer._plan.files)],
    )
    for writer in writers:
        if writer._clipped:
            _LOG.warning(
                "%s: %d values beyond the range of %s were clipped", writer.path, writer._clipped, writer._dtype
            )


def create_scene(scene: Scene, options: WriteOptions, *, inputs: Sequence[Path] = ()) -> SceneWriter:
    """Start a scene that is written window by window.

    `scene.path` is the output; its extension chooses the format. Where `scene.nodata` is None a number is declared:
    NaN for floats, the lowest signed or the highest unsigned integer.

    Args:
        scene: All but the pixels.
        options: How it is written.
        inputs: Files that are read meanwhile; an output that is one of them, by any name, is refused.

    Returns:
        A writer, to be used by `with`.

    Raises:
        SceneWriteError: The name is taken, is an input, or cannot be written; the disk is too full.
        SettingsError: A creation option makes no sense.
        GridError: The format cannot express the grid.
    """
    plan = _planned(scene, options, inputs)
    partials = publication.partial_files(plan.files)
    try:
        pixels = _start(plan, partials)
    except (RasterioError, OSError) as error:
        publication.discard(partials.all)
        raise _disk_error(plan.files.data, error) from error
    except BaseException:
        publication.discard(partials.all)
        raise
    return SceneWriter(plan, partials, pixels)


def require_names(paths: Sequence[Path], *, inputs: Sequence[Path], overwrite: Overwrite) -> None:
    """Make those of `create_scene`'s checks that need the names alone, of scenes that are to appear together.

    Raises:
        SceneWriteError: A name is taken, is an input's, or stands for no format, or two get in each other's way.
    """
    named = [output_files(_real(path)) for path in paths]
    for position, files in enumerate(named):
        publication.require_free_name(files, inputs=inputs, overwrite=overwrite)
        for other in named[:position]:
            publication.require_apart(files, other)


def require_creatable(scene: Scene, options: WriteOptions, *, inputs: Sequence[Path] = ()) -> None:
    """Make all of `create_scene`'s checks, and create nothing.

    Raises:
        SceneWriteError, SettingsError, GridError: As `create_scene`.
    """
    _planned(scene, options, inputs)


def _planned(scene: Scene, options: WriteOptions, inputs: Sequence[Path]) -> OutputPlan:
    files = output_files(_real(scene.path))
    scene = _completed(replace(scene, path=files.data), files.scene_format)
    publication.require_free_name(files, inputs=inputs, overwrite=options.overwrite)
    size = scene.grid.height * scene.grid.width * scene.bands.count * np.dtype(scene.dtype).itemsize
    if files.scene_format is SceneFormat.GEOTIFF:
        profile = creation_profile(scene, options.creation_options, block_size=options.block_size)
        needed = size if profile["COMPRESS"] == "NONE" else size // HOPEFUL_COMPRESSION
        if scene.grid.crs_wkt is not None and not is_held_by_keys(scene.grid.crs_wkt):
            files = replace(files, crs=files.data.with_name(f"{files.data.name}.aux.xml"))
        plan = OutputPlan(scene, files, profile=profile)
    else:
        interleave = _interleave(scene.path, options)
        header = header_text(scene, interleave)
        if scene.bands.names is not None and any(set(name) & set(",{}") for name in scene.bands.names):
            _LOG.warning("%s: an ENVI header holds no commas and braces in band names; they are replaced", files.data)
        needed = size + len(header)
        plan = OutputPlan(scene, files, interleave=interleave, header=header)
    publication.require_space(files.data.parent, needed, scene.path)
    return plan


def _real(path: Path) -> Path:
    return path.resolve() if path.is_symlink() else path


def _start(plan: OutputPlan, partials: SceneFiles) -> PixelFile:
    if partials.crs is not None and plan.scene.grid.crs_wkt is not None:
        partials.crs.write_text(crs_sidecar(plan.scene.grid.crs_wkt), encoding="utf-8")
    if plan.profile is not None:
        return GeoTiffFile(partials.data, plan.scene, plan.profile)
    if partials.header is not None:
        partials.header.write_text(plan.header, encoding="utf-8")
    return EnviFile(partials.data, plan.scene, plan.interleave)


def _completed(scene: Scene, scene_format: SceneFormat) -> Scene:
    """The scene with a nodata number that its type and its format can hold."""
    dtype = np.dtype(scene.dtype)
    is_tiff = scene_format is SceneFormat.GEOTIFF
    written = (*DATA_TYPES.values(), *(["int8"] if is_tiff else []))
    if dtype.name not in written:
        kind = "a GeoTIFF" if is_tiff else "an ENVI file"
        raise SceneWriteError(
            f"{scene.path}: {dtype.name} is not written to {kind}; one of {', '.join(written)} was expected; choose "
            "one with --dtype"
        )
    if np.issubdtype(dtype, np.floating):
        declared = math.nan if scene.nodata is None else float(exact_nodata(scene.nodata, dtype.name, scene.path))
        return replace(scene, nodata=declared)
    return replace(scene, nodata=_whole_nodata(scene, is_tiff=is_tiff))


def _whole_nodata(scene: Scene, *, is_tiff: bool) -> int:
    """The nodata number of integers: the scene's, else the lowest signed or the highest unsigned that is kept."""
    limits = np.iinfo(scene.dtype)
    nodata = scene.nodata
    if nodata is None:
        largest = LARGEST_TIFF_NODATA if is_tiff else LARGEST_NODATA
        return max(limits.min, -largest) if limits.min < 0 else min(limits.max, largest)
    if not (math.isfinite(nodata) and nodata == int(nodata) and limits.min <= nodata <= limits.max):
        raise SceneWriteError(
            f"{scene.path}: the nodata value {nodata:g} does not fit {scene.dtype}; a whole number from {limits.min} "
            f"to {limits.max} was expected; choose another type with --dtype, or another nodata value"
        )
    if is_tiff and abs(nodata) > LARGEST_TIFF_NODATA:
        raise SceneWriteError(
            f"{scene.path}: a GeoTIFF of {scene.dtype} does not keep the nodata value {int(nodata)}; at most "
            f"{LARGEST_TIFF_NODATA} either side of 0 was expected; choose --dtype int32 or float64, or write an ENVI "
            "file"
        )
    return int(nodata)


def _codings(scene: Scene) -> list[BandCoding]:
    count = scene.bands.count
    scales, offsets = scene.scales or (1.0,) * count, scene.offsets or (0.0,) * count
    return [BandCoding(scale, offset, scene.nodata) for scale, offset in zip(scales, offsets, strict=True)]


def _interleave(path: Path, options: WriteOptions) -> str:
    """From the options, else from the extension, else bsq."""
    named = [path.suffix.lower()[1:]] if path.suffix.lower() in (".bsq", ".bil", ".bip") else []
    asked = [options.interleave.lower()] if options.interleave else []
    if not set(asked) <= set(INTERLEAVES):
        raise SettingsError(f"{path}: interleave {options.interleave}; bsq, bil or bip was expected")
    for text in options.creation_options:
        name, _, value = text.partition("=")
        if name.strip().upper() != "INTERLEAVE" or value.strip().lower() not in INTERLEAVES:
            raise SettingsError(f"--co {text}: ENVI outputs take INTERLEAVE=BSQ, BIL or BIP only")
        asked.append(value.strip().lower())
    if len({*asked, *named}) > 1:
        raise SettingsError(f"{path}: interleave {' and '.join(asked)} contradicts the extension; one was expected")
    return next(iter([*asked, *named]), "bsq")


def _disk_error(path: Path, error: Exception) -> SceneWriteError:
    words = error.strerror if isinstance(error, OSError) and error.strerror else reason(error)
    return SceneWriteError(f"{path}: cannot be written ({words}); free some space or check the disk; nothing was left")
