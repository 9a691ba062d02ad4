import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pifnet_cli.scene import Positions, Spread, Window, spread_windows

WINDOW = Window(1, 2, 3, 4)

places, lengths, sides = st.integers(-50, 50), st.integers(0, 60), st.integers(1, 40)
windows = st.builds(Window, places, places, lengths, lengths)
wholes = st.builds(Window, places, places, st.integers(1, 200), st.integers(1, 200))


def pixels(window: Window) -> set[tuple[int, int]]:
    return {(row, column) for row in range(window.row, window.bottom) for column in range(window.column, window.right)}


def overlap(first: Window, second: Window) -> bool:
    return not first.intersection(second).is_empty


def rows_of(found: list[Window]) -> list[tuple[int, int]]:
    return sorted({(window.row, window.height) for window in found})


@given(windows, sides)
def test_blocks_hold_every_pixel_once_from_the_first_one_on(window, side):
    blocks = list(window.blocks(side))
    assert sum(block.height * block.width for block in blocks) == window.height * window.width
    assert set().union(*map(pixels, blocks)) == pixels(window)
    assert all((block.row - window.row) % side == (block.column - window.column) % side == 0 for block in blocks)
    assert all(max(block.height, block.width) <= side for block in blocks)


def test_blocks_come_row_by_row_and_are_cut_at_the_far_borders():
    found = list(Window(5, 3, 3, 5).blocks(2))
    assert found == [Window(5, 3, 2, 2), Window(5, 5, 2, 2), Window(5, 7, 2, 1),
                     Window(7, 3, 1, 2), Window(7, 5, 1, 2), Window(7, 7, 1, 1)]  # fmt: skip


@given(windows, windows)
def test_an_intersection_is_what_both_hold(first, second):
    assert pixels(first.intersection(second)) == pixels(first) & pixels(second)


@given(windows, windows)
def test_a_union_is_the_bounding_box_of_both(first, second):
    both = pixels(first) | pixels(second)
    found = first.union(second)
    assert both <= pixels(found)
    if both:
        rows, columns = zip(*both, strict=True)
        assert found == Window.between(min(rows), min(columns), max(rows) + 1, max(columns) + 1)


@given(windows, windows)
def test_moving_by_the_origin_undoes_counting_from_it(window, origin):
    assert window.relative_to(origin).moved_by(origin.row, origin.column) == window


def test_a_scaled_window_covers_the_same_ground():
    assert WINDOW.scaled(3) == Window(3, 6, 9, 12)


@given(wholes, sides, st.integers(1, 4), st.sampled_from(Spread))
def test_spread_windows_lie_inside_and_reach_both_ends(whole, side, most, spread):
    found = spread_windows(whole, side=side, most=most, spread=spread)
    assert all(window.intersection(whole) == window and not window.is_empty for window in found)
    assert len(set(found)) == len(found) <= most**2
    stretches = rows_of(found)
    assert stretches[0][0] == whole.row
    assert len(stretches) == 1 or sum(stretches[-1]) == whole.bottom


@given(wholes, sides, st.integers(1, 4), st.sampled_from([Spread.APART, Spread.APART_OR_ALL]))
def test_windows_that_are_to_lie_apart_do(whole, side, most, spread):
    found = spread_windows(whole, side=side, most=most, spread=spread)
    assert not any(overlap(first, second) for first in found for second in found if first != second)


@given(wholes, sides, st.integers(1, 4))
def test_covering_windows_leave_nothing_of_what_they_are_enough_for(whole, side, most):
    found = spread_windows(whole, side=side, most=most, spread=Spread.COVERING)
    if max(whole.height, whole.width) <= most * side:
        assert set().union(*map(pixels, found)) == pixels(whole)


@pytest.mark.parametrize(
    ("spread", "length", "expected"),
    [
        (Spread.APART, 19, [(0, 10)]),
        (Spread.APART, 9, [(0, 9)]),
        (Spread.APART, 100, [(0, 10), (45, 10), (90, 10)]),
        (Spread.APART_OR_ALL, 20, [(0, 20)]),
        (Spread.APART_OR_ALL, 21, [(0, 10), (11, 10)]),
        (Spread.COVERING, 11, [(0, 10), (1, 10)]),
        (Spread.OVERLAPPING, 13, [(0, 10), (1, 10), (3, 10)]),
        (Spread.OVERLAPPING, 11, [(0, 10), (1, 10)]),
        (Spread.OVERLAPPING, 10, [(0, 10)]),
    ],
)
def test_how_many_windows_there_are_is_chosen(spread, length, expected):
    whole = Window(0, 0, length, 10)
    assert rows_of(spread_windows(whole, side=10, most=3, spread=spread)) == expected


def test_cropped_separable_positions_are_those_of_the_window():
    part = Positions(np.arange(10.0), 100 + np.arange(20.0)).cropped(WINDOW)
    np.testing.assert_array_equal(part.rows, [1, 2, 3])
    np.testing.assert_array_equal(part.columns, [102, 103, 104, 105])


def test_cropped_scattered_positions_are_those_of_the_window():
    rows, columns = np.mgrid[:10.0, :20.0]
    part = Positions(rows + columns / 100, columns - rows / 100).cropped(WINDOW)
    assert part.shape == (3, 4)
    assert (part.rows[0, 0], part.columns[0, 0]) == pytest.approx((1.02, 1.99))
    assert (part.rows[2, 3], part.columns[2, 3]) == pytest.approx((3.05, 4.97))


@pytest.mark.parametrize("is_separable", [True, False])
def test_cropping_and_moving_may_be_exchanged(is_separable):
    axes = np.arange(10.0), np.arange(20.0)
    whole = Positions(*axes) if is_separable else Positions(*np.meshgrid(*axes, indexing="ij"))
    one, other = whole.cropped(WINDOW).moved(0.25, -3), whole.moved(0.25, -3).cropped(WINDOW)
    np.testing.assert_array_equal(one.rows, other.rows)
    np.testing.assert_array_equal(one.columns, other.columns)


def test_blocks_may_lie_on_a_grid_that_begins_elsewhere():
    window, covered = Window(5, 7, 20, 9), np.zeros((30, 30), dtype=int)
    for block in window.blocks(8, start=(-3, 8)):
        covered[block.slices] += 1
        assert {(row + 3) // 8 for row in range(block.row, block.bottom)} == {(block.row + 3) // 8}
        assert {(column - 8) // 8 for column in range(block.column, block.right)} == {(block.column - 8) // 8}
    assert (covered[window.slices] == 1).all()
    assert covered.sum() == 180
