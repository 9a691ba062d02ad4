import numpy as np
import pytest
from affine import Affine

from misplaced import MSI
from pifnet_cli.estimation.registration.search import best_places
from waves import GSD, NORTH_UP, Texture, noisy, responses

BANDS, LR_SIZE = 8, (22, 17)
RATIOS = 2.5, 6.0


def _pair(lr_to_hr, *, lr_seed=0):
    ground, rng = Texture(BANDS, seed=3), np.random.default_rng(0)
    hr_msi = np.einsum("mc,chw->mhw", responses(BANDS, MSI), ground.seen(NORTH_UP, 130, 150)).astype(np.float32)
    lr_ground = ground if lr_seed == 0 else Texture(BANDS, seed=lr_seed)
    lr_hsi = lr_ground.seen(NORTH_UP @ lr_to_hr, *LR_SIZE, sigma=GSD * 2)
    return noisy(lr_hsi, 35, rng), noisy(hr_msi, 40, rng)


def _apart(first, second):
    """LR pixels between the places of the corners."""
    corners = [(x, y) for x in (0, LR_SIZE[1]) for y in (0, LR_SIZE[0])]
    return max(np.linalg.norm(np.subtract(first @ corner, second @ corner)) for corner in corners) / 4


@pytest.mark.parametrize("angle", [-140, 10, 37])
def test_a_turned_part_is_found(angle):
    middle = Affine.translation(-LR_SIZE[1] / 2, -LR_SIZE[0] / 2)
    truth = Affine.translation(80, 62) @ Affine.rotation(angle) @ Affine.scale(4.2) @ middle
    first, *_, last = best_places(*_pair(truth), ratios=RATIOS, count=40)
    assert _apart(first.lr_to_hr, truth) < 2.5
    assert first.score > 2 * last.score


def test_a_scene_that_reaches_beyond_is_found():
    truth = Affine.translation(-12, 30) @ Affine.rotation(5) @ Affine.scale(4.2)
    first, *_ = best_places(*_pair(truth), ratios=RATIOS, count=1)
    assert _apart(first.lr_to_hr, truth) < 2.5


def test_invalid_pixels_do_not_count():
    middle = Affine.translation(-LR_SIZE[1] / 2, -LR_SIZE[0] / 2)
    truth = Affine.translation(80, 62) @ Affine.rotation(20) @ Affine.scale(4.2) @ middle
    lr_hsi, hr_msi = _pair(truth)
    lr_hsi[:, :4], hr_msi[:, :20, :60] = np.nan, np.nan
    first, *_ = best_places(lr_hsi, hr_msi, ratios=RATIOS, count=1)
    assert _apart(first.lr_to_hr, truth) < 2.5


def test_of_unrelated_scenes_no_place_stands_out():
    truth = Affine.translation(40, 20) @ Affine.scale(4.2)
    related, *_ = best_places(*_pair(truth), ratios=RATIOS, count=1)
    first, *_, last = best_places(*_pair(truth, lr_seed=9), ratios=RATIOS, count=40)
    assert first.score < 0.6 * related.score
    assert first.score < 2 * last.score
