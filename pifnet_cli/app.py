"""The Typer program: its commands, `--version`, one error boundary."""

import os
import signal
import sys
from types import FrameType
from typing import Annotated

import typer

from pifnet_cli import __version__
from pifnet_cli.commands.fuse import fuse
from pifnet_cli.commands.info import info
from pifnet_cli.commands.metrics import metrics
from pifnet_cli.commands.simulate import simulate
from pifnet_cli.commands.train import train
from pifnet_cli.errors import PifnetError

INTERRUPTED = 130
TERMINATED = 143

app = typer.Typer(
    name="pifnet",
    help="Fuse a hyperspectral scene with a sharper multispectral one; simulate, train and score along the way.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (simulate, train, fuse, metrics, info):
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


def main() -> None:
    """Run `pifnet`; a `PifnetError` becomes one line on stderr and its exit code."""
    signal.signal(signal.SIGTERM, _terminate)
    # Before torch loads: threads that spin for long while they wait are ruinous on a busy machine (docs/decisions.md).
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    try:
        app()
    except PifnetError as error:
        typer.echo(f"pifnet: {' '.join(str(error).split())}", err=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("pifnet: interrupted; no incomplete output is left; a training goes on with --resume", err=True)
        sys.exit(INTERRUPTED)
