"""Pairs of hardly any pixels, of one band, of hardly any ratio or of a large one."""

import numpy as np
from affine import Affine

from odd_pairs import HR, KRIGING, LR, REGRESSION, TOLD, TRUTH, error, fused, write_hr, write_odd_pair
from waves import NORTH_UP


def test_at_a_ratio_of_1_the_lr_hsi_comes_back(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"pixels": TRUTH, "transform": NORTH_UP})
    assert error(fused(pifnet, *pair, *TOLD).image) < 0.02


def test_one_file_twice_comes_back(pifnet, tmp_path):
    path = write_hr(tmp_path)
    assert error(fused(pifnet, path, path, *REGRESSION).image, HR) < 0.02


def test_a_ratio_of_40_leaves_no_pixel_out(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"pixels": LR[:, :3, :3], "transform": NORTH_UP @ Affine.scale(40)})
    result = fused(pifnet, *pair, *KRIGING)
    assert result.is_valid.all()
    assert result.image.shape == TRUTH.shape


def test_an_lr_hsi_of_one_pixel_fills_the_scene(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"pixels": LR[:, :1, :1]}, hr={"pixels": HR[:, :4, :4]})
    image = fused(pifnet, *pair, *REGRESSION).image
    np.testing.assert_allclose(image, np.broadcast_to(LR[:, :1, :1], (7, 4, 4)), atol=1e-6)


def test_one_pixel_each_gives_that_of_the_lr_hsi(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"pixels": LR[:, :1, :1], "transform": NORTH_UP}, hr={"pixels": HR[:, :1, :1]})
    np.testing.assert_allclose(fused(pifnet, *pair, *TOLD).image, LR[:, :1, :1], atol=1e-6)


def test_an_lr_hsi_of_one_row_is_fused(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"pixels": LR[:, :1]}, hr={"pixels": HR[:, :4]})
    assert error(fused(pifnet, *pair, *KRIGING).image, TRUTH[:, :4]) < 0.02


def test_scenes_of_one_band_each_are_fused(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"pixels": LR[3:4]}, hr={"pixels": HR[1:2]})
    assert error(fused(pifnet, *pair, *KRIGING).image, TRUTH[3:4]) < 0.01
