"""Progress and log on stderr; results stay alone on stdout."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pifnet_cli.progress import Progress


def _silent(_stage: str, _done: int, _total: int) -> None:
    pass


@contextmanager
def reporting(quiet: bool) -> Iterator[Progress]:
    """Log to stderr and show progress there while the body runs; `quiet` leaves errors only.

    Yields:
        A function of a stage's name, steps done and steps in all. The bar appears on terminals only.
    """
    with _logging_to_stderr(quiet):
        if quiet or not sys.stderr.isatty():
            yield _silent
        else:
            with _bars() as show:
                yield show


@contextmanager
def _logging_to_stderr(quiet: bool) -> Iterator[None]:
    """Levels and handlers are as before when the body is left."""
    levels = {
        "": logging.WARNING,
        "pifnet_cli": logging.INFO,
        "rasterio": logging.CRITICAL,  # what matters of GDAL's log is raised as an error
    }
    before = {name: logging.getLogger(name).level for name in levels}
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("pifnet: %(message)s"))
    handler.setLevel(logging.ERROR if quiet else logging.NOTSET)
    logging.getLogger().addHandler(handler)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(handler)
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


@contextmanager
def _bars() -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks = {}

        def show(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
            bar.update(tasks[stage], completed=done, total=total)

        yield show
