"""Reading ahead along rows of tiles, writing behind: blocks are decoded less often, and computing goes on meanwhile."""

from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Protocol, Self

from pifnet_cli.raster.writer import SceneWriter
from pifnet_cli.scene import OpenScene, Pixels, Window

AHEAD = 8  # windows that are read at once


class WindowReader(Protocol):
    """Anything that reads a scene by window."""

    def read(self, window: Window) -> Pixels:
        """(C, h, w), NaN where invalid."""


class RowReader:
    """Reads windows that follow each other along rows; several at once, because files hold larger blocks."""

    def __init__(self, reader: OpenScene) -> None:
        self._reader = reader
        self._window = Window(0, 0, 0, 0)
        self._pixels: Pixels | None = None

    def read(self, window: Window) -> Pixels:
        """(C, h, w), not to be changed."""
        inside = window.relative_to(self._window)
        if self._pixels is None or inside.clipped(self._window.height, self._window.width) != inside:
            width = min(AHEAD * window.width, self._reader.scene.grid.width - window.column)
            self._window = Window(window.row, window.column, window.height, width)
            self._pixels = self._reader.read(self._window)
        rows, columns = window.relative_to(self._window).slices
        return self._pixels[:, rows, columns].copy()


class WriteBehind:
    """Writes in a thread of its own, one window behind; a context manager that waits for the last one."""

    def __init__(self, writer: SceneWriter) -> None:
        self._writer = writer
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="writer")
        self._pending: Future[None] | None = None

    def write(self, pixels: Pixels, window: Window) -> None:
        """As `SceneWriter.write`; errors are those of the window before."""
        self._wait()
        self._pending = self._pool.submit(self._writer.write, pixels, window)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(wait=True)
        if kind is None:
            self._wait()

    def _wait(self) -> None:
        if self._pending is not None:
            self._pending.result()
        self._pending = None
