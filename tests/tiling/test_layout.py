import numpy as np
import pytest

from pifnet_cli.scene import Window
from pifnet_cli.tiling.layout import TilePlan

PLANS = [
    (1, 1, 32, 0, 0),
    (24, 40, 32, 8, 4),
    (97, 131, 32, 16, 0),
    (100, 100, 64, 13, 7),
    (33, 257, 33, 1, 16),
    (256, 256, 64, 0, 8),
]


@pytest.mark.parametrize(("height", "width", "tile_size", "overlap", "halo"), PLANS)
def test_cores_cover_every_pixel_once(height, width, tile_size, overlap, halo):
    plan = TilePlan(height=height, width=width, tile_size=tile_size, overlap=overlap, halo=halo)
    covered = np.zeros((height, width), dtype=int)
    for tile in plan:
        covered[tile.core.slices] += 1
    assert (covered == 1).all()
    assert len(list(plan)) == len(plan)


@pytest.mark.parametrize(("height", "width", "tile_size", "overlap", "halo"), PLANS)
def test_contexts_hold_their_windows_and_stay_inside(height, width, tile_size, overlap, halo):
    plan = TilePlan(height=height, width=width, tile_size=tile_size, overlap=overlap, halo=halo)
    for tile in plan:
        assert tile.context.row <= tile.window.row
        assert tile.context.bottom >= tile.window.bottom
        assert tile.context.clipped(height, width) == tile.context
        assert tile.context.height >= min(tile_size, height)
        assert tile.context.width >= min(tile_size, width)


def test_neighbours_share_exactly_the_overlap():
    plan = TilePlan(height=100, width=90, tile_size=40, overlap=12, halo=0)
    for row in range(plan.rows - 1):
        assert plan.tile(row, 0).window.bottom - plan.tile(row + 1, 0).window.row == 12
    assert plan.tile(plan.rows - 1, 0).window.height > 12


def test_a_short_last_tile_that_stands_alone_is_all_that_is_seen():
    plan = TilePlan(height=272, width=300, tile_size=256, overlap=0, halo=0)
    assert all(tile.context == tile.window for tile in plan)
    assert plan.tile(1, 1).context == Window(256, 256, 16, 44)
