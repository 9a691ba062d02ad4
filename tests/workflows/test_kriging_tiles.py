"""Guided kriging gives every pixel once, and the same whatever the tiles."""

import numpy as np
import pytest
import rasterio
from affine import Affine

from pifnet_cli.choices import Align
from pifnet_cli.fusion.plan import plan_fusion
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.settings import FuseSettings
from waves import NORTH_UP, Texture, write_pair

SNR_DB = 35.0, 40.0
TOLD = "--method", "kriging", "--mtf", 0.3, "--align", "none"
ALIKE = 1e-6  # of the peak: rounding of float32


def _fused(pifnet, pair, tile_size):
    """(2 C, H, W), the pixels and their standard deviations."""
    out, sigma = (pair[0].parent / f"{name}_{tile_size}.tif" for name in ("fused", "sigma"))
    run = pifnet("fuse", *pair, "-o", out, "--uncertainty", sigma, "--tile-size", tile_size, *TOLD)
    assert run.code == 0, run.err
    images = []
    for path in (out, sigma):
        with rasterio.open(path) as dataset:
            images.append(dataset.read(masked=True).filled(np.nan))
    return np.concatenate(images)


def _is_alike(image, other):
    return np.nanmax(np.abs(image - other)) < ALIKE * np.nanmax(image) and np.isfinite(image).all()


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [4.0, 3.0])
def test_pixels_and_their_sigma_do_not_depend_on_the_size_of_tiles(pifnet, tmp_path, ratio):
    pair = write_pair(tmp_path, bands=5, ground=Texture(5), hr_size=(272, 300), ratio=ratio, snr_db=SNR_DB,
                      lr_transform=NORTH_UP @ Affine.scale(ratio))[:2]  # fmt: skip
    whole = _fused(pifnet, pair, 512)
    for tile_size in (96, 160, 288):
        assert _is_alike(_fused(pifnet, pair, tile_size), whole), tile_size


INSIDE = NORTH_UP @ Affine.translation(21, 17) @ Affine.scale(4)
ROTATED = NORTH_UP @ Affine.translation(21, 61) @ Affine.rotation(-25) @ Affine.scale(4)


@pytest.mark.parametrize("lr_transform", [INSIDE, ROTATED], ids=["inside", "rotated"])
def test_nor_do_they_where_the_output_begins_amid_the_hr_msi(pifnet, tmp_path, lr_transform):
    pair = write_pair(tmp_path, bands=5, ground=Texture(5), hr_size=(190, 200), lr_size=(31, 34), snr_db=SNR_DB,
                      lr_transform=lr_transform)[:2]  # fmt: skip
    whole, parts = (_fused(pifnet, pair, tile_size) for tile_size in (288, 96))
    is_known = np.isfinite(whole)
    assert np.array_equal(is_known, np.isfinite(parts))
    assert _is_alike(np.where(is_known, whole, 0), np.where(is_known, parts, 0))


@pytest.mark.parametrize(
    ("ratio", "tile_size", "expected"),
    [(4.0, 288, 256), (4.0, 96, 64), (4.0, 32, 64), (3.0, 288, 336), (3.0, 160, 126), (3.0, 64, 42)],
)
def test_tiles_are_whole_cores(tmp_path, ratio, tile_size, expected):
    lr, hr, _ = write_pair(tmp_path, ratio=ratio, lr_transform=NORTH_UP @ Affine.scale(ratio))
    overlap = min(32, tile_size // 2)
    settings = FuseSettings(tile_size=tile_size, overlap=overlap, mtf_at_nyquist=0.3, align=Align.NONE)
    with open_scene(lr) as low, open_scene(hr) as high:
        assert plan_fusion(low, high, tmp_path / "fused.tif", settings).tiles.stride == expected
