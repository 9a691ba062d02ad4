"""Odd surroundings: variables that say nonsense, a full disk, little memory."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).parents[1] / "sample_data"


def _pifnet(*words, variables=None, **options):
    command = [sys.executable, "-m", "pifnet_cli", *map(str, words)]
    environment = os.environ | (variables or {})
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, env=environment, **options)


def test_variables_that_say_nonsense_do_not_disturb_a_report(tmp_path):
    nonsense = {"MPLBACKEND": "nonsense", "SOURCE_DATE_EPOCH": "x", "NUMBA_DISABLE_JIT": "1", "NUMBA_NUM_THREADS": "0"}
    run = _pifnet(
        "metrics", SAMPLE / "reference.tif", SAMPLE / "reference.tif", "--report", tmp_path / "page.html", "-q",
        variables=nonsense, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    assert (run.returncode, run.stderr) == (0, "")
    assert (tmp_path / "page.html").is_file()


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("info", SAMPLE / "lr.hdr"), ("methods",)])
def test_a_full_disk_behind_stdout_is_one_line(words):
    with Path("/dev/full").open("w") as full:
        run = _pifnet(*words, stdout=full)
    assert run.returncode == 1
    assert run.stderr.count("\n") == 1
    assert "cannot be written (No space left on device)" in run.stderr


@pytest.mark.parametrize("mebibytes", [500, 900])
def test_too_little_memory_for_a_network_is_one_line(tmp_path, mebibytes):
    limit = mebibytes * 2**20
    run = _pifnet(
        "fuse", SAMPLE / "lr.hdr", SAMPLE / "hr.tif", "-o", tmp_path / "fused.tif", "--method", "pifnet", "-q",
        stdout=subprocess.DEVNULL, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        variables={"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    assert run.returncode == 1
    assert "Traceback" not in run.stderr
    assert run.stderr.splitlines()[-1].startswith("pifnet: ")
    assert not (tmp_path / "fused.tif").exists()
