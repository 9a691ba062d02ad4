import json

import numpy as np
import pytest
import torch

from pifnet_models.hsrnet import HSRNet, OutputStart
from pifnet_models.interface import SizeRule

BANDS, MSI, HEIGHT, WIDTH = 7, 3, 24, 40


def _network(ratio=4, **more):
    torch.manual_seed(0)
    return HSRNet(hsi_channels=BANDS, msi_channels=MSI, ratio=ratio, **more)


def _randomised(network):
    torch.manual_seed(1)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


def _inputs(ratio=4, height=HEIGHT, width=WIDTH):
    torch.manual_seed(2)
    upsampled, hr_msi = torch.rand(2, BANDS, height, width), torch.rand(2, MSI, height, width)
    return upsampled, hr_msi, torch.rand(2, BANDS, height // ratio, width // ratio)


def _parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("bands", "msi", "ratio", "total"),
    [(103, 4, 2, 962_395), (103, 4, 4, 2_153_899), (103, 4, 8, 6_919_915), (31, 3, 4, 633_438)],
)
def test_parameters_are_those_of_the_published_graph(bands, msi, ratio, total):
    network = HSRNet(hsi_channels=bands, msi_channels=msi, ratio=ratio)
    attention = (bands + 1) + 2 * bands + 37 + 37
    coarse = 36 * msi**2 + msi + 9 * (bands + msi) * bands * ratio**2 + bands * ratio**2
    fine = 576 * (bands + msi) + 64 + 443_136 + 576 * bands + bands
    assert sum(network.dead_parameters.values()) == 37
    assert _parameters(network) + 37 == attention + coarse + fine == total


def _filtered(image, layer, *, before=None, stride=1):
    """A convolution written out: (B, I, H, W) -> (B, O, H / stride, W / stride), `before` zeros above and left."""
    weight, bias = (parameter.detach().double().numpy() for parameter in (layer.weight, layer.bias))
    side = weight.shape[-1]
    before = side // 2 if before is None else before
    padded = np.pad(image, ((0, 0), (0, 0), (before, side), (before, side)))
    height, width = (-(-length // stride) for length in image.shape[2:])
    answer = np.zeros((len(image), len(weight), height, width)) + bias[:, None, None]
    for i in range(height):
        for j in range(width):
            seen = padded[:, :, i * stride : i * stride + side, j * stride : j * stride + side]
            answer[:, :, i, j] += np.einsum("bikl,oikl->bo", seen, weight)
    return answer


def _leaky(values):
    return np.where(values > 0, values, 0.2 * values)


def _sigmoid(values):
    return 1 / (1 + np.exp(-values))


def _shuffled(channels, ratio):
    batch, deep, height, width = channels.shape
    answer = np.empty((batch, deep // ratio**2, height * ratio, width * ratio))
    for band in range(deep // ratio**2):
        for i in range(ratio):
            for j in range(ratio):
                answer[:, band, i::ratio, j::ratio] = channels[:, band * ratio**2 + i * ratio + j]
    return answer


def _expected(network, upsampled, hr_msi, lr_hsi):
    """The network, step by step as docs/methods.md 2 numbers them, in double precision."""
    ratio = network.ratio
    mean = lr_hsi.mean(axis=(2, 3), keepdims=True)
    by_band = _sigmoid(_filtered(_leaky(_filtered(mean, network.gather_bands)), network.weigh_bands))
    by_pixel = _sigmoid(_filtered(hr_msi.mean(axis=1, keepdims=True), network.weigh_pixels[1], before=2))
    height = hr_msi.shape[2]
    padding = max((-(-height // ratio) - 1) * ratio + 6 - height, 0)
    small = _filtered(hr_msi, network.to_coarse[1], before=padding // 2, stride=ratio)
    coarse = _leaky(_filtered(np.concatenate((small, lr_hsi), axis=1), network.coarse_fusion))
    fine = np.concatenate((hr_msi, _shuffled(coarse, ratio)), axis=1)
    features = _leaky(_filtered(fine, network.fine_fusion))
    for block in network.blocks:
        features = features + _filtered(_leaky(_filtered(features, block.first)), block.second)
    return by_band * _filtered(by_pixel * features, network.tail) + upsampled


@pytest.mark.parametrize("ratio", [1, 2, 3, 4, 5, 8])
def test_the_answer_is_that_of_the_steps_written_out(ratio):
    network = _randomised(_network(ratio, width=5, blocks=2)).double()
    inputs = [x.double() for x in _inputs(ratio, 2 * ratio, 3 * ratio)]
    expected = _expected(network, *(x.numpy() for x in inputs))
    np.testing.assert_allclose(network(*inputs).detach().numpy(), expected, rtol=1e-10, atol=1e-10)


def test_a_zero_start_answers_the_upsampled_image_exactly():
    zero, published = _network(output_start="zero"), _network()
    inputs = _inputs()
    assert torch.equal(zero(*inputs), inputs[0])
    assert not torch.allclose(published(*inputs), inputs[0])
    changed = [name for name, x in published.state_dict().items() if not torch.equal(x, zero.state_dict()[name])]
    assert changed == ["tail.weight"]  # biases start at zero anyway


def test_the_published_start_is_a_cut_normal_one_with_he_variance():
    network = HSRNet(hsi_channels=31, msi_channels=3)
    weight = network.blocks[0].first.weight.detach()
    expected = (2 / (9 * 64)) ** 0.5
    assert weight.std().item() == pytest.approx(expected, rel=0.02)  # 36,864 draws: 0.4 % a deviation
    assert weight.abs().max().item() <= 2 * expected / 0.879
    assert not any(x.any() for name, x in network.named_parameters() if name.endswith("bias"))


def test_the_second_layer_of_the_spectral_attention_starts_unit_normal():
    torch.manual_seed(0)
    weight = HSRNet(hsi_channels=400, msi_channels=1, ratio=1).weigh_bands.weight.detach()
    assert weight.std().item() == pytest.approx(
        1, abs=0.15
    )  # 400 draws: 3.5 % a deviation; the others' rule gives 1.41
    assert weight.abs().max() > 2.3  # not cut at two deviations


@pytest.mark.parametrize("ratio", [1, 2, 3, 4, 8])
def test_the_size_rule_is_the_ratio(ratio):
    assert _network(ratio).size_rule == SizeRule(multiple_of=ratio, minimum=ratio)


@pytest.mark.parametrize(("height", "width"), [(24, 42), (22, 40), (2, 40)])
def test_sides_that_break_the_rule_are_refused(height, width):
    with pytest.raises(ValueError, match=f"multiple of 4, not {height} x {width}"):
        _network()(*_inputs(4, height, width))


def test_an_lr_hsi_on_another_grid_is_refused():
    upsampled, hr_msi, _ = _inputs()
    with pytest.raises(ValueError, match="24 x 40 with ratio 4; the LR-HSI is 6 x 9"):
        _network()(upsampled, hr_msi, torch.rand(2, BANDS, 6, 9))


def test_numbers_out_of_range_are_refused():
    with pytest.raises(ValueError, match="ratio of 1 or more, not 0"):
        _network(0)
    with pytest.raises(ValueError, match="'one' is not a valid OutputStart"):
        _network(output_start="one")


def test_every_parameter_and_input_gets_a_gradient():
    network = _randomised(_network())
    inputs = [x.requires_grad_() for x in _inputs()]
    network(*inputs).square().mean().backward()
    assert all(x.grad.abs().amin(dim=(2, 3)).max() > 0 for x in inputs)
    assert [name for name, x in network.named_parameters() if x.grad is None or not x.grad.any()] == []


def test_the_network_is_rebuilt_from_its_hyper_parameters():
    network = _randomised(_network(output_start=OutputStart.ZERO, width=8, blocks=2))
    rebuilt = HSRNet(**json.loads(json.dumps(network.hyper_parameters)))
    rebuilt.load_state_dict(network.state_dict())
    assert torch.equal(rebuilt(*_inputs()), network(*_inputs()))


def test_half_precision_stays_near_the_answer():
    network, inputs = _network().eval(), _inputs()
    with torch.inference_mode():
        exact = network(*inputs)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = network(*inputs)
    assert rough.dtype == torch.float32  # the skip is
    assert (rough - exact).abs().max() < 0.03 * exact.abs().max()  # bfloat16 has eight bits
