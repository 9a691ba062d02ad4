import numpy as np
import pytest

from lr_scenes import regular_operator, simulated_pair
from pifnet_cli.choices import Protocol
from pifnet_cli.degrade.sensor_model import SensorModel
from pifnet_models.classical.area_to_point import correlation_range
from pifnet_models.classical.atprk import ATPRK
from pifnet_models.classical.glp import GLP
from pifnet_models.sampling import SamplingOperator


def _reference(rng, *, bands=7, height=96, width=80):
    """(C, H, W): a smooth field per band that no other band knows of, and a rough one that all share."""
    place = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"))
    waves = [np.sin(np.tensordot(rng.uniform(-0.25, 0.25, 2), place, 1) + rng.uniform(0, 6)) for _ in range(3 * bands)]
    own = np.stack(waves).reshape(3, bands, height, width).mean(axis=0)
    return (2 + rng.uniform(0.3, 1, (bands, 1, 1)) * rng.normal(size=(height, width)) + own).astype(np.float32)


@pytest.mark.parametrize("protocol", list(Protocol))
def test_degrading_the_result_gives_back_the_lr_hsi(protocol):
    pair = simulated_pair(_reference(np.random.default_rng(0)), protocol=protocol, msi=3)
    method = ATPRK.from_moments(pair.moments)
    fused = method.fuse_block(pair.lr_hsi, pair.hr_msi, pair.operator)
    assert fused.dtype == np.float32
    residual = method.residual(pair.lr_hsi, pair.hr_msi, pair.operator)
    remaining = np.square(pair.operator.down(fused) - pair.lr_hsi).mean() / np.square(residual).mean()
    assert remaining < 0.02**2


def test_what_the_msi_explains_is_reproduced():
    rng = np.random.default_rng(1)
    guide = rng.uniform(0, 1, (3, 24, 40))
    reference = (np.tensordot(rng.normal(size=(6, 3)), guide, 1) + 0.5).astype(np.float32)
    pair = simulated_pair(reference, protocol=Protocol.MTF, msi=6)
    fused = ATPRK.from_moments(pair.moments).fuse_block(pair.lr_hsi, pair.hr_msi, pair.operator)
    np.testing.assert_allclose(fused, reference, atol=2e-5)


def test_kriging_finds_more_than_interpolation_of_the_residual():
    pair = simulated_pair(_reference(np.random.default_rng(2)), protocol=Protocol.MTF, msi=3)
    fused = ATPRK.from_moments(pair.moments).fuse_block(pair.lr_hsi, pair.hr_msi, pair.operator)
    regression = GLP.from_moments(pair.moments).apply(*pair.planes)
    assert np.square(fused - pair.reference).mean() < 0.97 * np.square(regression - pair.reference).mean()


def test_a_block_with_its_halo_equals_the_whole():
    pair = simulated_pair(_reference(np.random.default_rng(3), height=120), protocol=Protocol.MTF, msi=3)
    method = ATPRK.from_moments(pair.moments, distance=10.0)
    whole = method.fuse_block(pair.lr_hsi, pair.hr_msi, pair.operator)
    first, last = 14, 20  # LR rows of the core
    top, bottom = first - method.halo, last + method.halo
    assert bottom < 30
    sensor = SensorModel(Protocol.MTF, 4, 0.3, np.ones((1, 1)))
    operator = regular_operator(sensor, ((bottom - top) * 4, 80))
    part = method.fuse_block(pair.lr_hsi[:, top:bottom], pair.hr_msi[:, 4 * top : 4 * bottom], operator)
    core = slice(4 * method.halo, 4 * method.halo + 4 * (last - first))
    np.testing.assert_allclose(part[:, core], whole[:, 4 * first : 4 * last], atol=1e-4)


def test_a_range_that_is_given_is_the_one_used():
    pair = simulated_pair(_reference(np.random.default_rng(4)), protocol=Protocol.MTF, msi=3)
    free = ATPRK.from_moments(pair.moments)
    found = correlation_range(free.residual(pair.lr_hsi, pair.hr_msi, pair.operator), pair.operator)
    fused = free.fuse_block(pair.lr_hsi, pair.hr_msi, pair.operator)
    same = ATPRK.from_moments(pair.moments, distance=found).fuse_block(pair.lr_hsi, pair.hr_msi, pair.operator)
    other = ATPRK.from_moments(pair.moments, distance=found / 4).fuse_block(pair.lr_hsi, pair.hr_msi, pair.operator)
    np.testing.assert_array_equal(fused, same)
    assert np.abs(fused - other).max() > 1e-3


def test_dead_bands_do_not_reach_the_others():
    pair = simulated_pair(_reference(np.random.default_rng(5)), protocol=Protocol.MTF, msi=3)
    method = ATPRK.from_moments(pair.moments)
    weights, offset = (np.array(values) for values in method.regression)
    weights[3], offset[3] = 0, 0
    dead = ATPRK(type(method.regression)(weights, offset))
    filled = pair.lr_hsi.copy()
    filled[3] = 0
    live = np.delete(np.arange(7), 3)
    without = ATPRK(type(method.regression)(weights[live], offset[live]))
    fused = dead.fuse_block(filled, pair.hr_msi, pair.operator)
    assert not fused[3].any()
    expected = without.fuse_block(pair.lr_hsi[live], pair.hr_msi, pair.operator)
    np.testing.assert_allclose(fused[live], expected, atol=1e-5)


@pytest.mark.parametrize("ratio", [1, 2, 3, 8])
def test_other_ratios_and_a_single_band(ratio):
    rng = np.random.default_rng(6)
    pair = simulated_pair(_reference(rng, bands=1), protocol=Protocol.PAPER, ratio=ratio, msi=1) if ratio != 3 else None
    if pair is None:
        pair = simulated_pair(_reference(rng, bands=1, height=96, width=81), protocol=Protocol.MTF, ratio=3, msi=1)
    fused = ATPRK.from_moments(pair.moments).fuse_block(pair.lr_hsi, pair.hr_msi, pair.operator)
    np.testing.assert_allclose(fused, pair.reference, atol=1e-4)  # the MSI is the band itself


def test_inputs_are_left_alone():
    pair = simulated_pair(_reference(np.random.default_rng(7)), protocol=Protocol.PAPER, msi=3)
    before = pair.lr_hsi.copy(), pair.hr_msi.copy()
    ATPRK.from_moments(pair.moments).fuse_block(pair.lr_hsi, pair.hr_msi, pair.operator)
    np.testing.assert_array_equal(pair.lr_hsi, before[0])
    np.testing.assert_array_equal(pair.hr_msi, before[1])


def test_points_beyond_the_lr_pixels_are_served():
    pair = simulated_pair(_reference(np.random.default_rng(8)), protocol=Protocol.MTF, msi=3)
    operator = pair.operator
    fewer = SamplingOperator(
        operator.rows[4:20], operator.columns[3:17], operator.up_rows[:, 4:20], operator.up_columns[:, 3:17]
    )
    method = ATPRK.from_moments(pair.moments, distance=8.0)
    fused = method.fuse_block(pair.lr_hsi[:, 4:20, 3:17], pair.hr_msi, fewer)
    assert np.isfinite(fused).all()
    whole = method.fuse_block(pair.lr_hsi, pair.hr_msi, operator)
    np.testing.assert_allclose(fused[:, 28:68, 24:56], whole[:, 28:68, 24:56], atol=1e-5)
