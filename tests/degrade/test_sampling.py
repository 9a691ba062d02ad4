import numpy as np
import pytest

from pifnet_cli.degrade.psf import gaussian_from_mtf
from pifnet_cli.degrade.sampling import PsfSampler, clear_of_holes, filled, mended, reached
from pifnet_cli.scene import Positions, Window

PSF = gaussian_from_mtf(0.3, ratio_rows=3, ratio_columns=3)


def _as_points(positions):
    return Positions(*np.broadcast_arrays(positions.rows[:, None], positions.columns[None]))


def test_points_agree_with_axes():
    image = np.random.default_rng(2).normal(size=(3, 24, 40)).astype(np.float32)
    image[1, 10:13, 20:24] = np.nan
    at = Positions(np.array([1.0, 4.3, 11.1, 20.9]), np.array([0.0, 13.37, 22.0, 30.5, 39.0]))
    axes = PsfSampler(at, PSF, height=24, width=40)(image)
    points = PsfSampler(_as_points(at), PSF, height=24, width=40)(image)
    np.testing.assert_allclose(axes, points, atol=1e-5)
    assert np.isnan(axes[1]).any()


@pytest.mark.parametrize("as_given", [lambda p: p, _as_points])
def test_a_ramp_is_sampled_at_its_exact_position(as_given):
    image = np.add.outer(np.arange(60.0), 2 * np.arange(64.0))[None].astype(np.float32)
    at = Positions(np.array([20.0, 25.37, 31.5]), np.array([22.1, 30.0, 40.7]))
    expected = np.add.outer(at.rows, 2 * at.columns)
    np.testing.assert_allclose(PsfSampler(as_given(at), PSF, height=60, width=64)(image)[0], expected, atol=1e-4)


def test_centres_outside_the_image_are_invalid():
    at = Positions(np.array([-0.6, -0.5, 23.5, 23.6]), np.array([5.0]))
    sampled = PsfSampler(at, PSF, height=24, width=40)(np.ones((1, 24, 40), dtype=np.float32))[0, :, 0]
    np.testing.assert_array_equal(np.isnan(sampled), [True, False, False, True])


@pytest.mark.parametrize("as_given", [lambda p: p, _as_points])
def test_nothing_beyond_what_is_reached_matters(as_given):
    image = np.random.default_rng(2).normal(size=(1, 60, 64)).astype(np.float32)
    at = as_given(Positions(np.array([20.2, 31.5]), np.array([22.1, 30.0, 40.7])))
    window = reached(at, PSF)
    radius = PSF.radius
    assert window == Window(20 - radius, 22 - radius, 32 - 20 + 2 * radius + 1, 41 - 22 + 2 * radius + 1)
    part = image[:, *window.slices]
    sampled = PsfSampler(at.moved(window.row, window.column), PSF, height=window.height, width=window.width)(part)
    np.testing.assert_allclose(sampled, PsfSampler(at, PSF, height=60, width=64)(image), rtol=1e-5)


def test_what_is_reached_may_lie_beyond_the_image():
    window = reached(Positions(np.array([1.0]), np.array([-3.5, 2.0])), PSF)
    assert (window.row, window.column) == (1 - PSF.radius, -4 - PSF.radius)


def test_holes_are_mended_by_their_neighbours_one_pixel_deep():
    image = np.arange(2 * 7 * 9, dtype=np.float32).reshape(2, 7, 9)
    holed = image.copy()
    holed[0, 3, 4] = np.nan  # inside a plane ramp the mean of the neighbours is the value itself
    holed[1, 2:7, 0:5] = np.nan
    found = mended(holed)
    np.testing.assert_allclose(found[0], image[0], rtol=1e-6)
    assert np.isnan(found[1, 3:7, 0:4]).all()
    assert np.isfinite(found[1, 2, :]).all()
    assert found[1, 6, 4] == pytest.approx((image[1, 5, 5] + image[1, 6, 5]) / 2)


def test_an_image_without_holes_is_not_copied():
    image = np.ones((1, 3, 4), dtype=np.float32)
    assert mended(image) is image
    assert filled(image) is image


def test_filling_takes_the_nearest_valid_pixel():
    image = np.array([[[1, np.nan, 3], [np.nan, 5, 6]], [[np.nan] * 3] * 2], dtype=np.float32)
    found = filled(image)[0]
    assert found[0, 0] == 1
    assert found[0, 1] in (1, 3, 5)
    assert np.isnan(image[0, 0, 1])  # the argument is left as it is


def test_a_band_without_a_valid_pixel_is_filled_as_asked():
    image = np.array([[[1.0, np.nan]], [[np.nan, np.nan]]], dtype=np.float32)
    np.testing.assert_array_equal(filled(image), [[[1, 1]], [[np.nan, np.nan]]])
    np.testing.assert_array_equal(filled(image, empty=0), [[[1, 1]], [[0, 0]]])


@pytest.mark.parametrize("as_given", [lambda p: p, _as_points])
def test_a_position_is_clear_of_holes_where_all_within_reach_is_valid(as_given):
    image = np.ones((2, 24, 40), dtype=np.float32)
    image[1, 10, 20] = np.nan
    at = Positions(np.array([0.0, 6.4, 6.6, 10.0, 13.0, 14.0]), np.array([17.6, 17.4, 22.0, 23.0]))
    clear = clear_of_holes(image, as_given(at), reach=(3, 2))
    expected = np.ones((6, 4), dtype=bool)
    expected[2:5, [0, 2]] = False  # rows 7 to 13, columns 18 to 22
    np.testing.assert_array_equal(clear, expected)


def test_what_lies_beyond_the_image_is_no_hole():
    at = Positions(np.array([-1.0, 24.0]), np.array([0.0, 39.0]))
    assert clear_of_holes(np.ones((1, 24, 40), dtype=np.float32), at, reach=(9, 9)).all()
