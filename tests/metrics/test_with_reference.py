import time
from dataclasses import astuple, fields

import numpy as np
import pytest

from pifnet_cli.choices import Compat
from pifnet_cli.metrics.with_reference import Scores, ergas, scores

SHAPE = (7, 24, 40)
NAMES = ("psnr", "psnr_bands", "ssim", "sam", "ergas", "rmse", "uiqi", "q2n", "cc")


def image(seed: int = 0, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    return (0.2 + np.random.default_rng(seed).random(shape)).astype(np.float32)


def noisy(reference: np.ndarray, level: float = 0.05, seed: int = 9) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal(reference.shape)
    return (reference + level * noise).astype(np.float32)


def same_scores(one: Scores, other: Scores, *, rel: float = 1e-12) -> None:
    for name in NAMES:
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=rel), name


def test_a_constant_offset_is_the_rmse() -> None:
    reference = np.round(image() * 64) / 64  # so that adding 1/8 is exact
    result = scores(reference + np.float32(0.125), reference, ratio=4)
    assert result.rmse == pytest.approx(0.125, rel=1e-12)
    assert result.psnr == pytest.approx(20 * np.log10(float(reference.max()) / 0.125), rel=1e-12)
    assert result.cc == pytest.approx(1, rel=1e-12)


def test_psnr_bands_is_the_mean_of_bands_with_their_own_peaks() -> None:
    reference = np.zeros((2, 24, 40), dtype=np.float32)
    reference[0, 3, 3], reference[1, 5, 5] = 1.0, 10.0
    result = scores(reference + np.float32(0.5), reference, ratio=4)
    assert result.psnr_bands == pytest.approx((20 * np.log10(1 / 0.5) + 20 * np.log10(10 / 0.5)) / 2, rel=1e-12)
    assert result.psnr == pytest.approx(20 * np.log10(10 / 0.5), rel=1e-12)


def test_a_scaled_image_has_angle_zero() -> None:
    reference = image()
    assert scores(2 * reference, reference, ratio=4).sam == 0


def test_orthogonal_images_are_90_degrees_apart() -> None:
    fused, reference = np.zeros((2, *SHAPE), dtype=np.float32)
    fused[0], reference[1] = 1.0, 1.0
    assert scores(fused, reference, ratio=4).sam == pytest.approx(90)


@pytest.mark.parametrize("ratio", [2, 3.5, 4, 8])
def test_ergas_of_a_relative_error_is_that_error_over_the_ratio(ratio: float) -> None:
    reference = np.ones(SHAPE, dtype=np.float32) * np.arange(1, 8, dtype=np.float32)[:, None, None]
    result = scores(reference * np.float32(1.25), reference, ratio=ratio)
    assert result.ergas == pytest.approx(100 / ratio * 0.25, rel=1e-12)


def test_ergas_combines_bands_by_their_root_mean_square() -> None:
    errors, means = np.array([0.3, 0.4]) ** 2, np.array([1.0, 1.0])
    assert ergas(errors, means, ratio=4) == pytest.approx(25 * np.sqrt(0.125))


def test_ergas_leaves_out_bands_of_mean_zero_and_names_them() -> None:
    reference = np.ones(SHAPE, dtype=np.float32)
    reference[2] = 0
    fused = reference * np.float32(1.25)
    fused[2] = 0.01
    result = scores(fused, reference, ratio=4)
    assert result.ergas == pytest.approx(6.25, rel=1e-12)
    assert result.ergas_left_out == (3,)
    assert result.bands == 7


def test_without_a_ratio_only_ergas_is_undefined() -> None:
    result = scores(noisy(image()), image(), ratio=None)
    assert [name for name in NAMES if np.isnan(getattr(result, name))] == ["ergas"]
    assert np.isnan(result.ratio)


def test_the_paper_computes_ergas_at_ratio_four_always() -> None:
    fused, reference = np.clip(noisy(image() / 2), 0, 1), image() / 2
    at_four = scores(fused, reference, ratio=4).ergas
    result = scores(fused, reference, ratio=8, compat=Compat.PAPER)
    assert result.ergas == pytest.approx(at_four, rel=1e-12)
    assert result.ratio == 4
    assert scores(fused, reference, ratio=8).ergas == pytest.approx(at_four / 2, rel=1e-12)


def test_the_paper_counts_dark_pixels_as_90_degrees() -> None:
    reference = image() / 2
    reference[:, :12] = 0  # half of the pixels
    assert scores(reference, reference, ratio=4).sam == 0
    assert scores(reference, reference, ratio=4, compat=Compat.PAPER).sam == pytest.approx(45, rel=1e-5)


def beyond() -> tuple[np.ndarray, np.ndarray]:
    """A dark reference in [0, 1], and a result that leaves [0, 1] on either side."""
    reference = (0.3 * np.random.default_rng(2).random((3, 13, 15))).astype(np.float32)
    fused = noisy(reference, level=0.1)
    fused[1, 6, 7], fused[2, 2:4, 3] = 1.7, 2.5
    return fused, reference


def direct_ssim(fused: np.ndarray, reference: np.ndarray) -> float:
    """Of range 1, window by window in two-dimensional sums, mean over windows and then bands."""
    offsets = np.arange(-5, 6)
    weights = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    weights /= weights.sum()
    found = []
    for x_band, y_band in zip(fused.astype(np.float64), reference.astype(np.float64), strict=True):
        for row in range(5, x_band.shape[0] - 5):
            for column in range(5, x_band.shape[1] - 5):
                x, y = (band[row - 5 : row + 6, column - 5 : column + 6] for band in (x_band, y_band))
                mean_x, mean_y = (weights * x).sum(), (weights * y).sum()
                var_x, var_y = (weights * (x - mean_x) ** 2).sum(), (weights * (y - mean_y) ** 2).sum()
                both = (weights * (x - mean_x) * (y - mean_y)).sum()
                luminance = (2 * mean_x * mean_y + 1e-4) / (mean_x**2 + mean_y**2 + 1e-4)
                found.append(luminance * (2 * both + 9e-4) / (var_x + var_y + 9e-4))
    return float(np.mean(found))


def test_the_paper_cuts_the_result_to_0_and_1_before_every_score() -> None:
    fused, reference = beyond()
    cut, double = np.clip(fused, 0, 1), reference.astype(np.float64)
    result = scores(fused, reference, ratio=8, compat=Compat.PAPER)

    squares = (cut - double) ** 2
    assert result.psnr == pytest.approx(10 * np.log10(double.max() ** 2 / squares.mean()), rel=1e-9)
    relative = squares.mean(axis=(1, 2)) / double.mean(axis=(1, 2)) ** 2
    assert result.ergas == pytest.approx(25 * np.sqrt(relative.mean()), rel=1e-9)
    product = np.sqrt((cut.astype(np.float64) ** 2).sum(axis=0) * (double**2).sum(axis=0)) + 1e-10
    angles = np.degrees(np.arccos(np.clip((cut * double).sum(axis=0) / product, -1, 1)))
    assert result.sam == pytest.approx(angles.mean(), rel=1e-9)
    same_scores(result, scores(cut, reference, ratio=8, compat=Compat.PAPER))
    assert scores(fused, reference, ratio=4).rmse > 1.2 * result.rmse


def test_the_paper_s_ssim_has_range_1_however_dark_the_scene() -> None:
    fused, reference = beyond()
    expected = direct_ssim(np.clip(fused, 0, 1), reference)
    assert scores(fused, reference, ratio=4, compat=Compat.PAPER).ssim == pytest.approx(expected, rel=1e-9)
    assert scores(np.clip(fused, 0, 1), reference, ratio=4).ssim < expected - 0.01  # divided by the peak, 0.3


def test_a_value_that_is_not_finite_is_invalid_before_the_cut() -> None:
    fused, reference = beyond()
    fused[2, 5, 6] = np.inf
    assert scores(fused, reference, ratio=4, compat=Compat.PAPER).excluded_pixels == 1


def test_identical_images_are_perfect() -> None:
    result = scores(image(), image(), ratio=4)
    assert result.is_identical
    assert result.psnr == result.psnr_bands == float("inf")
    assert (result.rmse, result.sam, result.ergas) == (0, 0, 0)
    for name in ("ssim", "uiqi", "q2n", "cc"):
        assert getattr(result, name) == pytest.approx(1, rel=1e-12), name


def test_noisier_is_worse_in_every_score() -> None:
    reference = image()
    better, worse = (scores(noisy(reference, level), reference, ratio=4) for level in (0.02, 0.1))
    for name in ("psnr", "psnr_bands", "ssim", "uiqi", "q2n", "cc"):
        assert getattr(better, name) > getattr(worse, name), name
    for name in ("sam", "ergas", "rmse"):
        assert getattr(better, name) < getattr(worse, name), name


def test_the_same_definition_holds_in_any_unit() -> None:
    reference = image()
    fused = noisy(reference)
    plain, scaled = scores(fused, reference, ratio=4), scores(fused * 4096, reference * 4096, ratio=4)
    for name in NAMES:
        factor = 4096 if name == "rmse" else 1
        assert getattr(scaled, name) == pytest.approx(factor * getattr(plain, name), rel=1e-12), name


@pytest.mark.parametrize("which", ["fused", "reference"])
def test_invalid_pixels_do_not_enter_any_score(which: str) -> None:
    reference = image()
    reference[0, 20, 20] = 3  # the peaks of all bands lie in the rows that stay
    reference[1:, 20, 20] = 2
    fused = noisy(reference)
    cut = scores(fused[:, 4:, :], reference[:, 4:, :], ratio=4)
    spoiled = {"fused": fused.copy(), "reference": reference.copy()}
    spoiled[which][3, :4, :] = np.nan  # one band suffices
    result = scores(spoiled["fused"], spoiled["reference"], ratio=4)
    same_scores(result, cut, rel=1e-11)
    assert (result.pixels, result.excluded_pixels) == (20 * 40, 4 * 40)


def test_infinite_values_are_invalid() -> None:
    fused = noisy(image())
    fused[2, 5, 6] = np.inf
    assert scores(fused, image(), ratio=4).excluded_pixels == 1


def test_bands_without_data_are_left_out_and_named() -> None:
    reference = image()
    fused = noisy(reference)
    expected = scores(np.delete(fused, [2, 5], axis=0), np.delete(reference, [2, 5], axis=0), ratio=4)
    reference[2] = np.nan
    fused[2], fused[5] = np.nan, np.nan
    result = scores(fused, reference, ratio=4)
    same_scores(result, expected)
    assert result.excluded_bands == (3, 6)
    assert result.bands == 5
    assert [band.band for band in result.per_band] == [1, 2, 4, 5, 7]


def test_missing_is_the_share_of_valid_reference_values_that_the_fused_image_lacks() -> None:
    fused, reference = noisy(image()), image()
    reference[:, :12] = np.nan
    fused[:, 6:18] = np.nan  # half of it where the reference has nothing either
    assert scores(fused, reference, ratio=4).missing == pytest.approx(0.5)


def test_the_peak_is_the_reference_s_alone() -> None:
    fused, reference = noisy(image()), image()
    reference[1, 2, 3] = 50
    fused[1, 2, 3] = np.nan
    assert scores(fused, reference, ratio=4).peak == 50


def test_nothing_valid_gives_undefined_scores() -> None:
    result = scores(np.full(SHAPE, np.nan, dtype=np.float32), image(), ratio=4)
    assert result.pixels == 0
    assert result.bands == 0
    assert all(np.isnan(getattr(result, name)) for name in NAMES)
    assert result.missing == 1


def test_bands_that_are_nowhere_valid_together_give_undefined_scores() -> None:
    fused, reference = noisy(image()), image()
    fused[0, :12], fused[1, 12:] = np.nan, np.nan
    result = scores(fused, reference, ratio=4)
    assert (result.pixels, result.excluded_pixels, result.bands) == (0, 24 * 40, 7)
    assert all(np.isnan(getattr(result, name)) for name in NAMES)


def test_images_smaller_than_a_window_have_no_ssim() -> None:
    result = scores(noisy(image())[:, :10], image()[:, :10], ratio=4)
    assert [name for name in NAMES if np.isnan(getattr(result, name))] == ["ssim"]


def test_a_reference_that_is_nowhere_positive_has_no_psnr_and_no_ssim() -> None:
    result = scores(np.zeros(SHAPE, dtype=np.float32), -image(), ratio=4)
    assert [name for name in NAMES if np.isnan(getattr(result, name))] == ["psnr", "psnr_bands", "ssim"]


def test_a_single_pixel_has_no_blocks() -> None:
    result = scores(image()[:, :1, :1] + 1, image()[:, :1, :1], ratio=4)
    assert result.pixels == 1
    assert np.isnan(result.uiqi)
    assert np.isnan(result.q2n)


def test_bands_without_error_do_not_make_the_mean_psnr_infinite() -> None:
    reference = image()
    fused = noisy(reference)
    fused[0] = reference[0]
    result = scores(fused, reference, ratio=4)
    finite = [band.psnr for band in result.per_band[1:]]
    assert result.per_band[0].psnr == float("inf")
    assert result.psnr_bands == pytest.approx(np.mean(finite), rel=1e-12)


def test_scores_of_bands_average_to_scores_of_the_image() -> None:
    result = scores(noisy(image()), image(), ratio=4)
    for name in ("ssim", "uiqi", "cc"):
        mean = np.mean([getattr(band, name) for band in result.per_band])
        assert mean == pytest.approx(getattr(result, name), rel=1e-12), name
    assert np.sqrt(np.mean([band.rmse**2 for band in result.per_band])) == pytest.approx(result.rmse, rel=1e-12)


def test_arrays_of_different_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(7, 24, 40\) and \(7, 24, 39\)"):
        scores(image(), image()[:, :, :-1], ratio=4)


def test_every_field_is_a_plain_number_or_tuple() -> None:
    result = scores(noisy(image()), image(), ratio=4)
    kinds = {
        type(value) for item in fields(result) if item.name != "per_band" for value in [getattr(result, item.name)]
    }
    assert kinds <= {float, int, bool, tuple, Compat}
    assert all(type(value) in {float, int} for band in result.per_band for value in astuple(band))


@pytest.mark.slow
def test_a_hyperspectral_scene_takes_seconds() -> None:
    reference = image(shape=(224, 340, 340))
    fused = reference * np.float32(1.01)
    start = time.process_time()  # of all threads; other programs do not count
    scores(fused, reference, ratio=4)
    assert time.process_time() - start < 20  # 4.5 s on one core
