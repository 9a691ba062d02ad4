import numpy as np
import pytest

from pifnet_cli.estimation.msi_response import response_weights
from pifnet_models.classical.moments import MomentSums

C, M, P = 9, 3, 400


def _weights(hsi, msi):
    sums = MomentSums(hsi_bands=len(hsi), msi_bands=len(msi))
    sums.add(hsi, msi)
    return response_weights(sums.solve())


def _truth(seed=0):
    rng = np.random.default_rng(seed)
    weights = np.maximum(rng.normal(size=(M, C)), 0)
    return rng.random((C, P)), weights, rng.normal(size=M)


def test_a_non_negative_response_with_an_offset_is_found():
    hsi, weights, offsets = _truth()
    found, at_zero = _weights(hsi, weights @ hsi + offsets[:, None])
    np.testing.assert_allclose(found, weights, atol=1e-8)
    np.testing.assert_allclose(at_zero, offsets, atol=1e-8)


def test_no_weight_is_negative():
    hsi, _, _ = _truth()
    found, _ = _weights(hsi, np.random.default_rng(1).normal(size=(M, C)) @ hsi)
    assert found.min() >= 0


@pytest.mark.parametrize("pixels", [5, P])
def test_bands_that_tell_the_same_are_no_obstacle(pixels):
    hsi, weights, offsets = _truth()
    hsi[1], hsi = hsi[0], hsi[:, :pixels]  # twins; and fewer pixels than bands
    msi = weights @ hsi + offsets[:, None]
    found, at_zero = _weights(hsi, msi)
    np.testing.assert_allclose(found @ hsi + at_zero[:, None], msi, atol=1e-6)


def test_a_flat_scene_is_told_by_the_offset():
    found, at_zero = _weights(np.ones((C, P)), np.full((M, P), 2.0))
    np.testing.assert_array_equal(found, 0)
    np.testing.assert_allclose(at_zero, 2)
