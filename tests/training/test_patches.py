from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

from pifnet_cli.choices import Protocol, Sampling
from pifnet_cli.degrade.blocks import BlockDegrader
from pifnet_cli.degrade.sensor_model import SensorModel, degrade_patch
from pifnet_cli.errors import TrainingError
from pifnet_cli.pair.alignment import align
from pifnet_cli.scene import Bands, Grid, Scene, Window
from pifnet_cli.training.patches import PatchNeeds, PatchSource, TrainingPair, split_area
from pifnet_models.kriging.regression import Regression

C, M, H, W, RATIO = 7, 3, 96, 72, 4
REGRESSION = Regression(np.zeros((C, M)), np.zeros(C), np.eye(C), np.zeros(M), np.eye(M), 10)


def sensor(protocol=Protocol.MTF, **changes):
    srf = np.zeros((M, C))
    srf[0, :2], srf[1, 2:4], srf[2, 4:] = 1 / 2, 1 / 2, 1 / 3
    return SensorModel(protocol, RATIO, 0.3, srf, **changes)


def ramps():
    rows, columns = np.mgrid[:H, :W]
    slopes = np.arange(1, C + 1)[:, None, None]
    return (100 + slopes * rows + (C - slopes) * columns).astype(np.float32)


def pair(reference, model, *, is_real=False, area=None):
    grid = Grid(H, W, Affine(1, 0, 0, 0, -1, H), None)
    path = "scene"
    lr = Scene(path=path, grid=model.lr_grid(grid), bands=Bands(C))
    hr = Scene(path=path, grid=grid, bands=Bands(M))
    lr_hsi, hr_msi = degrade_patch(reference, model, rng=None)

    def cut(image):
        return lambda window: image[:, window.slices[0], window.slices[1]]

    whole = BlockDegrader(cut(reference), model, height=H, width=W, block_size=32)
    return TrainingPair(
        name="scene",
        read_lr=cut(lr_hsi),
        read_hr=cut(hr_msi),
        read_reference=cut(reference),
        alignment=align(lr, hr),
        psf=model.psf,
        sensor=None if is_real else model,
        noise=None if is_real else whole.noise(0, lambda _done, _total: None),
        regression=REGRESSION,
        area=area or grid.window,
        held_out=Window(0, 0, 0, 0),
    )


def source(*pairs, **changes):
    options = {"patch_size": 16, "sampling": Sampling.RANDOM, "stride": 8, "seed": 0, "needs": PatchNeeds()} | changes
    return PatchSource(pairs, **options)


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("is_real", [False, True])
def test_upsampled_ramps_lie_on_their_truth(protocol, is_real):
    inner = Window(16, 16, H - 32, W - 32)
    patches = source(pair(ramps(), sensor(protocol), is_real=is_real, area=None if not is_real else inner))
    shift = []
    for number in range(40):
        patch = patches.patch(number)
        shift.append(np.abs(patch.tile.inputs().upsampled - patch.reference)[:, 6:-6, 6:-6].max())

    assert np.median(shift) < 0.02  # patches at the scene's border see its mirror image


def test_every_sampling_phase_occurs():
    patches = source(pair(ramps(), sensor()))
    phases = {tuple(np.round(patches.patch(number).tile.inputs().phase[:, 0, 0], 3)) for number in range(300)}
    assert len(phases) == RATIO**2


@pytest.mark.parametrize("is_real", [False, True])
def test_a_patch_is_a_function_of_its_number(is_real):
    model = sensor(hsi_snr_db=30, msi_snr_db=30)
    first, second = (source(pair(ramps(), model, is_real=is_real)) for _ in range(2))
    second.patch(3)

    for mine, theirs in zip(first.patch(11).tile.inputs(), second.patch(11).tile.inputs(), strict=True):
        assert np.array_equal(mine, theirs)
    assert not np.array_equal(first.patch(11).reference, first.patch(12).reference)


def test_noise_is_fresh_in_every_epoch():
    patches = source(pair(np.ones((C, H, W), np.float32), sensor(hsi_snr_db=20)))
    assert not np.array_equal(patches.patch(0).tile.inputs().upsampled, patches.patch(1).tile.inputs().upsampled)


def test_patches_stay_inside_their_area():
    reference = np.zeros((C, H, W), np.float32)
    reference[:, :48] = 1
    patches = source(pair(reference, sensor(), area=Window(0, 0, 48, W)))
    for number in range(100):
        patch = patches.patch(number)
        assert (patch.reference == 1).all()
        assert np.allclose(patch.tile.inputs().upsampled, 1, atol=1e-5)  # nor does the PSF look out of it


def test_a_strided_epoch_visits_every_place_once():
    rows, columns = np.mgrid[:H, :W]
    reference = np.broadcast_to((rows * W + columns).astype(np.float32), (C, H, W))
    patches = source(pair(reference, sensor()), sampling=Sampling.STRIDED, stride=16)

    def corners(epoch):
        numbers = range(epoch * len(patches), (epoch + 1) * len(patches))
        return [int(patches.patch(number).reference[0].min()) for number in numbers]

    expected = [row * W + column for row in range(0, 81, 16) for column in (0, 16, 32, 48, 56)]
    assert len(patches) == len(expected)
    assert sorted(corners(0)) == sorted(expected)
    assert sorted(corners(1)) == sorted(expected)
    assert corners(0) != corners(1)


def test_nodata_patches_are_not_drawn():
    reference = ramps()
    reference[:, :, : W - 20] = np.nan
    patches = source(pair(reference, sensor()))
    for number in range(20):
        assert np.isfinite(patches.patch(number).reference).mean() >= 0.1


def test_scenes_without_valid_pixels_are_refused():
    patches = source(pair(np.full((C, H, W), np.nan, np.float32), sensor()))
    with pytest.raises(TrainingError, match="were nodata"):
        patches.patch(0)


def test_a_patch_larger_than_the_area_is_refused():
    with pytest.raises(TrainingError, match="leaves 20 x 72 pixels to train on, fewer than a patch of 32"):
        source(pair(ramps(), sensor(), area=Window(0, 0, 20, W)), patch_size=32)


def test_patches_of_any_even_size_fit_ratios_that_do_not_divide_them():
    model = replace(sensor(), ratio=3)
    patches = source(pair(ramps(), model, area=Window(0, 0, 18, 20)), patch_size=16)
    assert patches.patch(0).tile.inputs().upsampled.shape == (C, 16, 16)


def test_areas_neither_touch_nor_overlap():
    area, held_out = split_area(Window(4, 2, 100, 50), share=0.2, guard=5)

    assert (area, held_out) == (Window(4, 2, 75, 50), Window(84, 2, 20, 50))


def test_no_share_holds_nothing_out():
    area, held_out = split_area(Window(0, 0, 100, 50), share=0.0, guard=5)

    assert area == Window(0, 0, 100, 50)
    assert held_out.is_empty


def test_a_whole_share_leaves_nothing_to_train_on():
    area, held_out = split_area(Window(0, 0, 100, 50), share=1.0, guard=5)

    assert area.is_empty
    assert held_out == Window(0, 0, 100, 50)
