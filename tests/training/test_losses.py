import pytest
import torch

from pifnet_cli.training.losses import (
    absolute_error,
    inverse_penalty,
    masked_mean,
    spectral_dissimilarity,
    weighted_squared_error,
)


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 5, 4, 6, generator=generator), torch.randn(2, 5, 4, 6, generator=generator)


def test_masked_elements_do_not_count(images):
    first, second = images
    mask = torch.ones_like(first, dtype=torch.bool)
    mask[:, :, 0] = False
    changed = first.clone()
    changed[:, :, 0] = 1e6

    assert torch.equal(absolute_error(first, second, mask), absolute_error(changed, second, mask))


def test_an_empty_mask_gives_zero(images):
    assert masked_mean(images[0], torch.zeros_like(images[0], dtype=torch.bool)) == 0


def test_equal_images_have_no_error(images):
    mask = torch.ones_like(images[0], dtype=torch.bool)

    assert absolute_error(images[0], images[0], mask) == 0
    assert weighted_squared_error(images[0], images[0], mask, weights=torch.ones(5) / 5) == 0
    assert spectral_dissimilarity(images[0], images[0], mask) == pytest.approx(0, abs=1e-6)


def test_squared_error_counts_channels_by_their_weights():
    error = torch.zeros(1, 3, 2, 2)
    error[:, 1] = 2.0
    mask = torch.ones_like(error, dtype=torch.bool)
    loss = weighted_squared_error(error, torch.zeros_like(error), mask, weights=torch.tensor([0.2, 0.7, 0.1]))
    assert loss == pytest.approx(0.7 * 4)


def test_dissimilarity_does_not_depend_on_brightness(images):
    mask = torch.ones_like(images[0], dtype=torch.bool)
    first = spectral_dissimilarity(images[0], images[1], mask)

    assert spectral_dissimilarity(3 * images[0], images[1], mask) == pytest.approx(float(first), rel=1e-5)
    assert spectral_dissimilarity(images[0], -images[0], mask) == pytest.approx(2)


def test_dissimilarity_of_dark_spectra_has_a_bounded_gradient():
    dark = torch.zeros(1, 5, 2, 2, requires_grad=True)
    mask = torch.ones(1, 5, 2, 2, dtype=torch.bool)
    spectral_dissimilarity(dark, torch.ones(1, 5, 2, 2), mask).backward()

    assert dark.grad is not None
    assert torch.isfinite(dark.grad).all()
    assert dark.grad.abs().max() < 1e4


def test_inverse_penalty_is_least_where_volume_is_kept():
    assert inverse_penalty(torch.zeros(2, 3, 4, 4)) == 0
    assert inverse_penalty(torch.full((2, 3, 4, 4), -2.0)) == 4
