import numpy as np
import pytest

from lr_scenes import psnr_db, simulated_pair
from pifnet_cli.choices import Protocol
from pifnet_models.classical.cnmf import CHECKED_EVERY, CNMF, Turn, unmix

C, M, H, W = 7, 3, 24, 40
TURNS = list(Turn)


def _reference(rng, *, bands=C, height=H, width=W, materials=4):
    """(C, H, W): patches of a few materials, 5 x 5 pixels large, in mixed brightness."""
    spectra = rng.uniform(0.05, 1, (bands, materials))
    patches = rng.integers(0, materials, (-(-height // 5), -(-width // 5)))
    owner = np.kron(patches, np.ones((5, 5), int))[:height, :width]
    return (spectra[:, owner] * rng.uniform(0.6, 1, (height, width))).astype(np.float32)


def _factors(rng, *, bands=C, pixels=60, count=4):
    mixed, spectra, abundances = (rng.uniform(0.01, 1, s) for s in ((bands, pixels), (bands, count), (count, pixels)))
    return mixed, spectra, abundances


def _literal(mixed, spectra, abundances, total):
    """V and W as published, with their sum-to-one row."""
    ones = np.full((1, mixed.shape[1]), total), np.full((1, spectra.shape[1]), total)
    return np.vstack([mixed, ones[0]]), np.vstack([spectra, ones[1]]), abundances


def _fused(pair):
    return CNMF.from_moments(pair.moments).fuse_block(pair.lr_hsi, pair.hr_msi, pair.operator)


@pytest.mark.parametrize("total", [0.0, 0.4])
def test_one_update_is_the_published_one(total):
    mixed, spectra, abundances = _factors(np.random.default_rng(0))
    v, w, h = _literal(mixed, spectra, abundances, total)
    renewed = w.copy()
    renewed[:-1] *= (v @ h.T)[:-1] / (w @ h @ h.T)[:-1]
    result = unmix(mixed, spectra, abundances, turn=Turn.BOTH, total=total, limit=1)
    np.testing.assert_allclose(result.spectra, renewed[:-1], rtol=1e-9)
    np.testing.assert_allclose(result.abundances, h * (renewed.T @ v) / (renewed.T @ renewed @ h), rtol=1e-9)
    alone = unmix(mixed, spectra, abundances, turn=Turn.ABUNDANCES, total=total, limit=1)
    np.testing.assert_allclose(alone.abundances, h * (w.T @ v) / (w.T @ w @ h), rtol=1e-9)
    np.testing.assert_array_equal(alone.spectra, spectra)


@pytest.mark.parametrize("turn", TURNS)
@pytest.mark.parametrize("total", [0.0, 0.4])
def test_no_update_raises_the_cost(turn, total):
    mixed, spectra, abundances = _factors(np.random.default_rng(1))
    mixed[:, :5] = 0
    abundances[1] = 0
    costs = []
    for _ in range(150):
        v, w, h = _literal(mixed, spectra, abundances, total)
        costs.append(np.square(v - w @ h).sum() / 2)
        spectra, abundances, own = unmix(mixed, spectra, abundances, turn=turn, total=total, limit=1)
        assert own[0] == pytest.approx(costs[-1], rel=1e-9)
    assert (np.diff(costs) <= 1e-12 * costs[0]).all()
    assert costs[-1] < 0.9 * costs[0]


@pytest.mark.parametrize("turn", TURNS)
def test_costs_are_monotone_in_float32(turn):
    mixed, spectra, abundances = (factor.astype(np.float32) for factor in _factors(np.random.default_rng(2)))
    result = unmix(mixed, spectra, abundances, turn=turn, total=0.1, limit=95)
    assert result.abundances.dtype == result.spectra.dtype == np.float32
    assert len(result.costs) in range(3, 12)
    assert (np.diff(result.costs) <= 1e-6 * result.costs[0]).all()


def test_an_exact_factorisation_stays():
    _, spectra, abundances = _factors(np.random.default_rng(3))
    abundances /= abundances.sum(axis=0)
    result = unmix(spectra @ abundances, spectra, abundances, turn=Turn.BOTH, total=0.7, limit=50)
    np.testing.assert_allclose(result.abundances, abundances, rtol=1e-9)
    assert len(result.costs) == 2  # the first check, after CHECKED_EVERY updates, ends it


def test_updates_end_at_the_limit():
    mixed, spectra, abundances = _factors(np.random.default_rng(4))
    result = unmix(mixed, spectra, abundances, turn=Turn.BOTH, total=0.0, limit=CHECKED_EVERY + 3)
    again = unmix(mixed, spectra, abundances, turn=Turn.BOTH, total=0.0, limit=CHECKED_EVERY)
    assert len(result.costs) == 3
    assert result.costs[:2] == again.costs


def test_sum_to_one_weight_is_the_published_one():
    """2 sqrt(mean / 0.7455) / M^3, the mean being that of the scaled MSI."""
    pair = simulated_pair(_reference(np.random.default_rng(0)), protocol=Protocol.MTF, msi=M)
    method = CNMF.from_moments(pair.moments)
    mean = pair.moments.msi_mean.mean() / method.peak
    assert method.total_weight == pytest.approx(2 * (mean / 0.7455) ** 0.5 / 27)
    assert method.endmembers == C


@pytest.mark.parametrize("protocol", list(Protocol))
def test_mixtures_of_few_materials_are_sharpened(protocol):
    pair = simulated_pair(_reference(np.random.default_rng(1)), protocol=protocol, msi=4)
    fused = _fused(pair)
    assert fused.dtype == np.float32
    assert fused.shape == pair.reference.shape
    assert psnr_db(fused, pair.reference) > psnr_db(pair.operator.up(pair.lr_hsi), pair.reference) + 6


@pytest.mark.parametrize(("bands", "msi", "ratio"), [(1, 1, 4), (7, 1, 2), (20, 12, 4), (7, 3, 1), (7, 3, 8)])
def test_any_number_of_bands_is_taken(bands, msi, ratio):
    pair = simulated_pair(
        _reference(np.random.default_rng(2), bands=bands), protocol=Protocol.MTF, ratio=ratio, msi=msi
    )
    assert psnr_db(_fused(pair), pair.reference) > psnr_db(pair.operator.up(pair.lr_hsi), pair.reference) + 1


def test_a_block_of_a_few_pixels_is_fused():
    reference = _reference(np.random.default_rng(3))
    whole = simulated_pair(reference, protocol=Protocol.PAPER, msi=M)
    corner = simulated_pair(reference[:, :8, :4], protocol=Protocol.PAPER, msi=M)
    fused = CNMF.from_moments(whole.moments).fuse_block(corner.lr_hsi, corner.hr_msi, corner.operator)
    assert fused.shape == (C, 8, 4)
    assert np.isfinite(fused).all()


@pytest.mark.parametrize("bands", [1, C])
@pytest.mark.parametrize("level", [0.4, 0.0])
def test_a_flat_scene_stays_flat(bands, level):
    pair = simulated_pair(np.full((bands, H, W), level, np.float32), protocol=Protocol.MTF, msi=1)
    np.testing.assert_allclose(_fused(pair), level, atol=1e-4)


def test_negative_pixels_count_as_zero():
    reference = _reference(np.random.default_rng(4))
    reference[2, :12] -= 0.8
    pair = simulated_pair(reference, protocol=Protocol.PAPER, msi=M)
    method = CNMF.from_moments(pair.moments)
    fused = method.fuse_block(pair.lr_hsi, pair.hr_msi, pair.operator)
    assert pair.lr_hsi.min() < -0.1
    assert fused.min() >= 0
    np.testing.assert_array_equal(fused, method.fuse_block(pair.lr_hsi.clip(0), pair.hr_msi, pair.operator))
