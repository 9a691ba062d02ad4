import json
from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest

from pifnet_cli.choices import Phase, Protocol, Sampling
from pifnet_cli.errors import GridError, SceneReadError
from pifnet_cli.scene import Window
from pifnet_cli.settings import SimulateSettings
from pifnet_cli.training.patches import PatchNeeds, PatchSource
from pifnet_cli.training.sources import open_training_scene
from pifnet_cli.workflows.simulate import simulate_scene
from pifnet_models.kriging.regression import Regression
from scenes import write_scene

C, H, W = 6, 50, 66  # not multiples of the ratio
SETTINGS = SimulateSettings(ratio=4, srf="boxes:3", hsi_snr_db=30, msi_snr_db=35, seed=3)


def opened(path, settings, stack, **options):
    return open_training_scene(path, settings, stack, phase=Phase.TRUE, **options)


@pytest.fixture
def scene(tmp_path):
    pixels = np.random.default_rng(0).uniform(1, 2, (C, H, W)).astype(np.float32)
    pixels[:, :3, :5] = -1
    return write_scene(tmp_path / "scene.tif", pixels, nodata=-1)


@pytest.fixture
def stack():
    with ExitStack() as opened:
        yield opened


@pytest.mark.parametrize("protocol", Protocol)
def test_a_degraded_reference_is_what_simulate_writes(scene, tmp_path, stack, protocol):
    settings = replace(SETTINGS, protocol=protocol, shift=(1.5, -0.5))
    simulate_scene(scene, tmp_path / "pair", settings)
    virtual, written = opened(scene, settings, stack), opened(tmp_path / "pair", settings, stack)

    for source in (virtual, written):
        assert source.sensor is not None
        assert source.sensor.protocol is protocol
        assert source.sensor.shift == (1.5, -0.5)
    for name, window in (("read_lr", Window(2, 1, 9, 15)), ("read_hr", Window(0, 3, 30, 61))):
        np.testing.assert_allclose(getattr(virtual, name)(window), getattr(written, name)(window), atol=1e-5)
    assert virtual.lr.grid.transform.almost_equals(written.lr.grid.transform)
    assert (virtual.lr.grid.height, virtual.hr.grid.width) == (12, 64)


@pytest.mark.parametrize("is_folder", [False, True])
def test_noise_of_a_patch_is_that_of_the_whole_scene_wherever_it_lies(tmp_path, stack, is_folder):
    image = np.full((C, 96, 64), 0.1, np.float32)
    image[:, 40:] = np.arange(1, C + 1)[:, None, None]  # the lower part is up to 60 times as bright
    path, settings = write_scene(tmp_path / "scene.tif", image), replace(SETTINGS, msi_snr_db=25)
    simulate_scene(path, tmp_path / "pair", settings)
    record = json.loads((tmp_path / "pair" / "simulation.json").read_text())
    scene = opened(tmp_path / "pair" if is_folder else path, replace(settings, seed=8), stack)
    regression = Regression(np.zeros((C, 3)), np.zeros(C), np.eye(C), np.zeros(3), np.eye(3), 10)
    dark = scene.pair(regression, None, held_out_share=0.65)
    patches = PatchSource(
        [dark], patch_size=16, sampling=Sampling.RANDOM, stride=8, seed=0, needs=PatchNeeds(Phase.TRUE)
    )

    tiles = [patches.patch(number).tile for number in range(150)]
    for images, std in (
        ([tile.lr_hsi for tile in tiles], record["hsi_noise_std"]),
        ([tile.hr_msi for tile in tiles], record["msi_noise_std"]),
    ):
        added = np.concatenate([image.reshape(len(std), -1) for image in images], axis=1)
        np.testing.assert_allclose(added.std(axis=1), std, rtol=0.05)  # of some 5,000 pixels: known to 1 %


def test_a_folder_without_a_record_is_a_real_pair(scene, tmp_path, stack):
    simulate_scene(scene, tmp_path / "pair", SETTINGS)
    (tmp_path / "pair" / "simulation.json").unlink()
    source = opened(tmp_path / "pair", SimulateSettings(protocol=Protocol.PAPER), stack)

    assert source.sensor is None
    assert source.psf.taps == 3


def test_large_scenes_are_read_by_window(scene, stack):
    whole = opened(scene, SETTINGS, stack).read_reference(Window(5, 6, 7, 8))
    large = opened(scene, SETTINGS, stack, cached_bytes=0)

    assert np.array_equal(large.read_reference(Window(5, 6, 7, 8)), whole)


def test_bands_without_pixels_weigh_nothing(tmp_path, stack):
    pixels = np.random.default_rng(0).uniform(1, 2, (C, H, W)).astype(np.float32)
    pixels[2] = -1
    scene = write_scene(tmp_path / "scene.tif", pixels, nodata=-1)
    source = opened(scene, SimulateSettings(srf="boxes:3"), stack)

    assert source.sensor is not None
    assert (source.sensor.srf[:, 2] == 0).all()
    assert np.isfinite(source.read_hr(Window(0, 0, 48, 64))).all()


def test_a_folder_without_a_pair_is_refused(tmp_path, stack):
    with pytest.raises(SceneReadError, match=r"holds no lr_hsi.tif .* pifnet simulate"):
        opened(tmp_path, SETTINGS, stack)


def test_a_damaged_record_is_refused(scene, tmp_path, stack):
    simulate_scene(scene, tmp_path / "pair", SETTINGS)
    (tmp_path / "pair" / "simulation.json").write_text(json.dumps({"sensor": {"ratio": 4}}))
    with pytest.raises(SceneReadError, match="is no record of pifnet simulate"):
        opened(tmp_path / "pair", SETTINGS, stack)


def test_a_record_of_an_older_version_tells_its_shift_columns_first(scene, tmp_path, stack):
    simulate_scene(scene, tmp_path / "pair", replace(SETTINGS, shift=(1.5, -0.5)))
    file = tmp_path / "pair" / "simulation.json"
    record = json.loads(file.read_text())
    rows, columns = record["sensor"].pop("shift_rows_columns")
    record["sensor"]["shift"] = [columns, rows]
    file.write_text(json.dumps(record))

    source = opened(tmp_path / "pair", SETTINGS, stack)

    assert source.sensor is not None
    assert source.sensor.shift == (1.5, -0.5)


def test_truth_on_another_grid_is_refused(scene, tmp_path, stack):
    simulate_scene(scene, tmp_path / "pair", SETTINGS)
    (tmp_path / "pair" / "reference.tif").unlink()
    write_scene(tmp_path / "pair" / "reference.tif", np.ones((C, 40, 64), np.float32))
    with pytest.raises(GridError, match="must lie on the grid of"):
        opened(tmp_path / "pair", SETTINGS, stack)


def test_a_scene_smaller_than_an_lr_pixel_is_refused(tmp_path, stack):
    scene = write_scene(tmp_path / "small.tif", np.ones((C, 3, 9), np.float32))
    with pytest.raises(GridError, match="make no LR pixel at ratio 4"):
        opened(scene, SETTINGS, stack)
