import numpy as np

from pifnet_cli.scene import Window
from pifnet_cli.training.validation import MAXIMUM_TILES, held_out_tiles


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
