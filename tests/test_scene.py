import numpy as np
import pytest

from pifnet_cli.scene import Positions, Window

WINDOW = Window(1, 2, 3, 4)


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
