import itertools
import json

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from pifnet_models.fusformer import Fusformer, tile_starts

HSI, MSI, HEIGHT, WIDTH = 7, 3, 24, 40


def _network(**more):
    torch.manual_seed(0)
    network = Fusformer(hsi_channels=HSI, msi_channels=MSI, **more)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.15)
    return network


def _inputs(height=HEIGHT, width=WIDTH):
    torch.manual_seed(1)
    return torch.rand(2, HSI, height, width), torch.rand(2, MSI, height, width)


def _count(network):
    return sum(parameter.numel() for parameter in network.parameters())


def _normalised(tokens, norm):
    centred = tokens - tokens.mean(dim=1, keepdim=True)
    return centred / (centred.square().mean(dim=1, keepdim=True) + 1e-5).sqrt() * norm.weight + norm.bias


def _attended(tokens, block, *, heads):
    """One image's tokens (n, D) through an attention, head by head with all n x n weights."""
    normalised = _normalised(tokens, block.norm)
    query, key, value = (normalised @ weight.T for weight in block.to_qkv.weight.chunk(3))
    answers = []
    for q, k, v in zip(query.chunk(heads, 1), key.chunk(heads, 1), value.chunk(heads, 1), strict=True):
        factors = (q @ k.T / q.shape[1] ** 0.5).exp()
        answers.append((factors / factors.sum(dim=1, keepdim=True)) @ v)
    return tokens + torch.cat(answers, dim=1) @ block.project.weight.T + block.project.bias


def _refined(tokens, block):
    norm, first, _, second = block.layers
    hidden = _normalised(tokens, norm) @ first.weight.T + first.bias
    return tokens + torch.where(hidden > 0, hidden, 0.01 * hidden) @ second.weight.T + second.bias


def _convolved(image, layer):
    """3 x 3 with zeros around: (D, H, W) -> (D', H, W), one product of matrices per position in the kernel."""
    _, height, width = image.shape
    padded = torch.zeros(image.shape[0], height + 2, width + 2, dtype=image.dtype)
    padded[:, 1:-1, 1:-1] = image
    answer = layer.bias[:, None, None].repeat(1, height, width)
    for i, j in itertools.product(range(3), range(3)):
        answer = answer + torch.tensordot(layer.weight[:, :, i, j], padded[:, i : i + height, j : j + width], dims=1)
    return answer


def _published(network, upsampled, hr_msi, *, heads):
    """The steps of docs/methods.md 3 on one image in float64, (C, H, W) and (M, H, W), without the clamps."""
    both = torch.cat((upsampled, hr_msi))
    tokens = both.flatten(1).T @ network.to_tokens.weight.T + network.to_tokens.bias
    for attention, perceptron in network.encoder:
        tokens = _refined(_attended(tokens, attention, heads=heads), perceptron)
    for first, second, perceptron in network.decoder:
        tokens = _attended(_attended(tokens, first, heads=heads), second, heads=heads)
        tokens = _refined(tokens, perceptron)
    hidden = _convolved(tokens.T.reshape(-1, *upsampled.shape[1:]), network.tail[0])
    return _convolved(torch.where(hidden > 0, hidden, 0.01 * hidden), network.tail[2]) + upsampled


class _LargestOutput(TorchDispatchMode):
    """Remembers how many elements the largest tensor had that any operation, forward or backward, returned."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        answer = function(*args, **(kwargs or {}))
        for part in answer if isinstance(answer, tuple | list) else [answer]:
            if isinstance(part, torch.Tensor):
                self.elements = max(self.elements, part.numel())
        return answer


@pytest.mark.parametrize(("hsi", "msi", "live", "total"), [(103, 4, 145_927, 539_143), (31, 3, None, None)])
@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_the_parameters_are_those_of_the_published_network(hsi, msi, ratio, live, total):
    attention = 2 * 48 + 48 * 144 + (48 * 48 + 48)
    perceptron = 2 * 48 + 2 * (48 * 48 + 48)
    layers = 2 * (attention + perceptron) + 2 * (2 * attention + perceptron)
    tail = (9 * 48 * 48 + 48) + (9 * 48 * hsi + hsi)
    closed_form = (48 * (hsi + msi) + 48) + layers + tail
    network = Fusformer(hsi_channels=hsi, msi_channels=msi, ratio=ratio)
    tables = 2 * 4096 * 48
    assert sum(network.dead_parameters.values()) == tables
    assert _count(network) + tables == closed_form + tables
    assert live in (None, closed_form)
    assert total in (None, closed_form + tables)


@pytest.mark.parametrize("heads", [1, 3])
def test_the_network_is_the_published_steps_with_all_attention_weights_at_once(heads):
    network = _network(heads=heads).double()
    upsampled, hr_msi = (image.double() for image in _inputs(9, 14))
    expected = torch.stack([_published(network, *pair, heads=heads) for pair in zip(upsampled, hr_msi, strict=True)])
    torch.testing.assert_close(network(upsampled, hr_msi), expected, rtol=1e-9, atol=1e-9)


def test_attention_is_global():
    network = _network()
    upsampled, hr_msi = _inputs(20, 30)
    moved = hr_msi.clone()
    moved[:, :, 0, 0] += 5
    changed = (network(upsampled, moved) - network(upsampled, hr_msi)).abs().amin(dim=(0, 1))
    assert changed[-1, -1] > 0


def test_neither_pass_holds_every_pair_of_pixels():
    network = _network()
    height, width = 40, 60
    inputs = [image[:1].requires_grad_() for image in _inputs(height, width)]
    with _LargestOutput() as forward:
        answer = network(*inputs)
    with _LargestOutput() as backward:
        answer.square().sum().backward()
    pixels = height * width
    largest_features = pixels * 9 * 48  # an image of columns, if a convolution makes one
    for found in (forward, backward):
        assert pixels * 48 <= found.elements <= largest_features < pixels**2


def test_a_scene_outside_0_to_1_is_answered_and_trains():
    network = _network()
    upsampled, hr_msi = (8 * image - 4 for image in _inputs())
    upsampled.requires_grad_()
    answer = network(upsampled, hr_msi)
    answer.sum().backward()
    assert answer.min() < -1
    assert answer.max() > 2
    assert upsampled.grad.abs().amin() > 0  # an answer that was cut would have none


@pytest.mark.parametrize(("length", "tile"), [(1, 5), (5, 5), (6, 5), (10, 5), (11, 5), (1024, 64), (340, 64)])
def test_full_tiles_inside_the_axis_cover_it(length, tile):
    starts = tile_starts(length, tile=tile)
    assert {position for start in starts for position in range(start, start + min(tile, length))} == set(range(length))
    assert len(starts) == -(-length // tile)
    assert starts == sorted(set(starts))


@pytest.mark.parametrize("tile", [40, 64])
def test_an_image_up_to_the_tile_is_attended_to_whole(tile):
    inputs = _inputs()
    assert torch.equal(_network(attention_tile=tile)(*inputs), _network(attention_tile=1000)(*inputs))


def test_a_larger_image_is_its_tiles_and_the_later_one_stands():
    network, whole = _network(attention_tile=16), _network()
    upsampled, hr_msi = _inputs(24, 40)
    expected = torch.full_like(upsampled, torch.nan)
    for row, column in itertools.product([slice(0, 16), slice(8, 24)], [slice(0, 16), slice(16, 32), slice(24, 40)]):
        expected[:, :, row, column] = whole(upsampled[:, :, row, column], hr_msi[:, :, row, column])
    torch.testing.assert_close(network(upsampled, hr_msi), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(10, 40), (40, 10)])
def test_an_axis_shorter_than_the_tile_is_not_cut(height, width):
    upsampled, hr_msi = _inputs(height, width)
    answer, whole = _network(attention_tile=20), _network()
    dim = 2 if height > width else 3
    pairs = zip(upsampled.chunk(2, dim), hr_msi.chunk(2, dim), strict=True)
    expected = torch.cat([whole(*pair) for pair in pairs], dim=dim)
    torch.testing.assert_close(answer(upsampled, hr_msi), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("tile", [16, 64])
def test_all_inputs_and_parameters_get_a_gradient(tile):
    inputs = [image.requires_grad_() for image in _inputs()]
    network = _network(attention_tile=tile)
    network(*inputs).square().mean().backward()
    assert all(image.grad.abs().amin(dim=(2, 3)).min() > 0 for image in inputs)
    assert [name for name, parameter in network.named_parameters() if not parameter.grad.abs().sum() > 0] == []


@pytest.mark.parametrize("tile", [16, 64])
def test_a_zero_start_answers_the_upsampled_image(tile):
    upsampled, hr_msi = _inputs()
    network = Fusformer(hsi_channels=HSI, msi_channels=MSI, output_start="zero", attention_tile=tile)
    assert torch.equal(network(upsampled, hr_msi), upsampled)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 9), (5, 2)])
def test_any_size_is_accepted(height, width):
    network = _network()
    assert network.size_rule.accepts(height, width)
    assert network(*_inputs(height, width)).shape == (2, HSI, height, width)


def test_a_network_is_rebuilt_from_its_hyper_parameters_and_weights():
    network = _network(ratio=3, width=16, heads=4, encoder_layers=1, attention_tile=16)
    rebuilt = Fusformer(**json.loads(json.dumps(network.hyper_parameters)))
    rebuilt.load_state_dict(network.state_dict())
    assert torch.equal(rebuilt(*_inputs()), network(*_inputs()))


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="16 features cannot be split into 3"):
        Fusformer(hsi_channels=HSI, msi_channels=MSI, width=16)


@pytest.mark.parametrize("number", ["ratio", "attention_tile"])
def test_numbers_below_1_are_refused(number):
    with pytest.raises(ValueError, match="of 1 or more"):
        Fusformer(hsi_channels=HSI, msi_channels=MSI, **{number: 0})


def test_an_unknown_start_is_refused():
    with pytest.raises(ValueError, match="random"):
        Fusformer(hsi_channels=HSI, msi_channels=MSI, output_start="random")
