"""Kriging's standard deviations against a dense Gaussian process, on scenes drawn from the model, and on a real one."""

import numpy as np
import pytest

from dense_kriging import C, dense_covariance, dense_features, simulated
from pifnet_cli.degrade.noise import with_noise
from pifnet_cli.degrade.psf import gaussian_from_mtf
from pifnet_cli.fusion.closed_form import Sigma, kriging_engine
from pifnet_cli.fusion.msi_noise import msi_noise
from pifnet_cli.pair.tile import PairGeometry, PairTile, degrade_msi
from pifnet_cli.scene import Window
from pifnet_models.kriging.error import SolvedSamples
from pifnet_models.kriging.kriging import GuidedKriging
from pifnet_models.kriging.noise import hsi_noise_std
from pifnet_models.kriging.regression import RegressionSums
from reference_scenes import real_scene

RATIO = 4.0


def _with_sigma(pair, kriging):
    return kriging.fuse_with_sigma(pair.lr_hsi, pair.hr_msi, pair.operator, core=pair.whole)


def _kriging(pair, **options):
    return GuidedKriging.from_regression(pair.regression, ratio=RATIO, **options)


def _posterior(pair, kriging, msi_error):
    """(C, H, W) variances, every matrix whole, in float64; NaN leaves LR pixels and fine pixels out."""
    regression, (height, width) = kriging.regression, pair.hr_msi.shape[1:]
    msi, hsi = (image.reshape(len(image), -1).astype(float) for image in (pair.hr_msi, pair.lr_hsi))
    valid = np.isfinite(msi).all(axis=0)
    msi = np.where(valid, msi, 0)
    sampling = np.kron(pair.operator.rows.toarray(), pair.operator.columns.toarray())
    share = (sampling * valid).sum(axis=1)
    used = np.isfinite(hsi).all(axis=0) & (share >= 0.95)
    seen = (sampling * valid)[used] / share[used, None]
    residual = hsi[:, used] - (regression.weights @ msi + regression.intercept[:, None]) @ seen.T
    features = dense_features(regression, msi, valid, height, width)
    covariance = dense_covariance(features, height, width, 1)
    between, across = seen @ covariance @ seen.T, covariance @ seen.T
    usual = np.diag(kriging.analysis @ regression.residual_covariance @ kriging.analysis.T)
    total = np.zeros((len(hsi), height * width))
    for analysis, synthesis, relative, variance in zip(
        kriging.analysis, kriging.synthesis.T, kriging.noise_to_signal, usual, strict=True
    ):
        level, score = np.trace(between) / len(between), analysis @ residual
        noisy = between + relative * level * np.eye(len(between))
        fit = score @ np.linalg.solve(noisy, score)
        signal = (fit + 20 * variance / (level + relative * level)) / (len(score) + 20)
        rest = np.diag(covariance - across @ np.linalg.solve(noisy, across.T))
        total += np.outer(np.square(synthesis) * signal, rest)
    variance = np.diag(regression.residual_covariance)
    left = np.maximum(variance - np.square(kriging.synthesis) @ usual - np.square(hsi_noise_std(regression)), 0)
    energy = np.square(sampling).sum(axis=1).mean()
    total += (left * (1 - sampling.shape[0] / sampling.shape[1]) / energy)[:, None]
    total += np.diag(regression.weights @ msi_error @ regression.weights.T)[:, None]
    distances = np.square(features[: len(features) // 2]).sum(axis=0)
    total += np.outer(variance / regression.pixels, 1 + distances)
    return np.where(valid, total, np.nan).reshape(-1, height, width)


@pytest.mark.parametrize("holes", [False, True])
def test_sigma_is_that_of_the_dense_posterior(holes):
    pair, msi_error = simulated(noise=0.005), np.diag([1e-6, 4e-6, 9e-6]) + 1e-7
    kriging = _kriging(pair, adapts=False, msi_error=msi_error)
    if holes:
        pair.lr_hsi[:, 2, 4:6] = np.nan
        pair.hr_msi[1, 10, 17] = np.nan
        pair.hr_msi[:, 15:22, 28:36] = np.nan
    expected = _posterior(pair, kriging, msi_error)
    sigma = _with_sigma(pair, kriging)[1]

    assert np.array_equal(np.isnan(sigma), np.isnan(expected))
    # Float32 covariances, and a posterior variance that is what a difference leaves of them.
    np.testing.assert_allclose(np.square(sigma), expected, rtol=2e-3)


def test_what_is_fused_does_not_change():
    pair = simulated(noise=0.005)
    pair.lr_hsi[3] = np.nan
    pair.hr_msi[:, 15:22, 28:36] = np.nan
    kriging = _kriging(simulated(noise=0.005))
    fused, sigma = _with_sigma(pair, kriging)
    assert np.array_equal(fused, pair.fuse(kriging), equal_nan=True)
    assert np.array_equal(np.isnan(sigma), np.isnan(fused))
    assert (sigma[np.isfinite(sigma)] > 0).all()


def test_variances_do_not_depend_on_how_many_pixels_are_computed_at_once():
    pair, rng = simulated(noise=0.005), np.random.default_rng(0)
    error = _kriging(pair).error
    samples, components, pixels = 30, len(error.variance), pair.hr_msi[0].size
    solved = SolvedSamples(
        values=rng.uniform(1, 2, samples),
        vectors=np.linalg.qr(rng.normal(size=(samples, samples)))[0],
        along=rng.normal(size=(samples, components)),
        damping=rng.uniform(0.1, 1, components),
        with_core=rng.uniform(0, 0.1, (pixels, samples)).astype(np.float32),
    )
    own, distances = (rng.uniform(1, 2, pixels).astype(np.float32) for _ in range(2))
    whole, parts = (
        error.at_pixels(solved, pair.operator, own=own, distances=distances, **chunks)
        for chunks in ({}, {"pixels_at_once": 17})
    )
    np.testing.assert_allclose(parts, whole, rtol=1e-5)


def test_sigma_grows_where_samples_are_missing():
    pair = simulated(size=(48, 64), noise=0.005)
    kriging = _kriging(pair, adapts=False)
    before = _with_sigma(pair, kriging)[1]
    pair.lr_hsi[:, 3:9, 4:10] = np.nan
    after = _with_sigma(pair, kriging)[1]
    middle = slice(20, 28), slice(24, 32)
    assert (after[:, *middle] > 1.05 * before[:, *middle]).all()
    assert after[:, *middle].mean() > 1.2 * before[:, *middle].mean()
    # Eight LR pixels away nothing is missed.
    assert after[:, :, -8:] == pytest.approx(before[:, :, -8:], rel=0.02)


def test_without_any_sample_sigma_is_the_residual_s():
    pair = simulated(noise=0.005)
    kriging = _kriging(pair)
    pair.lr_hsi[:] = np.nan
    pair.lr_hsi[0, 0, 0], pair.lr_hsi[1:, 1, 1] = 0.2, 0.2  # no pixel has all bands
    sigma = _with_sigma(pair, kriging)[1]
    residual = np.sqrt(np.diag(kriging.regression.residual_covariance))
    assert np.median(sigma, axis=(1, 2)) == pytest.approx(residual, rel=0.2)  # and the regression's own uncertainty


def test_a_band_without_signal_is_given_none_and_less_doubt_than_its_noise():
    pair = simulated(bands=16, size=(64, 64), noise=0.002)
    noise = 0.02 * np.random.default_rng(3).normal(size=pair.lr_hsi[5].shape)
    pair.lr_hsi[5], pair.reference[5] = 0.3 + noise, 0.3
    fused, sigma = _with_sigma(pair, _kriging(pair))
    error = np.sqrt(np.square(fused[5] - 0.3).mean())
    assert pair.regression.explained[5] < 0.05
    # What is smooth in it is lost in the noise, and not excluded.
    assert error < np.sqrt(np.square(sigma[5]).mean()) < 0.02
    assert error < 0.004


def _drawn(seed, *, bands=16, msi_noise=0.0):
    """A pair whose residual is a draw from the covariance itself, given the HR-MSI, and its noise-free truth."""
    pair = simulated(bands=bands, size=(40, 48))
    rng, (height, width) = np.random.default_rng(seed), pair.hr_msi.shape[1:]
    msi = pair.hr_msi.reshape(len(pair.hr_msi), -1).astype(float)
    valid = np.ones(msi.shape[1], dtype=bool)
    covariance = dense_covariance(dense_features(pair.regression, msi, valid, height, width), height, width, 1)
    fields = np.linalg.cholesky(covariance + 1e-9 * np.eye(len(covariance))) @ rng.normal(size=(len(covariance), 2))
    spectra = np.stack([np.sin(np.linspace(0, 3, bands)), np.cos(np.linspace(0, 5, bands))])
    truth = rng.uniform(0.2, 0.4, (bands, len(msi))) @ msi + 0.01 * (fields @ spectra).T
    pair.reference = truth.reshape(bands, height, width)
    pair.lr_hsi = pair.operator.down(pair.reference.astype(np.float32))
    pair.lr_hsi += 0.003 * rng.normal(size=pair.lr_hsi.shape).astype(np.float32)
    pair.hr_msi = (pair.hr_msi + msi_noise * rng.normal(size=pair.hr_msi.shape)).astype(np.float32)
    return pair


@pytest.mark.parametrize("msi_noise", [0.0, 0.01])
def test_scenes_drawn_from_the_model_are_covered_as_a_normal_distribution_is(msi_noise):
    normalised = []
    for seed in range(3):
        pair = _drawn(seed, msi_noise=msi_noise)
        fused, sigma = _with_sigma(pair, _kriging(pair, msi_error=msi_noise**2 * np.eye(len(pair.hr_msi))))
        normalised.append((fused - pair.reference) / sigma)
    normalised = np.stack(normalised)
    assert 0.62 < (np.abs(normalised) < 1).mean() < 0.74
    assert 0.92 < (np.abs(normalised) < 2).mean() < 0.98
    assert 0.85 < np.sqrt(np.square(normalised).mean()) < 1.15


def test_noise_of_the_hr_msi_goes_through_the_weights():
    pair, error = simulated(noise=0.005), np.diag([1e-4, 0, 4e-4])
    squares = [np.square(_with_sigma(pair, _kriging(pair, msi_error=given))[1]) for given in (None, error)]
    added = np.diag(pair.regression.weights @ error @ pair.regression.weights.T)
    np.testing.assert_allclose((squares[1] - squares[0]).mean(axis=(1, 2)), added, rtol=1e-3)


def test_a_real_scene_is_covered(real_data):
    """Two thirds of errors are smaller than sigma: between pixels that are easy and bands that are hard."""
    reference = np.maximum(real_scene(real_data, "abu-airport-2", ratio=1), 0)
    rng, ratio, size = np.random.default_rng(0), 3.3, reference.shape[1:]
    lr_size = tuple(int((side - 3) // ratio) for side in size)
    geometry = PairGeometry.regular(ratio=ratio, phase=(1.9, 2.2), lr_size=lr_size, hr_size=size)
    psf = gaussian_from_mtf(0.2, ratio_rows=ratio, ratio_columns=ratio)
    lr_hsi = with_noise(degrade_msi(reference, geometry.lr_in_hr, psf), 35, rng)
    hr_msi = with_noise(np.stack([part.mean(axis=0) for part in np.array_split(reference, 4)]), 40, rng)
    low, sums = degrade_msi(hr_msi, geometry.lr_in_hr, psf), RegressionSums(hsi_bands=len(reference), msi_bands=4)
    sums.add(lr_hsi.reshape(len(lr_hsi), -1), low.reshape(4, -1))
    regression = sums.solve()
    noise = msi_noise(lambda window: hr_msi[:, *window.slices], regression, area=Window(0, 0, *size), psf=psf)
    engine = kriging_engine(regression, ratio=(ratio, ratio), noise=noise, sigma=Sigma.TELL)
    fused, sigma = engine.fuse(PairTile(lr_hsi, hr_msi, geometry, psf))
    error = np.abs(fused - reference)
    known = np.isfinite(error)

    assert 0.60 < (error < sigma)[known].mean() < 0.76
    by_pixel, errors = sigma[:, known.all(axis=0)].mean(axis=0), error[:, known.all(axis=0)].mean(axis=0)
    assert errors[by_pixel > np.quantile(by_pixel, 0.9)].mean() > 1.3 * errors.mean()


def test_a_dead_band_has_no_sigma_and_takes_none_from_others():
    pair = simulated(noise=0.005)
    pair.lr_hsi[3] = np.nan
    sigma = _with_sigma(pair, _kriging(pair))[1]
    assert np.isnan(sigma[3]).all()
    assert np.isfinite(np.delete(sigma, 3, axis=0)).all()
    assert sigma.shape == (C, *pair.hr_msi.shape[1:])
