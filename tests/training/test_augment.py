import numpy as np
import pytest

from pifnet_cli.pair.tile import PairGeometry
from pifnet_cli.scene import Window
from pifnet_cli.training.augment import SYMMETRIES, may_be_transposed, mixed_components, turned, turned_window
from tiles import pair_tile


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_the_eight_symmetries_are_eight_images(rng):
    image = rng.random((3, 5, 7), dtype=np.float32)
    images = {turned(image, symmetry).tobytes() for symmetry in range(SYMMETRIES)}
    assert len(images) == SYMMETRIES


@pytest.mark.parametrize("symmetry", range(SYMMETRIES))
def test_a_turned_window_holds_the_turned_pixels(rng, symmetry):
    image = rng.random((3, 12, 19), dtype=np.float32)
    window = Window(2, 5, 4, 9)
    rows, columns = window.slices
    there = turned_window(window, 12, 19, symmetry=symmetry)
    turned_rows, turned_columns = there.slices

    assert np.array_equal(
        turned(image, symmetry)[:, turned_rows, turned_columns], turned(image[:, rows, columns], symmetry)
    )


def test_transposing_swaps_axes_and_phases(rng):
    tile = pair_tile(rng, size=(12, 20), phase=(0.0, 1.5), tile=Window(1, 2, 9, 14))
    inputs, swapped = tile.inputs(), tile.transposed().inputs()

    for plane, other in zip(inputs[:3], swapped[:3], strict=True):
        assert other == pytest.approx(plane.swapaxes(1, 2), rel=1e-5)
    assert np.array_equal(swapped.phase[0], inputs.phase[2].T)
    assert np.array_equal(swapped.phase[3], inputs.phase[1].T)


@pytest.mark.parametrize(("phase", "allowed"), [((1.5, 1.5), True), ((1.5, 5.5), True), ((1.5, 2.5), False)])
def test_only_equal_phases_may_be_transposed(phase, allowed):
    geometry = PairGeometry.regular(ratio=4, phase=phase, lr_size=(6, 6), hr_size=(24, 24))
    assert may_be_transposed(geometry) == allowed


def test_oblong_tiles_may_not_be_transposed():
    assert not may_be_transposed(PairGeometry.regular(ratio=4, phase=(0, 0), lr_size=(6, 10), hr_size=(24, 40)))


def test_mixing_keeps_energy_and_treats_inputs_and_target_alike(rng):
    target = rng.standard_normal((5, 4, 6)).astype(np.float32)
    hsi, mixed = mixed_components(np.concatenate([target, 2 * target]), target, rng, rotation=0.5)

    assert np.square(mixed).sum(axis=0) == pytest.approx(np.square(target).sum(axis=0), rel=1e-4)
    assert hsi == pytest.approx(np.concatenate([mixed, 2 * mixed]), abs=1e-5)


def test_mixing_without_rotation_only_changes_signs(rng):
    target = rng.standard_normal((5, 4, 6)).astype(np.float32)
    _, mixed = mixed_components(target, target, rng, rotation=0.0)

    assert np.abs(mixed) == pytest.approx(np.abs(target), rel=1e-5)
    assert not np.array_equal(mixed, target)
