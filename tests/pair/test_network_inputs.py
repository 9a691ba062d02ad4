import numpy as np
import pytest

from pifnet_cli.pair.network_inputs import image_planes
from pifnet_cli.scene import Window
from tiles import pair_tile

SCALE, MSI_SCALE = np.float32(4), np.float32(0.5)
WINDOW = Window(6, 9, 11, 18)  # in none of its sides at a block


@pytest.fixture(params=["mtf", "paper"])
def tile(request):
    phase = (1.5, 1.5) if request.param == "mtf" else (0.0, 0.0)
    return pair_tile(np.random.default_rng(0), phase=phase, tile=WINDOW, protocol=request.param)


@pytest.fixture(params=[None, 4])
def block_ratio(request):
    return request.param


def _planes(tile, block_ratio, anchor=None):
    return image_planes(tile, block_ratio=block_ratio, anchor=anchor, scales=(SCALE, MSI_SCALE))


def test_networks_without_blocks_see_the_inputs_of_the_tile(tile):
    planes, inputs = _planes(tile, None), tile.inputs()
    assert planes.lr_hsi is None
    assert planes.tile == Window(0, 0, 11, 18)
    assert len(planes.inputs) == 2
    np.testing.assert_array_equal(planes.hsi, inputs.upsampled / SCALE)
    np.testing.assert_array_equal(planes.msi, inputs.hr_msi / MSI_SCALE)


def test_with_blocks_the_tile_is_the_same_part_of_larger_planes(tile):
    planes, inputs = _planes(tile, 4), tile.inputs()
    assert planes.hsi.shape[1:] == planes.msi.shape[1:] == (4 * planes.lr_hsi.shape[1], 4 * planes.lr_hsi.shape[2])
    assert planes.inputs[2] is planes.lr_hsi
    np.testing.assert_allclose(planes.hsi[:, *planes.tile.slices], inputs.upsampled / SCALE, rtol=1e-5)
    np.testing.assert_array_equal(planes.msi[:, *planes.tile.slices], inputs.hr_msi / MSI_SCALE)


def test_raw_lr_pixels_are_divided_by_the_same_number(tile):
    lr_hsi = _planes(tile, 4).lr_hsi
    first = (1, 2)  # rows 6.., columns 9..: in block 1 of rows; blocks of columns begin at 8, or at 7 (paper)
    rows, columns = (slice(start, start + count) for start, count in zip(first, lr_hsi.shape[1:], strict=True))
    np.testing.assert_array_equal(lr_hsi, tile.lr_hsi[:, rows, columns] / SCALE)


def test_an_anchor_takes_the_place_of_interpolation_on_the_tile_alone(tile, block_ratio):
    anchor = np.random.default_rng(5).random((7, 11, 18), dtype=np.float32)
    with_anchor, without = _planes(tile, block_ratio, anchor), _planes(tile, block_ratio)
    rows, columns = with_anchor.tile.slices
    np.testing.assert_array_equal(with_anchor.hsi[:, rows, columns], anchor / SCALE)
    changed = with_anchor.hsi != without.hsi
    changed[:, rows, columns] = False
    assert not changed.any()


def test_nothing_read_is_changed(tile, block_ratio):
    before = tile.lr_hsi.copy(), tile.hr_msi.copy()
    anchor = np.full((7, 11, 18), np.nan, np.float32)
    planes = _planes(tile, block_ratio, anchor)
    planes.answer(np.array(planes.hsi), SCALE)
    np.testing.assert_array_equal(tile.lr_hsi, before[0])
    np.testing.assert_array_equal(tile.hr_msi, before[1])
    assert np.isnan(anchor).all()


def test_invalid_pixels_are_zero_for_the_network_and_nan_in_its_answer(tile, block_ratio):
    tile.hr_msi[1, 10, 20] = np.nan  # (4, 11) of the tile: no band is known there
    tile.lr_hsi[5] = np.nan  # a band without data
    planes = _planes(tile, block_ratio)
    assert all(np.isfinite(plane).all() for plane in planes.inputs)
    assert (planes.hsi[5] == 0).all()

    answer = planes.answer(np.ones_like(planes.hsi), SCALE)
    expected = np.full((7, 11, 18), 4.0)
    expected[:, 4, 11] = np.nan
    expected[5] = np.nan
    np.testing.assert_array_equal(answer, expected)


def test_an_anchor_that_is_invalid_makes_the_answer_invalid(tile, block_ratio):
    anchor = np.ones((7, 11, 18), np.float32)
    anchor[2, 3, 4] = np.nan
    planes = _planes(tile, block_ratio, anchor)
    invalid = np.isnan(planes.answer(np.ones_like(planes.hsi), SCALE))
    assert np.argwhere(invalid).tolist() == [[2, 3, 4]]
