"""The main job on a real scene, by command line, read back by another GDAL than ours."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from scipy import ndimage

import pifnet_cli as pifnet_api
from pifnet_cli.raster.reader import open_scene

SCENE = "enmap_potsdam/derived_mosaic_A_rows96-159_cols96-223.tif"
TABLES = (Path(__file__).resolve().parents[2] / "docs" / "training_free.md").read_text(encoding="utf-8")
WITHOUT_DATA = range(129, 135)  # bands 130 to 135, counted from 1


@pytest.fixture(scope="module")
def scene(real_data):
    return real_data / SCENE


@pytest.mark.slow
def test_enmap_goes_from_scene_to_scores(pifnet, other_gdal, scene, tmp_path):
    pair, model, fused = tmp_path / "pair", tmp_path / "model", tmp_path / "fused.tif"
    assert pifnet("simulate", scene, "-o", pair, "--ratio", 4, "--protocol", "mtf", "--srf", "sentinel-2").code == 0
    assert pifnet("train", pair, "-o", model, "--steps", 2, "--validations", 1).code == 0
    lr, hr = pair / "lr_hsi.tif", pair / "hr_msi.tif"
    assert pifnet("fuse", lr, hr, "-o", fused, "--checkpoint", model, "--dtype", "int16", "--scale", 1).code == 0
    run = pifnet("metrics", fused, pair / "reference.tif", "--json")
    scores = json.loads(run.out)
    assert scores["psnr"] > 37
    assert scores["bands"] == 218
    _check_with_the_other_gdal(other_gdal(fused), scene)


def _check_with_the_other_gdal(read, scene):
    with rasterio.open(scene) as source:
        assert tuple(read["transform"]) == source.transform.to_gdal()
        truth = [source.tags(band) for band in source.indexes]
        pixels = source.read().astype(float)
    assert read["epsg"] == "32633"
    assert [float(tags["wavelength"]) for tags in read["tags"]] == [float(tags["wavelength"]) for tags in truth]
    assert [float(tags["fwhm"]) for tags in read["tags"]] == [float(tags["fwhm"]) for tags in truth]
    assert {float(nodata) for nodata in read["nodata"]} == {-32768.0}
    without_data = (read["pixels"] == -32768).all(axis=1)
    np.testing.assert_array_equal(np.flatnonzero(without_data), list(WITHOUT_DATA))
    flat = pixels.reshape(len(pixels), -1)
    np.testing.assert_array_equal(read["pixels"] == -32768, flat == -32768)
    assert np.corrcoef(read["pixels"][40], flat[40])[0, 1] > 0.99


@pytest.fixture(scope="module")
def finer(scene, tmp_path_factory):
    """An HR-MSI of 10 m over the mosaic: four broad bands of it, interpolated, with a texture of their own."""
    with rasterio.open(scene) as source:
        profile, pixels = source.profile, source.read().astype(np.float32)
    broad = np.stack([pixels[first : first + 20].mean(axis=0) for first in (5, 25, 45, 65)])
    texture = np.random.default_rng(0).uniform(0.95, 1.05, (192, 384))
    sharp = np.stack([ndimage.zoom(band, 3, order=1, mode="grid-constant", grid_mode=True) for band in broad]) * texture
    path = tmp_path_factory.mktemp("msi") / "msi.tif"
    shape = {"driver": "GTiff", "count": 4, "height": 192, "width": 384, "dtype": "float32", "crs": profile["crs"]}
    with rasterio.open(path, "w", **shape, transform=profile["transform"] @ Affine.scale(1 / 3)) as dataset:
        dataset.write(sharp.astype(np.float32))
    return path


def _undeclared(scene, folder):
    """The mosaic without its bad-band list."""
    with rasterio.open(scene) as source, rasterio.open(folder / "bare.tif", "w", **source.profile) as dataset:
        dataset.write(source.read())
    return folder / "bare.tif"


@pytest.mark.slow
@pytest.mark.parametrize(("method", "is_declared"), [("kriging", True), ("gsa", False)], ids=["bbl", "no bbl"])
def test_enmap_s_bands_without_data_stay_so_and_no_other_is_touched(
    pifnet, scene, finer, tmp_path, method, is_declared
):
    lr = scene if is_declared else _undeclared(scene, tmp_path)
    told = ("--method", method, "--mtf", "0.3", "--align", "none")
    assert pifnet("fuse", lr, finer, "-o", tmp_path / "fused.hdr", *told).code == 0
    with rasterio.open(scene) as source, rasterio.open(tmp_path / "fused.img") as dataset:
        coarse, stored = source.read(), dataset.read()
        assert dataset.nodata == -32768
    has_data = np.isin(np.arange(224), WITHOUT_DATA, invert=True)
    np.testing.assert_array_equal((stored == -32768).all(axis=(1, 2)), ~has_data)
    assert (stored[has_data] != -32768).all()
    assert coarse[has_data].min() < 0  # atmospheric correction makes them, and they are no nodata
    assert stored[has_data].min() < 0
    means = stored[has_data].reshape(218, 64, 3, 128, 3).mean(axis=(2, 4))
    assert np.corrcoef(means.ravel(), coarse[has_data].ravel())[0, 1] > 0.99
    with open_scene(tmp_path / "fused.hdr") as fused:
        np.testing.assert_array_equal(fused.scene.bands.good, has_data)
    bbl = (tmp_path / "fused.hdr").read_text().split("bbl = {")[1].split("}")[0]
    assert [int(entry) for entry in bbl.split(",")] == has_data.astype(int).tolist()


@pytest.mark.parametrize(
    ("method", "ratio", "protocol"), [("kriging", 4, "paper"), ("gsa", 2, "mtf"), ("regression", 8, "mtf")]
)
def test_the_figures_of_the_documentation_come_out_again(method, ratio, protocol, scene, tmp_path):
    section = TABLES.split(f"### EnMAP Potsdam, `--protocol {protocol}`")[1].split("###")[0]
    (row,) = re.findall(rf"^\| {method} \| (.*) \|$", section, flags=re.MULTILINE)
    shown = [float(figure) for figure in row.split(" | ")[(2, 4, 8).index(ratio)].split(" / ")]
    pair = pifnet_api.simulate(scene, tmp_path / "pair", ratio=ratio, protocol=protocol, srf="sentinel-2")
    output = tmp_path / "fused.tif"
    pifnet_api.fuse(pair.lr_hsi, pair.hr_msi, output, method=method, protocol=protocol, phase="true")
    scores = pifnet_api.score(output, pair.reference)
    assert [scores.psnr, scores.sam, scores.ergas] == pytest.approx(shown, abs=0.006)  # shown with two digits
