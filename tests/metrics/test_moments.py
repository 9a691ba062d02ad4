import numpy as np
import pytest

from pifnet_cli.metrics.moments import Moments, block_moments


def pixels(bands: int = 7, count: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    reference = 100 + rng.standard_normal((bands, count))
    return reference + 0.3 * rng.standard_normal((bands, count)), reference


@pytest.mark.parametrize("cut", [0, 1, 77, 200])
def test_merged_parts_equal_the_whole(cut: int) -> None:
    fused, reference = pixels()
    parts = [
        block_moments(fused[:, part], reference[:, part])[0] if part.stop > part.start else Moments.none(7)
        for part in (slice(0, cut), slice(cut, 200))
    ]
    whole, merged = block_moments(fused, reference)[0], parts[0].merged(parts[1])
    assert merged.count == 200
    for name in ("fused_mean", "reference_mean", "fused_scatter", "reference_scatter", "cross_scatter"):
        np.testing.assert_allclose(getattr(merged, name), getattr(whole, name), rtol=1e-11)


def test_correlation_matches_numpy() -> None:
    fused, reference = pixels()
    expected = [np.corrcoef(x, y)[0, 1] for x, y in zip(fused, reference, strict=True)]
    np.testing.assert_allclose(block_moments(fused, reference)[0].correlation, expected, rtol=1e-10)


def test_a_band_flat_in_the_reference_has_no_correlation() -> None:
    fused, reference = pixels(bands=2)
    reference[0] = 0.1
    correlation = block_moments(fused, reference)[0].correlation
    assert np.isnan(correlation[0])
    assert np.isfinite(correlation[1])


def test_a_band_flat_in_the_fused_image_alone_has_correlation_zero() -> None:
    fused, reference = pixels(bands=1)
    assert block_moments(np.full_like(fused, 3.0), reference)[0].correlation[0] == 0


def test_uiqi_of_one_block_matches_its_three_factors() -> None:
    fused, reference = pixels(bands=1)
    x, y = fused[0], reference[0]
    correlation = np.corrcoef(x, y)[0, 1]
    contrast = 2 * x.std() * y.std() / (x.var() + y.var())
    luminance = 2 * x.mean() * y.mean() / (x.mean() ** 2 + y.mean() ** 2)
    assert block_moments(fused, reference)[0].quality[0] == pytest.approx(correlation * contrast * luminance, rel=1e-9)


def test_q2n_of_one_band_is_the_modulus_of_uiqi() -> None:
    fused, reference = pixels(bands=1)
    for image in (fused, 200 - fused):  # the second is anti-correlated
        moments, q2n = block_moments(image, reference)
        assert q2n == pytest.approx(abs(moments.quality[0]), rel=1e-12)


@pytest.mark.parametrize("bands", [1, 3, 7, 16, 20])
def test_q2n_of_an_image_with_itself_is_one(bands: int) -> None:
    _, reference = pixels(bands=bands)
    assert block_moments(reference, reference)[1] == pytest.approx(1, rel=1e-12)


def test_q2n_does_not_depend_on_units() -> None:
    fused, reference = pixels()
    assert block_moments(5 * fused, 5 * reference)[1] == pytest.approx(block_moments(fused, reference)[1], rel=1e-12)


def test_q2n_falls_with_noise() -> None:
    rng = np.random.default_rng(3)
    _, reference = pixels()
    noise = rng.standard_normal(reference.shape)
    values = [block_moments(reference + level * noise, reference)[1] for level in (0.0, 0.1, 0.5, 2.0)]
    assert values == sorted(values, reverse=True)


def test_flat_blocks_that_agree_score_one() -> None:
    flat = np.full((3, 64), 0.7)
    moments, q2n = block_moments(flat, flat)
    assert q2n == 1
    assert moments.quality.tolist() == [1, 1, 1]


def test_zero_blocks_score_one() -> None:
    zero = np.zeros((3, 64))
    moments, q2n = block_moments(zero, zero)
    assert q2n == 1
    assert moments.quality.tolist() == [1, 1, 1]
