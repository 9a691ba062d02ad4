import pytest
import torch

from pifnet_models.pifnet.network import Adapter, Coupling, OutputStart, PIFNet

TABLE = {  # docs/design.md 6.2: parameters at C = 103, M = 4
    "spectral_head": 96_320,
    "spatial_head": 39_296,
    "prior": 73_856,
    "gather_high": 110_656,
    "coupling": 708_864,
    "spread_high": 110_784,
    "preliminary_tail": 155_015,
    "adapter.perception": 110_720,
    "adapter.blocks": 113_216,
    "tail": 214_343,
}
HSI, MSI = 7, 3


def _network(**more):
    torch.manual_seed(0)
    return PIFNet(hsi_channels=HSI, msi_channels=MSI, width=16, **more)


def _randomised(network):
    torch.manual_seed(1)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


def _ablated(network, **more):
    """The same weights, as far as the ablated network has them."""
    ablated = _network(**more)
    shared = {name: tensor for name, tensor in network.state_dict().items() if name in ablated.state_dict()}
    ablated.load_state_dict(shared)
    return ablated


def _inputs(height=12, width=20):
    torch.manual_seed(2)
    return torch.rand(2, HSI, height, width), torch.rand(2, MSI, height, width)


def _names(network):
    return set(network.state_dict())


def test_parameters_are_those_of_the_design_row_by_row():
    network = PIFNet(hsi_channels=103, msi_channels=4)
    rows = {name: sum(p.numel() for p in network.get_submodule(name).parameters()) for name in TABLE}
    assert rows == TABLE
    assert sum(parameter.numel() for parameter in network.parameters()) == sum(TABLE.values()) == 1_733_070


def test_both_forwards_give_the_same_answer():
    network, inputs = _randomised(_network()), _inputs()
    output = network.forward_with_auxiliary(*inputs)
    assert torch.equal(network(*inputs), output.fused)
    assert output.preliminary.shape == output.fused.shape
    assert output.log_det.shape == (2, 16, 6, 10)


def test_out_channels_may_differ_from_the_hsi_channels():
    output = _network(out_channels=5).forward_with_auxiliary(*_inputs())
    assert output.fused.shape == output.preliminary.shape == (2, 5, 12, 20)


def test_a_zero_start_answers_exactly_zero_and_changes_nothing_else():
    zero, usual = _network(output_start=OutputStart.ZERO), _network()
    changed = [name for name, tensor in usual.state_dict().items() if not torch.equal(tensor, zero.state_dict()[name])]
    assert changed == ["tail.2.weight", "tail.2.bias"]
    fused, preliminary, _ = zero.forward_with_auxiliary(*_inputs())
    assert not fused.any()
    assert torch.equal(preliminary, usual.forward_with_auxiliary(*_inputs()).preliminary)


def test_without_couplings_the_network_is_one_whose_couplings_do_nothing():
    untrained = _network()  # its couplings are the identity
    ablated = _ablated(untrained, coupling=Coupling.NONE)
    assert _names(untrained) - _names(ablated) == {name for name in _names(untrained) if name.startswith("coupling.")}
    found, expected = ablated.forward_with_auxiliary(*_inputs()), untrained.forward_with_auxiliary(*_inputs())
    assert not found.log_det.any()
    assert all(torch.equal(one, other) for one, other in zip(found, expected, strict=True))


def test_without_couplings_a_trained_network_answers_otherwise():
    trained = _randomised(_network())
    assert not torch.allclose(_ablated(trained, coupling=Coupling.NONE)(*_inputs()), trained(*_inputs()))


def test_without_the_adapter_the_network_is_one_whose_adapter_adds_nothing():
    network = _randomised(_network())
    ablated = _ablated(network, adapter=Adapter.NONE)
    assert _names(network) - _names(ablated) == {name for name in _names(network) if name.startswith("adapter.")}
    found, before = ablated.forward_with_auxiliary(*_inputs()), network.forward_with_auxiliary(*_inputs())
    assert torch.equal(found.preliminary, before.preliminary)
    assert torch.equal(found.log_det, before.log_det)
    assert not torch.allclose(found.fused, before.fused)
    for block in network.adapter.blocks:
        for parameter in block.leave.parameters():
            torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(found.fused, network(*_inputs()))


def test_without_the_prior_the_network_is_one_whose_prior_is_zero():
    network = _randomised(_network())
    ablated = _ablated(network, prior_strength=0.0)
    assert _names(network) - _names(ablated) == {name for name in _names(network) if name.startswith("prior.")}
    found = ablated(*_inputs())
    assert not torch.allclose(found, network(*_inputs()))
    for parameter in network.prior.weighted.parameters():
        torch.nn.init.zeros_(parameter)
    torch.testing.assert_close(found, network(*_inputs()))


def test_the_strength_of_the_prior_is_its_factor():
    network = _randomised(_network())
    doubled = _ablated(network, prior_strength=2.0)(*_inputs())
    assert _names(_network(prior_strength=2.0)) == _names(network)
    with torch.no_grad():
        for parameter in network.prior.weighted.parameters():
            parameter.mul_(2)
    torch.testing.assert_close(doubled, network(*_inputs()), rtol=1e-4, atol=1e-4)


def test_the_pooling_window_changes_channel_attention_alone():
    network = _randomised(_network())
    local = _ablated(network, pooling_window=5)
    assert _names(local) == _names(network)
    found, expected = local.forward_with_auxiliary(*_inputs()), network.forward_with_auxiliary(*_inputs())
    assert torch.equal(found.preliminary, expected.preliminary)
    assert not torch.allclose(found.fused, expected.fused)


def test_switches_may_be_given_as_words():
    assert _names(_network(coupling="none", adapter="none")) == _names(
        _network(coupling=Coupling.NONE, adapter=Adapter.NONE)
    )
    with pytest.raises(ValueError, match="'attention' is not a valid Coupling"):
        _network(coupling="attention")


def test_the_fast_kernels_answer_as_double_precision_does():
    network, inputs = _randomised(_network()), _inputs()
    fast = network(*inputs)
    exact = network.double()(*(x.double() for x in inputs))
    assert (fast - exact).abs().max() < 1e-4 * exact.abs().max()


def test_inputs_and_switches_of_torch_are_left_alone():
    hsi, msi = _inputs()
    before = hsi.clone(), msi.clone(), torch.is_grad_enabled(), torch.get_num_threads()
    network = _network()
    network(hsi, msi)
    assert torch.equal(hsi, before[0])
    assert torch.equal(msi, before[1])
    assert (torch.is_grad_enabled(), torch.get_num_threads()) == before[2:]
    assert all(parameter.requires_grad for parameter in network.parameters())
