import numpy as np
import pytest
import torch
from torch import nn

from pifnet_cli.scene import Window
from pifnet_cli.training.validation import MAXIMUM_TILES, held_out_tiles, network_function
from pifnet_models.interface import SizeRule


def test_tiles_cover_a_small_area_once():
    area = Window(3, 5, 300, 140)
    covered = np.zeros((310, 150), int)
    for tile in held_out_tiles(area):
        rows, columns = tile.slices
        covered[rows, columns] += 1

    assert (covered[3:303, 5:145] == 1).all()
    assert covered.sum() == 300 * 140


def test_a_large_area_is_sampled_evenly():
    tiles = held_out_tiles(Window(0, 0, 1000, 10_000))

    assert len(tiles) == MAXIMUM_TILES
    assert {tile.row for tile in tiles} == {128 * row for row in range(8)}


class _Sum(nn.Module):
    size_rule = SizeRule(multiple_of=8, minimum=16)

    def forward(self, hsi, msi):
        assert self.size_rule.accepts(*hsi.shape[2:])
        return hsi + msi[:, :1]


def test_networks_see_sizes_they_accept():
    hsi, msi = np.random.default_rng(0).random((2, 3, 13, 21), dtype=np.float32)
    answer = network_function(_Sum(), torch.device("cpu"))(hsi, msi)

    assert answer == pytest.approx(hsi + msi[:1])
