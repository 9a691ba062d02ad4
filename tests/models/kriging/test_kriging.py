"""Guided kriging against dense equations in float64, against the readable reference, and on damaged scenes."""

import dataclasses
import importlib.util
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import scipy.io
from scipy import sparse

from dense_kriging import C, H, M, Pair, W, dense, simulated, tiled
from pifnet_cli.choices import Protocol
from pifnet_cli.degrade.sensor_model import SensorModel, degrade_patch
from pifnet_models.kriging.kriging import GuidedKriging
from pifnet_models.sampling import SamplingOperator


@pytest.mark.parametrize(("ratio", "size"), [(2.0, (14, 22)), (3.3, (H, W)), (4.0, (H, W)), (8.0, (H, W))])
@pytest.mark.parametrize("adapts", [False, True])
def test_fast_path_solves_the_dense_equations(ratio, size, adapts):
    pair = simulated(ratio=ratio, size=size, noise=0.005)
    kriging = GuidedKriging.from_regression(pair.regression, ratio=ratio, adapts=adapts)
    fused = dense(pair, pair.regression, ratio=ratio, adapts=adapts)

    assert kriging.faithfulness == 0
    assert np.abs(pair.fuse(kriging) - fused).max() < 1e-5 * pair.reference.max()


@pytest.mark.parametrize("bands", [14, 16])
def test_with_fewer_pixels_than_bands_tiles_may_raise_the_noise(bands):
    pair = simulated(bands=bands, ratio=8.0, noise=0.02)  # 15 LR pixels
    kriging = GuidedKriging.from_regression(pair.regression, ratio=8)
    expected = dense(pair, pair.regression, ratio=8, adapts=True)

    assert kriging.is_upper_bound == (bands < 15)
    assert np.abs(pair.fuse(kriging) - expected).max() < 1e-5 * pair.reference.max()


def test_fast_path_solves_the_dense_equations_without_noise():
    pair = simulated(sigma=0.5, phase=0.0)
    kriging = GuidedKriging.from_regression(pair.regression, ratio=4, noise=np.zeros(C), adapts=False)
    expected = dense(pair, pair.regression, given_noise=np.zeros(C))
    assert np.abs(pair.fuse(kriging) - expected).max() < 1e-5 * pair.reference.max()


@pytest.mark.parametrize("protocol", ["paper", "mtf"])
@pytest.mark.parametrize("noisy", [False, True])
def test_fast_path_agrees_with_the_readable_reference(real_data, protocol, noisy):
    path = real_data.parent / "reference" / "guided_kriging.py"
    if not path.exists():
        pytest.skip("the readable reference of kriging is not beside the real scenes")
    spec = importlib.util.spec_from_file_location("guided_kriging", path)
    oracle = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(oracle)
    scene = simulated(bands=30, size=(28, 40)).reference
    lr_hsi, hr_msi = (image.astype(np.float32) for image in oracle.degrade(scene, protocol, noisy))
    rows, columns = (oracle.axis_operator(side, protocol) for side in scene.shape[1:])
    ups = (np.zeros(matrix.T.shape, np.float32) for matrix in (rows, columns))
    pair = Pair(scene, lr_hsi, hr_msi, SamplingOperator(sparse.csr_array(rows), sparse.csr_array(columns), *ups))
    expected = oracle.fuse(lr_hsi.astype(float), hr_msi.astype(float), protocol, noisy)[1]
    noise = None if noisy else np.zeros(len(scene))
    kriging = GuidedKriging.from_regression(pair.regression, ratio=4, noise=noise, adapts=False)

    assert np.abs(pair.fuse(kriging) - expected).max() < 1e-5 * scene.max()


def test_components_are_what_kriging_adds_to_the_regression():
    pair = simulated(noise=0.005)
    kriging = GuidedKriging.from_regression(pair.regression, ratio=4)
    core = slice(4, 15), slice(8, 31)
    scores = kriging.components(pair.lr_hsi, pair.hr_msi, pair.operator, core=core)
    explained = np.einsum("cm,mij->cij", pair.regression.weights, pair.hr_msi[:, *core])
    explained += pair.regression.intercept[:, None, None]
    fused = kriging.fuse_block(pair.lr_hsi, pair.hr_msi, pair.operator, core=core)

    assert scores.shape == (C, 11, 23)
    assert explained + np.einsum("ck,kij->cij", kriging.synthesis, scores) == pytest.approx(fused, abs=1e-6)


@pytest.mark.parametrize(
    ("protocol", "snr_db", "least_db"), [(Protocol.PAPER, (None, None), 53.5), (Protocol.MTF, (35, 40), 51.0)]
)
def test_real_crops_come_out_as_well_as_promised(real_data, protocol, snr_db, least_db):
    found = []
    for name in ("abu-airport-2", "abu-urban-5"):
        stored = scipy.io.loadmat(real_data / "aviris_los_angeles" / f"{name}.mat")["data"].transpose(2, 0, 1)
        reference = np.clip(stored.astype(np.float32) / 10_000, 0, None)
        pair = sensed(reference, protocol, snr_db)
        kriging = GuidedKriging.from_regression(pair.regression, ratio=4)
        fused = tiled(pair, kriging, core=kriging.core, halo=kriging.halo, ratio=4)
        error = np.square(fused.astype(float) - reference).mean()
        found.append(10 * np.log10(float(reference.max()) ** 2 / error))
    assert np.mean(found) > least_db


def sensed(reference, protocol, snr_db):
    """A real scene through the tool's own sensor model at ratio 4, with four boxes of bands."""
    boxes = np.array_split(np.arange(len(reference)), 4)
    srf = np.stack([np.isin(np.arange(len(reference)), box) / len(box) for box in boxes])
    sensor = SensorModel(protocol, 4, 0.3, srf, hsi_snr_db=snr_db[0], msi_snr_db=snr_db[1])
    lr_hsi, hr_msi = degrade_patch(reference, sensor, rng=np.random.default_rng(0))
    matrices = sensor.row_matrix(reference.shape[1]), sensor.column_matrix(reference.shape[2])
    ups = (np.zeros(matrix.T.shape, np.float32) for matrix in matrices)
    return Pair(reference, lr_hsi, hr_msi, SamplingOperator(*matrices, *ups))


def test_tiles_lose_little():
    pair = simulated(bands=24, size=(96, 96), noise=0.005)
    kriging = GuidedKriging.from_regression(pair.regression, ratio=4)
    whole, parts = pair.fuse(kriging), tiled(pair, kriging, core=32, halo=kriging.halo, ratio=4)
    loss_db = 10 * np.log10(np.square(parts - pair.reference).mean() / np.square(whole - pair.reference).mean())

    assert not np.array_equal(whole, parts)
    assert loss_db < 0.1


def test_tiles_that_see_all_samples_equal_the_whole():
    pair = simulated(size=(48, 40), noise=0.005)
    kriging = GuidedKriging.from_regression(pair.regression, ratio=4)
    parts = tiled(pair, kriging, core=16, halo=12, ratio=4)
    # Float32 sums in another order, over samples whose system is ill-conditioned up to the damping.
    assert parts == pytest.approx(pair.fuse(kriging), abs=5e-6)


def test_a_pair_without_noise_of_its_own_is_reproduced():
    pair = simulated(bands=24, size=(48, 48), noise=0.0)
    kriging = GuidedKriging.from_regression(pair.regression, ratio=4)
    noisy = simulated(bands=24, size=(48, 48), noise=0.01)

    assert kriging.faithfulness == pytest.approx(1, abs=1e-3)
    assert np.abs(pair.operator.down(pair.fuse(kriging)) - pair.lr_hsi).max() < 2e-4  # noise: 2e-3 at HR
    assert GuidedKriging.from_regression(noisy.regression, ratio=4).faithfulness == 0


def test_detail_beats_the_regression_on_the_hr_msi_alone():
    pair = simulated(bands=24, size=(48, 48), noise=0.005)
    fused = pair.fuse(GuidedKriging.from_regression(pair.regression, ratio=4))
    regression = pair.regression
    plain = np.einsum("cm,mij->cij", regression.weights, pair.hr_msi) + regression.intercept[:, None, None]
    assert np.square(fused - pair.reference).mean() < 0.7 * np.square(plain - pair.reference).mean()


def test_a_hole_in_the_lr_hsi_is_left_out():
    pair = simulated(noise=0.005)
    regression = pair.regression
    pair.lr_hsi[3, 2, 4] = np.nan
    pair.lr_hsi[:, 4, 7:9] = np.nan
    fused = pair.fuse(GuidedKriging.from_regression(regression, ratio=4, adapts=False))

    assert np.isfinite(fused).all()
    assert np.abs(fused - dense(pair, regression)).max() < 1e-5 * pair.reference.max()


@pytest.mark.parametrize("where", ["lr", "hr"])
def test_a_sample_of_no_ground_is_left_out(where):
    pair = simulated(noise=0.005)
    regression = pair.regression
    kriging = GuidedKriging.from_regression(regression, ratio=4, adapts=False)
    sound = pair.fuse(kriging)
    if where == "lr":
        pair.lr_hsi[2, 2, 4] = -9999
        missing = dataclasses.replace(pair, lr_hsi=pair.lr_hsi.copy())
        missing.lr_hsi[:, 2, 4] = np.nan
        assert pair.fuse(kriging) == pytest.approx(missing.fuse(kriging), abs=1e-6)
    else:
        pair.hr_msi[:, 10, 17] = 65535
        beyond = np.hypot(*(np.indices((H, W)) - np.array([10, 17])[:, None, None])) > 12
        spoiled, before = (np.square(fused - pair.reference)[:, beyond].mean() for fused in (pair.fuse(kriging), sound))
        assert spoiled < 2 * before  # a tenth of the samples are lost; with them the error is a thousandfold


def test_a_hole_in_the_hr_msi_is_left_out():
    pair = simulated(noise=0.005)
    regression = pair.regression
    pair.hr_msi[1, 10, 17] = np.nan  # a pixel that some samples can do without
    pair.hr_msi[:, 15:22, 28:36] = np.nan  # and samples that see too little else
    fused = pair.fuse(GuidedKriging.from_regression(regression, ratio=4, adapts=False))
    expected = dense(pair, regression)

    assert np.isnan(fused).any()
    assert np.array_equal(np.isnan(fused), np.isnan(expected))
    assert np.nanmax(np.abs(fused - expected)) < 1e-5 * pair.reference.max()


def test_without_any_lr_pixel_the_regression_remains():
    pair = simulated(noise=0.005)
    regression, kriging = pair.regression, GuidedKriging.from_regression(pair.regression, ratio=4)
    pair.lr_hsi[0] = np.nan
    pair.lr_hsi[1, 1:] = np.nan
    pair.lr_hsi[2, 0] = np.nan
    fused = pair.fuse(kriging)
    plain = np.einsum("cm,mij->cij", regression.weights, pair.hr_msi) + regression.intercept[:, None, None]

    assert np.isnan(fused[0]).all()
    assert fused[1:] == pytest.approx(plain[1:], abs=1e-6)


def test_a_dead_band_stays_dead_and_changes_no_other():
    pair = simulated(noise=0.005)
    alone = simulated(noise=0.005)
    alone.lr_hsi = np.delete(alone.lr_hsi, 3, axis=0)
    pair.lr_hsi[3] = np.nan
    fused, without = (scene.fuse(GuidedKriging.from_regression(scene.regression, ratio=4)) for scene in (pair, alone))

    assert np.isnan(fused[3]).all()
    assert np.delete(fused, 3, axis=0) == pytest.approx(without, abs=1e-5)


def test_a_scene_that_the_hr_msi_explains_is_the_regression():
    pair = simulated()
    weights = np.random.default_rng(1).normal(size=(C, M))
    pair.lr_hsi = np.einsum("cm,mij->cij", weights, pair.operator.down(pair.hr_msi)).astype(np.float32)
    fused = pair.fuse(GuidedKriging.from_regression(pair.regression, ratio=4))
    assert fused == pytest.approx(np.einsum("cm,mij->cij", weights, pair.hr_msi), abs=1e-5)


def test_a_constant_residual_is_spread_evenly():
    pair = simulated()
    rows, columns = np.meshgrid(np.linspace(0, 1, H), np.linspace(0, 1, W), indexing="ij")
    pair.hr_msi = np.stack([rows, columns, rows * columns]).astype(np.float32)
    regression = pair.regression
    explained = np.einsum("cm,mij->cij", regression.weights, pair.hr_msi)
    pair.lr_hsi = (pair.operator.down(explained) + 0.01).astype(np.float32)
    biased = dataclasses.replace(
        regression, intercept=np.zeros(C), residual_covariance=np.full((C, C), 1e-4) + 1e-9 * np.eye(C)
    )
    detail = pair.fuse(GuidedKriging.from_regression(biased, ratio=4, noise=np.zeros(C))) - explained
    # Nobody tells simple kriging the mean: away from samples, here at the borders, it falls short of it.
    assert detail == pytest.approx(0.01, rel=0.1)
    assert detail[:, 4:-4, 4:-4] == pytest.approx(0.01, rel=0.03)


def test_a_flat_scene_stays_flat():
    pair = simulated()
    pair.lr_hsi[:], pair.hr_msi[:] = 0.25, 0.5
    assert pair.fuse(GuidedKriging.from_regression(pair.regression, ratio=4)) == pytest.approx(0.25, abs=1e-6)


def test_a_scene_of_zeros_stays_so():
    pair = simulated()
    pair.lr_hsi[:] = 0
    assert not pair.fuse(GuidedKriging.from_regression(pair.regression, ratio=4)).any()


@pytest.mark.parametrize(("bands", "msi"), [(1, 1), (1, 3), (7, 1), (2, 2), (26, 12)])
def test_any_number_of_bands(bands, msi):
    pair = simulated(bands=max(bands, msi), msi=msi, noise=0.002)
    pair.lr_hsi, pair.reference = pair.lr_hsi[:bands], pair.reference[:bands]
    fused = pair.fuse(GuidedKriging.from_regression(pair.regression, ratio=4))
    nearest = np.repeat(np.repeat(pair.lr_hsi, 4, axis=1), 4, axis=2)

    assert fused.shape == (bands, H, W)
    assert np.square(fused - pair.reference).mean() < np.square(nearest - pair.reference).mean()


def test_inputs_are_not_changed():
    pair = simulated(noise=0.005)
    pair.lr_hsi[:, 1, 1], pair.hr_msi[:, 3, 3] = np.nan, np.nan
    before = pair.lr_hsi.copy(), pair.hr_msi.copy()
    pair.fuse(GuidedKriging.from_regression(pair.regression, ratio=4))
    for image, copy in zip((pair.lr_hsi, pair.hr_msi), before, strict=True):
        assert np.array_equal(image, copy, equal_nan=True)


def test_threads_give_the_same_numbers():
    pair = simulated(noise=0.005)
    kriging = GuidedKriging.from_regression(pair.regression, ratio=4)
    once = pair.fuse(kriging)
    with ThreadPoolExecutor(2) as pool:
        for again in pool.map(lambda _: pair.fuse(kriging), range(4)):
            assert np.array_equal(again, once)


@pytest.mark.parametrize(("ratio", "core"), [(1.0, 10), (2.0, 24), (3.3, 48), (4.0, 64), (8.0, 96), (30.0, 96)])
def test_cores_are_bounded(ratio, core):
    kriging = GuidedKriging.from_regression(simulated().regression, ratio=ratio)
    assert (kriging.core, kriging.halo) == (core, 4)


def test_torch_is_not_loaded():
    code = "import sys, pifnet_models.kriging.kriging; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
