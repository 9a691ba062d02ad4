"""The Typer program: its commands, `--version`, one error boundary."""

import ctypes
import errno
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Annotated

import typer

from pifnet_cli import __version__
from pifnet_cli.commands.estimate import estimate
from pifnet_cli.commands.fuse import fuse
from pifnet_cli.commands.info import info
from pifnet_cli.commands.methods import methods
from pifnet_cli.commands.metrics import metrics
from pifnet_cli.commands.simulate import simulate
from pifnet_cli.commands.train import train
from pifnet_cli.errors import PifnetError

INTERRUPTED = 130
TERMINATED = 143
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
LATEST_EPOCH = 253402300799  # the last second of the year 9999
MOST_THREADS = 65536
ARENA_MAX = -8  # mallopt's name for it, malloc.h

app = typer.Typer(
    name="pifnet",
    help="Fuse a hyperspectral scene with a sharper multispectral one; simulate, train and score along the way.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (simulate, train, fuse, metrics, info, methods, estimate):
    app.command()(command)


def _print_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(f"pifnet {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


def _terminate(_signal: int, _frame: FrameType | None) -> None:
    sys.exit(TERMINATED)  # unwinds the stack, so partial outputs are removed


def _settle_process() -> None:
    """What holds for the whole process and must be said before torch loads; figures in docs/decisions.md."""
    # Threads that spin for long while they wait are ruinous on a busy machine.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    # One heap for all threads of glibc's allocator: with a heap each, memory creeps up with the number of tiles.
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(ARENA_MAX, 1)
    _mend_environment()


def _mend_environment() -> None:
    """Leave out what libraries would stumble over while they load, and what pifnet has no use for."""
    os.environ.pop("MPLBACKEND", None)  # charts are drawn without a window
    os.environ.pop("NUMBA_DISABLE_JIT", None)  # kernels are for compiling alone
    for name, low, high in (("SOURCE_DATE_EPOCH", 0, LATEST_EPOCH), ("NUMBA_NUM_THREADS", 1, MOST_THREADS)):
        value = os.environ.get(name, str(low))
        if not (
            value.isascii() and value.isdecimal() and len(value) < len(str(high)) + 1 and low <= int(value) <= high
        ):
            del os.environ[name]


def main(program: Callable[[], object] = app) -> None:
    """Run a program: by default `pifnet`, with the words of the command line.

    A `PifnetError` becomes one line on stderr and its exit code, an interruption one line and its own.
    """
    signal.signal(signal.SIGTERM, _terminate)
    _settle_process()
    try:
        try:
            program()
        finally:
            sys.stdout.flush()  # a full disk shows here at the latest
    except PifnetError as error:
        typer.echo(f"pifnet: {' '.join(str(error).split())}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("pifnet: interrupted; no incomplete output is left; a training goes on with --resume", err=True)
        sys.exit(INTERRUPTED)
    except (ImportError, MemoryError, OSError) as error:
        message = _told(error)
        if message is None:
            raise
        typer.echo(f"pifnet: {' '.join(message.split())}", err=True)
        sys.exit(1)


def _told(error: ImportError | MemoryError | OSError) -> str | None:
    """What the machine lacks, in a line; None where it lacks nothing that we know."""
    match error:
        case OSError() if error.errno in FULL:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more as it ends
            place = error.filename or "an output, standard output perhaps,"
            return f"{place} cannot be written ({error.strerror}); free some space, or write elsewhere"
        case MemoryError():
            return f"out of memory ({error or 'nothing more is known'}); close other programs, or use smaller tiles"
        case ImportError() | OSError(errno=None):
            return f"a library cannot be loaded ({error}); is there too little memory? else install pifnet again"
    return None
