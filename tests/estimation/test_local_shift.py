import numpy as np
import pytest
from affine import Affine

from misplaced import MOVED, RATIO, TURNED, fitted
from pifnet_cli.estimation.local_shift import LocalShift, is_uneven, local_shifts, shift_spread

TIGHT = 0.01, 0.01


def _true_shift(correction, local):
    row, column = local.place
    right, down = np.subtract(correction @ (column, row), (column, row)) / RATIO
    return down, right


@pytest.mark.parametrize("truth", [MOVED, TURNED], ids=["moved", "turned"])
def test_every_part_tells_its_own_shift(truth):
    parts = local_shifts(fitted(truth))
    assert len(parts) == 9
    for part in parts:
        assert part.is_reliable
        assert part.shift == pytest.approx(_true_shift(truth, part), abs=0.06)


def test_parts_start_from_the_shift_of_all():
    far = Affine.translation(7, -6)  # 1.75 LR pixels right, 1.5 up
    parts = local_shifts(fitted(far), (-5.0, 6.0))
    assert all(part.shift == pytest.approx(_true_shift(far, part), abs=0.06) for part in parts)


def test_a_turned_scene_is_uneven_and_a_moved_one_is_not():
    assert shift_spread(local_shifts(fitted(MOVED))) < 0.03
    turned = local_shifts(fitted(TURNED))
    assert shift_spread(turned) == pytest.approx(0.17, abs=0.04)  # 13 LR pixels from the middle times 0.0133
    assert not is_uneven(turned)
    more = TURNED @ TURNED @ TURNED
    assert is_uneven(local_shifts(fitted(more)))


def test_a_part_without_detail_is_no_witness():
    def cover(lr_hsi, hr_msi):
        lr_hsi[:, :18, :18], hr_msi[:, :72, :72] = 0.4, 0.4

    first, *others = local_shifts(fitted(MOVED, spoil=cover))
    assert not first.is_reliable
    assert all(part.is_reliable for part in others)


def test_invalid_pixels_belong_to_no_part():
    def spoil(lr_hsi, hr_msi):
        lr_hsi[:, :14] = np.nan
        hr_msi[0, 100:120, 100:120] = np.nan

    parts = local_shifts(fitted(MOVED, spoil=spoil))
    assert len(parts) == 6
    assert all(part.shift == pytest.approx(_true_shift(MOVED, part), abs=0.03) for part in parts)


def _parts(*shifts, error=TIGHT):
    return [LocalShift((0.0, 0.0), shift, error) for shift in shifts]


def test_two_parts_of_nine_may_have_clouds():
    calm = [(0.1, 0.2)] * 7
    assert shift_spread(_parts(*calm, (1.5, 0.0), (-1.0, 1.0))) == 0
    assert shift_spread(_parts(*calm[:6], *[(1.1, 0.2)] * 3)) == pytest.approx(1)


def test_uncertain_parts_are_not_called_uneven():
    shifts = [(0.0, 0.0), (0.35, 0.0), (-0.35, 0.0)] * 3
    assert is_uneven(_parts(*shifts))
    assert not is_uneven(_parts(*shifts, error=(0.08, 0.08)))
    assert not is_uneven(_parts(*shifts, error=(0.5, 0.5)))
    assert not is_uneven([])
