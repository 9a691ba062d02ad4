import math

import numpy as np
import pytest
from affine import Affine

from pifnet_cli.degrade.psf import gaussian_from_mtf
from pifnet_cli.estimation.blur_and_shift import NOTICEABLE
from pifnet_cli.estimation.blur_and_shift_fit import (
    BlurAndShift,
    BlurAndShiftFit,
    SampleWindow,
    estimate_blur_and_shift,
)
from pifnet_cli.scene import Positions
from waves import GSD, NORTH_UP, Texture, noisy, responses

BANDS, MSI = 14, 3
HR_SIZE = 132, 148  # pixels
SHIFT = 0.37, -0.22  # LR pixels down and right
TOLERANCE = 0.05  # LR pixels, and of the MTF
MODERATE = {"mtf": 0.3, "ratio": 4.0}


def _delivered(ratio):
    psf = gaussian_from_mtf(0.3, ratio_rows=ratio, ratio_columns=ratio)
    return BlurAndShift(psf.sigma, (0.0, 0.0))


def _sample(*, mtf, ratio, shift=SHIFT, angle=0.0, seed=0, snr_db=(35.0, 40.0), hr_size=HR_SIZE):
    """A window of one analytic ground: both sensors see it in closed form, then noise is added."""
    ground, rng = Texture(BANDS, seed=seed), np.random.default_rng(seed)
    height, width = hr_size
    hr_msi = np.einsum("mc,chw->mhw", responses(BANDS, MSI), ground.seen(NORTH_UP, height, width)).astype(np.float32)
    middle = Affine.translation(width / 2, height / 2) @ Affine.rotation(angle) @ Affine.scale(ratio)
    size = (round(height / ratio), round(width / ratio)) if angle == 0 else (round(0.75 * height / ratio),) * 2
    lr_to_hr = middle @ Affine.translation(-size[1] / 2, -size[0] / 2)
    sigma = GSD * ratio / math.pi * math.sqrt(-2 * math.log(mtf))
    # The shift is told along HR rows and columns, whatever the rotation of the LR grid.
    seen_from = NORTH_UP @ Affine.translation(shift[1] * ratio, shift[0] * ratio) @ lr_to_hr
    lr_hsi = ground.seen(seen_from, *size, sigma=sigma)
    columns, rows = lr_to_hr @ tuple(np.meshgrid(np.arange(size[1]) + 0.5, np.arange(size[0]) + 0.5))
    positions = Positions(rows - 0.5, columns - 0.5)
    if angle == 0:
        positions = Positions(positions.rows[:, 0], positions.columns[0])
    return SampleWindow(noisy(lr_hsi, snr_db[0], rng), noisy(hr_msi, snr_db[1], rng), positions)


def _found(samples, ratio, **options):
    return estimate_blur_and_shift(
        BlurAndShiftFit(samples, ratio=(ratio, ratio)), delivered=_delivered(ratio), **options
    )


def _shift_lr(estimate, ratio):
    return tuple(shift / ratio for shift in estimate.best.shift)


@pytest.mark.slow
@pytest.mark.parametrize("ratio", [4.0, 3.3])
@pytest.mark.parametrize("mtf", [0.2, 0.4])
@pytest.mark.parametrize("angle", [0.0, 30.0], ids=["north-up", "rotated"])
def test_shift_and_blur_come_back_from_noisy_scenes(ratio, mtf, angle):
    estimate = _found([_sample(mtf=mtf, ratio=ratio, angle=angle)], ratio)
    assert _shift_lr(estimate, ratio) == pytest.approx(SHIFT, abs=TOLERANCE)
    assert estimate.best.psf.mtf_at_nyquist((ratio, ratio)) == pytest.approx((mtf, mtf), abs=TOLERANCE)
    assert estimate.is_reliable((ratio, ratio))
    assert estimate.is_significant


@pytest.mark.parametrize("shift", [(1.4, -0.8), (-0.9, 1.6)])
def test_a_shift_of_over_a_pixel_comes_back(shift):
    estimate = _found([_sample(**MODERATE, shift=shift)], 4.0)
    assert _shift_lr(estimate, 4.0) == pytest.approx(shift, abs=TOLERANCE)


def test_the_paper_s_blur_is_found_to_be_almost_none():
    ratio, taps = 4, np.array([0.1065, 0.7870, 0.1065])
    sharp = _sample(mtf=0.9, ratio=4.0, shift=(0, 0), snr_db=(200, 200))
    truth = Texture(BANDS).seen(NORTH_UP, *HR_SIZE).astype(np.float64)
    for axis in (1, 2):
        truth = np.apply_along_axis(np.convolve, axis, truth, taps, "same")
    rng = np.random.default_rng(0)
    positions = Positions(*(np.arange(4, side - 4, ratio, dtype=np.float64) for side in HR_SIZE))
    lr_hsi = truth[:, 4:-4:ratio, 4:-4:ratio].astype(np.float32)
    estimate = _found([SampleWindow(noisy(lr_hsi, 35, rng), noisy(sharp.hr_msi, 40, rng), positions)], 4.0)
    assert min(estimate.best.psf.mtf_at_nyquist((4, 4))) > 0.85
    assert _shift_lr(estimate, 4.0) == pytest.approx((0, 0), abs=TOLERANCE)


def test_a_blur_that_is_known_is_kept():
    sigma = _delivered(4.0).sigma
    estimate = _found([_sample(**MODERATE)], 4.0, sigma=sigma)
    assert estimate.best.sigma == pytest.approx(sigma)
    assert estimate.sigma_error == (0.0, 0.0)
    assert _shift_lr(estimate, 4.0) == pytest.approx(SHIFT, abs=TOLERANCE)


def test_invalid_pixels_are_left_out():
    sample = _sample(**MODERATE)
    sample.lr_hsi[:, 10:14, 6:12] = np.nan
    sample.lr_hsi[3, 20, 20] = np.nan
    sample.hr_msi[1, 60:80, 90:110] = np.nan
    estimate = _found([sample], 4.0)
    assert _shift_lr(estimate, 4.0) == pytest.approx(SHIFT, abs=TOLERANCE)
    assert estimate.pixels < _found([_sample(**MODERATE)], 4.0).pixels - 25


NOISE_FREE = {**MODERATE, "shift": (0.0, 0.0), "snr_db": (200.0, 200.0)}


BARS = np.arange(HR_SIZE[0]) % 40 < 3  # rows, so near to each other that none lies far from all


def _with_holes(sample, *places):
    for place in places:
        sample.hr_msi[:, *place] = np.nan
    return sample


HOLES = {
    "columns": [(slice(None), slice(101, None))],
    "rows": [(slice(0, 37), slice(None))],
    "cloud": [(slice(50, 71), slice(60, 83))],
    "clouds": [(slice(10, 21), slice(20, 38)), (slice(99, 118), slice(110, 121))],
    "one pixel": [(66, 75)],
}


@pytest.mark.parametrize("places", HOLES.values(), ids=HOLES)
def test_invalid_hr_pixels_leave_blur_and_shift_as_they_are(places):
    estimate = _found([_with_holes(_sample(**NOISE_FREE), *places)], 4.0)
    assert estimate.best.psf.mtf_at_nyquist((4.0, 4.0)) == pytest.approx((0.3, 0.3), abs=0.01)
    assert _shift_lr(estimate, 4.0) == pytest.approx((0.0, 0.0), abs=0.01)


def test_invalid_hr_pixels_leave_blur_and_shift_of_rotated_pairs_as_they_are():
    estimate = _found([_with_holes(_sample(**NOISE_FREE, angle=30.0), *HOLES["columns"])], 4.0)
    assert estimate.best.psf.mtf_at_nyquist((4.0, 4.0)) == pytest.approx((0.3, 0.3), abs=0.01)
    assert _shift_lr(estimate, 4.0) == pytest.approx((0.0, 0.0), abs=0.01)


def test_lr_pixels_that_any_candidate_brings_to_see_invalid_hr_pixels_are_not_compared():
    holes = slice(None), slice(101, None)
    reach = 2 * 4 + gaussian_from_mtf(0.02, ratio_rows=4.0, ratio_columns=4.0).radius
    fit = BlurAndShiftFit([_with_holes(_sample(**NOISE_FREE), holes)], ratio=(4.0, 4.0))
    known = _sample(**NOISE_FREE)
    known.lr_hsi[:, :, known.lr_in_hr.columns > 101 - 0.5 - reach] = np.nan
    expected = BlurAndShiftFit([known], ratio=(4.0, 4.0))
    assert fit.pixels == expected.pixels


def test_scattered_invalid_hr_pixels_take_no_estimate_away():
    sample = _sample(**MODERATE)
    sample.hr_msi[:, np.random.default_rng(0).random(HR_SIZE) < 0.01] = np.nan
    sample.hr_msi[1, :, 101:] = np.nan
    estimate = _found([sample], 4.0)
    assert estimate.best.psf.mtf_at_nyquist((4.0, 4.0)) == pytest.approx((0.3, 0.3), abs=TOLERANCE)
    assert _shift_lr(estimate, 4.0) == pytest.approx(SHIFT, abs=TOLERANCE)


def test_where_every_lr_pixel_may_see_an_invalid_hr_pixel_there_is_no_estimate():
    sample = _with_holes(_sample(**NOISE_FREE), (BARS, slice(None)))
    with pytest.raises(ValueError, match="only 0 LR pixels are valid in both scenes"):
        _found([sample], 4.0)


def test_a_band_without_data_costs_no_pixel():
    sample = _sample(**MODERATE)
    whole = BlurAndShiftFit([sample], ratio=(4.0, 4.0)).pixels
    sample.lr_hsi[5] = np.nan
    assert BlurAndShiftFit([sample], ratio=(4.0, 4.0)).pixels == whole


def test_standard_errors_are_of_the_errors_made():
    errors, told = [], []
    for seed in range(4):
        estimate = _found([_sample(**MODERATE, seed=seed)], 4.0)
        errors.extend(np.subtract(_shift_lr(estimate, 4.0), SHIFT))
        told.extend(np.array(estimate.shift_error) / 4)
    ratio = np.sqrt(np.mean(np.square(errors))) / np.mean(told)
    assert 1 / 3 < ratio < 3  # eight errors


def test_windows_together_tell_more_than_one():
    samples = [_sample(**MODERATE, seed=seed, hr_size=(84, 84)) for seed in (1, 2)]
    both, one = _found(samples, 4.0), _found(samples[:1], 4.0)
    assert both.pixels > one.pixels
    assert max(both.shift_error) < max(one.shift_error)


def test_what_is_found_explains_more_than_the_delivered_one():
    estimate = _found([_sample(**MODERATE)], 4.0)
    assert estimate.explained > estimate.explained_before
    assert estimate.gain > 0


def test_the_same_samples_give_the_same_answer():
    first, again = (_found([_sample(**MODERATE)], 4.0) for _ in range(2))
    assert first == again


def _flat(rows, columns):
    return np.full(np.broadcast_shapes(rows.shape, columns.shape), 0.4)


def _ramp(rows, columns):
    return 0.4 + 0.01 * rows + 0.02 * columns


@pytest.mark.parametrize("content", [_flat, _ramp])
@pytest.mark.parametrize("snr_db", [40.0, 200.0])
def test_scenes_without_detail_tell_no_shift(content, snr_db):
    rng, at = np.random.default_rng(0), Positions(np.arange(33) * 4 + 1.5, np.arange(37) * 4 + 1.5)
    hr = content(np.arange(132)[:, None], np.arange(148)[None]) * np.ones((MSI, 1, 1))
    lr = content(at.rows[:, None], at.columns[None]) * np.ones((BANDS, 1, 1))
    sample = SampleWindow(*(noisy(image.astype(np.float32), snr_db, rng) for image in (lr, hr)), at)
    estimate = _found([sample], 4.0)
    is_taken = estimate.is_reliable((4.0, 4.0)) and estimate.is_significant
    assert not is_taken or max(map(abs, _shift_lr(estimate, 4.0))) < NOTICEABLE


def test_unrelated_scenes_are_not_significant():
    sample = _sample(**MODERATE)
    other = np.random.default_rng(0).normal(size=sample.hr_msi.shape).astype(np.float32)
    estimate = _found([sample._replace(hr_msi=other)], 4.0)
    assert not (estimate.is_reliable((4.0, 4.0)) and estimate.is_significant)


def test_too_few_valid_lr_pixels_are_refused():
    sample = _sample(**MODERATE)
    sample.lr_hsi[:, 6:] = np.nan
    sample.lr_hsi[:, :, 8:] = np.nan
    with pytest.raises(ValueError, match="only 48 LR pixels are valid in every band"):
        _found([sample], 4.0)


def test_too_few_pixels_valid_in_both_are_refused():
    sample = _sample(**MODERATE)
    sample.hr_msi[:] = np.nan
    with pytest.raises(ValueError, match="only 0 LR pixels are valid in both scenes"):
        _found([sample], 4.0)
