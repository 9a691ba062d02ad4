import torch

from pifnet_models.layers.convolution import block_diagonal, start_at_zero, two_convolutions


def test_a_block_diagonal_map_applies_each_group_to_its_own_channels():
    weight = torch.randn(2, 3, 5, 4)  # 2 maps of 3 groups, 4 -> 5
    inputs = torch.randn(3 * 4)
    expected = torch.einsum("rsoi,si->rso", weight, inputs.view(3, 4)).flatten()
    torch.testing.assert_close(block_diagonal(weight) @ inputs, expected)


def test_a_layer_started_at_zero_returns_zero():
    layers = two_convolutions(3, 4, 5)
    start_at_zero(layers[-1])
    assert not layers(torch.rand(1, 3, 6, 7)).any()
