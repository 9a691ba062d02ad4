import json
import os
import subprocess
import sys

import numpy as np
import pytest
import rasterio

from pifnet_cli.settings import SimulateSettings


@pytest.fixture
def scene(tmp_path):
    path = tmp_path / "scene.tif"
    pixels = np.random.default_rng(0).random((7, 25, 41), dtype=np.float32)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=7,
        height=25,
        width=41,
        dtype="float32",
        crs="EPSG:32633",
        transform=rasterio.Affine(10, 0, 5e5, 0, -10, 5e6),
    ) as dataset:
        dataset.write(pixels)
    return path


def pifnet(*arguments):
    command = [sys.executable, "-m", "pifnet_cli", "simulate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | {"COLUMNS": "200"})


def test_results_are_listed_on_stdout(scene, tmp_path):
    run = pifnet(scene, "-o", tmp_path / "pair", "--srf", "boxes:3", "-q")

    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.splitlines() == [
        f"record: {tmp_path}/pair/simulation.json",
        "ratio: 4.0",
        f"lr hsi: {tmp_path}/pair/lr_hsi.tif, 7 bands, 6 x 10 pixels",
        f"hr msi: {tmp_path}/pair/hr_msi.tif, 3 bands, 24 x 40 pixels",
        f"reference: {tmp_path}/pair/reference.tif, 7 bands, 24 x 40 pixels",
    ]


def test_every_option_reaches_the_record(scene, tmp_path):
    run = pifnet(
        *(scene, "-o", tmp_path / "pair", "--ratio", 3, "--protocol", "mtf", "--srf", "boxes:2", "--mtf", 0.2),
        *("--hsi-snr", 35, "--msi-snr", 40, "--seed", 7, "--shift", -0.5, 1.25, "--format", "envi", "--json", "-q"),
    )

    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    record = json.loads((tmp_path / "pair" / "simulation.json").read_text())
    assert answer["ratio"] == 3
    assert answer["lr_hsi"] == {"path": f"{tmp_path}/pair/lr_hsi.hdr"} | record["outputs"]["lr_hsi"]
    assert record["settings"] == {
        "ratio": 3,
        "protocol": "mtf",
        "mtf_at_nyquist": 0.2,
        "srf": "boxes:2",
        "hsi_snr_db": 35.0,
        "msi_snr_db": 40.0,
        "seed": 7,
        "shift_rows_columns": [-0.5, 1.25],
        "scene_format": "envi",
    }


def test_defaults_are_those_of_the_settings(scene, tmp_path):
    run = pifnet(scene, "-o", tmp_path / "pair", "--srf", "boxes:2", "-q")

    assert run.returncode == 0, run.stderr
    settings = json.loads((tmp_path / "pair" / "simulation.json").read_text())["settings"]
    assert settings["ratio"] == SimulateSettings().ratio
    assert settings["protocol"] == SimulateSettings().protocol
    assert settings["mtf_at_nyquist"] == SimulateSettings().mtf_at_nyquist


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--ratio", "1"], 2, "--ratio 1: a number above 1, up to 32 was expected"),
        (["--srf", "sentinel-99"], 2, "--srf sentinel-99: unknown"),
        ([], 1, "no wavelengths"),
    ],
)
def test_failures_are_one_line_on_stderr(scene, tmp_path, arguments, code, message):
    run = pifnet(scene, "-o", tmp_path / "pair", *arguments)

    assert run.returncode == code
    assert run.stdout == ""
    assert message in run.stderr
    assert run.stderr.count("\n") == 1
    assert not (tmp_path / "pair").exists()


def test_existing_outputs_need_overwrite(scene, tmp_path):
    arguments = (scene, "-o", tmp_path / "pair", "--srf", "boxes:2", "-q")

    codes = [pifnet(*arguments).returncode, pifnet(*arguments).returncode, pifnet(*arguments, "--overwrite").returncode]

    assert codes == [0, 1, 0]
