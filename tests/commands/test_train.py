import json
import os
import subprocess
import sys

import numpy as np
import pytest

from pifnet_cli.networks.checkpoint import read_header
from scenes import write_scene

TINY = ("--ratio", "4", "--srf", "boxes:3", "--patch-size", "16", "--batch-size", "2", "--components", "2",
        "--network", "width=8", "--network", "blocks=1", "--network", "segments=2", "--steps", "2")  # fmt: skip


ONE_THREAD = {"COLUMNS": "200", "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


@pytest.fixture
def scene(tmp_path):
    return write_scene(tmp_path / "scene.tif", np.random.default_rng(0).random((6, 48, 40), dtype=np.float32))


def trained(*arguments):
    command = [sys.executable, "-m", "pifnet_cli", "train", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | ONE_THREAD)


def test_training_tells_its_scores_and_options_reach_the_network(scene, tmp_path):
    run = trained(scene, "-o", tmp_path / "model", *TINY, "--json", "--validations", "2")

    assert run.returncode == 0, run.stderr
    record = json.loads(run.stdout)
    header = read_header(tmp_path / "model")
    assert record["steps"] == 2
    assert record["best"]["gain_db"] == header.training["gain_db"]
    assert (header.hyper_parameters["width"], header.hyper_parameters["segments"]) == (8, 2)
    assert "pifnet: step 1 (50%): loss" in run.stderr


@pytest.mark.parametrize(
    ("ablation", "kept"),
    [("coupling=none", "none"), ("adapter=none", "none"), ("prior_strength=0", 0), ("pooling_window=none", None)],
)
def test_every_ablation_is_trained_by_command(pifnet, scene, tmp_path, ablation, kept):
    run = pifnet("train", scene, "-o", tmp_path / "model", *TINY, "--steps", "1", "-q", "--network", ablation)

    assert run.code == 0, run.err
    assert read_header(tmp_path / "model").hyper_parameters[ablation.partition("=")[0]] == kept


def test_a_word_that_no_ablation_has_is_refused_by_name(pifnet, scene, tmp_path):
    run = pifnet("train", scene, "-o", tmp_path / "model", *TINY, "-q", "--network", "coupling=nothing")

    assert run.code == 2
    assert "coupling is 'nothing'; mamba or none was expected" in run.err


def test_resuming_goes_on_quietly(scene, tmp_path):
    assert trained(scene, "-o", tmp_path / "model", *TINY, "-q").returncode == 0
    run = trained(scene, "-o", tmp_path / "model", *TINY, "--steps", "3", "--resume", "-q")

    assert (run.returncode, run.stderr) == (0, "")
    lines = run.stdout.splitlines()
    assert lines[:4] == [f"checkpoint: {tmp_path}/model", "method: pifnet", "variant: anchored", "steps: 3"]
    assert lines[4].startswith("minutes: ")
    assert lines[5].startswith("held-out PSNR: ")
    assert len(lines) == 6


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--network", "width"), 2, "NAME=VALUE was expected, as width=32"),
        (("--patch-size", "17"), 2, "--patch-size 17: an even number was expected"),
        (("--learning-rate", "7"), 2, "--learning-rate 7.0: 1e-08 to 1 was expected"),
        (("--resume",), 1, "to resume from"),
        (("--validation", "absent.tif"), 1, "absent.tif"),
    ],
)
def test_refusals_are_one_line_and_leave_no_checkpoint(scene, tmp_path, options, code, message):
    run = trained(scene, "-o", tmp_path / "model", *TINY, *options)

    assert run.returncode == code
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "model" / "weights.safetensors").exists()
