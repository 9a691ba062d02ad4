"""Patches for networks that take the LR-HSI as blocks, against the numbers of those blocks."""

from dataclasses import replace

import numpy as np
import pytest
from affine import Affine

from pifnet_cli.choices import Phase, Protocol, Sampling
from pifnet_cli.degrade.blocks import PairNoise
from pifnet_cli.degrade.sensor_model import SensorModel, degrade_patch
from pifnet_cli.errors import TrainingError
from pifnet_cli.pair.alignment import align
from pifnet_cli.pair.lr_grid import blocked
from pifnet_cli.pair.tile import FusedTile
from pifnet_cli.scene import Bands, Grid, Scene, Window
from pifnet_cli.training.objectives import ImageObjective, LossWeights, collate
from pifnet_cli.training.patches import PatchNeeds, PatchSource, TrainingPair, sensed_patch
from pifnet_models.kriging.regression import Regression

C, M, H, W, SIZE = 3, 2, 96, 72, 24
REGRESSION = Regression(np.zeros((C, M)), np.zeros(C), np.eye(C), np.ones(M), np.eye(M), 10)
RATIOS = (2, 3, 4, 8)
EVERY = [(protocol, ratio) for protocol in Protocol for ratio in RATIOS]
# By protocol and ratio: how far right of, and below, its block's first HR pixel an LR pixel lies (docs/design.md 2.2).
WITHIN = {(Protocol.MTF, 2): 0.5, (Protocol.MTF, 3): 1.0, (Protocol.MTF, 4): 1.5, (Protocol.MTF, 8): 3.5,
          (Protocol.PAPER, 2): 0, (Protocol.PAPER, 3): 1, (Protocol.PAPER, 4): 1, (Protocol.PAPER, 8): 3}  # fmt: skip


def _sensor(protocol, ratio):
    return SensorModel(protocol, ratio, 0.3, np.array([[0.5, 0.5, 0.0], [0.0, 0.0, 1.0]]))


def _ramps():
    """Rows in one band, columns in another: a pixel's value is its place; turned, it still says where it comes from."""
    rows, columns = np.mgrid[:H, :W]
    return np.stack([rows, columns, rows + columns]).astype(np.float32)


def _pair(protocol, ratio, *, area=None, is_real=False, phase=Phase.TRUE):
    grid = Grid(H, W, Affine(1, 0, 0, 0, -1, H), None)
    model, reference = _sensor(protocol, ratio), _ramps()
    lr_hsi, hr_msi = degrade_patch(reference, model, rng=None)
    lr, hr = Scene("scene", model.lr_grid(grid), Bands(C)), Scene("scene", grid, Bands(M))

    def cut(image):
        def read(window):
            height, width = image.shape[1:]
            assert window == window.clipped(height, width)  # as a raster would, it refuses to read beyond itself
            return image[:, *window.slices]

        return read

    return TrainingPair(
        name="scene",
        read_lr=cut(lr_hsi),
        read_hr=cut(hr_msi),
        read_reference=cut(reference),
        alignment=align(lr, hr, phase=phase),
        psf=model.psf,
        sensor=None if is_real else model,
        noise=None if is_real else PairNoise(np.zeros(C, np.float32), np.zeros(M, np.float32), seed=0),
        regression=REGRESSION,
        area=area or grid.window,
        held_out=Window(0, 0, 0, 0),
    )


def _patches(pair, ratio, *, size=SIZE, phase=Phase.TRUE, **changes):
    needs = PatchNeeds(phase, block_ratio=ratio)
    options = {"patch_size": size, "sampling": Sampling.RANDOM, "stride": 8, "seed": 0, "needs": needs} | changes
    return PatchSource([pair], **options)


def _shift(blocks, image, ratio):
    """By how many HR pixels LR ramps are off the mean of their blocks, rows and columns: (2, h, w)."""
    means = image.reshape(C, image.shape[1] // ratio, ratio, image.shape[2] // ratio, ratio).mean(axis=(2, 4))
    return (blocks.lr_hsi - means)[:2]


@pytest.mark.parametrize(("protocol", "ratio"), EVERY)
def test_a_patch_is_whole_blocks_wherever_it_lies(protocol, ratio):
    patches = _patches(_pair(protocol, ratio), ratio)
    for number in range(60):
        patch = patches.patch(number)
        blocks = blocked(patch.tile, ratio)
        assert patch.reference.shape == (C, SIZE, SIZE)
        assert blocks.tile == Window(0, 0, SIZE, SIZE)
        assert blocks.hr_msi.shape == (M, SIZE, SIZE)
        assert blocks.lr_hsi.shape == (C, SIZE // ratio, SIZE // ratio)


@pytest.mark.parametrize(("protocol", "ratio"), EVERY)
def test_truth_and_both_images_show_the_same_ground(protocol, ratio):
    patches = _patches(_pair(protocol, ratio), ratio)
    for number in range(60):
        patch = patches.patch(number)
        blocks = blocked(patch.tile, ratio)
        np.testing.assert_allclose(blocks.hr_msi[1], patch.reference[2], rtol=1e-5)


@pytest.mark.parametrize(("protocol", "ratio"), EVERY)
@pytest.mark.parametrize("is_real", [False, True])
def test_lr_pixels_are_those_of_their_blocks(protocol, ratio, is_real):
    """On ramps, an LR pixel away from the border is the value at its own place: `WITHIN` its block."""
    inner = Window(24, 16, 64, 48) if is_real else None
    patches = _patches(_pair(protocol, ratio, is_real=is_real, area=inner), ratio)
    offset = abs(WITHIN[protocol, ratio] - (ratio - 1) / 2)
    seen = set()
    for number in range(80):
        patch = patches.patch(number)
        shift = _shift(blocked(patch.tile, ratio), patch.reference, ratio)
        rows, columns = np.median(shift, axis=(1, 2))  # borders see the scene's mirror image
        assert (abs(rows), abs(columns)) == pytest.approx((offset, offset), abs=0.02)
        along_columns = patch.reference[0, 0, 1] == patch.reference[0, 0, 0]
        seen.add((along_columns, patch.reference[0, -1, -1] > patch.reference[0, 0, 0],
                  patch.reference[1, -1, -1] > patch.reference[1, 0, 0]))  # fmt: skip
    assert len(seen) == (2 if is_real else 8)  # every symmetry occurs; of real pairs only transposing keeps the phase


@pytest.mark.parametrize(("protocol", "ratio"), EVERY)
def test_the_phase_is_the_same_in_every_patch(protocol, ratio):
    """A block network is told no phase: it must always be that of a scene, whatever way a patch was turned."""
    patches = _patches(_pair(protocol, ratio), ratio)
    expected = WITHIN[protocol, ratio] / ratio
    for number in range(30):
        at = patches.patch(number).tile.geometry.tile_in_lr
        assert (-at.rows[0]) % 1 == pytest.approx(expected % 1, abs=1e-9)
        assert (-at.columns[0]) % 1 == pytest.approx(expected % 1, abs=1e-9)


@pytest.mark.parametrize(("protocol", "ratio"), EVERY)
@pytest.mark.parametrize("is_real", [False, True])
def test_the_smallest_area_has_a_patch(protocol, ratio, is_real):
    area = Window(8, 16, SIZE + ratio, SIZE + ratio)
    patches = _patches(_pair(protocol, ratio, area=area, is_real=is_real), ratio)
    for number in range(60):
        patch = patches.patch(number)
        assert patch.reference.shape == (C, SIZE, SIZE)
        assert patch.reference[0].min() >= area.row
        assert patch.reference[0].max() < area.bottom
        assert patch.reference[1].min() >= area.column
        assert patch.reference[1].max() < area.right
        assert blocked(patch.tile, ratio).tile == Window(0, 0, SIZE, SIZE)


@pytest.mark.parametrize("is_real", [False, True])
def test_an_area_without_room_for_a_block_more_is_refused(is_real):
    pair = _pair(Protocol.PAPER, 4, area=Window(0, 0, SIZE, W), is_real=is_real)
    with pytest.raises(TrainingError, match="leaves 24 x 72 pixels to train on"):
        _patches(pair, 4)


@pytest.mark.parametrize("ratio", RATIOS)
def test_patches_without_blocks_take_any_phase(ratio):
    pair = _pair(Protocol.MTF, ratio)
    needs = PatchNeeds(Phase.TRUE, block_ratio=None)
    patches = PatchSource([pair], patch_size=SIZE, sampling=Sampling.RANDOM, stride=8, seed=0, needs=needs)
    rows = {round(float(patches.patch(n).tile.geometry.tile_in_lr.rows[0] * ratio % ratio), 3) for n in range(200)}
    assert len(rows) == ratio


@pytest.mark.parametrize("ratio", [2, 4])
@pytest.mark.parametrize("is_real", [False, True])
def test_the_naive_phase_takes_first_pixels_for_blocks_that_begin_with_them(ratio, is_real):
    """The paper's protocol keeps pixel 0 of each block; published code pairs it with the block that begins there."""
    pair = _pair(Protocol.PAPER, ratio, is_real=is_real, phase=Phase.NAIVE)
    patches = _patches(pair, ratio, phase=Phase.NAIVE)
    for number in range(30):
        patch = patches.patch(number)
        assert blocked(patch.tile, ratio).tile == Window(0, 0, SIZE, SIZE)
        rows, columns = np.median(_shift(blocked(patch.tile, ratio), patch.reference, ratio), axis=(1, 2))
        assert (abs(rows), abs(columns)) == pytest.approx(((ratio - 1) / 2,) * 2, abs=0.02)
        at = patch.tile.geometry.tile_in_lr  # the network is told nothing of it
        assert at.rows[0] % 1 == pytest.approx((-(ratio - 1) / 2 / ratio) % 1, abs=1e-9)


def test_examples_of_block_networks_are_planes_of_one_size_and_their_lr_pixels():
    patches = _patches(_pair(Protocol.PAPER, 4), 4)
    objective = ImageObjective(weights=LossWeights(inverse=0, cosine=0), input_noise=0, block_ratio=4)
    batch = collate([objective.example(patches.patch(number)) for number in range(8)])
    assert [tuple(part.shape[1:]) for part in batch.inputs] == [(C, 24, 24), (M, 24, 24), (C, 6, 6)]
    assert batch.target.shape[1:] == (C, 24, 24)


def test_strided_patches_begin_with_blocks_too():
    patches = _patches(_pair(Protocol.PAPER, 4), 4, sampling=Sampling.STRIDED)
    for number in range(len(patches)):
        assert blocked(patches.patch(number).tile, 4).tile == Window(0, 0, SIZE, SIZE)


def test_real_pairs_at_odd_ratios_are_interpolated_where_the_patch_lies():
    pair = _pair(Protocol.MTF, 3, is_real=True, area=Window(20, 20, 40, 36))
    patches = _patches(pair, 4)  # ratio 3 on the ground, blocks of 4
    places = set()
    for number in range(30):
        patch = patches.patch(number)
        blocks = blocked(patch.tile, 4)
        assert blocks.tile == Window(0, 0, SIZE, SIZE)
        assert np.abs(_shift(blocks, patch.reference, 4)).max() < 0.05
        places.add(int(patch.reference[0, 0, 0]) % 4)
    assert len(places) == 4


def test_a_sensed_patch_is_what_the_sensors_saw():
    pair, window = _pair(Protocol.MTF, 4, is_real=True), Window(8, 12, 20, 24)
    patch = sensed_patch(pair, window, margin=3)
    np.testing.assert_array_equal(patch.reference, _ramps()[:, 8:28, 12:36])
    np.testing.assert_allclose(patch.tile.inputs().upsampled, patch.reference, atol=0.03)  # the border is near
    # Rows 8..27 lie at LR rows 1.6..6.4, columns 12..35 at 2.6..8.4: three more either way, cut at the scene's border.
    assert patch.tile.lr_hsi.shape == (C, 11, 13)
    assert patch.anchor is None


def test_an_anchor_is_computed_on_the_tile_and_its_margin():
    class Anchor:
        margin = 5

        def fuse(self, tile):
            at = tile.geometry.tile_in_lr
            assert min(at.rows[0], at.columns[0]) >= 5 - 1  # the tile's first pixel is before its LR pixel's centre
            return FusedTile(tile.inputs().upsampled + 1)

    pair = replace(_pair(Protocol.MTF, 4, is_real=True, area=Window(32, 24, 32, 28)), anchor=Anchor())
    needs = PatchNeeds(Phase.TRUE, block_ratio=4, margin=5)
    patches = PatchSource([pair], patch_size=8, sampling=Sampling.RANDOM, stride=8, seed=0, needs=needs)
    for number in range(10):
        patch = patches.patch(number)
        np.testing.assert_allclose(patch.anchor, patch.reference + 1, atol=0.02)
