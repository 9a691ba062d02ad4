from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from pifnet_cli.training.example_cache import ExampleCache
from pifnet_cli.training.objectives import ImageObjective, LossWeights
from pifnet_cli.training.patches import TrainingPatch
from pifnet_models.kriging.regression import Regression
from tiles import pair_tile

C, M = 7, 3
REGRESSION = Regression(np.zeros((C, M)), np.zeros(C), np.eye(C), np.ones(M), np.eye(M), 10)


def _cache(size, noise=0.1):
    """A cache, and the list of the patches that it has asked for."""
    asked = []

    def patch(number):
        asked.append(number)
        rng = np.random.default_rng(number)
        tile = pair_tile(rng, bands=(C, M), size=(8, 12))
        return TrainingPatch(tile, rng.random((C, 8, 12), dtype=np.float32), REGRESSION)

    objective = ImageObjective(weights=LossWeights(inverse=0, cosine=0), input_noise=noise)
    return asked, ExampleCache(patch, objective, size=size)


def _rng(seed=0):
    return np.random.default_rng(seed)


def test_without_room_every_number_is_a_new_patch():
    asked, cache = _cache(0)
    for number in (0, 1, 7, 1):
        cache.example(number, _rng())
    assert asked == [0, 1, 7, 1]


def test_a_cache_makes_its_patches_once_and_uses_them_in_turn():
    asked, cache = _cache(3, noise=0)
    targets = [cache.example(number, _rng()).target for number in range(9)]
    assert asked == [0, 1, 2]
    for number in range(9):
        np.testing.assert_array_equal(targets[number], targets[number % 3])
    assert not np.array_equal(targets[0], targets[1])


def test_a_resumed_cache_goes_on_with_the_same_examples():
    whole = _cache(3)[1]
    expected = [whole.example(number, _rng(number)) for number in range(8)]
    asked, later = _cache(3)
    found = [later.example(number, _rng(number)) for number in range(5, 8)]
    assert sorted(asked) == [0, 1, 2]
    for mine, theirs in zip(found, expected[5:], strict=True):
        np.testing.assert_array_equal(mine.hsi, theirs.hsi)


def test_augmentation_is_fresh_every_time():
    _, cache = _cache(2)
    first, again, repeated = cache.example(1, _rng(1)), cache.example(3, _rng(2)), cache.example(5, _rng(1))
    assert not np.array_equal(first.hsi, again.hsi)
    np.testing.assert_array_equal(first.target, again.target)
    np.testing.assert_array_equal(first.hsi, repeated.hsi)  # and does not pile up on what is kept


def test_noise_does_not_pile_up_on_kept_examples():
    clean = _cache(1, noise=0)[1].example(0, _rng()).hsi
    _, cache = _cache(1)
    spread = [np.std(cache.example(number, _rng(number)).hsi - clean) for number in range(20)]
    assert spread == pytest.approx([0.1] * 20, rel=0.15)


@pytest.mark.parametrize("size", [0, 2])
def test_examples_are_the_same_from_several_threads(size):
    expected = [_cache(size)[1].example(number, _rng(number)).hsi for number in range(8)]
    _, cache = _cache(size)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda number: cache.example(number, _rng(number)).hsi, range(8)))
    assert all(np.array_equal(mine, theirs) for mine, theirs in zip(found, expected, strict=True))


def test_batches_continue_each_other():
    _, cache = _cache(0)
    first, second = (cache.batch(step, batch_size=2, seed=5) for step in range(2))
    for number, hsi in enumerate((*first.hsi, *second.hsi)):
        np.testing.assert_array_equal(hsi, cache.example(number, np.random.default_rng([5, number, 2])).hsi)
