"""Strips between rows of tiles, kept on disk: their size grows with the width of a scene, memory must not."""

import tempfile
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import numpy as np

from pifnet_cli.errors import SceneWriteError
from pifnet_cli.scene import Pixels


class StripFile:
    """A nameless scratch file of float32 strips, gone when it is closed or the process ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._places: dict[int, tuple[int, tuple[int, ...]]] = {}
        self._end = 0
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def save(self, slot: int, strip: Pixels) -> None:
        """Keep a strip; a slot keeps the shape it was first given.

        Raises:
            SceneWriteError: The disk is full.
        """
        if slot not in self._places:
            self._places[slot] = (self._end, strip.shape)
            self._end += strip.nbytes
        try:
            file = self._opened()
            file.seek(self._places[slot][0])
            file.write(np.ascontiguousarray(strip, dtype=np.float32).data)
            file.flush()
        except OSError as error:
            raise SceneWriteError(
                f"{self._folder}: no room for {self._end} bytes of scratch data ({error.strerror}); free some space"
            ) from error

    def load(self, slot: int) -> Pixels:
        """The strip that was kept last in a slot."""
        start, shape = self._places[slot]
        file = self._opened()
        file.seek(start)
        return np.frombuffer(file.read(4 * int(np.prod(shape))), dtype=np.float32).reshape(shape)

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - closed by __exit__
        return self._file
