"""What every test may ask for."""

import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from second_reader import other_gdal

__all__ = ["other_gdal"]

os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as the program does, before torch loads
if "PYTEST_XDIST_WORKER" in os.environ:  # the cores are shared out already, a process for each
    for library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(library, "1")
if not Path("/dev/nvidia0").exists():  # before anything imports triton, which makes up its mind then; torch may
    os.environ.setdefault("TRITON_INTERPRET", "1")
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in shells' background jobs; programs under test inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real scenes that PIFNET_DATA names; CONTRIBUTING.md says what it holds."""
    named = os.environ.get("PIFNET_DATA")
    if not named:
        pytest.skip("real scenes: PIFNET_DATA is not set (CONTRIBUTING.md)")
    folder = Path(named).absolute()
    if not folder.is_dir():
        pytest.skip(f"real scenes: PIFNET_DATA names {named}, which is no folder")
    return folder


@dataclass(frozen=True)
class Run:
    code: int
    out: str
    err: str


@pytest.fixture
def pifnet(monkeypatch, capsys):
    """Run the real program in this process: `pifnet("fuse", lr, hr, "-o", out)` -> exit code, stdout, stderr."""

    from pifnet_cli.app import main

    def run(*words) -> Run:
        monkeypatch.setattr(sys, "argv", ["pifnet", *map(str, words)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as end:
            code = 0 if end.code is None else int(end.code)
        captured = capsys.readouterr()
        return Run(code, captured.out, captured.err)

    return run
