"""What pifnet warns of during a run, kept for those who ask afterwards."""

import logging
from types import TracebackType
from typing import Self


class Notices(logging.Handler):
    """What pifnet warns of while the body runs, shown or not; a context manager."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.words: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a warning."""
        self.words.append(record.getMessage())

    def __enter__(self) -> Self:
        logging.getLogger("pifnet_cli").addHandler(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        logging.getLogger("pifnet_cli").removeHandler(self)
