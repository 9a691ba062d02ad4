"""The run itself: which tiles reach the method, and what becomes of the others."""

from pathlib import Path

import numpy as np
import pytest

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Align
from pifnet_cli.fusion.plan import plan_fusion
from pifnet_cli.fusion.run import fused_tile
from pifnet_cli.pair.resample import SUPPORT
from pifnet_cli.pair.tile import FusedTile
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.settings import FuseSettings
from waves import NODATA, write_pair

BANDS = 7


class Ones:
    """A method that answers ones, and counts its tiles."""

    margin = SUPPORT

    def __init__(self):
        self.tiles = 0

    def fuse(self, tile):
        self.tiles += 1
        shape = len(tile.lr_hsi), tile.geometry.tile.height, tile.geometry.tile.width
        return FusedTile(np.ones(shape, dtype=np.float32))


@pytest.mark.parametrize("method", [Method.REGRESSION, Method.KRIGING, Method.CNMF])
@pytest.mark.parametrize("side", ["lr", "hr"])
def test_ground_that_is_nodata_never_reaches_the_method(method, side, tmp_path: Path):
    def spoil(lr_hsi, hr_msi):
        (lr_hsi if side == "lr" else hr_msi)[:, :, 7 if side == "lr" else 25 :] = NODATA

    lr_path, hr_path, _ = write_pair(tmp_path, bands=BANDS, hr_size=(32, 256), spoil=spoil)
    settings = FuseSettings(method=method, tile_size=48, overlap=16, mtf_at_nyquist=0.3, align=Align.NONE)
    ones = Ones()
    with open_scene(lr_path) as lr, open_scene(hr_path) as hr:
        plan = plan_fusion(lr, hr, tmp_path / "fused.tif", settings)
        tiles = list(plan.tiles)
        fused = [fused_tile(tile, plan, ones, lr=lr, hr=hr).pixels for tile in tiles]
    reached = [bool(np.isfinite(pixels).any()) for pixels in fused]
    assert sum(reached) == ones.tiles
    assert 0 < ones.tiles <= 0.25 * len(tiles)
    assert all(pixels.shape == (BANDS, tile.window.height, tile.window.width)
               for tile, pixels in zip(tiles, fused, strict=True))  # fmt: skip
