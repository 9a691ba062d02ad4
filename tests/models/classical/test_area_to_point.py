import numpy as np
import pytest
from scipy import sparse

from lr_scenes import regular_operator
from pifnet_cli.choices import Protocol
from pifnet_cli.degrade.psf import axis_sampling_matrix
from pifnet_cli.degrade.sensor_model import SensorModel
from pifnet_models.classical.area_to_point import correlation_range, exponential_mixture, krige
from pifnet_models.sampling import SamplingOperator


def _operator(kind, height=24, width=40, ratio=4):
    if kind == "real ratio":
        rows = axis_sampling_matrix(height, np.arange(5) * 4.6 + 1.3, sigma=2.0, radius=6)
        columns = axis_sampling_matrix(width, np.arange(7) * 5.3 + 2.2, sigma=2.4, radius=7)
        return SamplingOperator(rows, columns, np.zeros((height, 5), np.float32), np.zeros((width, 7), np.float32))
    return regular_operator(SensorModel(kind, ratio, 0.3, np.ones((1, 1))), (height, width))


def _mixture(distances):
    weights, variances = exponential_mixture()
    return sum(w * np.exp(-(distances**2) / (2 * v)) for w, v in zip(weights, variances, strict=True))


def _places(height, width):
    return np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1).reshape(-1, 2).astype(float)


def _point_covariance(height, width, distance, correlation):
    places = _places(height, width)
    return correlation(np.linalg.norm(places[:, None] - places[None], axis=-1) / distance)


def _kriged_one_by_one(residual, operator, distance, correlation):
    """The textbook's system, with its Lagrange multiplier, for every point on its own; dense operators."""
    (h, w), (height, width) = operator.lr_shape, operator.hr_shape
    down = np.kron(operator.rows.toarray(), operator.columns.toarray())  # (h w, H W)
    points = _point_covariance(height, width, distance, correlation)
    cross, coarse = points @ down.T, down @ points @ down.T
    centres = [operator.rows @ np.arange(height), operator.columns @ np.arange(width)]
    result = np.empty((len(residual), height, width))
    for place, (row, column) in enumerate(_places(height, width).astype(int)):
        window = []
        for centre, position, count in ((centres[0], row, h), (centres[1], column, w)):
            # In case of a tie the later LR pixel: the same rounding allowance as the code, turned round.
            nearest = count - 1 - int(np.argmin(np.round(np.abs(centre - position), 5)[::-1]))
            first = min(max(nearest - 2, 0), max(count - 5, 0))
            window.append(range(first, min(first + 5, count)))
        index = np.array([i * w + j for i in window[0] for j in window[1]])
        system = np.ones((len(index) + 1, len(index) + 1))
        system[:-1, :-1], system[-1, -1] = coarse[np.ix_(index, index)], 0
        shares = np.linalg.solve(system, np.r_[cross[place, index], 1])[:-1]
        result[:, row, column] = residual.reshape(len(residual), -1)[:, index] @ shares
    return result


def test_the_mixture_is_an_exponential():
    distances = np.r_[np.linspace(0.02, 1, 200), np.linspace(1, 30, 200)]
    np.testing.assert_allclose(_mixture(distances), np.exp(-distances), atol=2e-4)
    assert abs(_mixture(np.zeros(1))[0] - 1) < 1e-12
    assert (exponential_mixture()[0] > 0).all()


@pytest.mark.parametrize("distance", [3.0, 30.0])
@pytest.mark.parametrize("kind", [Protocol.PAPER, Protocol.MTF, "real ratio"])
def test_kriging_solves_the_textbook_system(kind, distance):
    operator = _operator(kind)
    residual = np.random.default_rng(0).normal(size=(2, *operator.lr_shape)).astype(np.float32)
    found = krige(residual, operator, distance=distance)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, _kriged_one_by_one(residual, operator, distance, _mixture), atol=5e-6)


def test_kriging_by_the_mixture_is_kriging_by_the_exponential():
    operator = _operator(Protocol.MTF)
    residual = np.random.default_rng(0).normal(size=(2, *operator.lr_shape)).astype(np.float32)
    exact = _kriged_one_by_one(residual, operator, 8.0, lambda apart: np.exp(-apart))
    np.testing.assert_allclose(krige(residual, operator, distance=8.0), exact, atol=0.005)


@pytest.mark.parametrize(("height", "width"), [(4, 4), (4, 40), (8, 12), (20, 16)])
def test_scenes_smaller_than_a_neighbourhood_are_served(height, width):
    operator = _operator(Protocol.MTF, height, width)
    residual = np.random.default_rng(1).normal(size=(2, *operator.lr_shape)).astype(np.float32)
    expected = _kriged_one_by_one(residual, operator, 9.0, _mixture)
    np.testing.assert_allclose(krige(residual, operator, distance=9.0), expected, atol=5e-6)


@pytest.mark.parametrize("kind", [Protocol.PAPER, Protocol.MTF, "real ratio"])
def test_a_constant_stays_a_constant(kind):
    operator = _operator(kind)
    residual = np.full((3, *operator.lr_shape), 0.7, np.float32)
    np.testing.assert_allclose(krige(residual, operator, distance=6.0), 0.7, rtol=1e-5)


@pytest.mark.parametrize("distance", [2.0, 8.0, 60.0])
@pytest.mark.parametrize("kind", [Protocol.PAPER, Protocol.MTF, "real ratio"])
def test_degrading_gives_back_what_was_kriged(kind, distance):
    operator = _operator(kind, 64, 80)
    noise = np.random.default_rng(2).normal(size=(4, *operator.lr_shape)).astype(np.float32)
    again = operator.down(krige(noise, operator, distance=distance))
    error = np.sqrt(np.mean((again - noise) ** 2) / np.mean(noise**2))
    assert error < 0.1  # white noise is the hardest case; with neighbourhoods of the whole scene it would be zero


def test_points_depend_on_their_neighbourhood_only():
    operator = _operator(Protocol.MTF, 80, 80)
    residual = np.random.default_rng(3).normal(size=(2, 20, 20)).astype(np.float32)
    changed = residual.copy()
    changed[:, 10, 10] += 1
    difference = np.abs(krige(changed, operator, distance=8.0) - krige(residual, operator, distance=8.0)).max(axis=0)
    rows, columns = np.nonzero(difference)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (32, 51, 32, 51)  # LR pixels 8 to 12


@pytest.mark.parametrize("true_range", [3.0, 8.0, 20.0])
@pytest.mark.parametrize("kind", [Protocol.PAPER, Protocol.MTF])
def test_the_range_of_a_random_field_is_found(kind, true_range):
    side = 40
    operator = _operator(kind, side, side)
    factor = np.linalg.cholesky(_point_covariance(side, side, true_range, lambda d: np.exp(-d)))
    field = (factor @ np.random.default_rng(4).normal(size=(side * side, 60))).T.reshape(60, side, side)
    found = correlation_range(operator.down(field.astype(np.float32)), operator)
    assert 0.75 < found / true_range < 1.33


def test_a_residual_without_variance_has_a_range_too():
    operator = _operator(Protocol.MTF)
    # The mirror image beyond the borders moves the centres of the outermost LR pixels a little.
    assert correlation_range(np.zeros((3, 6, 10), np.float32), operator) == pytest.approx(4.0, rel=0.01)
    single = SamplingOperator(*(2 * [sparse.csr_array(np.full((1, 4), 0.25))]), *(2 * [np.ones((4, 1), np.float32)]))
    assert correlation_range(np.ones((3, 1, 1), np.float32), single) == pytest.approx(4.0)
