import numpy as np
import pytest

from pifnet_cli.metrics.spectral_angle import paper_spectral_angle_deg, spectral_angle_deg


def angle_of(fused: list[float], reference: list[float]) -> float:
    return float(spectral_angle_deg(np.array(fused)[:, None], np.array(reference)[:, None])[0])


def test_a_spectrum_and_its_double_are_zero_apart() -> None:
    spectra = np.random.default_rng(0).random((7, 40))
    np.testing.assert_array_equal(spectral_angle_deg(2 * spectra, spectra), np.zeros(40))


def test_orthogonal_spectra_are_90_degrees_apart() -> None:
    assert angle_of([1, 0, 3], [0, 5, 0]) == pytest.approx(90)


def test_opposite_spectra_are_180_degrees_apart() -> None:
    assert angle_of([1, 2], [-2, -4]) == pytest.approx(180)


def test_a_diagonal_is_45_degrees_from_its_axis() -> None:
    assert angle_of([1, 1], [1, 0]) == pytest.approx(45)


@pytest.mark.parametrize("exponent", [-3, -6, -9, -12])
def test_small_angles_keep_their_digits(exponent: int) -> None:
    # An arc cosine returns exactly zero from 1e-8 on.
    tangent = 10.0**exponent
    assert angle_of([1, tangent], [1, 0]) == pytest.approx(np.degrees(np.arctan(tangent)), rel=1e-6)


def test_two_zero_spectra_are_zero_apart() -> None:
    assert angle_of([0, 0], [0, 0]) == 0


@pytest.mark.parametrize(("fused", "reference"), [([0, 0], [1, 2]), ([1, 2], [0, 0])])
def test_one_zero_spectrum_is_90_degrees_from_another(fused: list[float], reference: list[float]) -> None:
    assert angle_of(fused, reference) == 90


def test_the_paper_counts_90_degrees_for_two_zero_spectra() -> None:
    zero = np.zeros((3, 1))
    assert paper_spectral_angle_deg(zero, zero)[0] == pytest.approx(90)


def test_the_paper_agrees_on_bright_spectra() -> None:
    fused, reference = np.random.default_rng(1).random((2, 7, 40))
    np.testing.assert_allclose(
        paper_spectral_angle_deg(fused, reference), spectral_angle_deg(fused, reference), rtol=1e-6
    )  # 1e-10 beside products near 2


def test_images_give_an_angle_per_pixel() -> None:
    assert spectral_angle_deg(np.ones((7, 24, 40)), np.ones((7, 24, 40))).shape == (24, 40)
