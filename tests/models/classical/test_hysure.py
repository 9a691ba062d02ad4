"""The augmented Lagrangian is computed here from the published objective, on dense matrices, in float64."""

from itertools import islice

import numpy as np
import pytest
from scipy import sparse

from lr_scenes import moments_of, psnr_db, simulated_pair
from pifnet_cli.choices import Protocol
from pifnet_cli.degrade.psf import axis_sampling_matrix
from pifnet_models.classical.hysure import PENALTY, VARIATION, HySure, Iterate, Splits, SubspaceProblem
from pifnet_models.sampling import SamplingOperator
from reference_scenes import SCENES, real_scene

C, M, P, H, W = 7, 3, 4, 11, 14


class Setting:
    """A fusion problem in float64: X (C, h, w), Y (M, H, W), E (C, p) with R E (M, p) of orthogonal columns."""

    def __init__(self, hsi, msi, basis, seen, operator, *, penalty=PENALTY):
        self.penalty = penalty
        self.hsi, self.msi, self.basis, self.seen = hsi, msi, basis, seen
        self.rows, self.columns = operator.rows.toarray(), operator.columns.toarray()
        self.problem = SubspaceProblem.of(
            np.tensordot(basis.T, hsi, 1),
            np.tensordot(seen.T, msi, 1),
            operator,
            energies=np.square(seen).sum(axis=0),
            penalty=penalty,
        )

    def lagrangian(self, image, splits, duals):
        """Data terms and total variation at the splits, and how far they are from what they stand for."""
        value = np.square(self.hsi - np.tensordot(self.basis, self.rows @ splits.image @ self.columns.T, 1)).sum() / 2
        value += np.square(self.msi - np.tensordot(self.seen, splits.image, 1)).sum() / 2
        value += VARIATION * np.sqrt(np.square(np.stack(splits[1:])).sum(axis=(0, 1))).sum()
        for split, meant, dual in zip(splits, _gradient(image), duals, strict=True):
            value += self.penalty / 2 * (np.square(split - meant + dual) - np.square(dual)).sum()
        return value

    def objective(self, image):
        splits = Splits(*_gradient(image))
        return self.lagrangian(image, splits, Splits(*map(np.zeros_like, splits)))


def _small(seed=0, *, penalty=PENALTY):
    """A ratio that is no integer, with a phase that is none either; the true coefficients beside the problem."""
    rng = np.random.default_rng(seed)
    rows = axis_sampling_matrix(H, 0.3 + 2.6 * np.arange(4), sigma=1.1, radius=5)
    columns = axis_sampling_matrix(W, -0.4 + 2.9 * np.arange(5), sigma=1.3, radius=6)
    operator = SamplingOperator(rows, columns, np.zeros((H, 4), np.float32), np.zeros((W, 5), np.float32))
    basis = np.linalg.qr(rng.normal(size=(C, P)))[0]
    seen = rng.uniform(0, 1, (M, C)) @ basis
    turn = np.linalg.eigh(seen.T @ seen)[1]
    basis, seen = basis @ turn, seen @ turn
    truth = rng.normal(size=(P, H, W)).cumsum(axis=2) / 5
    hsi = np.tensordot(basis, rows.toarray() @ truth @ columns.T.toarray(), 1) + 0.02 * rng.normal(size=(C, 4, 5))
    msi = np.tensordot(seen, truth, 1) + 0.02 * rng.normal(size=(M, H, W))
    return Setting(hsi, msi, basis, seen, operator, penalty=penalty), truth


def _gradient(image):
    down, along = np.diff(image, axis=1), np.diff(image, axis=2)
    return image, np.pad(down, ((0, 0), (0, 1), (0, 0))), np.pad(along, ((0, 0), (0, 0), (0, 1)))


def _random_splits(seed):
    down, along, image = np.random.default_rng(seed).normal(size=(3, P, H, W))
    down[:, -1], along[..., -1] = 0, 0
    return Splits(image, down, along)


def _fused(pair):
    return HySure.from_moments(pair.moments).fuse_block(pair.lr_hsi, pair.hr_msi, pair.operator)


def test_gradient_and_its_transpose_agree():
    image, splits = np.random.default_rng(0).normal(size=(P, H, W)), _random_splits(1)
    for ours, expected in zip(Splits.of(image), _gradient(image), strict=True):
        np.testing.assert_array_equal(ours, expected)
    products = [(one * other).sum() for one, other in zip(Splits.of(image), splits, strict=True)]
    assert (image * splits.adjoint()).sum() == pytest.approx(sum(products))


def test_image_step_is_the_dense_least_squares_solution():
    (setting, _), splits, duals = _small(), _random_splits(1), _random_splits(2)
    operator = np.stack([np.concatenate([g.ravel() for g in _gradient(e.reshape(1, H, W))]) for e in np.eye(H * W)]).T
    expected = [
        np.linalg.lstsq(operator, np.concatenate([(v[k] + d[k]).ravel() for v, d in zip(splits, duals, strict=True)]))[
            0
        ]
        for k in range(P)
    ]
    np.testing.assert_allclose(setting.problem.image(splits, duals).reshape(P, -1), expected, atol=1e-10)


def test_data_step_is_the_dense_solution():
    """One system over all components and pixels, without any of the structure that the fast solution uses."""
    (setting, _), target = _small(), _random_splits(1)
    low = np.kron(setting.basis, np.kron(setting.rows, setting.columns))  # (C h w, p H W)
    high = np.kron(setting.seen, np.eye(H * W))
    matrix = low.T @ low + high.T @ high + PENALTY * np.eye(P * H * W)
    right = low.T @ setting.hsi.ravel() + high.T @ setting.msi.ravel() + PENALTY * target.image.ravel()
    fitted = setting.problem.splits(target).image
    np.testing.assert_allclose(fitted.ravel(), np.linalg.solve(matrix, right), atol=1e-8)


def test_gradient_step_meets_the_condition_of_the_minimum():
    """Of variation |v| + penalty / 2 |v - t|^2: v = 0 where |t| is small, else v and t - v point the same way."""
    target = _random_splits(3)
    scale = 2 * VARIATION / PENALTY / np.sqrt(2 * P)  # about half of the pixels fall below the threshold
    target = Splits(*(scale / 2 * part for part in target))
    result = _small()[0].problem.splits(target)
    found, wanted = (np.concatenate(part[1:]).reshape(2 * P, -1) for part in (result, target))
    lengths = np.linalg.norm(found, axis=0)
    is_zero = lengths == 0
    assert 0.1 < is_zero.mean() < 0.9
    assert (np.linalg.norm(wanted[:, is_zero], axis=0) <= VARIATION / PENALTY).all()
    force = VARIATION * found / np.where(is_zero, 1, lengths) + PENALTY * (found - wanted)
    np.testing.assert_allclose(force[:, ~is_zero], 0, atol=1e-12)


def test_each_step_lowers_the_augmented_lagrangian():
    setting, _ = _small()
    image = np.random.default_rng(5).normal(size=(P, H, W))
    _, splits, duals = Iterate.start(image)
    for _ in range(40):
        before = setting.lagrangian(image, splits, duals)
        image = setting.problem.image(splits, duals)
        between = setting.lagrangian(image, splits, duals)
        target = Splits.of(image).minus(duals)
        splits = setting.problem.splits(target)
        after = setting.lagrangian(image, splits, duals)
        assert after <= between + 1e-12
        assert between <= before + 1e-12
        duals = splits.minus(target)


@pytest.mark.parametrize("seed", range(4))
def test_augmented_lagrangian_never_rises_where_the_penalty_outweighs_the_data(seed):
    """With a penalty above sqrt(2) times the data terms' curvature; the first duals know nothing and may raise it."""
    setting, _ = _small(seed)
    curvature = np.linalg.norm(setting.rows, 2) ** 2 * np.linalg.norm(setting.columns, 2) ** 2
    setting, _ = _small(seed, penalty=2 * (curvature + np.square(setting.seen).sum(axis=0).max()))
    history = _history(setting, np.zeros((P, H, W)), iterations=300)
    assert history[0] == pytest.approx(setting.objective(np.zeros((P, H, W))))
    assert (np.diff(history[1:]) <= 1e-12).all()
    assert history[-1] < 0.01 * history[0]


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENES)
def test_augmented_lagrangian_falls_on_real_scenes(real_data, name):
    """From the second iteration on: the first sets duals that know nothing yet."""
    pair = simulated_pair(real_scene(real_data, name, ratio=4), protocol=Protocol.PAPER)
    method = HySure.from_moments(pair.moments)
    hsi = (pair.lr_hsi - method.hsi_mean[:, None, None]) / method.peak
    msi = (pair.hr_msi - method.msi_mean[:, None, None]) / method.peak
    setting = Setting(hsi, msi, method.basis, method.msi_basis, pair.operator)
    start = pair.operator.up(np.tensordot(method.basis.T, hsi, 1).astype(np.float32)).astype(np.float64)
    history = _history(setting, start, iterations=60)
    assert (np.diff(history[1:]) < 0).all()
    assert history[-1] < 0.2 * history[0]


def _history(setting, image, *, iterations):
    start = Iterate.start(image)
    return [setting.lagrangian(*state) for state in [start, *islice(setting.problem.iterates(start), iterations)]]


def test_iterates_settle_at_the_minimum_of_the_objective():
    setting, truth = _small()
    last = next(islice(setting.problem.iterates(Iterate.start(np.zeros((P, H, W)))), 3000, None))
    for split, meant in zip(last.splits, _gradient(last.image), strict=True):
        np.testing.assert_allclose(split, meant, atol=1e-5)
    least = setting.objective(last.image)
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-2, 0.1):
        assert setting.objective(last.image + size * rng.normal(size=(P, H, W))) > least
        assert setting.objective(last.image + size * (truth - last.image)) > least
        assert setting.objective(last.image * (1 - size)) > least


def _reference(rng, *, bands=C, height=24, width=40):
    """(C, H, W): flat fields with sharp borders, of four materials."""
    fields = rng.integers(0, 4, (-(-height // 5), -(-width // 5)))
    owner = np.kron(fields, np.ones((5, 5), int))[:height, :width]
    return rng.uniform(0.05, 1, (bands, 4))[:, owner].astype(np.float32)


def test_subspace_holds_the_scene_and_makes_components_independent():
    rng = np.random.default_rng(0)
    pair = simulated_pair(_reference(rng), protocol=Protocol.MTF, msi=M)
    method = HySure.from_moments(pair.moments)
    np.testing.assert_allclose(method.basis.T @ method.basis, np.eye(C), atol=1e-12)
    gram = method.msi_basis.T @ method.msi_basis
    np.testing.assert_allclose(gram - np.diag(gram.diagonal()), 0, atol=1e-12)
    wide = simulated_pair(np.repeat(_reference(rng), 3, axis=0), protocol=Protocol.MTF, msi=M)
    narrowed = HySure.from_moments(wide.moments).basis
    assert narrowed.shape == (21, 7)
    spectra = wide.lr_hsi.reshape(21, -1)
    spectra = spectra - spectra.mean(axis=1, keepdims=True)
    np.testing.assert_allclose(narrowed @ (narrowed.T @ spectra), spectra, atol=1e-5)


@pytest.mark.parametrize("protocol", list(Protocol))
def test_fields_with_sharp_borders_are_sharpened(protocol):
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


@pytest.mark.parametrize("shape", [(1, 2), (5, 2)])
def test_a_block_of_a_few_pixels_is_fused(shape):
    reference = _reference(np.random.default_rng(3))
    method = HySure.from_moments(simulated_pair(reference, protocol=Protocol.PAPER, msi=M).moments)
    (h, w), (height, width) = shape, (4 * shape[0], 4 * shape[1])
    corner = reference[:, :height, :width]
    operator = SamplingOperator(
        sparse.csr_array(np.kron(np.eye(h), np.full((1, 4), 0.25))),
        sparse.csr_array(np.kron(np.eye(w), np.full((1, 4), 0.25))),
        np.kron(np.eye(h), np.ones((4, 1))).astype(np.float32),
        np.kron(np.eye(w), np.ones((4, 1))).astype(np.float32),
    )
    msi = np.stack([part.mean(axis=0) for part in np.array_split(corner, M)])
    fused = method.fuse_block(operator.down(corner), msi, operator)
    assert psnr_db(fused, corner) > psnr_db(operator.up(operator.down(corner)), corner)


@pytest.mark.parametrize("bands", [1, C])
@pytest.mark.parametrize("level", [0.4, 0.0, -0.2])
def test_a_flat_scene_stays_flat(bands, level):
    pair = simulated_pair(np.full((bands, 24, 40), level, np.float32), protocol=Protocol.MTF, msi=1)
    np.testing.assert_allclose(_fused(pair), level, atol=1e-5)


def test_an_offset_of_the_msi_does_not_matter():
    pair = simulated_pair(_reference(np.random.default_rng(4)), protocol=Protocol.MTF, msi=M)
    raised = pair.hr_msi + np.array([0.3, -0.1, 0.0], np.float32)[:, None, None]
    moments = moments_of(pair.lr_hsi.reshape(C, -1), pair.operator.down(raised).reshape(M, -1))
    fused = HySure.from_moments(moments).fuse_block(pair.lr_hsi, raised, pair.operator)
    np.testing.assert_allclose(fused, _fused(pair), atol=2e-5)
