from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from pifnet_cli.estimation.registration.coarse_scene import WindowedScene
from pifnet_cli.scene import Bands, Grid, Scene

TRANSFORM = Affine(10, 2, 365000, 1, -10, 5807000)


def _source(pixels):
    asked = []

    def read(window):
        asked.append(window)
        return pixels[:, *window.slices]

    grid = Grid(*pixels.shape[1:], TRANSFORM, None)
    return WindowedScene(Scene(Path("scene.tif"), grid, Bands(len(pixels))), read), asked


def _random(bands, height, width):
    return np.random.default_rng(0).normal(size=(bands, height, width)).astype(np.float32)


def test_coarse_pixels_are_means_and_a_remainder_is_left_out():
    pixels = _random(3, 13, 17)
    coarse = _source(pixels)[0].coarse(4)
    assert (coarse.scene.grid.height, coarse.scene.grid.width) == (3, 4)
    expected = pixels[:, :12, :16].reshape(3, 3, 4, 4, 4).mean(axis=(2, 4))
    np.testing.assert_allclose(coarse.pixels(), expected, rtol=1e-5)


def test_a_coarse_pixel_lies_where_its_pixels_lie():
    coarse = _source(_random(1, 12, 12))[0].coarse(3)
    assert coarse.scene.grid.transform @ (2, 1) == pytest.approx(TRANSFORM @ (6, 3))


@pytest.mark.parametrize("factor", [3, 600])
def test_a_large_scene_is_read_by_blocks(factor):
    pixels = _random(2, 1201, 640)
    source, asked = _source(pixels)
    coarse = source.coarse(factor)
    assert max(max(window.height, window.width) for window in asked) <= max(512, factor)
    inside = pixels[:, : 1201 // factor * factor, : 640 // factor * factor]
    np.testing.assert_allclose(coarse.pixels().mean(), inside.mean(), atol=1e-4)


def test_invalid_pixels_count_for_nothing():
    pixels = _random(1, 4, 8)
    pixels[0, :, :2] = np.nan  # half of the first coarse pixel
    pixels[0, :3, 4:] = np.nan  # three quarters of the second
    first, second = _source(pixels)[0].coarse(4).pixels()[0, 0]
    assert first == pytest.approx(pixels[0, :, 2:4].mean(), rel=1e-5)
    assert np.isnan(second)


def test_a_factor_of_one_is_the_scene():
    source, _ = _source(_random(1, 5, 6))
    assert source.coarse(1) is source
