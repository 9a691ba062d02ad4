"""What every method that solves for a block as a whole keeps to."""

import subprocess
import sys

import numpy as np
import pytest

from lr_scenes import moments_of, psnr_db, simulated_pair
from pifnet_cli.catalog import Kind, Method
from pifnet_cli.choices import Protocol
from reference_scenes import SCENES, real_scene

C, M, H, W = 7, 3, 24, 40

BLOCK_METHODS = [method for method in Method if method.facts.kind is Kind.BLOCK]


def _reference(rng):
    """(C, H, W): patches of four materials, 5 x 5 pixels large, in mixed brightness."""
    spectra = rng.uniform(0.05, 1, (C, 4))
    owner = np.kron(rng.integers(0, 4, (-(-H // 5), -(-W // 5))), np.ones((5, 5), int))[:H, :W]
    return (spectra[:, owner] * rng.uniform(0.6, 1, (H, W))).astype(np.float32)


def _fused(name, pair):
    method = name.facts.load().from_moments(pair.moments)
    return method.fuse_block(pair.lr_hsi, pair.hr_msi, pair.operator)


@pytest.mark.parametrize("name", BLOCK_METHODS)
def test_bands_without_data_stay_without(name):
    pair = simulated_pair(_reference(np.random.default_rng(5)), protocol=Protocol.PAPER, msi=M)
    kept = np.array([0, 1, 2, 4, 5, 6])
    holed = np.insert(pair.lr_hsi[kept], 3, np.nan, axis=0)
    low = pair.operator.down(pair.hr_msi).reshape(M, -1)
    method = name.facts.load()
    fused = method.from_moments(moments_of(holed.reshape(C, -1), low)).fuse_block(holed, pair.hr_msi, pair.operator)
    without = method.from_moments(moments_of(pair.lr_hsi[kept].reshape(6, -1), low))
    assert np.isnan(fused[3]).all()
    expected = without.fuse_block(pair.lr_hsi[kept], pair.hr_msi, pair.operator)
    np.testing.assert_allclose(fused[kept], expected, atol=1e-6)


@pytest.mark.parametrize("name", BLOCK_METHODS)
def test_the_same_block_gives_the_same_result_and_stays_as_it_is(name):
    pair = simulated_pair(_reference(np.random.default_rng(6)), protocol=Protocol.MTF, msi=M)
    before = pair.lr_hsi.copy(), pair.hr_msi.copy()
    np.testing.assert_array_equal(_fused(name, pair), _fused(name, pair))
    np.testing.assert_array_equal(pair.lr_hsi, before[0])
    np.testing.assert_array_equal(pair.hr_msi, before[1])


@pytest.mark.slow
@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("ratio", [2, 4, 8])
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("name", BLOCK_METHODS)
def test_real_scenes_come_out_better_than_interpolated(real_data, name, scene, ratio, protocol):
    pair = simulated_pair(real_scene(real_data, scene, ratio=ratio), protocol=protocol, ratio=ratio)
    assert psnr_db(_fused(name, pair), pair.reference) > psnr_db(pair.operator.up(pair.lr_hsi), pair.reference) + 5


def test_torch_is_not_loaded():
    modules = ", ".join(f"pifnet_models.classical.{name}" for name in BLOCK_METHODS)
    command = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
