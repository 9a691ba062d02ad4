import json

import numpy as np
import pytest
import rasterio
from affine import Affine

from scenes import write_scene

LR, HR = Affine(40, 0, 365000, 0, -40, 5807000), Affine(10, 0, 365000, 0, -10, 5807000)


def _pixels(bands, height, width, seed=0):
    return np.random.default_rng(seed).uniform(0.1, 0.6, (bands, height, width)).astype(np.float32)


@pytest.fixture
def pair(tmp_path):
    lr = write_scene(tmp_path / "lr.hdr", _pixels(7, 12, 15), transform=LR, wavelengths=[450.5 + i for i in range(7)])
    hr = write_scene(tmp_path / "hr.tif", _pixels(3, 48, 60), transform=HR)
    return lr, hr


def _left(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_pair_becomes_a_scene(pifnet, pair, tmp_path):
    run = pifnet("fuse", *pair, "-o", tmp_path / "out.tif", "--method", "regression", "--json")
    assert run.code == 0
    assert json.loads(run.out)["bands"] == 7
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.shape == (48, 60)
        assert dataset.tags(1)["wavelength"] == "450.5"


def test_without_a_fitting_checkpoint_regression_is_used_and_named(pifnet, pair, tmp_path):
    run = pifnet("fuse", *pair, "-o", tmp_path / "out.tif")
    assert run.code == 0
    assert "method: regression" in run.out
    assert "no checkpoint fits" in run.err


def test_quiet_says_nothing_on_stderr(pifnet, pair, tmp_path):
    run = pifnet("fuse", *pair, "-o", tmp_path / "out.tif", "-q")
    assert (run.code, run.err) == (0, "")


def test_a_dry_run_leaves_nothing(pifnet, pair, tmp_path):
    before = _left(tmp_path)
    run = pifnet("fuse", *pair, "-o", tmp_path / "out.tif", "--dry-run", "--json")
    assert json.loads(run.out)["bytes uncompressed"] == 48 * 60 * 7 * 4
    assert _left(tmp_path) == before


def test_creation_options_reach_the_file(pifnet, pair, tmp_path):
    assert pifnet("fuse", *pair, "-o", tmp_path / "out.tif", "--co", "COMPRESS=DEFLATE").code == 0
    with rasterio.open(tmp_path / "out.tif") as dataset:
        assert dataset.profile["compress"] == "deflate"


def test_envi_out_keeps_the_wavelengths_to_the_last_digit(pifnet, pair, tmp_path):
    assert pifnet("fuse", *pair, "-o", tmp_path / "out.hdr").code == 0
    header = (tmp_path / "out.hdr").read_text()
    assert "450.5" in header
    assert "456.5" in header


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tile-size", "7"], "--tile-size"),
        (["--overlap", "200"], "--overlap"),
        (["--mtf", "1.5"], "--mtf"),
        (["--dtype", "complex64"], "--dtype"),
        (["--dtype", "int16"], "--scale"),
        (["--method", "magic"], "--method"),
        (["--co", "NOT_AN_OPTION=1"], "NOT_AN_OPTION"),
    ],
)
def test_a_bad_option_is_exit_2_and_no_output(pifnet, pair, tmp_path, options, message):
    before = _left(tmp_path)
    run = pifnet("fuse", *pair, "-o", tmp_path / "out.tif", *options)
    assert run.code == 2
    assert message in run.err
    assert _left(tmp_path) == before


@pytest.mark.parametrize("name", ["no/such/folder/out.tif", "out.jpg", "out"])
def test_an_output_that_cannot_be_is_refused(pifnet, pair, tmp_path, name):
    run = pifnet("fuse", *pair, "-o", tmp_path / name, "-q")
    assert run.code in (1, 2)
    assert run.err.count("\n") == 1
