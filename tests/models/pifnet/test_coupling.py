import pytest
import torch
from torch.autograd.functional import jacobian

from pifnet_models.pifnet.coupling import SSMM, Halves, InvertibleMamba, InvertibleMambaBlock

SIZES = {"width": 8, "segments": 2, "d_state": 3, "expand": 2}


def _randomised(module, std=0.3):
    torch.manual_seed(0)
    for name, parameter in module.named_parameters():
        if name.endswith(("output.weight", "output.bias")):  # what starts at zero
            torch.nn.init.normal_(parameter, std=std)
    return module


def _halves(dtype=torch.float32, height=6, width=10):
    torch.manual_seed(1)
    return Halves(*torch.randn(2, 3, 8, height, width, dtype=dtype))


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_the_inverse_returns_the_input(dtype, tolerance):
    chain, halves = _randomised(InvertibleMamba(blocks=4, **SIZES)).to(dtype), _halves(dtype)
    with torch.no_grad():
        transformed, log_det = chain(halves)
        restored = chain.inverse(transformed)
    assert log_det.abs().mean() > 0.1  # it did something
    assert (transformed.low - halves.low).abs().mean() > 0.1
    for found, expected in zip(restored, halves, strict=True):
        assert (found - expected).abs().max() < tolerance * expected.abs().max()


def test_the_log_determinant_is_that_of_the_jacobian():
    chain = _randomised(InvertibleMamba(blocks=2, **SIZES)).double()
    height, width = 2, 2
    flat = torch.cat([half[:1].flatten() for half in _halves(torch.float64, height, width)])

    def transformed(vector):
        halves, _ = chain(Halves(*vector.view(2, 1, 8, height, width)))
        return torch.cat([half.flatten() for half in halves])

    _, log_det = chain(Halves(*flat.view(2, 1, 8, height, width)))
    assert log_det.abs().sum() > 1
    _, expected = torch.linalg.slogdet(jacobian(transformed, flat))
    torch.testing.assert_close(log_det.sum(), expected, rtol=0, atol=1e-10)


def test_low_is_scaled_by_what_the_updated_high_says():
    block, (low, high) = _randomised(InvertibleMambaBlock(**SIZES)), _halves()
    (new_low, new_high), log_scale = block(Halves(low, high))
    torch.testing.assert_close(new_high, high + block.shift_high(low))
    torch.testing.assert_close(log_scale, torch.tanh(block.scale_low(new_high)))
    torch.testing.assert_close(new_low, low * log_scale.exp() + block.shift_low(new_high))


def test_an_untrained_chain_is_the_identity():
    halves = _halves()
    transformed, log_det = InvertibleMamba(blocks=2, **SIZES)(halves)
    assert all(torch.equal(found, expected) for found, expected in zip(transformed, halves, strict=True))
    assert not log_det.any()


def test_scales_stay_bounded_whatever_the_input():
    block, (low, high) = _randomised(InvertibleMambaBlock(**SIZES), std=50.0), _halves()
    _, log_scale = block(Halves(low * 1e3, high * 1e3))
    assert log_scale.abs().max() <= 1


def test_ssmm_of_the_paper_has_59072_parameters():
    module = SSMM(width=64, segments=4, d_state=8, expand=2)
    assert sum(parameter.numel() for parameter in module.parameters()) == 59_072
