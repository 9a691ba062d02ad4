import json
import subprocess
import sys

import numpy as np
import pytest

from pifnet_cli.networks.checkpoint import Checkpoint, Header, save_checkpoint
from scenes import ROTATED, SOUTH_UP, random_pixels, write_scene

C, H, W = 7, 24, 40
WAVELENGTHS = (418.24, 423.874, 902.257, 993.083, 911.57, 2445.53, 2445.54)


def _info(*words):
    program = [sys.executable, "-m", "pifnet_cli", "info", *map(str, words)]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def _json(*words):
    run = _info(*words, "--json")
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return json.loads(run.stdout)


@pytest.fixture
def scene(tmp_path):
    pixels = random_pixels(C, H, W).round().astype("int16")
    pixels[3] = -32768
    pixels[:, 0, 0] = -32768
    return write_scene(
        tmp_path / "x.tif", pixels, nodata=-32768, wavelengths=WAVELENGTHS, fwhm=[6.5] * C, good=[1, 1, 1, 0, 1, 1, 1]
    )


def test_a_scene_is_described_for_machines(scene):
    record = _json(scene)
    expected = {
        "kind": "scene", "driver": "GTiff", "height": H, "width": W, "bands": C, "dtype": "int16", "nodata": -32768,
        "scale": 1.0, "offset": 0.0, "crs": "EPSG:32633", "map_unit": "metre", "gsd": [30.0, 30.0],
        "transform": [30.0, 0.0, 365055.0, 0.0, -30.0, 5807085.0], "south_up": False, "rotation_deg": 0.0,
        "bounds": [365055.0, 5806365.0, 366255.0, 5807085.0], "wavelengths_nm": list(WAVELENGTHS),
        "wavelength_unit": "Nanometers", "wavelengths_increase": False, "fwhm_nm": [6.5] * C, "bad_bands": [4],
        "remarks": [],
    }  # fmt: skip
    assert {name: record[name] for name in expected} == expected
    assert record["sample"]["empty_bands"] == [4]
    assert record["sample"]["valid_share"] == pytest.approx(6 / 7 * (1 - 1 / (H * W)))


def test_a_scene_is_described_for_people(scene):
    run = _info(scene)
    assert run.returncode == 0
    assert run.stderr == ""
    for words in (
        "24 rows x 40 columns x 7 bands of int16",
        "nodata -32768, scale 1.0",
        "EPSG:32633 (WGS 84 / UTM zone 33N)",
        "30 x 30 metre",
        "418.24 to 2445.54 nm, not increasing, stored in Nanometers, FWHM 6.5 to 6.5 nm",
        "bad bands: 4",
        "bands without a valid pixel: 4",
    ):
        assert words in run.stdout


def test_header_and_data_file_tell_the_same(tmp_path):
    path = write_scene(tmp_path / "x.hdr", random_pixels(2, H, W), wavelengths=(0.4, 0.5), unit="Unknown")
    by_header, by_data = _json(path), _json(tmp_path / "x.img")
    assert by_header == by_data
    assert by_header["driver"] == "ENVI"
    assert by_header["wavelengths_nm"] == [400.0, 500.0]
    assert "micrometers are inferred" in by_header["remarks"][0]
    assert "\nremarks:\n  1: " in _info(path).stdout


@pytest.mark.parametrize(("transform", "words"), [(ROTATED, "rotated by 30 degrees"), (SOUTH_UP, "south-up")])
def test_unusual_grids_are_named(tmp_path, transform, words):
    assert words in _info(write_scene(tmp_path / "x.tif", random_pixels(1, H, W), transform=transform)).stdout


def test_a_scene_that_knows_nothing_says_so(tmp_path):
    path = write_scene(
        tmp_path / "x.tif", np.full((1, 1, 1), np.nan, "float32"), transform=None, crs=None, nodata=np.nan
    )
    record = _json(path)
    assert (record["crs"], record["wavelengths_nm"], record["nodata"]) == (None, None, "nan")
    assert record["sample"]["minimum"] is None
    assert "unknown" in _info(path).stdout
    assert "south-up" not in _info(path).stdout


@pytest.mark.parametrize("name", ["net.safetensors", "net"])
def test_a_checkpoint_is_described(tmp_path, name):
    bands = {"count": 3, "names": None, "wavelengths_nm": [450.0, 550.0, 650.0], "fwhm_nm": None}
    header = Header(
        method="pifnet",
        variant="anchored",
        hyper_parameters={"width": 8},
        hsi_bands=bands,
        msi_bands=bands,
        ratio=4.0,
        sensor=None,
        scale=1.0,
        training={"gain_db": 0.7},
    )
    save_checkpoint(tmp_path / name, Checkpoint(header, {"weight": np.ones(3, "float32")}))
    record = _json(tmp_path / name)
    assert (record["kind"], record["method"], record["ratio"]) == ("checkpoint", "pifnet", 4.0)
    text = _info(tmp_path / name).stdout
    assert "anchored" in text
    assert "hyper parameters: width=8\n" in text
    assert "\n  gain db: 0.7\n" in text


@pytest.mark.parametrize("content", [b"", b"no raster", b"II*\0garbage"])
def test_what_is_no_scene_is_one_line_and_exit_1(tmp_path, content):
    path = tmp_path / "x.tif"
    path.write_bytes(content)
    run = _info(path)
    assert run.returncode == 1
    assert run.stdout == ""
    assert run.stderr.count("\n") == 1
    assert run.stderr.startswith(f"pifnet: {path}: ")


def test_a_folder_that_is_no_checkpoint_is_one_line(tmp_path):
    run = _info(tmp_path)
    assert (run.returncode, run.stderr.count("\n")) == (1, 1)
    assert "is a folder" in run.stderr
