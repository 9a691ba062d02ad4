import json

import numpy as np
import pytest
import rasterio
from affine import Affine

from scenes import write_scene
from waves import NODATA, Texture, write_pair

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


@pytest.fixture
def textured(tmp_path):
    """A pair that tells its blur, with holes."""

    def spoil(lr_hsi, hr_msi):
        lr_hsi[:, 3, 5] = NODATA
        hr_msi[:, 40:44, 60:66] = NODATA

    ground = Texture(14)
    lr, hr, truth = write_pair(
        tmp_path, bands=14, ground=ground, hr_size=(96, 100), mtf=0.3, snr_db=(35, 40), spoil=spoil
    )
    return lr, hr, truth


@pytest.mark.parametrize("name", ["sigma.tif", "sigma.dat"])
def test_uncertainty_is_a_raster_beside_the_result(pifnet, textured, tmp_path, name):
    lr, hr, truth = textured
    options = [
        "--uncertainty",
        tmp_path / name,
        "--dtype",
        "uint16",
        "--scale",
        "0.0001",
        "--tile-size",
        "64",
        "--json",
    ]
    run = pifnet("fuse", lr, hr, "-o", tmp_path / "out.tif", "--mtf", "0.3", *options)
    assert run.code == 0
    with rasterio.open(tmp_path / "out.tif") as fused, rasterio.open(tmp_path / name) as sigma:
        assert sigma.dtypes == ("float32",) * 14
        assert np.isnan(sigma.nodata)
        assert (sigma.transform, sigma.crs, sigma.shape) == (fused.transform, fused.crs, fused.shape)
        assert [sigma.tags(band).get("wavelength") for band in sigma.indexes] == [
            fused.tags(band).get("wavelength") for band in fused.indexes
        ]
        spread, values = sigma.read(), fused.read(masked=True)
    assert np.array_equal(np.isnan(spread), np.ma.getmaskarray(values))
    assert np.isnan(spread).any()
    error = np.abs(values.filled(0) * 1e-4 - truth)
    known = np.isfinite(spread)
    assert 0.5 < (error < spread)[known].mean() < 0.9
    record = json.loads(run.out)
    bands = np.sqrt(np.nanmean(np.square(spread.astype(float)), axis=(1, 2)))
    assert record["uncertainty"] == str(tmp_path / name)
    assert record["expected error by band"] == pytest.approx(bands, rel=1e-3)
    assert record["expected error"] == pytest.approx(np.sqrt(np.mean(bands**2)), rel=1e-3)


def test_the_expected_error_is_one_number_for_people(pifnet, textured, tmp_path):
    lr, hr, _ = textured
    run = pifnet("fuse", lr, hr, "-o", tmp_path / "out.tif", "--mtf", "0.3", "--uncertainty", tmp_path / "sigma.tif")
    assert "expected error: 0.0" in run.out
    assert "by band" not in run.out


def test_uncertainty_does_not_change_the_result(pifnet, textured, tmp_path):
    lr, hr, _ = textured
    assert pifnet("fuse", lr, hr, "-o", tmp_path / "plain.tif", "--mtf", "0.3").code == 0
    options = "--mtf", "0.3", "--uncertainty", tmp_path / "sigma.tif"
    assert pifnet("fuse", lr, hr, "-o", tmp_path / "out.tif", *options).code == 0
    with rasterio.open(tmp_path / "plain.tif") as plain, rasterio.open(tmp_path / "out.tif") as fused:
        assert np.array_equal(plain.read(), fused.read(), equal_nan=True)


def test_a_dry_run_names_the_uncertainty(pifnet, textured, tmp_path):
    lr, hr, _ = textured
    before, sigma = _left(tmp_path), tmp_path / "sigma.tif"
    run = pifnet("fuse", lr, hr, "-o", tmp_path / "out.tif", "--mtf", "0.3", "--uncertainty", sigma, "--dry-run")
    assert f"uncertainty: {sigma}" in run.out
    assert _left(tmp_path) == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--method", "regression"], "regression does not"),
        (["--method", "pifnet"], "pifnet does not"),
        (["--checkpoint", "model"], "a network does not"),
        ([], "regression was chosen"),
    ],
)
def test_only_kriging_has_an_uncertainty(pifnet, pair, tmp_path, options, message):
    before = _left(tmp_path)
    run = pifnet("fuse", *pair, "-o", tmp_path / "out.tif", "--uncertainty", tmp_path / "sigma.tif", "-q", *options)
    assert run.code == 2
    assert run.err.count("\n") == 1
    assert message in run.err
    assert _left(tmp_path) == before


@pytest.mark.parametrize("name", ["out.img", "out.dat", "hr.tif", "lr.tif", "taken.tif", "sigma.jpg", "no/folder.tif"])
def test_an_uncertainty_that_cannot_be_is_refused(pifnet, textured, tmp_path, name):
    lr, hr, _ = textured
    (tmp_path / "taken.tif").write_bytes(b"precious")
    before = _left(tmp_path)
    run = pifnet("fuse", lr, hr, "-o", tmp_path / "out.img", "--mtf", "0.3", "--uncertainty", tmp_path / name, "-q")
    assert run.code == 1
    assert run.err.count("\n") == 1
    assert name in run.err
    assert _left(tmp_path) == before


def test_overwrite_covers_the_uncertainty(pifnet, textured, tmp_path):
    lr, hr, _ = textured
    (tmp_path / "sigma.tif").write_bytes(b"old")
    options = "--mtf", "0.3", "--uncertainty", tmp_path / "sigma.tif", "--overwrite"
    assert pifnet("fuse", lr, hr, "-o", tmp_path / "out.tif", *options).code == 0
    with rasterio.open(tmp_path / "sigma.tif") as sigma:
        assert sigma.count == 14
