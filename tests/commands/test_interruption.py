"""What is left when a run is stopped half-way: nothing under the output's name, nothing hidden either."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from affine import Affine

from scenes import write_scene

LR, HR = Affine(40, 0, 365000, 0, -40, 5807000), Affine(10, 0, 365000, 0, -10, 5807000)
PATIENCE = 60.0  # seconds until the partial output must have appeared


@pytest.fixture
def large_pair(tmp_path):
    rng = np.random.default_rng(0)
    lr = write_scene(tmp_path / "lr.tif", rng.integers(1, 999, (48, 400, 400)).astype("int16"), transform=LR)
    hr = write_scene(tmp_path / "hr.tif", rng.integers(1, 999, (2, 1600, 1600)).astype("int16"), transform=HR)
    return lr, hr


def _names(folder):
    return {path.name for path in folder.iterdir()}


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_stopped_run_leaves_nothing(large_pair, tmp_path, number, code):
    before = _names(tmp_path)
    words = [sys.executable, "-m", "pifnet_cli", "fuse", *large_pair, "-o", tmp_path / "out.tif"]
    with subprocess.Popen(
        [*words, "--method", "regression", "-q"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        deadline = time.monotonic() + PATIENCE
        while not any(".partial" in name for name in _names(tmp_path) - before):
            assert run.poll() is None, run.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        run.send_signal(number)
        error = run.communicate(timeout=PATIENCE)[1]
    assert run.returncode == code
    assert "Traceback" not in error
    assert _names(tmp_path) == before


BEFORE_THE_BLOCK = """
import os, signal, sys
from pathlib import Path
from pifnet_cli.app import main
from pifnet_cli.choices import Overwrite
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.raster.writer import WriteOptions, create_scene
from dataclasses import replace

def command():
    with open_scene(Path(sys.argv[1])) as reader:
        writer = create_scene(replace(reader.scene, path=Path(sys.argv[2])), WriteOptions(overwrite=Overwrite.REFUSE))
    print(*os.listdir(Path(sys.argv[2]).parent))
    os.kill(os.getpid(), getattr(signal, sys.argv[3]))
    sum(range(10**8))  # the signal comes somewhere in here, where no block will ever be entered

main(command)
"""


@pytest.mark.parametrize("name", ["out.tif", "out.img"])
@pytest.mark.parametrize(("number", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_run_stopped_between_creating_and_filling_leaves_nothing(tmp_path, name, number, code):
    pixels = np.ones((2, 8, 8), dtype="float32")
    scene = write_scene(tmp_path / "in.tif", pixels, transform=HR)
    words = [sys.executable, "-c", BEFORE_THE_BLOCK, scene, tmp_path / name, number]
    run = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert run.returncode == code, run.stderr
    assert ".partial" in run.stdout
    assert _names(tmp_path) == {"in.tif"}
