"""Progress and log on stderr; results stay alone on stdout."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Progress = Callable[[str, int, int], None]


def _silent(_stage: str, _done: int, _total: int) -> None:
    pass


@contextmanager
def reporting(quiet: bool) -> Iterator[Progress]:
    """Log to stderr and show progress there while the body runs; `quiet` leaves errors only.

    Yields:
        A function of a stage's name, steps done and steps in all. The bar appears on terminals only.
    """
    logging.basicConfig(stream=sys.stderr, format="pifnet: %(message)s", force=True)
    logging.getLogger().setLevel(logging.ERROR if quiet else logging.WARNING)
    logging.getLogger("pifnet_cli").setLevel(logging.ERROR if quiet else logging.INFO)
    logging.getLogger("rasterio").setLevel(logging.CRITICAL)  # what matters of GDAL's log is raised as an error
    if quiet or not sys.stderr.isatty():
        yield _silent
        return
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
