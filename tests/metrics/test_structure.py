import numpy as np
import pytest

from pifnet_cli.metrics.structure import gaussian_window, ssim_map, whole_windows


def ssim_at(fused: np.ndarray, reference: np.ndarray, row: int, column: int) -> float:
    """SSIM of one window by direct two-dimensional sums."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets[None, :] ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    x, y = (image[row - 5 : row + 6, column - 5 : column + 6] for image in (fused, reference))
    mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
    var_x, var_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
    covariance = (weights * (x - mean_x) * (y - mean_y)).sum()
    luminance = (2 * mean_x * mean_y + 1e-4) / (mean_x**2 + mean_y**2 + 1e-4)
    return float(luminance * (2 * covariance + 9e-4) / (var_x + var_y + 9e-4))


@pytest.mark.parametrize(("row", "column"), [(5, 5), (18, 34), (11, 20), (5, 34)])
def test_single_windows_match_direct_sums(row: int, column: int) -> None:
    rng = np.random.default_rng(0)
    reference = rng.random((24, 40))
    fused = reference + 0.1 * rng.standard_normal((24, 40))
    expected = ssim_at(fused, reference, row, column)
    assert ssim_map(fused, reference)[row - 5, column - 5] == pytest.approx(expected, rel=1e-10)


def test_only_windows_inside_the_image_count() -> None:
    assert ssim_map(np.zeros((24, 40)), np.zeros((24, 40))).shape == (14, 30)


def test_identical_images_score_one() -> None:
    image = np.random.default_rng(1).random((24, 40))
    np.testing.assert_allclose(ssim_map(image, image), 1.0, rtol=1e-12)


def test_constant_images_score_their_luminance_term() -> None:
    values = ssim_map(np.full((12, 12), 0.25), np.full((12, 12), 0.5))
    np.testing.assert_allclose(values, (2 * 0.125 + 1e-4) / (0.3125 + 1e-4), rtol=1e-9)


@pytest.mark.parametrize("shape", [(10, 40), (24, 10), (1, 1)])
def test_images_smaller_than_a_window_have_none(shape: tuple[int, int]) -> None:
    assert ssim_map(np.zeros(shape), np.zeros(shape)).size == 0
    assert whole_windows(np.ones(shape, dtype=bool)).size == 0


def test_an_invalid_pixel_spoils_the_windows_that_hold_it() -> None:
    is_valid = np.ones((24, 40), dtype=bool)
    is_valid[3, 17] = False
    spoiled = ~whole_windows(is_valid)
    expected = np.zeros((14, 30), dtype=bool)
    expected[:4, 7:18] = True  # centres within five pixels of (3, 17)
    np.testing.assert_array_equal(spoiled, expected)


def test_weights_sum_to_one_and_are_symmetric() -> None:
    weights = gaussian_window()
    assert weights.sum() == pytest.approx(1)
    np.testing.assert_array_equal(weights, weights[::-1])
