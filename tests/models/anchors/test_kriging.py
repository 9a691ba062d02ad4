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

from models.anchors.kriging import GuidedKriging
from models.anchors.regression import RegressionSums
from models.sampling import SamplingOperator
from pifnet_cli.degrade.psf import axis_sampling_matrix
from pifnet_cli.degrade.wald import SensorModel, degrade_patch
from pifnet_cli.settings import Protocol

C, M, H, W = 7, 3, 24, 40
TERMS = ((0.3, 6, 0.0175), (1, 200, 0.35), (1, 60, 0.7), (0.5, 16, 0.245))
LINEAR = ((0.08, 120), (0.08, 20))


@dataclasses.dataclass
class Pair:
    """A simulated pair; the operator is the true one."""

    reference: np.ndarray
    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    operator: SamplingOperator

    @property
    def regression(self):
        sums = RegressionSums(hsi_bands=len(self.lr_hsi), msi_bands=len(self.hr_msi))
        low = self.operator.down(self.hr_msi)
        sums.add(self.lr_hsi.reshape(len(self.lr_hsi), -1), low.reshape(len(low), -1))
        return sums.solve()

    @property
    def whole(self):
        return tuple(slice(0, side) for side in self.hr_msi.shape[1:])

    def fuse(self, kriging):
        return kriging.fuse_block(self.lr_hsi, self.hr_msi, self.operator, core=self.whole)


def axis(pixels, ratio, *, sigma, phase=None):
    """(samples, pixels): a Gaussian, its samples in the middle of their blocks unless `phase` says where."""
    centres = ratio * np.arange(int(pixels // ratio)) + ((ratio - 1) / 2 if phase is None else phase)
    return axis_sampling_matrix(pixels, centres, sigma=sigma, radius=int(np.ceil(4 * sigma)) + 1)


def simulated(*, bands=C, msi=M, size=(H, W), ratio=4.0, noise=0.0, phase=None, sigma=None):
    """Mixtures of materials in patches with soft borders, and texture that bands share unevenly."""
    rng = np.random.default_rng(5)
    rows, columns = np.meshgrid(*(np.arange(side) for side in size), indexing="ij")
    waves = [np.sin(rng.uniform(0.1, 0.9, 2) @ np.stack([rows.ravel(), columns.ravel()]) + i) for i in range(6)]
    shares = np.exp(2 * np.stack(waves) + 0.3 * rng.normal(size=(6, rows.size)))
    at = np.linspace(0, 1, bands)
    spectra = np.stack([np.exp(-(((at - centre) / 0.2) ** 2)) for centre in np.linspace(0, 1, 6)])
    reference = (0.1 + spectra.T @ (shares / shares.sum(axis=0)) * 0.5).reshape(bands, *size)
    reference += 0.002 * rng.normal(size=reference.shape)
    sigma = 0.5 * ratio if sigma is None else sigma
    matrices = [axis(side, ratio, sigma=sigma, phase=phase) for side in size]
    ups = [np.zeros(matrix.T.shape, np.float32) for matrix in matrices]
    operator = SamplingOperator(*matrices, *ups)
    lr_hsi = np.einsum("ia,cab,jb->cij", matrices[0].toarray(), reference, matrices[1].toarray())
    hr_msi = np.stack([part.mean(axis=0) for part in np.array_split(reference, msi)])
    lr_hsi = lr_hsi + noise * rng.normal(size=lr_hsi.shape)
    return Pair(reference, lr_hsi.astype(np.float32), hr_msi.astype(np.float32), operator)


def dense(pair, regression, *, ratio=4.0, adapts=False, given_noise=None):
    """(C, H, W): DESIGN 4 written out, every matrix whole. NaN leaves LR pixels and fine pixels out."""
    height, width = pair.hr_msi.shape[1:]
    msi, hsi = (image.reshape(len(image), -1).astype(float) for image in (pair.hr_msi, pair.lr_hsi))
    valid = np.isfinite(msi).all(axis=0)
    sampling = np.kron(pair.operator.rows.toarray(), pair.operator.columns.toarray()) * valid
    share = sampling.sum(axis=1)
    used = np.isfinite(hsi).all(axis=0) & (share >= 0.95)
    sampling = sampling[used] / share[used, None]
    msi = np.where(valid, msi, 0)
    predicted = regression.weights @ msi + regression.intercept[:, None]
    residual = hsi[:, used] - predicted @ sampling.T  # weights of each sample sum to one
    features = dense_features(regression, msi, valid, height, width)
    covariance = dense_covariance(features, height, width, max(ratio / 4, 1))
    noise = neighbour_noise(regression) if given_noise is None else given_noise
    scale, floor = (np.maximum(noise, 0.2 * np.median(noise)), 1) if noise.any() else (None, 0)
    scale = np.full(len(hsi), regression.residual_rms) if scale is None else scale
    values, vectors = np.linalg.eigh(regression.residual_covariance / np.outer(scale, scale))
    values, vectors = values[values > 1e-9], vectors[:, values > 1e-9]  # the rest says nothing
    variance, directions = values[::-1][:24], vectors[:, ::-1][:, :24]
    relative = floor / np.maximum(variance - floor, 0.02 * variance) + 0.1 * np.exp(-5) + 1e-5
    between = sampling @ covariance @ sampling.T
    level = np.trace(between) / len(between)
    detail = np.zeros_like(predicted)
    for direction, share_of_noise in zip(directions.T, relative, strict=True):
        score = direction @ (residual / scale[:, None])
        damping = likely_damping(between, level, score, share_of_noise) if adapts else share_of_noise
        damping = min(damping, share_of_noise) if regression.pixels >= len(hsi) else damping
        weights = np.linalg.solve(between + damping * level * np.eye(len(between)), score)
        detail += np.outer(direction * scale, covariance @ sampling.T @ weights)
    return np.where(valid, predicted + detail, np.nan).reshape(-1, height, width)


def dense_features(regression, msi, valid, height, width):
    """(2 M, H W), the blurred ones weighed."""
    values, vectors = np.linalg.eigh(regression.msi_covariance * regression.pixels / (regression.pixels - 1))
    whitening = vectors / np.sqrt(np.maximum(values, 1e-3 * values.max())) @ vectors.T
    sharp = np.where(valid, whitening @ (msi - regression.msi_mean[:, None]), 0).reshape(-1, height, width)
    mask = valid.reshape(height, width).astype(float)

    def blur(image):
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="reflect")
        kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
        return sum(kernel[i, j] * padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3))

    blurred = blur(sharp) / np.maximum(blur(mask[None]), 0.25) * mask
    return np.concatenate([sharp, np.sqrt(0.3) * blurred]).reshape(-1, height * width)


def dense_covariance(features, height, width, scale):
    place = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1).reshape(-1, 2)
    distance = np.sqrt(((place[:, None] - place) ** 2).sum(-1) + 1e-3) / scale
    guide = ((features[:, :, None] - features[:, None]) ** 2).sum(axis=0)
    total = sum(a * np.exp(-distance / reach) / (1 + w * w * guide / 2) for a, reach, w in TERMS)
    sharp = features[: len(features) // 2]
    return total + sum(b * np.exp(-distance / reach) for b, reach in LINEAR) * (sharp.T @ sharp) / len(sharp)


def neighbour_noise(regression):
    """By precision matrices: the variance of a band that its neighbours leave is the inverse's diagonal, inverted."""
    weights = regression.weights
    both = weights @ regression.msi_covariance @ regression.least_squares.T
    covariance = regression.residual_covariance + both + both.T - weights @ regression.msi_covariance @ weights.T
    noise = np.zeros(len(covariance))
    for band in range(len(noise)):
        group = np.arange(max(band - 5, 0), min(band + 6, len(noise)))
        precision = np.linalg.inv(covariance[np.ix_(group, group)])[band - group[0], band - group[0]]
        noise[band] = np.sqrt(regression.pixels / (regression.pixels - len(group)) / precision)
    return noise


def likely_damping(between, level, score, prior):
    """Mean of log damping over its posterior, the likelihood maximised over the signal's variance."""
    candidates = np.geomspace(7e-4, 30, 24)
    logs = []
    for candidate in candidates:
        covariance = between + candidate * level * np.eye(len(between))
        signal = score @ np.linalg.solve(covariance, score) / len(score)
        logs.append(-0.5 * np.linalg.slogdet(signal * covariance)[1] - 0.5 * np.log(candidate / prior) ** 2)
    chance = np.exp(np.array(logs) - max(logs))
    return np.exp(chance @ np.log(candidates) / chance.sum())


def tiled(pair, kriging, *, core, halo, ratio):
    """The pair fused core by core, each with `halo` LR pixels around it."""
    fused = np.empty((len(pair.lr_hsi), *pair.hr_msi.shape[1:]), np.float32)
    reach = int(np.ceil(2 * ratio)) + 2
    for row in range(0, fused.shape[1], core):
        for column in range(0, fused.shape[2], core):
            (lr_rows, rows), (lr_columns, columns) = (
                around(start, core, pixels, halo=halo, ratio=ratio, reach=reach)
                for start, pixels in zip((row, column), fused.shape[1:], strict=True)
            )
            part = SamplingOperator(
                pair.operator.rows[lr_rows][:, rows],
                pair.operator.columns[lr_columns][:, columns],
                pair.operator.up_rows[rows, lr_rows],
                pair.operator.up_columns[columns, lr_columns],
            )
            here = slice(row, row + core), slice(column, column + core)
            local = tuple(
                slice(whole.start - hr.start, min(whole.stop, hr.stop) - hr.start)
                for whole, hr in zip(here, (rows, columns), strict=True)
            )
            lr_hsi, hr_msi = pair.lr_hsi[:, lr_rows, lr_columns], pair.hr_msi[:, rows, columns]
            fused[:, *here] = kriging.fuse_block(lr_hsi, hr_msi, part, core=local)
    return fused


def around(start, core, pixels, *, halo, ratio, reach):
    """LR pixels and HR pixels, as slices, that a core's side depends on."""
    first, last = max(int(start / ratio) - halo, 0), int((start + core) / ratio) + halo
    last = min(last, int(pixels / ratio))
    return slice(first, last), slice(max(int(first * ratio) - reach, 0), min(int(last * ratio) + reach, pixels))


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
def test_fast_path_agrees_with_the_readable_reference(shared_data, protocol, noisy):
    path = shared_data.parent / "reference" / "guided_kriging.py"
    if not path.exists():
        pytest.skip("../shared/reference/guided_kriging.py is absent")
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
def test_real_crops_come_out_as_well_as_promised(shared_data, protocol, snr_db, least_db):
    found = []
    for name in ("abu-airport-2", "abu-urban-5"):
        stored = scipy.io.loadmat(shared_data / "aviris_los_angeles" / f"{name}.mat")["data"].transpose(2, 0, 1)
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
    code = "import sys, models.anchors.kriging; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
