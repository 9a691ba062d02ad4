import logging
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Align, Protocol, Wald
from pifnet_cli.degrade.sensor_model import SensorModel, degrade_patch
from pifnet_cli.errors import SettingsError
from pifnet_cli.metrics.with_reference import scores
from pifnet_cli.pair.alignment import REACH
from pifnet_cli.pair.resample import CubicResampler
from pifnet_cli.scene import Positions
from pifnet_cli.scoring.without_reference import score_without_reference
from pifnet_cli.settings import FuseSettings, MetricsSettings
from pifnet_cli.workflows.fuse import fuse_scene
from scenes import write_scene
from waves import NODATA, NORTH_UP, Texture, responses, write_pair

ASKED = MetricsSettings(mtf_at_nyquist=0.3, wald=Wald.SCORE)
SIZE = (132, 148)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    lr, hr, _ = write_pair(tmp_path_factory.mktemp("pair"), ground=Texture(7), hr_size=SIZE)
    return lr, hr


@pytest.fixture(scope="module")
def fused(pair) -> Path:
    path = pair[0].with_name("fused.tif")
    return fuse_scene(*pair, path, FuseSettings(method=Method.REGRESSION, mtf_at_nyquist=0.3)).scene.path


def test_it_is_left_out_unless_asked_for(pair, fused: Path) -> None:
    assert score_without_reference(fused, *pair, MetricsSettings(mtf_at_nyquist=0.3)).wald is None


def test_the_method_is_the_one_that_made_the_scene(pair, fused: Path) -> None:
    with rasterio.open(fused) as dataset:
        assert dataset.tags(ns="ENVI")["pifnet_method"] == "regression"
    assert score_without_reference(fused, *pair, ASKED).wald.method == "regression"


def test_a_method_that_is_asked_for_comes_first(pair, fused: Path) -> None:
    poor = score_without_reference(fused, *pair, replace(ASKED, method=Method.BICUBIC)).wald
    good = score_without_reference(fused, *pair, ASKED).wald
    assert poor.method == "bicubic"
    assert good.scores.psnr > poor.scores.psnr + 6
    assert good.scores.sam < poor.scores.sam


def test_without_a_note_the_program_s_own_choice_is_scored(pair, fused: Path, tmp_path: Path) -> None:
    with rasterio.open(fused) as dataset:
        bare = write_scene(tmp_path / "bare.tif", dataset.read(), transform=NORTH_UP)
    assert score_without_reference(bare, *pair, ASKED).wald.method == "kriging"


def test_interpolation_scores_as_computed_on_arrays(pair, fused: Path) -> None:
    with rasterio.open(pair[0]) as dataset:
        lr = dataset.read()  # (7, 33, 37): 8 x 9 pixels of the next level, and one row and column more
    sensor = SensorModel(protocol=Protocol.MTF, ratio=4, mtf_at_nyquist=0.3, srf=responses(7, 3))
    low, _ = degrade_patch(lr, sensor, rng=None)
    positions = [(np.arange(side) - 1.5) / 4 for side in lr.shape[1:]]
    expected = CubicResampler(Positions(*positions), height=8, width=9, reach=REACH)(low)
    found = score_without_reference(fused, *pair, replace(ASKED, method=Method.BICUBIC)).wald.scores
    told = scores(expected, lr, ratio=4)
    assert (found.pixels, found.ratio) == (33 * 37, 4)
    assert (found.psnr, found.sam, found.ssim) == pytest.approx((told.psnr, told.sam, told.ssim), rel=1e-4)


@pytest.mark.parametrize("protocol", Protocol)
def test_either_protocol_is_taken_one_level_down(protocol: Protocol, pair, fused: Path) -> None:
    settings = MetricsSettings(protocol=protocol, wald=Wald.SCORE)
    assert score_without_reference(fused, *pair, settings).wald.scores.psnr > 25


@pytest.mark.parametrize(("ratio", "lr_turn"), [(2.0, 0), (3.3, 0), (3.3, 30)])
def test_any_ratio_and_any_turn_is_degraded_in_place(ratio: float, lr_turn: float, tmp_path: Path) -> None:
    lr_transform = NORTH_UP @ Affine.translation(60, 2) @ Affine.rotation(lr_turn) @ Affine.scale(ratio)
    lr_size = (round(90 / ratio), round(84 / ratio))
    lr, hr, _ = write_pair(
        tmp_path, ground=Texture(7), hr_size=(132, 148), ratio=ratio, lr_transform=lr_transform, lr_size=lr_size
    )
    settings = FuseSettings(method=Method.REGRESSION, mtf_at_nyquist=0.3, align=Align.NONE)
    fused = fuse_scene(lr, hr, tmp_path / "fused.tif", settings).scene.path
    good = score_without_reference(fused, lr, hr, ASKED).wald.scores
    poor = score_without_reference(fused, lr, hr, replace(ASKED, method=Method.BICUBIC)).wald.scores
    assert good.ratio == pytest.approx(ratio)
    assert good.psnr > poor.psnr + 6  # a shift of half a pixel takes away more


def test_nothing_is_left_behind_and_nothing_is_said_of_it(
    pair, fused: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = sorted(fused.parent.iterdir())
    with caplog.at_level(logging.INFO):
        score_without_reference(fused, *pair, ASKED)
    assert list(tmp_path.iterdir()) == []
    assert sorted(fused.parent.iterdir()) == before
    assert str(tmp_path) not in caplog.text


def test_scenes_that_are_too_small_say_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lr, hr, truth = write_pair(tmp_path, ground=Texture(7), hr_size=(60, 100))
    fused = write_scene(tmp_path / "fused.tif", truth, transform=NORTH_UP)
    assert score_without_reference(fused, lr, hr, ASKED).wald is None
    assert "lr.tif: no Wald-level score: degraded once more it would be 3 x 6 pixels; at least 4 x 4" in caplog.text


def test_scenes_that_hold_too_little_say_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def spoil(lr_hsi, _hr_msi) -> None:
        lr_hsi[:, ::4, ::4] = NODATA  # never a twentieth of a blur without

    lr, hr, truth = write_pair(tmp_path, ground=Texture(7), hr_size=SIZE, spoil=spoil)
    fused = write_scene(tmp_path / "fused.tif", truth, transform=NORTH_UP)
    scores = score_without_reference(fused, lr, hr, ASKED)
    assert scores.wald is None
    assert scores.lr_pixels > 500
    assert "lr.tif: no Wald-level score: degraded once more the scenes share too few valid pixels" in caplog.text


def test_a_network_without_its_checkpoint_is_left_out_where_it_was_only_noted(
    pair, fused: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with rasterio.open(fused) as dataset:
        noted = write_scene(
            tmp_path / "noted.img", dataset.read(), transform=NORTH_UP, fields={"pifnet method": "psrt"}
        )
    assert score_without_reference(noted, *pair, ASKED).wald is None
    assert "noted.img: no Wald-level score: --method psrt: needs --checkpoint" in caplog.text


def test_a_network_that_is_asked_for_needs_its_checkpoint(pair, fused: Path) -> None:
    with pytest.raises(SettingsError, match="--method psrt: needs --checkpoint"):
        score_without_reference(fused, *pair, replace(ASKED, method=Method.PSRT))


def test_the_note_of_an_earlier_fusion_is_replaced(pair, fused: Path, tmp_path: Path) -> None:
    settings = FuseSettings(method=Method.BICUBIC, mtf_at_nyquist=0.3, align=Align.NONE)
    again = fuse_scene(fused, pair[1], tmp_path / "again.hdr", settings).scene
    assert [value for name, value in again.acquisition if name == "pifnet method"] == ["bicubic"]
    assert "pifnet method = bicubic" in (tmp_path / "again.hdr").read_text()
