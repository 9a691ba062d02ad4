import numpy as np
import pytest
import torch
from torch import nn

from pifnet_cli.training.objectives import CorrectionObjective, Example, ImageObjective, LossWeights, collate
from pifnet_cli.training.patches import TrainingPatch
from pifnet_models.kriging.regression import RegressionSums
from pifnet_models.pifnet.anchored import image_scale, residual_basis
from pifnet_models.pifnet.network import PIFNet
from tiles import pair_tile

C, M, K, SIZE = 7, 3, 2, 16
NO_TERMS, PAPER_TERMS = LossWeights(inverse=0, cosine=0), LossWeights(inverse=0.01, cosine=0.1)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def patch(rng):
    sums = RegressionSums(hsi_bands=C, msi_bands=M)
    msi = rng.random((M, 200), dtype=np.float32)
    sums.add((rng.random((C, M)) @ msi + 0.1 * rng.standard_normal((C, 200))).astype(np.float32), msi)
    tile = pair_tile(rng, bands=(C, M), size=(SIZE, SIZE))
    return TrainingPatch(tile, rng.random((C, SIZE, SIZE), dtype=np.float32), sums.solve())


def correction(patch, weights=NO_TERMS, noise=0.0):
    basis = residual_basis(
        [patch.regression.residual_covariance], components=K, band_scale=np.ones(C), ratio=4.0
    )  # fmt: skip
    return CorrectionObjective(basis, weights=weights, input_noise=noise)


def pifnet(hsi_channels, msi_channels, out_channels):
    return PIFNet(hsi_channels=hsi_channels, msi_channels=msi_channels, out_channels=out_channels, width=8, blocks=1,
                  segments=2, output_start="zero")  # fmt: skip


def test_an_answer_of_zero_is_the_anchor(patch):
    inputs, regression = patch.tile.inputs(), patch.regression
    fused = correction(patch).fused(lambda hsi, _msi: np.zeros_like(hsi[:K]), patch)

    assert np.array_equal(fused, regression.apply(inputs.upsampled, inputs.hr_msi, inputs.msi_smooth))


def test_the_target_is_the_answer_that_comes_nearest_to_the_truth(patch):
    objective = correction(patch)
    inputs, regression = patch.tile.inputs(), patch.regression
    signless = objective.example(patch).target
    anchor = regression.apply(inputs.upsampled, inputs.hr_msi, inputs.msi_smooth)

    def error(answer):
        return np.square(objective.fused(lambda *_planes: answer, patch) - patch.reference).sum()

    best = np.linalg.lstsq(
        objective.basis.directions, (patch.reference - anchor).reshape(C, -1), rcond=None
    )[0]  # fmt: skip
    scale = (objective.basis.component_std * regression.residual_rms)[:, None]
    exact = (best / scale).reshape(K, SIZE, SIZE).astype(np.float32)
    assert error(exact) < error(0.9 * exact)
    assert np.square(signless).sum(axis=0) == pytest.approx(np.square(exact).sum(axis=0), rel=1e-3)


def test_input_noise_is_as_strong_as_asked_for(patch):
    clean, noisy = (
        objective.augmented(objective.example(patch), np.random.default_rng(5))
        for objective in (correction(patch), correction(patch, noise=0.3))
    )

    assert np.std(noisy.msi - clean.msi) == pytest.approx(0.3, rel=0.1)
    assert np.array_equal(noisy.target, clean.target)


def test_images_are_divided_by_one_number(patch):
    example = ImageObjective(weights=NO_TERMS, input_noise=0.0).example(patch)
    scale, inputs = image_scale(patch.regression), patch.tile.inputs()

    assert example.hsi * scale == pytest.approx(inputs.upsampled, rel=1e-5)
    assert example.msi * scale == pytest.approx(inputs.hr_msi, rel=1e-5)
    assert example.target * scale == pytest.approx(patch.reference, rel=1e-5)


def test_the_image_comes_back_in_the_pairs_units(patch):
    patch.tile.lr_hsi[2, 3, 1] = np.nan
    fused = ImageObjective(weights=NO_TERMS, input_noise=0.0).fused(lambda hsi, _msi: hsi, patch)

    assert np.isnan(fused[2]).sum() == 16
    assert fused == pytest.approx(patch.tile.inputs().upsampled, rel=1e-5, nan_ok=True)


def test_unknown_truth_is_masked(patch):
    patch.reference[1, 2, 3] = np.nan
    objective = ImageObjective(weights=NO_TERMS, input_noise=0.0)
    batch = collate([objective.augmented(objective.example(patch), np.random.default_rng(0))] * 2)
    whole = objective.losses(_Echo(), batch).total
    batch.hsi[:, 1, 2, 3] = 1e6

    assert not batch.mask[0, 1, 2, 3]
    assert torch.equal(objective.losses(_Echo(), batch).total, whole)


class _Echo(nn.Module):
    def forward(self, hsi, _msi):
        return hsi


def test_the_papers_terms_enter_with_their_weights(patch):
    for objective, network in (
        (correction(patch, PAPER_TERMS), pifnet(2 * K, 2 * M + 4, K)),
        (ImageObjective(weights=PAPER_TERMS, input_noise=0.0), pifnet(C, M, C)),
    ):
        batch = collate([objective.augmented(objective.example(patch), np.random.default_rng(0))])
        losses = objective.losses(network, batch)
        parts = losses.parts

        expected = parts["error"] + 0.01 * parts["inverse"] + 0.1 * parts["cosine"]
        assert losses.total.item() == pytest.approx(expected.item())
        losses.total.backward()
        assert all(torch.isfinite(p.grad).all() for p in network.parameters() if p.grad is not None)


def test_networks_without_auxiliary_answers_are_trained_by_the_error_alone(patch):
    objective = ImageObjective(weights=NO_TERMS, input_noise=0.0)
    batch = collate([objective.augmented(objective.example(patch), np.random.default_rng(0))])
    assert objective.losses(_Echo(), batch).parts.keys() == {"error"}


def test_a_batch_stacks_examples():
    example = Example(*(np.full((bands, 2, 2), bands, np.float32) for bands in (4, 3, 2)))
    batch = collate([example, example, example])
    assert batch.lr_hsi is None
    assert [tuple(tensor.shape) for tensor in batch[:4]] == [(3, 4, 2, 2), (3, 3, 2, 2), (3, 2, 2, 2), (3, 2, 2, 2)]
