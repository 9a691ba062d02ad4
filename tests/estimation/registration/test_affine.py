import json

import numpy as np
import pytest
from affine import Affine

from misplaced import BANDS, MIDDLE, MOVED, MSI, RATIO, SHEARED, SIDE, SIGMA, STRETCHED, TURNED, fitted
from pifnet_cli.estimation.blur_and_shift_fit import BlurAndShiftFit, SampleWindow
from pifnet_cli.estimation.registration.affine import AffineFit
from pifnet_cli.estimation.registration.displacement import DisplacementFit
from pifnet_cli.scene import Positions
from waves import GSD, NORTH_UP, Texture, responses


def _linear(affine):
    return np.array([affine.a, affine.b, affine.d, affine.e])


def _furthest(first, second):
    """LR pixels by which corners of the scene lie apart."""
    corners = [(x, y) for x in (0, SIDE) for y in (0, SIDE)]
    return max(np.linalg.norm(np.subtract(first @ corner, second @ corner)) for corner in corners) / RATIO


@pytest.mark.parametrize("truth", [TURNED, STRETCHED, SHEARED, MOVED], ids=["turned", "stretched", "sheared", "moved"])
def test_what_displaces_a_scene_is_found(truth):
    found = AffineFit(fitted(truth)).estimate()
    assert _furthest(found.correction, truth) < 0.04
    assert found.is_reliable
    assert found.correlation > 0.99


def test_a_turned_scene_is_found_within_its_errors():
    found = [AffineFit(fitted(TURNED, seed=seed)).estimate() for seed in range(3)]
    errors = np.array([_linear(each.correction) - _linear(TURNED) for each in found])
    told = np.array([each.linear_error for each in found])
    assert 1 / 3 < np.sqrt(np.mean((errors / told) ** 2)) < 3  # twelve errors
    assert [each.rotation_deg for each in found] == pytest.approx([0.5] * 3, abs=0.05)
    assert all(each.scale == pytest.approx((1.01, 1.01), abs=1e-3) for each in found)


def test_a_rotation_that_is_none_leaves_grids_parallel():
    assert tuple(_linear(AffineFit(fitted(MOVED)).estimate().correction)) == (1, 0, 0, 1)
    stretched = AffineFit(fitted(STRETCHED)).estimate()
    assert (stretched.correction.b, stretched.correction.d) == (0, 0)
    assert not stretched.is_shift


def test_the_shift_is_told_amid_the_scene():
    found = AffineFit(fitted(TURNED)).estimate()
    row, column = np.subtract(TURNED @ (SIDE / 2, SIDE / 2), SIDE / 2)[::-1] / RATIO
    assert found.shift_lr == pytest.approx((row, column), abs=0.03)
    assert max(found.shift_error_lr) < 0.01


def test_a_correction_that_is_known_roughly_is_a_start():
    far = MIDDLE @ Affine.rotation(25) @ ~MIDDLE
    ground = Texture(BANDS)
    hr_msi = np.einsum("mc,chw->mhw", responses(BANDS, MSI), ground.seen(NORTH_UP, SIDE, SIDE)).astype(np.float32)
    size, near = 24, MIDDLE @ Affine.rotation(24.5) @ ~MIDDLE
    claimed = Affine.translation(32, 32) @ Affine.scale(RATIO)
    lr_hsi = ground.seen(NORTH_UP @ far @ claimed, size, size, sigma=GSD * SIGMA)
    columns, rows = near @ claimed @ tuple(np.meshgrid(np.arange(size) + 0.5, np.arange(size) + 0.5))
    fit = BlurAndShiftFit([SampleWindow(lr_hsi, hr_msi, Positions(rows - 0.5, columns - 0.5))], ratio=(RATIO, RATIO))
    found = AffineFit(DisplacementFit(fit, sigma=(SIGMA, SIGMA)), placed_by=near).estimate()
    assert _furthest(found.correction, far) < 0.04


def test_a_scene_without_detail_places_nothing():
    def flatten(lr_hsi, hr_msi):
        rng = np.random.default_rng(0)
        lr_hsi[:], hr_msi[:] = 0.4 + 0.01 * rng.normal(size=lr_hsi.shape), 0.4 + 0.01 * rng.normal(size=hr_msi.shape)

    found = AffineFit(fitted(TURNED, spoil=flatten)).estimate()
    assert not found.is_reliable
    assert found.correlation < 0.8


def test_the_record_is_json():
    record = AffineFit(fitted(TURNED)).estimate().record()
    assert json.loads(json.dumps(record)) == record
    assert record["rotation_deg"] == pytest.approx(0.5, abs=0.05)
    assert record["scale"] == pytest.approx([1.01, 1.01], abs=1e-3)
    assert record["shear_deg"] == pytest.approx(0, abs=5 * record["shear_error_deg"])
