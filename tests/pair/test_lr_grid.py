"""LR pixels as blocks of HR pixels, against block numbers counted by hand."""

from dataclasses import replace

import numpy as np
import pytest

from pifnet_cli.degrade.psf import Psf, gaussian_from_mtf
from pifnet_cli.pair.lr_grid import (
    block_start,
    blocked,
    is_regular,
    naive_phase,
    on_hr_array,
    parallel,
    sampling_operator,
)
from pifnet_cli.pair.resample import CubicResampler
from pifnet_cli.pair.tile import PairGeometry, PairTile, degrade_msi
from pifnet_cli.scene import Positions, Window
from tiles import flipped, pair_tile, ramp, ramp_tile

RATIOS = (2, 3, 4, 8)
# Where the first LR pixel lies: the block's centre, or, in the paper's protocol, HR pixel 0.
CENTRED = {2: 0.5, 3: 1.0, 4: 1.5, 8: 3.5}
# Its block of HR pixels: centred on HR pixel 0 where the ratio is odd, else half a pixel below and right of it.
FIRST_PIXEL = {("mtf", 2): 0, ("mtf", 3): 0, ("mtf", 4): 0, ("mtf", 8): 0,
               ("paper", 2): 0, ("paper", 3): -1, ("paper", 4): -1, ("paper", 8): -3}  # fmt: skip
PROTOCOLS = ("mtf", "paper")
LR_SIZE = 9, 11
PSF = gaussian_from_mtf(0.3, ratio_rows=4, ratio_columns=4)


def _phase(protocol, ratio):
    return (CENTRED[ratio],) * 2 if protocol == "mtf" else (0.0, 0.0)


def _numbered(height, width):
    """(1, height, width), every pixel its row and column."""
    rows, columns = np.mgrid[:height, :width]
    return (1000 * rows + columns)[None].astype(np.float32)


def _numbered_tile(protocol, ratio, tile):
    hr_size = LR_SIZE[0] * ratio, LR_SIZE[1] * ratio
    geometry = PairGeometry.regular(
        ratio=ratio, phase=_phase(protocol, ratio), lr_size=LR_SIZE, hr_size=hr_size, tile=tile
    )
    return PairTile(_numbered(*LR_SIZE), _numbered(*hr_size), geometry, PSF)


def _tiles(ratio):
    """In the upper left corner, in the lower right one, anywhere, a single pixel, and the whole scene."""
    height, width = LR_SIZE[0] * ratio, LR_SIZE[1] * ratio
    return [
        Window(0, 0, ratio + 1, 2 * ratio),
        Window(height - 2 * ratio, width - ratio - 1, 2 * ratio, ratio + 1),
        Window(ratio + 1, 3 * ratio - 1, 2 * ratio + 3, ratio),
        Window(2 * ratio, 5 * ratio - 1, 1, 1),
        Window(0, 0, height, width),
    ]


EVERYWHERE = [(protocol, ratio, index) for protocol in PROTOCOLS for ratio in RATIOS for index in range(5)]


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_blocks_start_where_they_do(protocol, ratio):
    first = FIRST_PIXEL[protocol, ratio]
    at = _phase(protocol, ratio)[0]
    assert block_start(at, ratio) == first
    assert block_start(at + 5 * ratio, ratio) == first + 5 * ratio
    assert block_start(at - 3 * ratio, ratio) == first - 3 * ratio


@pytest.mark.parametrize("ratio", RATIOS)
def test_the_naive_phase_is_that_of_blocks_that_begin_at_the_corner(ratio):
    assert naive_phase(ratio) == (CENTRED[ratio], CENTRED[ratio])
    assert block_start(naive_phase(ratio)[0], ratio) == 0


@pytest.mark.parametrize(("offset", "start"), [(-0.5, 0), (-0.49, 0), (0.0, 0), (0.49, 0), (0.51, 1), (-0.51, -1)])
def test_a_block_is_the_one_with_the_nearest_centre(offset, start):
    assert block_start(1.5 + offset, 4) == start


def test_sums_of_floats_do_not_decide_between_two_blocks():
    below, above = np.nextafter(-0.5, -1), np.nextafter(-0.5, 0)  # ratio 2: halfway between the blocks at -1 and 0
    assert {block_start(0.5 + half, 2) for half in (below, -0.5, above, -0.5 - 1e-9)} == {0}


@pytest.mark.parametrize(("protocol", "ratio", "index"), EVERYWHERE)
def test_every_hr_pixel_lies_in_the_block_of_its_lr_pixel(protocol, ratio, index):
    window = _tiles(ratio)[index]
    blocks = blocked(_numbered_tile(protocol, ratio, window), ratio)

    first = FIRST_PIXEL[protocol, ratio]
    rows, columns = np.arange(window.row, window.bottom), np.arange(window.column, window.right)
    lr_rows = np.clip((rows - first) // ratio, 0, LR_SIZE[0] - 1)
    lr_columns = np.clip((columns - first) // ratio, 0, LR_SIZE[1] - 1)
    under_tile = blocks.lr_hsi.repeat(ratio, axis=1).repeat(ratio, axis=2)[:, *blocks.tile.slices]
    np.testing.assert_array_equal(under_tile[0], 1000 * lr_rows[:, None] + lr_columns)


@pytest.mark.parametrize(("protocol", "ratio", "index"), EVERYWHERE)
def test_blocks_are_whole_and_no_more_than_the_tile_needs(protocol, ratio, index):
    window = _tiles(ratio)[index]
    blocks = blocked(_numbered_tile(protocol, ratio, window), ratio)
    height, width = blocks.hr_msi.shape[1:]

    assert (height, width) == (blocks.lr_hsi.shape[1] * ratio, blocks.lr_hsi.shape[2] * ratio)
    assert blocks.upsampled.shape[1:] == (height, width)
    assert (blocks.tile.height, blocks.tile.width) == (window.height, window.width)
    assert 0 <= blocks.tile.row < ratio
    assert 0 <= blocks.tile.column < ratio
    assert 0 <= height - blocks.tile.bottom < ratio
    assert 0 <= width - blocks.tile.right < ratio


@pytest.mark.parametrize(("protocol", "ratio", "index"), EVERYWHERE)
def test_hr_pixels_lie_where_they_did_and_go_on_beyond_the_scene(protocol, ratio, index):
    window = _tiles(ratio)[index]
    tile = _numbered_tile(protocol, ratio, window)
    blocks = blocked(tile, ratio)

    first = window.row - blocks.tile.row, window.column - blocks.tile.column
    height, width = tile.hr_msi.shape[1:]
    rows = np.clip(np.arange(first[0], first[0] + blocks.hr_msi.shape[1]), 0, height - 1)
    columns = np.clip(np.arange(first[1], first[1] + blocks.hr_msi.shape[2]), 0, width - 1)
    np.testing.assert_array_equal(blocks.hr_msi[0], 1000 * rows[:, None] + columns)


@pytest.mark.parametrize(("protocol", "ratio", "index"), EVERYWHERE)
def test_the_interpolated_plane_is_that_of_the_tile(protocol, ratio, index):
    tile = _numbered_tile(protocol, ratio, _tiles(ratio)[index])
    blocks = blocked(tile, ratio)
    np.testing.assert_allclose(blocks.upsampled[:, *blocks.tile.slices], tile.inputs().upsampled, rtol=1e-6)


def test_rows_and_columns_may_lie_at_different_phases():
    lr_size, hr_size = (6, 8), (24, 32)
    geometry = PairGeometry.regular(
        ratio=4, phase=(0.3, -1.2), lr_size=lr_size, hr_size=hr_size, tile=Window(9, 10, 8, 12)
    )
    blocks = blocked(PairTile(_numbered(*lr_size), _numbered(*hr_size), geometry, PSF), 4)
    # Blocks start at 0.3 - 1.5, nearest -1, and at -1.2 - 1.5, nearest -3: row 9 is in 7..10, column 10 in 9..12.
    assert (blocks.tile.row, blocks.tile.column) == (2, 1)
    assert blocks.lr_hsi[0, 0, 0] == 2003
    assert blocks.hr_msi[0, 0, 0] == 7009


def test_invalid_lr_pixels_stay_where_they_are():
    tile = _numbered_tile("mtf", 4, Window(5, 6, 9, 8))
    tile.lr_hsi[0, 2, 3] = np.nan
    blocks = blocked(tile, 4)
    expected = np.zeros((3, 3), dtype=bool)
    expected[1, 2] = True  # rows 4..15 are LR rows 1 to 3, columns 4..15 LR columns 1 to 3
    np.testing.assert_array_equal(np.isnan(blocks.lr_hsi[0]), expected)


@pytest.mark.parametrize(
    ("spacing", "expected"), [(4.0, True), (4 + 1e-5, True), (4.01, False), (3.3, False), (-4.0, False)]
)
def test_a_lattice_is_regular_where_lr_pixels_are_blocks(spacing, expected):
    at = Positions(1.5 + spacing * np.arange(9), 1.5 + 4.0 * np.arange(11))
    geometry = PairGeometry(Window(0, 0, 8, 8), at, at)
    assert is_regular(geometry, 4) is expected
    assert not is_regular(geometry, 3)


def test_scattered_positions_are_no_lattice():
    at = Positions(*np.meshgrid(1.5 + 4.0 * np.arange(5), 1.5 + 4.0 * np.arange(6), indexing="ij"))
    assert not is_regular(PairGeometry(Window(0, 0, 8, 8), at, at), 4)


@pytest.mark.parametrize(
    ("ratio", "block", "degrees"),
    [(3.3, 3, 0), (2.6, 3, 0), (4.0, 3, 0), (3.3, 3, 30), (4.0, 4, 30), (4.0, 4, -71), (2.6, 3, -71)],
)
def test_other_grids_are_interpolated_at_block_centres(ratio, block, degrees):
    window = Window(13, 17, 5 * block + 1, 4 * block)
    blocks = blocked(ramp_tile(ratio, degrees=degrees, tile=window), block)

    assert (blocks.tile.row, blocks.tile.column) == (0, 0)
    rows = 13 + block * np.arange(6) + (block - 1) / 2
    columns = 17 + block * np.arange(4) + (block - 1) / 2
    np.testing.assert_allclose(blocks.lr_hsi[0], ramp(rows[:, None], columns), atol=2e-5)
    rows, columns = np.arange(13, 13 + window.height), np.arange(17, 17 + window.width)
    on_tile = blocks.upsampled[0][blocks.tile.slices]
    np.testing.assert_allclose(on_tile, ramp(rows[:, None], columns), atol=2e-5)


def test_lr_rows_in_the_other_direction_are_interpolated_in_place():
    forward = _numbered_tile("mtf", 4, Window(8, 12, 12, 8))
    backward = blocked(flipped(forward, 1), 4)
    np.testing.assert_allclose(backward.lr_hsi, blocked(forward, 4).lr_hsi, rtol=1e-6)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("phase", [None, (0.0, 0.0), (1.13, 2.71)])
def test_the_operator_degrades_and_interpolates_as_the_pair_does(protocol, phase):
    tile = pair_tile(np.random.default_rng(0), phase=phase, protocol=protocol)
    operator = sampling_operator(tile)
    geometry = tile.geometry

    assert operator.lr_shape == tile.lr_hsi.shape[1:]
    assert operator.hr_shape == tile.hr_msi.shape[1:]
    expected = degrade_msi(tile.hr_msi, geometry.lr_in_hr, tile.psf)
    inside = np.isfinite(expected)  # an LR pixel beyond the HR array is no part of the pair, the operator mirrors
    assert inside.mean() > 0.8
    np.testing.assert_allclose(operator.down(tile.hr_msi)[inside], expected[inside], rtol=2e-6)
    upsampled = CubicResampler(geometry.hr_in_lr, height=6, width=10, reach=1.0)(tile.lr_hsi)
    np.testing.assert_allclose(operator.up(tile.lr_hsi), upsampled, rtol=1e-5)


def test_the_operator_of_a_rotated_grid_is_refused():
    with pytest.raises(ValueError, match="rotated"):
        sampling_operator(ramp_tile(4.0, degrees=30, tile=Window(0, 0, 8, 8)))


@pytest.mark.parametrize("ratio", [4.0, 3.3])
@pytest.mark.parametrize("degrees", [30.0, -71.0])
def test_a_rotated_ramp_is_brought_to_parallel_rows(ratio, degrees):
    window = Window(16, 20, 28, 25)
    along = parallel(ramp_tile(ratio, degrees=degrees, tile=window), ratio, ratio)
    at = along.geometry.lr_in_hr

    assert at.is_separable
    assert along.geometry.tile == window
    np.testing.assert_allclose(np.diff(at.rows), ratio)
    np.testing.assert_allclose(np.diff(at.columns), ratio)
    inner = np.ix_((at.rows > 10) & (at.rows < 50), (at.columns > 14) & (at.columns < 56))
    expected = ramp(at.rows[:, None], at.columns)
    np.testing.assert_allclose(along.lr_hsi[0][inner], expected[inner], atol=2e-5)
    rows, columns = np.arange(16, 44), np.arange(20, 45)
    np.testing.assert_allclose(along.inputs().upsampled[0], ramp(rows[:, None], columns), atol=5e-5)


def test_what_the_msi_explains_is_degraded_to_rotated_pixels_not_interpolated():
    rng = np.random.default_rng(0)
    tile = ramp_tile(4.0, degrees=30.0, tile=Window(16, 20, 28, 25))
    msi = rng.random((2, *tile.hr_msi.shape[1:]), dtype=np.float32)
    weights = rng.random((3, 2))
    seen = degrade_msi(msi, tile.geometry.lr_in_hr, tile.psf)
    tile = replace(tile, hr_msi=msi, lr_hsi=np.einsum("cm,mhw->chw", weights, seen).astype(np.float32))
    interpolated, along = (parallel(tile, 4.0, 4.0, weights=given) for given in (None, weights))
    at = along.geometry.lr_in_hr
    exact = np.einsum("cm,mhw->chw", weights, degrade_msi(msi, at, tile.psf))
    inner = (slice(None), *np.ix_((at.rows > 10) & (at.rows < 50), (at.columns > 14) & (at.columns < 56)))
    assert np.abs(interpolated.lr_hsi - exact)[inner].max() > 0.01
    np.testing.assert_allclose(along.lr_hsi[inner], exact[inner], atol=1e-5)


def test_the_parallel_geometry_leads_there_and_back():
    geometry = parallel(ramp_tile(3.3, degrees=30, tile=Window(0, 0, 9, 9)), 3.3, 2.2).geometry
    at = geometry.lr_in_hr
    np.testing.assert_allclose(np.interp(at.rows, np.arange(60), geometry.hr_in_lr.rows), np.arange(len(at.rows)))
    np.testing.assert_allclose(
        np.interp(at.columns, np.arange(70), geometry.hr_in_lr.columns), np.arange(len(at.columns)), atol=1e-9
    )


def test_parallel_tiles_are_left_as_they_are():
    tile = pair_tile(np.random.default_rng(0))
    assert parallel(tile, 4, 4) is tile


@pytest.mark.parametrize("axes", [(1,), (2,), (1, 2)])
def test_rows_that_run_back_are_turned_round(axes):
    tile = pair_tile(np.random.default_rng(0), phase=(0.7, 1.9), tile=Window(3, 7, 11, 20))
    turned = parallel(flipped(tile, *axes), 4, 4)
    np.testing.assert_array_equal(turned.lr_hsi, tile.lr_hsi)
    for name in ("hr_in_lr", "lr_in_hr"):
        mine, theirs = getattr(turned.geometry, name), getattr(tile.geometry, name)
        np.testing.assert_allclose(mine.rows, theirs.rows)
        np.testing.assert_allclose(mine.columns, theirs.columns)


def _reaching_out(rows, columns, *, sigma=2.0, hr_size=(24, 40)):
    """A tile whose LR pixels lie at these HR rows and columns, four pixels apart."""
    tile = pair_tile(np.random.default_rng(0), size=hr_size, tile=Window(4, 4, 12, 20))
    at = Positions(np.array(rows, dtype=float), np.array(columns, dtype=float))
    there = Positions((np.arange(hr_size[0]) - rows[0]) / 4.0, (np.arange(hr_size[1]) - columns[0]) / 4.0)
    lr_hsi = np.random.default_rng(1).random((7, *at.shape), dtype=np.float32)
    return PairTile(lr_hsi, tile.hr_msi, PairGeometry(tile.geometry.tile, there, at), Psf(sigma, sigma))


def test_lr_pixels_that_saw_what_lies_beyond_the_hr_array_are_left_out():
    """A Gaussian has a quarter of its weight beyond 0.674 deviations: rows -0.5 + 1.35 and 23.5 - 1.35 at sigma 2."""
    tile = _reaching_out(np.arange(-7.5, 33, 4), np.arange(0.8, 44, 4))
    kept = on_hr_array(tile)
    np.testing.assert_allclose(kept.geometry.lr_in_hr.rows, [4.5, 8.5, 12.5, 16.5, 20.5])
    np.testing.assert_allclose(kept.geometry.lr_in_hr.columns, np.arange(4.8, 38, 4))
    np.testing.assert_array_equal(kept.lr_hsi, tile.lr_hsi[:, 3:8, 1:10])
    assert kept.geometry.tile == tile.geometry.tile
    at_first = kept.geometry.hr_in_lr  # HR pixels are counted from the first LR pixel that is left
    np.testing.assert_allclose((np.interp(0, at_first.rows, np.arange(24)), at_first.columns[0]), (4.5, -1.2))


@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize(("protocol", "mtf"), [("paper", None), ("mtf", 0.01), ("mtf", 0.3), ("mtf", 0.9)])
def test_all_lr_pixels_of_a_simulated_pair_are_kept(protocol, mtf, ratio):
    rng, phase = np.random.default_rng(0), _phase(protocol, ratio)
    tile = pair_tile(rng, size=(24, 48), phase=phase, ratio=ratio, protocol=protocol)
    if mtf is not None:
        tile = replace(tile, psf=gaussian_from_mtf(mtf, ratio_rows=ratio, ratio_columns=ratio))
    assert on_hr_array(tile) is tile


def test_under_a_very_wide_psf_a_third_of_a_pixel_inside_is_enough():
    tile = _reaching_out(np.arange(0.5, 24, 4), np.arange(0.9, 40, 4), sigma=9.0)
    kept = on_hr_array(tile)
    np.testing.assert_allclose(kept.geometry.lr_in_hr.rows, np.arange(4.5, 21, 4))  # 0.5 is a quarter of 4 inside
    np.testing.assert_allclose(kept.geometry.lr_in_hr.columns, tile.geometry.lr_in_hr.columns)


def test_along_an_axis_without_a_usable_lr_pixel_all_are_kept():
    tile = _reaching_out(np.arange(-9.5, -1, 4), np.arange(1.5, 60, 4))
    kept = on_hr_array(tile)
    assert kept.lr_hsi.shape == (7, 3, 10)


@pytest.mark.parametrize("window", [None, Window(3, 7, 11, 20)])
def test_a_transposed_tile_has_transposed_inputs(window):
    tile = pair_tile(np.random.default_rng(0), phase=(0.7, 1.9), tile=window)
    tile = replace(tile, psf=Psf(sigma_rows=1.1, sigma_columns=2.3))
    turned, plain = tile.transposed().inputs(), tile.inputs()

    for name in ("upsampled", "hr_msi", "msi_smooth"):
        expected = getattr(plain, name).swapaxes(1, 2)
        np.testing.assert_allclose(getattr(turned, name), expected, rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(turned.phase, plain.phase[[2, 3, 0, 1]].swapaxes(1, 2), atol=1e-6)


def test_transposing_twice_changes_nothing():
    tile = pair_tile(np.random.default_rng(0), phase=(0.7, 1.9), tile=Window(3, 7, 11, 20))
    again = tile.transposed().transposed()
    np.testing.assert_array_equal(again.lr_hsi, tile.lr_hsi)
    np.testing.assert_array_equal(again.hr_msi, tile.hr_msi)
    np.testing.assert_array_equal(again.geometry.hr_in_lr.columns, tile.geometry.hr_in_lr.columns)
    assert (again.geometry.tile, again.psf) == (tile.geometry.tile, tile.psf)


def test_a_cropped_geometry_sees_the_same_places():
    tile = pair_tile(np.random.default_rng(0), phase=(0.7, 1.9))
    hr, lr, core = Window(4, 8, 17, 26), (slice(1, 6), slice(1, 8)), Window(9, 12, 5, 8)
    geometry = tile.geometry.cropped(hr, lr, core)
    part = PairTile(tile.lr_hsi[:, *lr], tile.hr_msi[:, *hr.slices], geometry, tile.psf)

    whole = PairTile(tile.lr_hsi, tile.hr_msi, replace(tile.geometry, tile=core), tile.psf)
    assert part.geometry.tile == Window(5, 4, 5, 8)
    np.testing.assert_array_equal(part.inputs().hr_msi, whole.inputs().hr_msi)
    np.testing.assert_allclose(part.inputs().upsampled, whole.inputs().upsampled, rtol=1e-5)
    np.testing.assert_allclose(part.geometry.lr_in_hr.rows + 4, tile.geometry.lr_in_hr.rows[1:6])
