"""The main job on a real scene, by command line, read back by another GDAL than ours."""

import json

import numpy as np
import pytest
import rasterio

SCENE = "enmap_potsdam/derived_mosaic_A_rows96-159_cols96-223.tif"
WITHOUT_DATA = range(129, 135)  # bands 130 to 135, counted from 1


@pytest.fixture(scope="module")
def scene(shared_data):
    return shared_data / SCENE


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
