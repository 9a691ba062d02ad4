"""A folder of outputs that belong together: they appear complete or not at all."""

import atexit
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from pifnet_cli.choices import Overwrite
from pifnet_cli.errors import SceneWriteError
from pifnet_cli.raster.publishing.places import require_no_input
from pifnet_cli.raster.publishing.publication import shortened


class OutputFolder:
    """Collects files under a hidden name; leaving the `with` block without an exception publishes them.

    The record is published last, and withdrawn first where it is replaced: while it is there, the files are of one run.
    """

    def __init__(
        self, folder: Path, *, record: str, owned: Sequence[str], overwrite: Overwrite, inputs: Sequence[Path] = ()
    ) -> None:
        """Check the folder; nothing is created yet.

        Args:
            folder: May exist, its parent must.
            record: Name of the file that describes the others.
            owned: Names of the other files that this or an earlier run may leave; those not written anew are removed.
            overwrite: Whether such files may exist.
            inputs: Scenes and tables that must not be among them.

        Raises:
            SceneWriteError: The folder cannot be used, or holds outputs or inputs already.
        """
        self._folder = folder
        self._record = record
        self._existing = _existing(folder, (*owned, record))
        require_no_input((folder / name for name in (*owned, record)), inputs)
        if self._existing and overwrite is Overwrite.REFUSE:
            raise SceneWriteError(
                f"{self._existing[0]}: exists already; add --overwrite to replace it, or choose another folder"
            )
        # Inside an existing folder, which may be a mount of its own, else beside the one to come.
        place = folder / f".{os.getpid()}.partial" if folder.is_dir() else folder.parent / _hidden_name(folder)
        self._partial = place

    def __enter__(self) -> Self:
        """Create the hidden folder."""
        atexit.register(self._discard)  # a signal may come before the block is entered, or while it is left
        try:
            self._partial.mkdir()
        except OSError as error:
            raise SceneWriteError(
                f"{self._folder}: cannot be written ({error.strerror}); its parent must exist and be writable"
            ) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Publish, or remove everything after an exception."""
        try:
            if kind is None:
                self._publish()
        except OSError as failure:
            raise SceneWriteError(f"{self._folder}: cannot be completed ({failure.strerror}); try again") from failure
        finally:
            self._discard()
            atexit.unregister(self._discard)

    def path_of(self, name: str) -> Path:
        """Where to write the file that will have this name."""
        return self._partial / name

    def final_path_of(self, name: str) -> Path:
        """Where the file will be."""
        return self._folder / name

    def write_record(self, text: str) -> None:
        """Write the record.

        Raises:
            SceneWriteError: The disk is full, or otherwise refuses.
        """
        path = self.path_of(self._record)
        try:
            with path.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise SceneWriteError(f"{self._folder / self._record}: cannot be written ({error.strerror})") from error

    def _discard(self) -> None:
        shutil.rmtree(self._partial, ignore_errors=True)

    def _publish(self) -> None:
        if not self._folder.is_dir():
            self._partial.rename(self._folder)
            return
        self.final_path_of(self._record).unlink(missing_ok=True)
        produced = sorted((path.name for path in self._partial.iterdir()), key=lambda name: name == self._record)
        for name in produced:
            self.path_of(name).replace(self.final_path_of(name))
        for path in self._existing:
            if path.name not in produced:
                path.unlink(missing_ok=True)


def _existing(folder: Path, names: Sequence[str]) -> list[Path]:
    if folder.exists() and not folder.is_dir():
        raise SceneWriteError(f"{folder}: is a file; a folder was expected; choose another name")
    if not folder.absolute().parent.is_dir():
        raise SceneWriteError(f"{folder}: its parent folder does not exist; create it first")
    return [folder / name for name in dict.fromkeys(names) if (folder / name).exists()]


def _hidden_name(folder: Path) -> str:
    return f".{shortened(folder.name)}.{os.getpid()}.partial"
