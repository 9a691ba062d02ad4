import numpy as np
import pytest
import rasterio

from pifnet_cli.errors import SceneReadError
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.scene import Window
from scenes import random_pixels, write_scene


def _sparse(path, *, side, bands, **profile):
    """A GeoTIFF that declares pixels it does not hold."""
    options = {"tiled": True, "sparse_ok": True, "bigtiff": "yes", "blockxsize": 1024, "blockysize": 1024}
    options |= {"interleave": "band", **profile}
    with rasterio.open(
        path, "w", driver="GTiff", width=side, height=side, count=bands, dtype="float32", crs="EPSG:32633",
        transform=rasterio.Affine(30, 0, 0, 0, -30, 0), **options,
    ):  # fmt: skip
        pass
    return path


def test_complex_pixels_are_refused(tmp_path):
    with pytest.raises(SceneReadError, match=r"x\.tif: its pixels are complex"):
        open_scene(write_scene(tmp_path / "x.tif", np.ones((1, 3, 4), "complex64")))


def test_several_images_in_one_file_are_refused_with_the_remedy(tmp_path):
    path = write_scene(tmp_path / "x.tif", random_pixels(1, 3, 4))
    with rasterio.open(path) as dataset:
        profile = dataset.profile
    with rasterio.open(path, "r+") as dataset:
        dataset.update_tags(note="first")
    with rasterio.Env(), rasterio.open(path, "w", **{**profile, "APPEND_SUBDATASET": "YES"}) as dataset:
        dataset.write(random_pixels(1, 3, 4))
    with rasterio.open(path) as dataset:
        pages = len(dataset.subdatasets)
    if pages < 2:
        pytest.skip("this rasterio removes a file before appending to it")
    with pytest.raises(SceneReadError, match=r"x\.tif: holds 2 images; one was expected; .*GTIFF_DIR:1"):
        open_scene(path)


def test_an_almost_empty_file_of_a_terabyte_is_refused(tmp_path):
    path = _sparse(tmp_path / "x.tif", side=100_000, bands=40)
    with pytest.raises(SceneReadError, match=r"x\.tif: declares 1490 GiB of pixels in a file of .*almost empty"):
        open_scene(path)


def test_an_empty_file_of_honest_size_is_read_by_windows(tmp_path):
    with open_scene(_sparse(tmp_path / "x.tif", side=20_000, bands=4)) as reader:
        assert reader.read(Window(19_000, 100, 8, 8)).tolist() == np.zeros((4, 8, 8)).tolist()


def test_blocks_that_fill_the_memory_are_refused(tmp_path):
    path = _sparse(tmp_path / "x.tif", side=20_000, bands=1, blockxsize=20_000, blockysize=20_000, tiled=False)
    with pytest.raises(SceneReadError, match=r"stored in blocks of 1\.5 GiB, .* -co TILED=YES"):
        open_scene(path)


def test_a_layout_that_is_slow_by_windows_earns_advice(tmp_path):
    path = _sparse(tmp_path / "x.tif", side=3000, bands=40, tiled=False, interleave="pixel", blockysize=1)
    with open_scene(path) as reader:
        assert "slow to read by windows" in reader.remarks[0]
    for options in ({"tiled": True}, {"tiled": False, "blockysize": 1}):
        with open_scene(_sparse(tmp_path / "y.tif", side=3000, bands=4, **options)) as reader:
            assert reader.remarks == ()
