import itertools

import numpy as np
import pytest

from pifnet_cli.metrics.without_reference import (
    LevelSums,
    LevelTotals,
    agreement_per_band,
    block_sides,
    median_error_over_noise,
    pairwise_quality,
    root_mean_square_error,
    spatial_distortion,
    spectral_distortion,
)

C, M, H, W = 5, 3, 24, 40


def images(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return tuple((5 + rng.random((bands, H, W))).astype(np.float32) for bands in (C, M))


def totals(image, msi, *, made=None, measured=None, side=8) -> LevelTotals:
    made, measured = (image if part is None else part for part in (made, measured))
    sums = LevelSums(bands=len(image), msi_bands=len(msi), compared=len(made), side=side)
    sums.add(image, msi, made, measured)
    return sums.totals()


def direct_quality(x: np.ndarray, y: np.ndarray) -> float:
    """Wang and Bovik's index of two arrays, as its three factors."""
    (varx, cov), (_, vary) = np.cov(x.ravel(), y.ravel(), bias=True)
    loss = cov / np.sqrt(varx * vary)
    luminance = 2 * x.mean() * y.mean() / (x.mean() ** 2 + y.mean() ** 2)
    return loss * luminance * 2 * np.sqrt(varx * vary) / (varx + vary)


def direct_mean_quality(x: np.ndarray, y: np.ndarray, side: int) -> float:
    """Over blocks of one image pair, those at the far sides weighing by their pixels."""
    total = 0.0
    for row in range(0, H, side):
        for column in range(0, W, side):
            block = np.s_[row : row + side, column : column + side]
            total += x[block].size * direct_quality(x[block].astype(float), y[block].astype(float))
    return total / (H * W)


def test_all_pairs_are_those_of_two_bands_at_a_time() -> None:
    rng = np.random.default_rng(0)
    first, second = 3 + rng.random((C, 50)), 2 + rng.random((M, 50))
    expected = [[direct_quality(x, y) for y in second] for x in first]
    np.testing.assert_allclose(pairwise_quality(first, second), expected, rtol=1e-10)


@pytest.mark.parametrize("side", [8, 9, 64])
def test_d_lambda_is_the_mean_over_pairs_of_bands(side: int) -> None:
    (fused, msi), (lr, low) = images(0), images(1)
    pairs = itertools.permutations(range(C), 2)
    change = [
        direct_mean_quality(fused[one], fused[other], side) - direct_mean_quality(lr[one], lr[other], side)
        for one, other in pairs
    ]
    result = spectral_distortion(totals(fused, msi, side=side), totals(lr, low, side=side))
    assert result == pytest.approx(np.abs(change).mean(), rel=1e-6)


def test_d_s_is_the_mean_over_bands_of_both_scenes() -> None:
    (fused, msi), (lr, low) = images(0), images(1)
    pairs = [(k, m) for k in range(C) for m in range(M)]
    change = [direct_mean_quality(fused[k], msi[m], 8) - direct_mean_quality(lr[k], low[m], 8) for k, m in pairs]
    assert spatial_distortion(totals(fused, msi), totals(lr, low)) == pytest.approx(np.abs(change).mean(), rel=1e-6)


def test_relations_that_are_kept_are_no_distortion_though_every_pixel_is_another() -> None:
    image, msi = images()
    turned = [part[:, :, ::-1].copy() for part in (image, msi)]  # 40 columns: blocks of 8 take each other's places
    before, after = totals(image, msi), totals(*turned)
    assert spectral_distortion(after, before) == pytest.approx(0, abs=1e-12)
    assert spatial_distortion(after, before) == pytest.approx(0, abs=1e-12)


def test_relations_that_are_reversed_are_the_largest_distortion() -> None:
    wave = np.random.default_rng(0).standard_normal((H, W))
    wave = np.concatenate([wave[:, :4], -wave[:, :4]] * 5, axis=1)[None]  # mean zero in every block
    alike, opposite = np.concatenate([2 + wave, 2 + wave]), np.concatenate([2 + wave, 2 - wave])
    hr, lr = totals(alike.astype(np.float32), alike[:1]), totals(opposite.astype(np.float32), alike[:1])
    assert spectral_distortion(hr, lr) == pytest.approx(2, rel=1e-6)
    assert spatial_distortion(hr, lr) == pytest.approx(1, rel=1e-6)  # one band of two turned round


def test_one_band_has_no_spectral_distortion() -> None:
    (fused, msi), (lr, low) = images(0), images(1)
    assert spectral_distortion(totals(fused[:1], msi), totals(lr[:1], low)) == 0


def test_parts_in_any_order_come_to_the_whole() -> None:
    image, msi = images()
    made = image + 0.1 * images(1)[0]
    whole = totals(image, msi, made=made)
    sums = LevelSums(bands=C, msi_bands=M, compared=C, side=8)
    for rows, columns in ((slice(8, 24), slice(16, 40)), (slice(0, 8), slice(0, 40)), (slice(8, 24), slice(0, 16))):
        sums.add(*(part[:, rows, columns] for part in (image, msi, made, image)))
    parts = sums.totals()
    np.testing.assert_allclose(parts.quality, whole.quality, rtol=1e-10)
    assert parts.sam == pytest.approx(whole.sam, rel=1e-10)
    np.testing.assert_allclose(parts.agreement.squared_error, whole.agreement.squared_error, rtol=1e-10)


@pytest.mark.parametrize("spoilt", range(4))
def test_a_pixel_invalid_in_one_image_counts_in_none(spoilt: int) -> None:
    image, msi = images()
    parts = [image.copy(), msi.copy(), image + np.float32(0.5), image.copy()]
    parts[spoilt][1, 3, 5] = np.nan
    sums = LevelSums(bands=C, msi_bands=M, compared=C, side=8)
    counts = sums.add(*parts)
    assert np.argwhere(~counts).tolist() == [[3, 5]]
    assert sums.totals().agreement.count == H * W - 1
    assert np.isfinite(sums.totals().quality).all()
    assert root_mean_square_error(sums.totals().agreement) == pytest.approx(0.5, rel=1e-6)


def test_without_a_valid_pixel_nothing_is_defined() -> None:
    image, msi = images()
    result = totals(image * np.nan, msi)
    assert np.isnan(spectral_distortion(result, totals(image, msi)))
    assert np.isnan(root_mean_square_error(result.agreement))
    assert np.isnan(result.sam)


def test_agreement_is_told_band_by_band() -> None:
    image, msi = images()
    errors = np.arange(C, dtype=np.float32)[:, None, None]
    bands = agreement_per_band(totals(image, msi, made=image + errors, measured=image).agreement, (1, 2, 4, 5, 7))
    assert [band.band for band in bands] == [1, 2, 4, 5, 7]
    assert [band.rmse for band in bands] == pytest.approx([0, 1, 2, 3, 4], abs=1e-6)
    assert [band.cc for band in bands] == pytest.approx([1] * C)
    assert [band.mean for band in bands] == pytest.approx(image.mean(axis=(1, 2)), rel=1e-5)
    assert all(np.isnan(band.noise) for band in bands)


def test_errors_are_told_in_units_of_the_noise() -> None:
    image, msi = images()
    errors = np.arange(C, dtype=np.float32)[:, None, None]
    noise = np.array([np.nan, 0.5, 0.0, 1.0, 1.0])
    agreement = totals(image, msi, made=image + errors, measured=image).agreement
    assert median_error_over_noise(agreement_per_band(agreement, (1, 2, 3, 4, 5), noise=noise)) == pytest.approx(3)
    assert np.isnan(median_error_over_noise(agreement_per_band(agreement, (1, 2, 3, 4, 5))))


@pytest.mark.parametrize("ratio", [1.0, 2.0, 3.0, 3.3, 4.0, 10.0, 30.0])
def test_blocks_of_both_levels_are_of_the_same_ground(ratio: float) -> None:
    hr_side, lr_side = block_sides(ratio)
    assert hr_side >= 32
    assert lr_side >= 8
    assert hr_side == pytest.approx(ratio * lr_side, rel=0.05)
