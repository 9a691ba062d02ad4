import torch

from pifnet_models.pifnet.prior import PriorExtraction


def _features():
    torch.manual_seed(0)
    return torch.randn(2, 6, 5, 7), torch.randn(2, 6, 5, 7)


def test_equal_features_leave_the_biases_alone():
    prior = PriorExtraction(width=6)
    torch.nn.init.zeros_(prior.difference.bias)
    torch.nn.init.zeros_(prior.weighted.bias)
    spectral, _ = _features()
    assert not prior(spectral, spectral).any()


def test_a_pixel_with_a_flat_spectrum_has_no_weight():
    prior = PriorExtraction(width=6)
    torch.nn.init.zeros_(prior.weighted.bias)
    spectral, spatial = _features()
    flat = spectral[:, :1].expand_as(spectral)
    assert not prior(flat, spatial).any()
    assert prior(spectral, spatial).any()


def test_contrast_is_the_range_of_the_channels():
    prior = PriorExtraction(width=6)
    spectral, spatial = _features()
    # With the identity as second convolution the answer is ReLU(...) times the range.
    torch.nn.init.dirac_(prior.weighted.weight)
    torch.nn.init.zeros_(prior.weighted.bias)
    plain = prior.difference(spectral - spatial).relu()
    span = spectral.max(dim=1, keepdim=True).values - spectral.min(dim=1, keepdim=True).values
    torch.testing.assert_close(prior(spectral, spatial), plain * span)
