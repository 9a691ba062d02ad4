import numpy as np
import pytest

from pifnet_cli.raster.publishing.strips import StripFile
from pifnet_cli.tiling.blending import Blender
from pifnet_cli.tiling.layout import TilePlan

SHAPES = [  # height, width, tile size, overlap: nothing divides anything
    (97, 131, 32, 0),
    (97, 131, 32, 7),
    (97, 131, 33, 16),
    (61, 203, 40, 13),
    (61, 203, 64, 31),
    (150, 47, 37, 5),
    (150, 47, 101, 50),
    (33, 33, 32, 1),
    (31, 29, 64, 8),
    (128, 128, 64, 32),
]


def _blended(plan, image, tmp_path, add_edge_noise=0.0):
    result = np.full_like(image, np.nan)
    with StripFile(tmp_path) as strips:
        blender = Blender(plan, strips)
        for tile in plan:
            window, pixels = blender.add(tile, image[(slice(None), *tile.window.slices)].copy() + add_edge_noise)
            result[(slice(None), *window.slices)] = pixels
    return result


@pytest.mark.parametrize(("height", "width", "tile_size", "overlap"), SHAPES)
def test_identity_is_reproduced_to_float32_rounding(height, width, tile_size, overlap, tmp_path):
    image = np.random.default_rng(0).uniform(0.1, 1.0, (3, height, width)).astype(np.float32)
    plan = TilePlan(height=height, width=width, tile_size=tile_size, overlap=overlap, halo=0)
    np.testing.assert_allclose(_blended(plan, image, tmp_path), image, rtol=4 * np.finfo(np.float32).eps)


def test_invalid_pixels_stay_invalid_and_do_not_spread(tmp_path):
    image = np.ones((2, 70, 50), dtype=np.float32)
    image[:, 25:35, 20:30] = np.nan
    plan = TilePlan(height=70, width=50, tile_size=32, overlap=10, halo=0)
    np.testing.assert_array_equal(np.isnan(_blended(plan, image, tmp_path)), np.isnan(image))


def test_overlap_passes_smoothly_from_one_tile_to_the_next(tmp_path):
    plan = TilePlan(height=10, width=112, tile_size=64, overlap=16, halo=0)
    result = np.empty((1, 10, 112), dtype=np.float32)
    with StripFile(tmp_path) as strips:
        blender = Blender(plan, strips)
        for tile in plan:
            shape = (1, tile.window.height, tile.window.width)
            window, pixels = blender.add(tile, np.full(shape, float(tile.column), dtype=np.float32))
            result[(slice(None), *window.slices)] = pixels
    step = np.diff(result[0, 5])
    assert (step >= 0).all()
    assert step.max() < 1.6 / 16  # a raised cosine's slope is pi/2 that of a straight ramp
