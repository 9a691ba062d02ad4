import numpy as np
import pytest

from pifnet_cli.pair.resample import CubicResampler
from pifnet_cli.scene import Positions


def _positions(height, width, ratio, phase):
    return Positions((np.arange(height) - phase) / ratio, (np.arange(width) - phase) / ratio)


@pytest.mark.parametrize("ratio", [2, 3, 4.4, 8])
def test_a_ramp_is_continued_exactly_inside(ratio):
    height, width = 9, 11
    image = np.add.outer(2.0 * np.arange(height), -3.0 * np.arange(width))[None].astype(np.float32)
    positions = Positions(np.linspace(1, height - 2.5, 37) + 0.01 * ratio, np.linspace(1, width - 2.5, 41))
    expected = np.add.outer(2.0 * positions.rows, -3.0 * positions.columns)
    result = CubicResampler(positions, height=height, width=width, reach=1)(image)
    np.testing.assert_allclose(result[0], expected, atol=2e-5)


def test_scattered_positions_agree_with_separable_ones():
    image = np.random.default_rng(1).normal(size=(7, 8, 10)).astype(np.float32)
    image[2, 3, 4] = np.nan
    separable = _positions(24, 30, 3, 1)
    rows, columns = np.broadcast_arrays(separable.rows[:, None], separable.columns[None])
    one = CubicResampler(separable, height=8, width=10, reach=1)(image)
    other = CubicResampler(Positions(rows, columns), height=8, width=10, reach=1)(image)
    np.testing.assert_allclose(one, other, atol=1e-5)


def test_positions_out_of_reach_are_invalid():
    image = np.ones((1, 4, 4), dtype=np.float32)
    positions = Positions(np.array([-1.5, -1.0, 0.0, 3.9, 4.1]), np.array([0.0]))
    result = CubicResampler(positions, height=4, width=4, reach=1)(image)[0, :, 0]
    np.testing.assert_array_equal(np.isnan(result), [True, False, False, False, True])


def test_an_invalid_pixel_spoils_its_own_area_only():
    image = np.full((2, 8, 8), 5.0, dtype=np.float32)
    image[0, 4, 4] = np.nan
    result = CubicResampler(_positions(32, 32, 4, 1.5), height=8, width=8, reach=1)(image)
    invalid = np.zeros((32, 32), dtype=bool)
    invalid[16:20, 16:20] = True
    np.testing.assert_array_equal(np.isnan(result[0]), invalid)
    np.testing.assert_allclose(result[0][~invalid], 5.0, rtol=1e-6)
    np.testing.assert_allclose(result[1], 5.0, rtol=1e-6)


def test_an_entirely_invalid_band_stays_invalid():
    image = np.ones((2, 5, 5), dtype=np.float32)
    image[1] = np.nan
    result = CubicResampler(_positions(10, 10, 2, 0.5), height=5, width=5, reach=1)(image)
    assert np.isnan(result[1]).all()
    assert np.isfinite(result[0]).all()
