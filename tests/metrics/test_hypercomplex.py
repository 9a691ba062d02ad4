import itertools

import numpy as np
import pytest

from pifnet_cli.metrics.hypercomplex import conjugation, hypercomplex_modulus, padded_size, product_signs


def product(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The textbook recursion on halves, without any table."""
    if len(x) == 1:
        return x * y
    half = len(x) // 2
    a, b, c, d = x[:half], x[half:], y[:half], y[half:]
    return np.concatenate(
        [product(a, c) - product(conjugate(d), b), product(d, a) + product(b, conjugate(c))],
    )


def conjugate(x: np.ndarray) -> np.ndarray:
    return np.concatenate([x[:1], -x[1:]])


@pytest.mark.parametrize("size", [1, 2, 4, 8, 16])
def test_the_table_multiplies_like_the_recursion(size: int) -> None:
    units = np.eye(size)
    signs = product_signs(size)
    for i, j in itertools.product(range(size), repeat=2):
        expected = np.zeros(size)
        expected[i ^ j] = signs[i, j]
        np.testing.assert_array_equal(product(units[i], units[j]), expected)


def test_four_components_are_quaternions() -> None:
    # rows and columns 1, i, j, k: i j = k, j k = i, k i = j, and the reverse order changes the sign
    signs = product_signs(4)
    assert signs[1, 2] == signs[2, 3] == signs[3, 1] == 1
    assert signs[2, 1] == signs[3, 2] == signs[1, 3] == -1
    assert signs[1, 1] == signs[2, 2] == signs[3, 3] == -1


@pytest.mark.parametrize("size", [1, 2, 4, 8])
def test_moduli_multiply_up_to_octonions(size: int) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((2, size))
    assert np.linalg.norm(product(x, y)) == pytest.approx(np.linalg.norm(x) * np.linalg.norm(y), rel=1e-12)


@pytest.mark.parametrize("bands", [1, 2, 3, 5, 7, 8, 11])
def test_modulus_of_a_covariance_equals_the_sum_over_pixels_of_products(bands: int) -> None:
    rng = np.random.default_rng(bands)
    size = padded_size(bands)
    x, y = np.zeros((2, size, 20))
    x[:bands], y[:bands] = rng.standard_normal((2, bands, 20))
    total = sum(product(x[:, pixel], conjugate(y[:, pixel])) for pixel in range(20))
    modulus = hypercomplex_modulus(x[:bands] @ y[:bands].T)
    assert modulus == pytest.approx(float(np.linalg.norm(total)), rel=1e-12)


def test_modulus_of_a_symmetric_covariance_is_its_trace() -> None:
    # x x* is the real number |x|^2
    spectra = np.random.default_rng(1).standard_normal((13, 50))
    covariance = spectra @ spectra.T
    assert hypercomplex_modulus(covariance) == pytest.approx(np.trace(covariance), rel=1e-12)


@pytest.mark.parametrize(("bands", "size"), [(1, 1), (2, 2), (3, 4), (8, 8), (9, 16), (224, 256)])
def test_components_are_padded_to_the_next_power_of_two(bands: int, size: int) -> None:
    assert padded_size(bands) == size


def test_conjugation_keeps_the_real_part() -> None:
    assert conjugation(4).tolist() == [1, -1, -1, -1]


def test_cached_tables_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        product_signs(4)[0, 0] = 5
