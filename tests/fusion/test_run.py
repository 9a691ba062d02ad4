"""The run itself: which tiles reach the method, and what becomes of the others."""

from pathlib import Path

import numpy as np
import pytest

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Align
from pifnet_cli.fusion.plan import plan_fusion
from pifnet_cli.fusion.run import fused_tile
from pifnet_cli.networks.checkpoint import Checkpoint, Header, bands_record, save_checkpoint
from pifnet_cli.pair.resample import SUPPORT
from pifnet_cli.pair.tile import FusedTile
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.settings import FuseSettings
from pifnet_models.pifnet.network import PIFNet
from small_networks import SMALL
from waves import NODATA, write_pair

BANDS = 7


class Ones:
    """A method that answers ones, and counts its tiles."""

    margin, reach = SUPPORT, 0

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


def test_a_result_without_a_valid_pixel_is_refused_and_not_written(pifnet, tmp_path):
    lr, hr, _ = write_pair(tmp_path, bands=BANDS, hr_size=(32, 48))
    hyper = {"hsi_channels": BANDS, "msi_channels": 3, **SMALL[Method.PIFNET]}
    with open_scene(lr) as hsi, open_scene(hr) as msi:
        bands, guide = bands_record(hsi.scene.bands), bands_record(msi.scene.bands)
    weights = {name: np.full(tensor.shape, 3e38, np.float32) for name, tensor in PIFNet(**hyper).state_dict().items()}
    header = Header("pifnet", "paper", hyper, bands, guide, ratio=4.0, sensor=None, scale=1.0)
    save_checkpoint(tmp_path / "network", Checkpoint(header, weights))
    output = tmp_path / "fused.tif"
    run = pifnet("fuse", lr, hr, "-o", output, "--checkpoint", tmp_path / "network", "--align", "none", "-q")
    assert (run.code, run.err.count("\n")) == (1, 1)
    assert f"{output}: would not hold a single valid pixel, and was not written" in run.err
    assert not output.exists()
