import numpy as np
import pytest

from pifnet_models.kriging.regression import Regression, RegressionSums
from pifnet_models.pifnet.anchored import (
    ResidualBasis,
    analysis_matrix,
    apply_correction,
    band_mean_square,
    features,
    guided_estimate,
    image_scale,
    image_scales,
    noise_scale,
    residual_basis,
    synthesis_matrix,
    target_coefficients,
)

C, M, K, H, W = 7, 3, 2, 24, 40


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def regression(rng):
    msi = rng.random((M, 500)).astype(np.float32)
    residual = rng.standard_normal((C, K)) @ rng.standard_normal((K, 500)) * 0.01
    hsi = rng.random((C, M)) @ msi + 0.3 + residual + 1e-4 * rng.standard_normal((C, 500))
    sums = RegressionSums(hsi_bands=C, msi_bands=M)
    sums.add(hsi.astype(np.float32), msi)
    return sums.solve()


@pytest.fixture
def basis(regression):
    return residual_basis([regression.residual_covariance], components=K, band_scale=np.ones(C), ratio=4.0)


def tile(rng):
    return {
        "upsampled": rng.random((C, H, W), dtype=np.float32),
        "hr_msi": rng.random((M, H, W), dtype=np.float32),
        "msi_smooth": rng.random((M, H, W), dtype=np.float32),
        "phase": rng.random((4, H, W), dtype=np.float32),
    }


def test_directions_are_orthonormal_and_std_falls(basis):
    assert basis.directions.T @ basis.directions == pytest.approx(np.eye(K), abs=1e-6)
    assert basis.component_std[0] >= basis.component_std[1] > 0
    assert basis.energy.sum() == pytest.approx(1)


def test_components_of_training_residuals_have_unit_variance(regression, basis, rng):
    root = np.linalg.cholesky(regression.residual_covariance + 1e-15 * np.eye(C))
    residuals = root @ rng.standard_normal((C, 20_000))
    components = analysis_matrix(regression, basis) @ residuals

    assert components.std(axis=1) == pytest.approx(np.ones(K), rel=0.03)


def test_synthesis_undoes_analysis(regression, basis):
    product = analysis_matrix(regression, basis) @ synthesis_matrix(regression, basis)
    assert product == pytest.approx(np.eye(K), abs=1e-5)


def test_noisier_bands_count_less(regression):
    scale = noise_scale(np.array([1, 1, 1, 1, 1, 1, 50.0]))
    basis = residual_basis([regression.residual_covariance], components=1, band_scale=scale, ratio=4.0)
    plain = residual_basis([regression.residual_covariance], components=1, band_scale=np.ones(C), ratio=4.0)

    assert abs(basis.directions[6, 0]) < 0.2 * abs(plain.directions[6, 0])
    assert np.mean(scale**2) == pytest.approx(1)


def test_scenes_count_alike_whatever_their_contrast(regression):
    other = np.diag(np.r_[np.zeros(C - 1), 1.0])
    weak = residual_basis(
        [regression.residual_covariance, 1e-6 * other], components=3, band_scale=np.ones(C), ratio=4.0
    )
    strong = residual_basis([regression.residual_covariance, other], components=3, band_scale=np.ones(C), ratio=4.0)

    assert weak.directions == pytest.approx(strong.directions, abs=1e-4)


def test_a_scene_without_residual_still_gives_a_basis():
    basis = residual_basis([np.zeros((C, C))], components=K, band_scale=np.ones(C), ratio=4.0)
    assert basis.components == 1
    assert np.isfinite(basis.component_std).all()


def test_arrays_give_the_basis_back(basis):
    again = ResidualBasis.from_arrays(basis.to_arrays())

    assert again.step == 4
    assert all(np.array_equal(getattr(again, name), getattr(basis, name)) for name in ("directions", "band_scale"))


def test_arrays_that_disagree_are_refused(basis):
    with pytest.raises(ValueError, match="directions"):
        ResidualBasis.from_arrays(basis.to_arrays() | {"band_scale": np.ones(C + 1, np.float32)})


def test_target_added_to_the_anchor_is_the_truth_within_the_subspace(regression, basis, rng):
    anchor = rng.random((C, H, W), dtype=np.float32)
    inside = synthesis_matrix(regression, basis) @ rng.standard_normal((K, H * W)).astype(np.float32)
    truth = anchor + inside.reshape(C, H, W)
    target = target_coefficients(truth, anchor, regression=regression, basis=basis)

    assert apply_correction(anchor, target, regression=regression, basis=basis) == pytest.approx(truth, abs=1e-5)


def test_zero_correction_is_the_anchor(regression, basis, rng):
    anchor = rng.random((C, H, W), dtype=np.float32)
    corrected = apply_correction(anchor, np.zeros((K, H, W), np.float32), regression=regression, basis=basis)
    assert np.array_equal(corrected, anchor)


def test_first_features_are_the_components_of_the_upsampled_residual(regression, basis, rng):
    inputs = tile(rng)
    explained = np.einsum("cm,mhw->chw", regression.weights, inputs["msi_smooth"]) + regression.intercept[:, None, None]
    expected = analysis_matrix(regression, basis) @ (inputs["upsampled"] - explained).reshape(C, -1)
    hsi, msi = features(**inputs, regression=regression, basis=basis)

    assert hsi.shape == (2 * K, H, W)
    assert msi.shape == (2 * M + 4, H, W)
    assert hsi[:K].reshape(K, -1) == pytest.approx(expected, rel=1e-3, abs=1e-2)
    assert np.array_equal(msi[-4:], inputs["phase"])


def test_invalid_pixels_are_zero_and_change_no_valid_one_but_their_neighbours(regression, basis, rng):
    inputs = tile(rng)
    whole = features(**inputs, regression=regression, basis=basis)
    inputs["upsampled"][2, 0, 0] = np.nan
    inputs["hr_msi"][1, 0, 1] = np.nan
    holed = features(**inputs, regression=regression, basis=basis)

    for before, after in zip(whole, holed, strict=True):
        assert (after[:, 0, :2] == 0).all()
        assert np.array_equal(after[:, 10:, 11:], before[:, 10:, 11:])
        assert np.isfinite(after).all()


def test_bands_without_pixels_do_not_matter(rng, regression):
    covariance = regression.residual_covariance.copy()
    covariance[3], covariance[:, 3] = 0, 0
    basis = residual_basis([covariance], components=K, band_scale=np.ones(C), ratio=4.0)
    inputs = tile(rng)
    inputs["upsampled"][3] = np.nan
    hsi, _ = features(**inputs, regression=regression, basis=basis)

    assert (basis.directions[3] == 0).all()
    assert (hsi[:K] != 0).all()


def test_guided_estimate_of_a_constant_is_the_constant(rng):
    guide = rng.standard_normal((M, H, W)).astype(np.float32)
    constant = np.full((K, H, W), 3.0, np.float32)
    estimate = guided_estimate(constant, guide=guide, smooth=guide, is_valid=np.ones((H, W), bool), step=4)
    assert estimate == pytest.approx(constant, rel=1e-5)


def test_guided_estimate_sharpens_an_edge_that_the_guide_shows():
    sharp = np.where(np.arange(W) < W // 2, -1.0, 1.0).astype(np.float32)
    blurred = np.clip((np.arange(W) - W // 2 + 0.5) / 4, -1, 1).astype(np.float32)
    guide, smooth = (np.broadcast_to(line, (1, H, W)) for line in (sharp, blurred))
    estimate = guided_estimate(smooth.copy(), guide=guide, smooth=smooth, is_valid=np.ones((H, W), bool), step=4)

    assert np.abs(estimate - guide).mean() < 0.5 * np.abs(smooth - guide).mean()


def test_band_mean_square_follows_from_the_moments(rng):
    msi = rng.random((M, 400)).astype(np.float32)
    hsi = (rng.random((C, M)) @ msi + rng.standard_normal((C, 400))).astype(np.float32)
    sums = RegressionSums(hsi_bands=C, msi_bands=M)
    sums.add(hsi, msi)

    assert band_mean_square(sums.solve()) == pytest.approx((hsi.astype(np.float64) ** 2).mean(axis=1), rel=1e-5)


def test_image_scale_is_the_rms_of_the_lr_msi():
    regression = Regression(np.zeros((C, 2)), np.zeros(C), np.eye(C), np.array([3.0, 0.0]), np.diag([7.0, 0.0]), 10)
    assert image_scale(regression) == pytest.approx(np.sqrt(8))


@pytest.mark.parametrize(
    ("unit", "factor"), [(1.0, 1.0), (0.3, 1.0), (3.0, 1.0), (1e4, 1e-4), (100.0, 0.01), (1e-4, 1e4)]
)
def test_an_msi_in_another_unit_has_a_scale_of_its_own(rng, unit, factor):
    msi = rng.uniform(0.1, 0.6, (M, 400)).astype(np.float32)
    hsi = (rng.random((C, M)) @ msi).astype(np.float32)
    sums = RegressionSums(hsi_bands=C, msi_bands=M)
    sums.add(hsi, msi * np.float32(unit))
    of_hsi, of_msi = image_scales(sums.solve())
    assert of_msi == image_scale(sums.solve())
    assert of_hsi == pytest.approx(of_msi * factor, rel=1e-5)
