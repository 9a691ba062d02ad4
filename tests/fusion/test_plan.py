"""What is told before anything is fused: methods and checkpoints that others are known to do better than."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Align, Anchor, Phase, Variant
from pifnet_cli.fusion.plan import plan_fusion
from pifnet_cli.networks.checkpoint import Checkpoint, Header, bands_record, save_checkpoint
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.settings import FuseSettings
from waves import write_pair

BANDS = 7
TOLD = FuseSettings(mtf_at_nyquist=0.3, align=Align.NONE)


def _warnings(folder, settings, caplog, *, bands=BANDS):
    lr_path, hr_path, _ = write_pair(folder, bands=bands)
    with open_scene(lr_path) as lr, open_scene(hr_path) as hr:
        plan_fusion(lr, hr, folder / "fused.tif", settings)
    return [record.message for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("method", [Method.CNMF, Method.HYSURE, Method.GSA, Method.BROVEY])
def test_methods_that_need_several_bands_say_so_of_one(method, tmp_path: Path, caplog):
    (told,) = _warnings(tmp_path, replace(TOLD, method=method), caplog, bands=1)
    assert f"{method.value} takes bands together" in told
    assert "use --method kriging or regression" in told


@pytest.mark.parametrize("method", [Method.KRIGING, Method.REGRESSION, Method.ATPRK, Method.GLP, Method.BICUBIC])
def test_other_methods_have_nothing_to_say_of_one_band(method, tmp_path: Path, caplog):
    assert _warnings(tmp_path, replace(TOLD, method=method), caplog, bands=1) == []


@pytest.mark.parametrize(("gain", "anchor", "words"), [
    (-19.0, Anchor.NONE, "is 19.00 dB worse than regression on its held-out area; use --method regression"),
    (-0.3, Anchor.KRIGING, "is 0.30 dB worse than kriging on its held-out area; use --method kriging"),
    (0.3, Anchor.KRIGING, None),
    (None, Anchor.NONE, None),
])  # fmt: skip
def test_a_checkpoint_that_is_worse_than_its_start_says_so(gain, anchor, words, tmp_path: Path, caplog):
    lr_path, hr_path, _ = write_pair(tmp_path, bands=BANDS)
    with open_scene(lr_path) as lr, open_scene(hr_path) as hr:
        bands = bands_record(lr.scene.bands), bands_record(hr.scene.bands)
    training = {} if gain is None else {"gain_db": gain}
    header = Header(Method.PIFNET, Variant.PAPER, {}, *bands, 4.0, {}, 1.0, training, anchor, Phase.TRUE)
    save_checkpoint(tmp_path / "model", Checkpoint(header, {"weight": np.zeros(2, dtype=np.float32)}))
    told = _warnings(tmp_path, replace(TOLD, checkpoint=tmp_path / "model"), caplog)
    assert told == [] if words is None else words in told[0]
