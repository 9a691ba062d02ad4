import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

from pifnet_models.dt3net import BLOCKS, DT3Net, ResidualSwin, SwinBlock, VolumeConvolutions
from pifnet_models.interface import SizeRule

BANDS, MSI, HEIGHT, WIDTH = 7, 3, 24, 40
SIDE, HEADS, HEAD_WIDTH = 8, 6, 30


def _network(ratio=4, **more):
    torch.manual_seed(0)
    return DT3Net(hsi_channels=BANDS, msi_channels=MSI, ratio=ratio, **more)


def _inputs(ratio=4, height=HEIGHT, width=WIDTH, dtype=torch.float32):
    torch.manual_seed(2)
    upsampled, hr_msi = torch.rand(2, BANDS, height, width), torch.rand(2, MSI, height, width)
    return tuple(x.to(dtype) for x in (upsampled, hr_msi, torch.rand(2, BANDS, height // ratio, width // ratio)))


def _parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def _published_parameters(bands, msi, kernel=13):
    """Layer by layer, with the scalars and the PReLU that the published network never reads."""

    def convolution(channels_in, channels_out, side=3):
        return side**2 * channels_in * channels_out + channels_out

    linear_maps = (
        convolution(180, 540, 1) + convolution(180, 180, 1) + convolution(180, 360, 1) + convolution(360, 180, 1)
    )
    swin_block = linear_maps + 225 * 6 + 2 * 360
    volume = (64 * 9 + 64 + 64) + (64 * 3 + 1 + 1)
    prior = convolution(64, 128) + convolution(128, 180) + 2 * 360 + 6 * swin_block + 2 * convolution(180, 180) + volume
    assert prior == 2_441_754
    heads = convolution(bands, 64) + 4 * convolution(192, 64) + convolution(320, 64)
    operators = convolution(bands, msi) + convolution(msi, bands) + 2 * convolution(bands, bands, kernel)
    return prior + convolution(180, bands) + heads + operators + 2 * 7 + 1


@pytest.mark.parametrize(
    ("bands", "msi", "ratio", "total"),
    [(103, 4, 2, 6_888_703), (103, 4, 4, 6_888_703), (103, 4, 8, 6_888_703), (31, 3, 4, 3_463_536)],
)
def test_parameters_are_those_of_the_published_network(bands, msi, ratio, total):
    network = DT3Net(hsi_channels=bands, msi_channels=msi, ratio=ratio)
    dead = sum(network.dead_parameters.values())
    assert dead == (2 * 7 - 4) + 1
    assert _parameters(network) + dead == _published_parameters(bands, msi) == total


def test_a_smaller_operator_is_a_smaller_network():
    assert _parameters(_network(operator_kernel=7)) + 11 == _published_parameters(BANDS, MSI, kernel=7)


@pytest.mark.parametrize(
    "shape",
    [(1, BANDS, 24, 40), (2, 3, 6, 10), (1, 2, 72, 64), (1, 1, 5, 9)],
    ids=["groups", "batch", "strips", "one band"],
)
def test_the_volume_is_two_weight_normalised_3d_convolutions(shape):
    torch.manual_seed(0)
    volume = VolumeConvolutions().double()
    spatial = weight_norm(nn.Conv3d(1, 64, (1, 3, 3), padding=(0, 1, 1))).double()
    spectral = weight_norm(nn.Conv3d(64, 1, (3, 1, 1), padding=(1, 0, 0))).double()
    torch.testing.assert_close(volume.spatial_magnitude, volume.spatial_direction.flatten(1).norm(dim=1))
    for parameter in volume.parameters():
        nn.init.normal_(parameter)
    twins = {  # ours: theirs
        "spatial_magnitude": spatial.parametrizations.weight.original0,
        "spatial_direction": spatial.parametrizations.weight.original1,
        "spatial_bias": spatial.bias,
        "spectral_magnitude": spectral.parametrizations.weight.original0,
        "spectral_direction": spectral.parametrizations.weight.original1,
        "spectral_bias": spectral.bias,
    }
    for name, twin in twins.items():
        twin.data = volume.get_parameter(name).detach().view(twin.shape).clone()
    image, weights = (
        torch.randn(shape, dtype=torch.float64, requires_grad=True),
        torch.randn(shape, dtype=torch.float64),
    )
    expected = spectral(spatial(image[:, None]).relu())[:, 0]
    found = volume(image)
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)
    with torch.no_grad():
        torch.testing.assert_close(volume(image), expected, rtol=1e-11, atol=1e-11)
    (expected_gradient,) = torch.autograd.grad((expected * weights).sum(), image, retain_graph=True)
    (expected * weights).sum().backward(inputs=list(twins.values()))
    (found * weights).sum().backward()
    torch.testing.assert_close(image.grad, expected_gradient, rtol=1e-10, atol=1e-10)
    for name, twin in twins.items():
        gradient = volume.get_parameter(name).grad
        torch.testing.assert_close(gradient, twin.grad.view(gradient.shape), rtol=1e-9, atol=1e-9)


def _normalised(tokens, norm):
    centred = tokens - tokens.mean(axis=-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5)
    return scaled * norm.weight.detach().numpy() + norm.bias.detach().numpy()


def _mapped(tokens, linear):
    return tokens @ linear.weight.detach().numpy().T + linear.bias.detach().numpy()


def _gelu(values):
    return values * 0.5 * (1 + np.vectorize(math.erf)(values / math.sqrt(2)))


def _regions(length, shift):
    """For each pixel of a shifted axis, which of the stretches it lies in that were in one piece before."""
    region = np.zeros(length, dtype=int)
    if shift:
        region[length - SIDE : length - shift] = 1
        region[length - shift :] = 2
    return region


def _attended(qkv, table, regions):
    """(64, 540) of one window, and the regions (64, 2) of its pixels -> (64, 180)."""
    answer = np.zeros((SIDE**2, HEADS * HEAD_WIDTH))
    for head in range(HEADS):
        channels = slice(head * HEAD_WIDTH, (head + 1) * HEAD_WIDTH)
        q, k, v = (qkv[:, part * 180 : (part + 1) * 180][:, channels] for part in range(3))
        for i in range(SIDE**2):
            logits = k @ q[i] / math.sqrt(HEAD_WIDTH)
            for j in range(SIDE**2):
                down, right = i // SIDE - j // SIDE, i % SIDE - j % SIDE
                logits[j] += table[(down + 7) * 15 + right + 7, head]
                logits[j] += 0 if (regions[i] == regions[j]).all() else -100
            weights = np.exp(logits - logits.max())
            answer[i, channels] = weights @ v / weights.sum()
    return answer


def _swin_block(block, image, shift):
    """One sample (H, W, 180), window by window and pixel by pixel."""
    height, width, _ = image.shape
    rows, columns = _regions(height, shift), _regions(width, shift)
    table = block.position_table.detach().numpy()
    qkv = _mapped(_normalised(image, block.attention_norm), block.qkv)
    heads = np.zeros_like(image)
    for top in range(0, height, SIDE):
        for left in range(0, width, SIDE):
            shifted = [(top + i, left + j) for i in range(SIDE) for j in range(SIDE)]
            at = tuple(np.array([((i + shift) % height, (j + shift) % width) for i, j in shifted]).T)
            regions = np.array([(rows[i], columns[j]) for i, j in shifted])
            heads[at] = _attended(qkv[at], table, regions)
    image = image + _mapped(heads, block.projection)
    hidden = _gelu(_mapped(_normalised(image, block.mlp_norm), block.mlp[0]))
    return image + _mapped(hidden, block.mlp[2])


def _swin(drop=0.0):
    torch.manual_seed(0)
    block = SwinBlock(drop=drop).double().eval()
    for name, parameter in block.named_parameters():
        nn.init.normal_(parameter, std=1.0 if name == "position_table" else 0.2)
    return block


@pytest.mark.parametrize(("height", "width"), [(8, 8), (16, 24)])
@pytest.mark.parametrize("shift", [0, 4])
def test_a_swin_block_is_attention_written_out(height, width, shift):
    block, image = _swin(), torch.randn(1, height, width, 180, dtype=torch.float64)
    expected = _swin_block(block, image[0].numpy(), shift)
    with torch.no_grad():
        np.testing.assert_allclose(block(image, shift=shift)[0], expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(block(image, shift=shift)[0].detach(), expected, rtol=1e-9, atol=1e-9)  # with gradients


@pytest.mark.parametrize("shift", [0, 4])
def test_windows_in_several_pieces_are_the_same_windows(shift):
    block, image = _swin(), torch.randn(3, 40, 48, 180, dtype=torch.float64)  # 90 windows, of which 64 are held at once
    with torch.no_grad():
        together = block(image, shift=shift)
        apart = torch.cat([block(sample[None], shift=shift) for sample in image])
    torch.testing.assert_close(together, apart, rtol=1e-10, atol=1e-10)


def test_pixels_that_only_the_shift_made_neighbours_do_not_see_each_other():
    block, image = _swin(), torch.randn(1, 16, 24, 180, dtype=torch.float64)
    moved = image.clone()
    moved[:, 0] += 1
    with torch.no_grad():
        changed = (block(moved, shift=4) - block(image, shift=4)).abs().amax(dim=(0, 2, 3))
    assert changed[:4].min() > 0
    assert changed[4:].max() < 1e-12  # rows 12 to 15 share the first rows' window


def test_training_leaves_out_either_branch_and_scales_what_it_keeps():
    block, image = _swin(drop=0.25), torch.randn(1, 8, 8, 180, dtype=torch.float64)
    with torch.no_grad():
        whole = block(image, shift=0)
        attended = block.projection.weight.new_zeros(1) + _attention_branch(block, image)
        block.train()
        torch.manual_seed(3)
        answers = block(image.expand(200, -1, -1, -1), shift=0)
        torch.manual_seed(3)
        assert torch.equal(block(image.expand(200, -1, -1, -1), shift=0), answers)
        block.eval()
        assert torch.equal(block(image, shift=0), whole)
    scale = 1 / 0.75
    candidates = {}
    for has_attention in (0, 1):
        middle = image + has_attention * scale * attended
        for has_mlp in (0, 1):
            candidates[has_attention, has_mlp] = middle + has_mlp * scale * block.mlp(block.mlp_norm(middle))
    counts = {
        key: sum(torch.allclose(answer, candidate[0], rtol=0, atol=1e-9) for answer in answers)
        for key, candidate in candidates.items()
    }
    assert sum(counts.values()) == 200
    for (has_attention, has_mlp), count in counts.items():
        probability = (0.75 if has_attention else 0.25) * (0.75 if has_mlp else 0.25)
        assert abs(count - 200 * probability) < 4 * math.sqrt(200 * probability * (1 - probability))


def _attention_branch(block, image):
    """What attention adds to (1, 8, 8, 180)."""
    qkv = _mapped(_normalised(image[0].numpy().reshape(64, 180), block.attention_norm), block.qkv)
    heads = _attended(qkv, block.position_table.detach().numpy(), np.zeros((64, 2)))
    return torch.from_numpy(_mapped(heads, block.projection)).view(1, 8, 8, 180)


def test_deeper_blocks_are_left_out_more_often():
    drops = [block.drop for block in ResidualSwin().blocks]
    assert drops == pytest.approx([0, 0.02, 0.04, 0.06, 0.08, 0.1])


@pytest.mark.parametrize("kernel", [1, 5, 13])
@pytest.mark.parametrize("ratio", [1, 2, 3, 4, 8])
def test_the_operators_lead_from_grid_to_grid_and_are_each_others_transposes(ratio, kernel):
    network = _network(ratio=ratio, operator_kernel=kernel).double()
    fine = torch.randn(1, BANDS, 2 * ratio, 3 * ratio, dtype=torch.float64)
    coarse = torch.randn(1, BANDS, 2, 3, dtype=torch.float64)
    network.spread.weight.data = network.degrade.weight.data
    for layer in (network.degrade, network.spread):
        nn.init.zeros_(layer.bias)
    with torch.no_grad():
        degraded, spread = network.degrade(fine), network.spread(coarse)
    assert degraded.shape == coarse.shape
    assert spread.shape == fine.shape
    torch.testing.assert_close((degraded * coarse).sum(), (spread * fine).sum())


def _prior(network, entry):
    prior = network.prior
    features = F.conv2d(entry, prior.features.weight, prior.features.bias, padding=1)
    spread = F.conv2d(features, prior.enter.weight, prior.enter.bias, padding=1)
    entered = prior.norm_before(spread.movedim(1, 3))
    tokens = entered
    for index in range(BLOCKS):
        tokens = prior.transformer.blocks[index](tokens, shift=4 * (index % 2))
    tokens = entered + prior.transformer.convolution(tokens.movedim(3, 1)).movedim(1, 3)
    spread = spread + prior.leave(prior.norm_after(tokens).movedim(3, 1))
    return prior.volume(prior.to_bands(spread).relu()), features


def test_the_three_stages_are_the_published_iteration():
    network = _network(operator_kernel=5).double().eval()
    for scalar, value in zip(
        ("detail_delta", "detail_eta", "image_delta", "image_eta"), (0.3, 0.7, 0.2, 0.6), strict=True
    ):
        nn.init.constant_(network.get_parameter(scalar), value)
    d0, e0, d3, e3 = 0.3, 0.7, 0.2, 0.6
    x, hr_msi, lr_hsi = _inputs(height=8, width=16, dtype=torch.float64)
    e1, (_, e3_head, e5), (e2, e4, e6) = network.embed, network.detail_heads, network.image_heads
    kept = []
    with torch.no_grad():
        found, z = network(x, hr_msi, lr_hsi), x
        entries = (
            lambda: e1(z),
            lambda: e3_head(torch.cat((e1(z), kept[0]), 1)),
            lambda: e5(torch.cat((e1(z), *kept), 1)),
        )
        for stage, (entry, leave) in enumerate(zip(entries, (e2, e4, e6), strict=True)):
            v, feature = _prior(network, entry())
            v = v + z
            detail = network.to_hsi(hr_msi - network.to_msi(z))
            z = (1 - d0 - d0 * e0) * z + d0 * detail + d0 * (x - e0 * v)
            u = _prior(network, leave(torch.cat((e1(z), feature), 1)))[0] + z
            if stage == 2:
                break
            kept.append(feature)
            detail = network.to_hsi(hr_msi - network.to_msi(x))
            back = network.spread(network.degrade(x) - lr_hsi)
            x = (1 - d3 * e3) * x + d3 * detail + d3 * back + d3 * e3 * u
            z = x
    torch.testing.assert_close(found, u, rtol=1e-9, atol=1e-9)


def test_scalars_and_convolutions_start_as_published():
    network = _network()
    assert [network.get_parameter(f"{step}_delta").item() for step in ("detail", "image")] == pytest.approx([0.1] * 2)
    assert [network.get_parameter(f"{step}_eta").item() for step in ("detail", "image")] == pytest.approx([0.9] * 2)
    for layer in (network.prior.leave, network.image_heads[1], network.degrade):
        side, (channels_out, channels_in) = layer.weight.shape[2], layer.weight.shape[:2]
        assert layer.weight.std().item() == pytest.approx(
            math.sqrt(2 / (side**2 * (channels_in + channels_out))), rel=0.05
        )


def test_a_zero_start_answers_upsampled():
    inputs = _inputs(height=16, width=8)
    with torch.no_grad():
        assert torch.equal(_network(output_start="zero").eval()(*inputs), inputs[0])
        assert not torch.allclose(_network().eval()(*inputs), inputs[0], atol=0.1)


def test_a_zero_start_trains_every_parameter_from_the_second_step_on():
    network, inputs = _network(output_start="zero"), _inputs(height=8, width=16)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    for _ in range(2):
        optimizer.zero_grad()
        (network(*inputs) - 1).square().mean().backward()
        optimizer.step()
    assert [name for name, parameter in network.named_parameters() if not parameter.grad.any()] == []


def test_a_trained_network_is_rebuilt_from_numbers_and_weights():
    network, inputs = _network(ratio=2, operator_kernel=5).eval(), _inputs(ratio=2, height=8, width=16)
    rebuilt = DT3Net(**json.loads(json.dumps(network.hyper_parameters))).eval()
    rebuilt.load_state_dict(network.state_dict())
    with torch.inference_mode():
        assert torch.equal(rebuilt(*inputs), network(*inputs))


@pytest.mark.parametrize(("ratio", "side"), [(1, 8), (2, 8), (3, 24), (8, 8), (12, 24)])
def test_windows_and_blocks_both_fit_into_accepted_sides(ratio, side):
    network = _network(ratio=ratio, operator_kernel=3).eval()
    assert network.size_rule == SizeRule(multiple_of=side, minimum=side)
    with torch.inference_mode():
        assert network(*_inputs(ratio=ratio, height=side, width=side)).shape == (2, BANDS, side, side)


@pytest.mark.parametrize(("height", "width"), [(24, 36), (4, 8), (20, 40)])
def test_other_sides_are_refused(height, width):
    with pytest.raises(ValueError, match=f"sides that are a multiple of 8, not {height} x {width}"):
        _network(operator_kernel=1)(*_inputs(height=height, width=width))


def test_an_lr_image_on_another_grid_is_refused():
    upsampled, hr_msi, lr_hsi = _inputs()
    with pytest.raises(ValueError, match="24 x 40 with ratio 4; the LR-HSI is 6 x 9"):
        _network(operator_kernel=1)(upsampled, hr_msi, lr_hsi[..., 1:])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"ratio": 0}, "ratio of 1 or more, not 0"),
        ({"operator_kernel": 12}, "centre pixel, so odd, not 12"),
        ({"operator_kernel": -1}, "centre pixel, so odd, not -1"),
        ({"output_start": "random"}, "'random' is not a valid OutputStart"),
    ],
)
def test_numbers_it_cannot_do_are_refused(more, message):
    with pytest.raises(ValueError, match=message):
        _network(**more)
