from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pifnet_cli.training.example_cache import ExamplePool
from pifnet_cli.training.objectives import ImageObjective, LossWeights
from pifnet_cli.training.patches import Sample
from pifnet_models.kriging.regression import Regression
from tiles import pair_tile

C, M = 7, 3
REGRESSION = Regression(np.zeros((C, M)), np.zeros(C), np.eye(C), np.ones(M), np.eye(M), 10)


class Patches:
    """A source that counts what is asked of it; a patch is a function of its number."""

    def __init__(self):
        self.asked = []

    def sample(self, number):
        self.asked.append(number)
        rng = np.random.default_rng(number)
        tile = pair_tile(rng, bands=(C, M), size=(8, 12))
        return Sample(tile, rng.random((C, 8, 12), dtype=np.float32), REGRESSION)


def _pool(size, noise=0.1):
    patches = Patches()
    objective = ImageObjective(weights=LossWeights(inverse=0, cosine=0), input_noise=noise)
    return patches, ExamplePool(patches, objective, size=size)


def _rng(seed=0):
    return np.random.default_rng(seed)


def test_without_a_pool_every_number_is_a_new_patch():
    patches, pool = _pool(0)
    for number in (0, 1, 7, 1):
        pool.example(number, _rng())
    assert patches.asked == [0, 1, 7, 1]


def test_a_pool_makes_its_patches_once_and_uses_them_in_turn():
    patches, pool = _pool(3, noise=0)
    targets = [pool.example(number, _rng()).target for number in range(9)]
    assert patches.asked == [0, 1, 2]
    for number in range(9):
        np.testing.assert_array_equal(targets[number], targets[number % 3])
    assert not np.array_equal(targets[0], targets[1])


def test_a_resumed_pool_goes_on_with_the_same_examples():
    whole = _pool(3)[1]
    expected = [whole.example(number, _rng(number)) for number in range(8)]
    patches, later = _pool(3)
    found = [later.example(number, _rng(number)) for number in range(5, 8)]
    assert sorted(patches.asked) == [0, 1, 2]
    for mine, theirs in zip(found, expected[5:], strict=True):
        np.testing.assert_array_equal(mine.hsi, theirs.hsi)


def test_augmentation_is_fresh_every_time():
    _, pool = _pool(2)
    first, again, repeated = pool.example(1, _rng(1)), pool.example(3, _rng(2)), pool.example(5, _rng(1))
    assert not np.array_equal(first.hsi, again.hsi)
    np.testing.assert_array_equal(first.target, again.target)
    np.testing.assert_array_equal(first.hsi, repeated.hsi)  # and does not pile up on what is kept


def test_noise_does_not_pile_up_on_kept_examples():
    clean = _pool(1, noise=0)[1].example(0, _rng()).hsi
    _, pool = _pool(1)
    spread = [np.std(pool.example(number, _rng(number)).hsi - clean) for number in range(20)]
    assert spread == pytest.approx([0.1] * 20, rel=0.15)


@pytest.mark.parametrize("size", [0, 2])
def test_examples_are_the_same_from_several_threads(size):
    expected = [_pool(size)[1].example(number, _rng(number)).hsi for number in range(8)]
    _, pool = _pool(size)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda number: pool.example(number, _rng(number)).hsi, range(8)))
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(found, expected, strict=True))
