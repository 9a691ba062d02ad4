import json
import math

import numpy as np
import pytest
import torch
from torch import nn

from pifnet_models.interface import SizeRule
from pifnet_models.smgunet import SMGUNet

BANDS, MSI, HEIGHT, WIDTH = 7, 3, 24, 40


def _network(ratio=4, **more):
    torch.manual_seed(0)
    return SMGUNet(hsi_channels=BANDS, msi_channels=MSI, ratio=ratio, **more)


def _inputs(ratio=4, height=HEIGHT, width=WIDTH):
    torch.manual_seed(2)
    upsampled, hr_msi = torch.rand(2, BANDS, height, width), torch.rand(2, MSI, height, width)
    return upsampled, hr_msi, torch.rand(2, BANDS, height // ratio, width // ratio)


def _parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize(
    ("bands", "msi", "ratio", "total"),
    [(103, 4, 2, 5_852_571), (103, 4, 4, 6_234_495), (103, 4, 8, 7_762_191), (31, 3, 4, 759_385)],
)
def test_parameters_are_those_of_the_published_network(bands, msi, ratio, total):
    network = SMGUNet(hsi_channels=bands, msi_channels=msi, ratio=ratio)

    def convolution(channels_in, channels_out, side=3):
        return side**2 * channels_in * channels_out + channels_out

    upsampling = 2 * convolution(msi, bands) + convolution(bands, msi, 1) + 3 * convolution(bands, bands, ratio)
    prior = sum(convolution(bands, bands, side) for side in (1, 3, 5)) + convolution(3 * bands, bands, 1)
    dense = convolution(2 * bands, bands, 1) + sum(convolution(i * bands, bands) for i in range(1, 6))
    guidance = dense + 2 * convolution(bands, bands) + convolution(3 * bands, bands)
    features = convolution(bands, 64) + convolution(64, 128) + convolution(192, 64) + convolution(64 + bands, bands)
    fusion = 2 * (convolution(bands, 2 * bands) + convolution(2 * bands, bands))
    own = features + convolution(3 * bands, bands)
    assert network.dead_parameters == {}
    assert _parameters(network) == upsampling + prior + 2 * guidance + own + fusion + 4 == total


def _leaky(values):
    return np.where(values > 0, values, 0.2 * values)


def _sigmoid(values):
    return 1 / (1 + np.exp(-values))


def _joined(*images):
    return np.concatenate(images, axis=1)


def _filtered(image, layer, stride=1):
    """A convolution written out, over an image that is reflected without repeating its edge where that is possible."""
    weight, bias = (parameter.detach().double().numpy() for parameter in (layer.weight, layer.bias))
    side = weight.shape[-1]
    reach = side // 2 if stride == 1 else 0
    padded = np.pad(image, ((0, 0), (0, 0), (reach, reach), (reach, reach)), mode="reflect")
    height, width = (length // stride for length in image.shape[2:])
    answer = np.zeros((len(image), len(weight), height, width)) + bias[:, None, None]
    for i in range(height):
        for j in range(width):
            seen = padded[:, :, i * stride : i * stride + side, j * stride : j * stride + side]
            answer[:, :, i, j] += np.einsum("bikl,oikl->bo", seen, weight)
    return answer


def _blown_up(image, layer, ratio):
    """Every coarse pixel becomes a block of its own."""
    weight, bias = (parameter.detach().double().numpy() for parameter in (layer.weight, layer.bias))
    batch, _, height, width = image.shape
    answer = np.zeros((batch, weight.shape[1], height * ratio, width * ratio)) + bias[:, None, None]
    for i in range(height):
        for j in range(width):
            block = np.einsum("bi,iokl->bokl", image[:, :, i, j], weight)
            answer[:, :, i * ratio : (i + 1) * ratio, j * ratio : (j + 1) * ratio] += block
    return answer


def _cubic_weights(length):
    """(2 length, length): cubic convolution with a = -0.75, corners on corners, edges repeated."""
    weights = np.zeros((2 * length, length))
    for i in range(2 * length):
        at = i * (length - 1) / (2 * length - 1)
        for tap in range(math.floor(at) - 1, math.floor(at) + 3):
            d = abs(at - tap)
            near, far = (1.25 * d - 2.25) * d**2 + 1, -0.75 * (((d - 5) * d + 8) * d - 4)
            weights[i, min(max(tap, 0), length - 1)] += near if d <= 1 else far
    return weights


def _doubled(image):
    rows, columns = (_cubic_weights(length) for length in image.shape[2:])
    return np.einsum("bdij,pi,qj->bdpq", image, rows, columns)


def _halved(image):
    return (image[..., ::2, ::2] + image[..., 1::2, ::2] + image[..., ::2, 1::2] + image[..., 1::2, 1::2]) / 4


def _dense(block, space, spectra):
    known = [_leaky(_filtered(_joined(space, spectra), block.enter))]
    for layer in block.dense:
        known.append(_leaky(_filtered(_joined(*known), layer)))
    return _filtered(_joined(*known), block.leave) + known[0]


def _enhanced(block, image, guide):
    content, gate = _filtered(image, block.content), _sigmoid(_filtered(guide, block.gate))
    return _filtered(_joined(content, content * gate, gate), block.merge)


def _space_guidance(block, space, spectra):
    e2 = _leaky(_filtered(spectra, block.shallow))
    e3 = _leaky(_filtered(e2, block.deep))
    d1 = _leaky(_filtered(_joined(e3, e2), block.gather))
    d2 = _leaky(_filtered(_joined(spectra, d1), block.guide))
    return _enhanced(block.enhance, space, d2) + _dense(block.residual, space, spectra)


def _spectra_guidance(block, space, spectra):
    half = _halved(space)
    d = _leaky(_filtered(_joined(space, _doubled(_joined(half, _doubled(_halved(half))))), block.guide))
    return _enhanced(block.enhance, spectra, d) + _dense(block.residual, space, spectra)


def _fused(block, first, second):
    def gate(layers, image):
        return _sigmoid(_filtered(_leaky(_filtered(image, layers[0])), layers[2]))

    g1, g2 = gate(block.space_gate, first), gate(block.spectra_gate, second)
    return first + first * g2 + second + second * g1


def _expected(network, upsampled, hr_msi, lr_hsi):
    """The network as docs/methods.md 7 numbers its steps, S1 and S2 anew in each iteration, in double precision."""
    mu, rho, alpha, beta = (
        network.get_parameter(name).item() for name in ("space_step", "spectra_step", "space_prior", "spectra_prior")
    )
    up, ratio = network.upsample_spectra, network.ratio
    y1 = _leaky(_filtered(hr_msi, up.up))
    spectra = y1 + _leaky(_filtered(hr_msi - _leaky(_filtered(y1, up.down)), up.up_again))
    up = network.upsample_space
    x1 = _leaky(_blown_up(lr_hsi, up.up, ratio))
    x2 = _leaky(_filtered(x1, up.down, stride=ratio))
    space = x1 + _leaky(_blown_up(lr_hsi - x2, up.up_again, ratio))
    image = upsampled
    for _ in range(2):
        scales = _joined(*(_leaky(_filtered(image, scale)) for scale in network.prior.scales))
        prior = image + _filtered(scales, network.prior.merge)
        s1 = _space_guidance(network.guide_space, space, spectra)
        s2 = _spectra_guidance(network.guide_spectra, space, spectra)
        first = image - mu * ((1 + alpha) * image - space - s1 - alpha * prior)
        second = image - rho * ((1 + beta) * image - spectra - s2 - beta * prior)
        image = _fused(network.fusion, first, second)
    return image


@pytest.mark.parametrize(("ratio", "height", "width"), [(4, 8, 12), (3, 12, 24), (2, 4, 8)])
def test_the_answer_is_the_published_network_written_out(ratio, height, width):
    network = _network(ratio=ratio)
    torch.manual_seed(1)
    for parameter in network.parameters():
        nn.init.normal_(parameter, std=0.1)
    for name, value in {"space_step": 0.7, "spectra_step": 0.4, "space_prior": 1.3, "spectra_prior": 0.6}.items():
        nn.init.constant_(network.get_parameter(name), value)
    inputs = _inputs(ratio=ratio, height=height, width=width)
    with torch.no_grad():
        found = network.double()(*(x.double() for x in inputs)).numpy()
    np.testing.assert_allclose(found, _expected(network, *(x.double().numpy() for x in inputs)), rtol=1e-9, atol=1e-9)


def test_the_four_scalars_start_at_one():
    network = _network()
    scalars = {name: parameter.item() for name, parameter in network.named_parameters() if parameter.ndim == 0}
    assert scalars == {"space_step": 1, "spectra_step": 1, "space_prior": 1, "spectra_prior": 1}


@pytest.mark.parametrize("ratio", [2, 4])
def test_a_zero_start_answers_upsampled_to_rounding(ratio):
    inputs = _inputs(ratio=ratio)
    with torch.no_grad():
        torch.testing.assert_close(_network(ratio=ratio, output_start="zero")(*inputs), inputs[0], rtol=1e-6, atol=0)
        assert not torch.allclose(_network(ratio=ratio)(*inputs), inputs[0], atol=0.1)


def test_a_zero_start_trains_every_parameter_from_the_third_step_on():
    network, inputs = _network(output_start="zero"), _inputs(height=8, width=16)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        (network(*inputs) - 1).square().mean().backward()
        optimizer.step()
    assert [name for name, parameter in network.named_parameters() if not parameter.grad.any()] == []


def test_a_trained_network_is_rebuilt_from_numbers_and_weights():
    network, inputs = _network(ratio=2), _inputs(ratio=2)
    rebuilt = SMGUNet(**json.loads(json.dumps(network.hyper_parameters)))
    rebuilt.load_state_dict(network.state_dict())
    with torch.inference_mode():
        assert torch.equal(rebuilt(*inputs), network(*inputs))


@pytest.mark.parametrize(("ratio", "side"), [(1, 4), (2, 4), (3, 12), (4, 4), (6, 12), (8, 8)])
def test_the_shortest_accepted_side_is_long_enough_for_poolings_and_reflections(ratio, side):
    network = _network(ratio=ratio)
    assert network.size_rule == SizeRule(multiple_of=side, minimum=side)
    assert network(*_inputs(ratio=ratio, height=side, width=2 * side)).shape == (2, BANDS, side, 2 * side)


@pytest.mark.parametrize(("height", "width"), [(24, 38), (2, 4), (18, 40)])
def test_other_sides_are_refused(height, width):
    with pytest.raises(ValueError, match=f"sides that are a multiple of 4, not {height} x {width}"):
        _network(ratio=2)(*_inputs(ratio=2, height=height, width=width))


def test_an_lr_image_on_another_grid_is_refused():
    upsampled, hr_msi, lr_hsi = _inputs()
    with pytest.raises(ValueError, match="24 x 40 with ratio 4; the LR-HSI is 6 x 9"):
        _network()(upsampled, hr_msi, lr_hsi[..., 1:])


@pytest.mark.parametrize(
    ("more", "message"),
    [({"ratio": 0}, "ratio of 1 or more, not 0"), ({"output_start": "x"}, "'x' is not a valid OutputStart")],
)
def test_numbers_it_cannot_do_are_refused(more, message):
    with pytest.raises(ValueError, match=message):
        _network(**more)
