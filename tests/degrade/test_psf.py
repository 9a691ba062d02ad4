import numpy as np
import pytest

from pifnet_cli.choices import Protocol
from pifnet_cli.degrade.psf import (
    Psf,
    axis_sampling_matrix,
    degrade_separable,
    gaussian_from_mtf,
    gaussian_mtf,
    mtf_from_sigma,
    paper_psf,
    psf_of,
    sigma_from_mtf,
    trimmed,
)


def test_paper_kernel_has_its_published_weights():
    psf = paper_psf()

    matrix = axis_sampling_matrix(9, [4.0], sigma=psf.sigma_rows, radius=psf.radius).toarray()

    np.testing.assert_allclose(matrix[0], [0, 0, 0, 0.1065, 0.7870, 0.1065, 0, 0, 0], atol=5e-5)


@pytest.mark.parametrize("ratio", [2, 3, 4, 8])
@pytest.mark.parametrize("mtf", [0.15, 0.3, 0.5])
def test_sampled_kernel_has_the_requested_response_at_lr_nyquist(ratio, mtf):
    psf = gaussian_from_mtf(mtf, ratio_rows=ratio, ratio_columns=ratio)
    centre = 100 + (ratio - 1) / 2
    wave = np.cos(np.pi * (np.arange(201) - centre) / ratio)  # one LR pixel is half a period

    response = (axis_sampling_matrix(201, [centre], sigma=psf.sigma_rows, radius=psf.radius) @ wave).item()

    # Sampling the Gaussian folds frequencies beyond the HR Nyquist back; at ratio 2 and MTF 0.5 that is 0.02.
    assert response == pytest.approx(mtf, abs=2e-4 if ratio > 2 and mtf < 0.5 else 0.02)


def test_mtf_and_sigma_are_two_words_for_one_blur():
    psf = gaussian_from_mtf(0.27, ratio_rows=4, ratio_columns=3.3)
    assert psf.mtf_at_nyquist((4, 3.3)) == pytest.approx((0.27, 0.27))
    assert psf.sigma == pytest.approx((sigma_from_mtf(0.27, 4), sigma_from_mtf(0.27, 3.3)))
    assert mtf_from_sigma(0.0, 4) == 1


def test_the_frequency_response_is_the_gaussians_fourier_transform():
    x, sigma = np.arange(-40, 41), 1.7
    weights = np.exp(-0.5 * np.square(x / sigma))
    frequency = np.array([0.0, 0.05, 0.125, 0.2])
    expected = np.cos(2 * np.pi * frequency[:, None] * x) @ weights / weights.sum()
    np.testing.assert_allclose(gaussian_mtf(frequency, sigma), expected, atol=1e-12)
    assert mtf_from_sigma(sigma, 4) == pytest.approx(expected[2])


def test_the_protocol_decides_whose_kernel_it_is():
    assert psf_of(Protocol.PAPER, 0.2, ratio_rows=4, ratio_columns=3) == paper_psf()
    found = psf_of(Protocol.MTF, 0.2, ratio_rows=4, ratio_columns=3)
    assert found == gaussian_from_mtf(0.2, ratio_rows=4, ratio_columns=3)


@pytest.mark.parametrize("sigma", [0.2, 0.5, 1.0, 2.5])
@pytest.mark.parametrize("fraction", [0.0, 0.25, 0.3, 0.5, 0.91])
def test_ramp_is_sampled_at_its_exact_position(sigma, fraction):
    centres = np.arange(12, 28, 4) + fraction

    sampled = axis_sampling_matrix(40, centres, sigma=sigma, radius=11) @ np.arange(40.0)

    np.testing.assert_allclose(sampled, centres, atol=1e-9)


def test_rows_sum_to_one_at_borders_and_far_outside():
    matrix = axis_sampling_matrix(7, [-9.3, -0.5, 0.0, 3.2, 6.5, 30.0], sigma=2.0, radius=9)

    np.testing.assert_allclose(matrix.sum(axis=1), 1, atol=1e-12)


def test_borders_are_mirrored_without_repeating_the_edge():
    image = np.random.default_rng(0).random(6)
    padded = np.pad(image, 5, mode="reflect")

    at_border = axis_sampling_matrix(6, [0.0, 1.5, 5.0], sigma=1.1, radius=4) @ image
    inside = axis_sampling_matrix(16, [5.0, 6.5, 10.0], sigma=1.1, radius=4) @ padded

    np.testing.assert_allclose(at_border, inside, atol=1e-14)


def test_one_pixel_is_its_own_mirror():
    matrix = axis_sampling_matrix(1, [0.0, 3.7], sigma=1.0, radius=5)

    np.testing.assert_allclose(matrix.toarray(), [[1], [1]])


def test_trimmed_operator_gives_the_same_samples():
    image = np.random.default_rng(1).random(50)
    matrix = axis_sampling_matrix(50, [20.0, 24.0], sigma=1.0, radius=5)

    part, span = trimmed(matrix)

    assert (span.start, span.stop) == (15, 30)
    np.testing.assert_array_equal(part @ image[span], matrix @ image)


def test_radius_covers_the_gaussian():
    assert Psf(sigma_rows=1.9, sigma_columns=0.4).radius == 9
    assert paper_psf().radius == 1


def test_separable_degradation_matches_a_dense_product():
    image = np.random.default_rng(2).random((35, 24, 40))  # more bands than are done at once
    rows = axis_sampling_matrix(24, np.arange(6) * 4 + 1.5, sigma=2.0, radius=9)
    columns = axis_sampling_matrix(40, np.arange(8) * 5.3, sigma=1.3, radius=7)

    degraded = degrade_separable(image, rows, columns)

    np.testing.assert_allclose(degraded, rows.toarray() @ image @ columns.toarray().T, atol=1e-13)


def test_type_of_the_image_is_kept():
    matrix = axis_sampling_matrix(8, [1.5, 5.5], sigma=1.0, radius=5)

    assert degrade_separable(np.ones((2, 8, 8), dtype=np.float32), matrix, matrix).dtype == np.float32


def test_sample_is_invalid_below_95_percent_of_valid_weight():
    image = np.ones((1, 9, 9), dtype=np.float32)
    matrix = axis_sampling_matrix(9, [4.0], sigma=0.5, radius=1)
    corner, side = image.copy(), image.copy()
    corner[0, 3, 3] = np.nan  # weight 0.1065 * 0.1065 = 0.011
    side[0, 3, 4] = np.nan  # weight 0.1065 * 0.787 = 0.084

    assert degrade_separable(corner, matrix, matrix).item() == pytest.approx(1.0, abs=1e-6)
    assert np.isnan(degrade_separable(side, matrix, matrix).item())
    assert degrade_separable(side, matrix, matrix, minimum_valid=0.9).item() == pytest.approx(1.0, abs=1e-6)


def test_invalid_pixels_elsewhere_change_nothing():
    image = np.random.default_rng(3).random((3, 40, 40), dtype=np.float32)
    matrix = axis_sampling_matrix(40, np.arange(10) * 4 + 1.5, sigma=2.0, radius=9)
    holed = image.copy()
    holed[1, 30:, 30:] = np.nan

    whole, partial = degrade_separable(image, matrix, matrix), degrade_separable(holed, matrix, matrix)

    np.testing.assert_array_equal(partial[:, :5, :5], whole[:, :5, :5])
    np.testing.assert_array_equal(partial[0], whole[0])
    assert np.isnan(partial[1, -1, -1])
