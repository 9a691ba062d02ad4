import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pifnet_models.interface import SizeRule
from pifnet_models.u2net import Skip, U2Net, plan_windows

BANDS, MSI, HEIGHT, WIDTH = 7, 3, 24, 40


def _network(ratio=4, **more):
    torch.manual_seed(0)
    return U2Net(hsi_channels=BANDS, msi_channels=MSI, ratio=ratio, **more)


def _randomised(network):
    torch.manual_seed(1)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network


def _inputs(ratio=4, height=HEIGHT, width=WIDTH, batch=2):
    torch.manual_seed(2)
    upsampled, hr_msi = torch.rand(batch, BANDS, height, width), torch.rand(batch, MSI, height, width)
    return upsampled, hr_msi, torch.rand(batch, BANDS, height // ratio, width // ratio)


@pytest.mark.parametrize(
    ("bands", "msi", "ratio", "total"),
    [(103, 4, 2, 1_070_395), (103, 4, 4, 2_216_167), (103, 4, 8, 6_799_255), (31, 3, 4, 785_023)],
)
def test_live_and_dead_parameters_are_those_of_the_published_network(bands, msi, ratio, total):
    network = U2Net(hsi_channels=bands, msi_channels=msi, ratio=ratio)
    live, dead = sum(x.numel() for x in network.parameters()), sum(network.dead_parameters.values())
    heads = 9 * bands**2 * ratio**2 + (288 * bands + 32) + (288 * msi + 32)
    tail = 9_248 + 288 * bands + bands
    assert dead == 105_760
    assert live == heads + tail + 161_824 + 32_928 + 87_232 + 230_832
    assert live + dead == total


def test_the_live_parameters_are_those_of_a_clean_build():
    assert sum(x.numel() for x in U2Net(hsi_channels=103, msi_channels=4).parameters()) == 2_110_407


def _softmax(row):
    row = np.exp(row - max(row))
    return row / row.sum()


def _attention(y1, y2, x1, x2):
    """One head, pixel by pixel: four of (n, 16) -> (n, 16)."""
    pixels = len(y1)
    scores = np.zeros((16, 16))
    for i in range(16):
        for j in range(16):
            scores[i, j] = sum(x1[p, i] * x2[p, j] for p in range(pixels)) / math.sqrt(16) * 16 / pixels
    by_channel = np.array([_softmax(row) for row in scores])
    answer = np.zeros((pixels, 16))
    for p in range(pixels):
        weights = _softmax(np.array([y1[p] @ y2[q] / math.sqrt(16) for q in range(pixels)]))
        seen = sum(weights[q] * x1[q] for q in range(pixels))
        for j in range(16):
            answer[p, j] = seen[j] * sum(y1[p, i] * by_channel[i, j] for i in range(16))
    return answer


def _met(block, spectral, spatial):
    """An S2 block in NumPy: two of (D, H, W) -> (D, H, W)."""
    weights = {name: x.detach().numpy() for name, x in block.named_parameters()}

    def normed(tokens, name):
        centred = tokens - tokens.mean(axis=1, keepdims=True)
        scaled = centred / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
        return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]

    features = len(spectral)
    x, y = (image.reshape(features, -1).T for image in (spectral, spatial))
    y12 = normed(y, "norm") @ weights["spatial.weight"].T
    x12 = normed(x, "norm") @ weights["spectral.weight"].T
    merged = np.empty_like(x)
    for first in range(0, features, 16):
        own = slice(first, first + 16), slice(features + first, features + first + 16)
        merged[:, own[0]] = _attention(y12[:, own[0]], y12[:, own[1]], x12[:, own[0]], x12[:, own[1]])
    x = x + merged @ weights["merge.weight"].T + weights["merge.bias"]
    between = normed(x, "mix.0") @ weights["mix.1.weight"].T + weights["mix.1.bias"]
    between = np.where(between > 0, between, 0.01 * between)
    return (x + between @ weights["mix.3.weight"].T + weights["mix.3.bias"]).T.reshape(spectral.shape)


@pytest.mark.parametrize("level", [0, 2])
def test_an_s2_block_is_its_equations_pixel_by_pixel(level):
    block = _network().double().streams.meet[level]
    torch.manual_seed(3)
    for parameter in block.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    spectral, spatial = torch.randn(2, 1, block.norm.normalized_shape[0], 3, 5, dtype=torch.float64)
    found = block(spectral, spatial).detach().numpy()[0]
    np.testing.assert_allclose(found, _met(block, spectral[0].numpy(), spatial[0].numpy()), rtol=1e-9, atol=1e-9)


def _upsampled(network, lr_hsi):
    """x0, written out."""
    wide, ratio = F.conv2d(lr_hsi, network.upsampling.weight, padding=1), network.ratio
    answer = lr_hsi.new_empty(len(lr_hsi), BANDS, lr_hsi.shape[2] * ratio, lr_hsi.shape[3] * ratio)
    for i in range(ratio):
        for j in range(ratio):
            answer[:, :, i::ratio, j::ratio] = wide[:, i * ratio + j :: ratio**2]
    return answer


def _down(layers, image):
    a, _, b, c, _ = layers
    image = F.leaky_relu(F.conv2d(image, a.weight, a.bias, stride=2), 0.01)
    image = F.conv2d(image, b.weight, b.bias)
    return F.leaky_relu(F.conv2d(image, c.weight, c.bias, padding=1, groups=image.shape[1]), 0.01)


def _up(layers, image, skip):
    a, b = layers.enlarge, layers.smooth
    image = F.leaky_relu(F.conv_transpose2d(image, a.weight, a.bias, stride=2), 0.01) + skip
    return F.leaky_relu(F.conv2d(image, b.weight, b.bias, padding=1), 0.01)


def _refined(block, image):
    a, _, b = block.layers
    between = F.leaky_relu(F.conv2d(image, a.weight, a.bias, padding=1), 0.01)
    return image + F.conv2d(between, b.weight, b.bias, padding=1)


def _correction(network, hr_msi, lr_hsi):
    """The answer without its skip, line by line as docs/methods.md 5 orders them."""
    meet, refine, down, up = (getattr(network.streams, name) for name in ("meet", "refine", "down", "up"))
    start = _upsampled(network, lr_hsi)
    a, b, (c, _, d) = network.spectral_head, network.spatial_head, network.tail
    x0 = meet[0](
        F.leaky_relu(F.conv2d(start, a.weight, a.bias, padding=1), 0.01),
        y := F.leaky_relu(F.conv2d(hr_msi, b.weight, b.bias, padding=1), 0.01),
    )
    y0 = _refined(refine[0], y)
    x, y = _down(down[0], x0), _down(down[0], y0)
    x1, y1 = meet[1](x, y), _refined(refine[1], y)
    x, y = _down(down[1], x1), _down(down[1], y1)
    x, y = meet[2](x, y), _refined(refine[2], y)
    x, y = _up(up[0], x, x1), _up(up[0], y, y1)
    x, y = meet[3](x, y), _refined(refine[3], y)
    x, y = _up(up[1], x, x0), _up(up[1], y, y0)
    x = F.conv2d(meet[4](x, y), c.weight, c.bias, padding=1)
    return F.conv2d(F.leaky_relu(x, 0.01), d.weight, d.bias, padding=1)


@pytest.mark.parametrize("ratio", [1, 2, 3, 4, 8])
def test_the_streams_are_wired_as_published_and_end_on_the_learned_upsampling(ratio):
    network = _randomised(_network(ratio)).double()
    upsampled, hr_msi, lr_hsi = (x.double() for x in _inputs(ratio, 24, 48))
    expected = _correction(network, hr_msi, lr_hsi) + _upsampled(network, lr_hsi)
    torch.testing.assert_close(network(upsampled, hr_msi, lr_hsi), expected)


def test_with_the_other_skip_the_answer_ends_on_the_upsampled_image():
    network = _randomised(_network(skip="upsampled")).double()
    upsampled, hr_msi, lr_hsi = (x.double() for x in _inputs())
    torch.testing.assert_close(network(upsampled, hr_msi, lr_hsi), _correction(network, hr_msi, lr_hsi) + upsampled)


def test_the_upsampled_image_is_read_with_its_skip_only():
    upsampled, hr_msi, lr_hsi = _inputs()
    learned = _randomised(_network())
    assert torch.equal(learned(upsampled, hr_msi, lr_hsi), learned(0 * upsampled, hr_msi, lr_hsi))


def test_a_zero_start_answers_the_skip_exactly():
    upsampled, hr_msi, lr_hsi = _inputs()
    assert torch.equal(_network(output_start="zero", skip="upsampled")(upsampled, hr_msi, lr_hsi), upsampled)
    learned = _network(output_start="zero")
    torch.testing.assert_close(learned(upsampled, hr_msi, lr_hsi), _upsampled(learned, lr_hsi))


@pytest.mark.parametrize(("ratio", "side"), [(1, 4), (2, 4), (3, 12), (4, 4), (6, 12), (8, 8)])
def test_the_size_rule_serves_both_halvings_and_the_blocks(ratio, side):
    assert _network(ratio).size_rule == SizeRule(multiple_of=side, minimum=side)


@pytest.mark.parametrize(("ratio", "height", "width"), [(4, 24, 42), (2, 22, 40), (8, 24, 36), (4, 2, 40)])
def test_sides_that_break_the_rule_are_refused(ratio, height, width):
    with pytest.raises(ValueError, match=f"multiple of {math.lcm(4, ratio)}, not {height} x {width}"):
        _network(ratio)(*_inputs(ratio, height, width))


def test_an_lr_hsi_on_another_grid_is_refused():
    upsampled, hr_msi, _ = _inputs()
    with pytest.raises(ValueError, match="24 x 40 with ratio 4; the LR-HSI is 6 x 9"):
        _network()(upsampled, hr_msi, torch.rand(2, BANDS, 6, 9))


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ({"ratio": 0}, "ratio of 1 or more, not 0"),
        ({"width": 24}, "width that is a multiple of 16, not 24"),
        ({"attention_tile": 0}, "attention_tile of 1 or more"),
        ({"attention_margin": -1}, "margin of 0 or more"),
        ({"skip": "bicubic"}, "'bicubic' is not a valid Skip"),
        ({"output_start": "one"}, "'one' is not a valid OutputStart"),
    ],
)
def test_numbers_out_of_range_are_refused(numbers, message):
    with pytest.raises(ValueError, match=message):
        _network(**numbers)


@pytest.mark.parametrize(("unit", "tile", "margin"), [(4, 64, 4), (8, 64, 8), (12, 72, 12), (4, 8, 0)])
def test_windows_cover_every_side_and_keep_their_margin(unit, tile, margin):
    for side in range(unit, 5 * (tile + 2 * margin), unit):
        windows = plan_windows(side, tile=tile, margin=margin)
        kept = [pixel for window in windows for pixel in range(window.kept_from, window.kept_to)]
        assert kept == list(range(side))
        for start, stop, kept_from, kept_to in windows:
            assert start % unit == stop % unit == 0
            assert stop - start == min(side, tile + 2 * margin)
            assert start == 0 or kept_from - start >= margin
            assert stop == side or stop - kept_to >= margin
            assert kept_from < kept_to


def test_the_published_tiles_are_64_pixels_in_windows_of_72():
    assert plan_windows(200, tile=64, margin=4) == [(0, 72, 0, 68), (64, 136, 68, 132), (128, 200, 132, 200)]


@pytest.mark.parametrize("skip", Skip)
@pytest.mark.parametrize(
    ("ratio", "numbers", "length", "step"),
    [(4, (16, 4), 24, 16), (2, (13, 3), 24, 16), (8, (16, 4), 32, 16), (3, (12, 1), 36, 12), (4, (16, 0), 16, 16)],
)
def test_a_tiled_answer_is_the_networks_on_every_crop(skip, ratio, numbers, length, step):
    tile, margin = numbers
    network = _randomised(_network(ratio, skip=skip, width=16, attention_tile=tile, attention_margin=margin))
    whole = _network(ratio, skip=skip, width=16, attention_tile=1000)
    whole.load_state_dict(network.state_dict())
    upsampled, hr_msi, lr_hsi = inputs = _inputs(ratio, 48, 72, batch=1)
    with torch.inference_mode():
        found = network(*inputs)
        tops, lefts = (sorted({min(i * step, side - length) for i in range(5)}) for side in (48, 72))
        compared = torch.zeros(48, 72, dtype=torch.bool)
        for top, left in [(top, left) for top in tops for left in lefts]:
            rows, columns = slice(top, top + length), slice(left, left + length)
            crop = [x[:, :, rows, columns].clone() for x in (upsampled, hr_msi)]
            blocks = lr_hsi[:, :, top // ratio :, left // ratio :][:, :, : length // ratio, : length // ratio]
            answer = whole(*crop, blocks.clone())
            # What a window keeps ends in the middle of what it shares with its neighbours.
            ends = [_kept(start, starts, length, side) for start, starts, side in ((top, tops, 48), (left, lefts, 72))]
            keep = tuple(slice(*end) for end in ends)
            within = tuple(slice(end[0] - at, end[1] - at) for end, at in zip(ends, (top, left), strict=True))
            assert not compared[keep].any()
            compared[keep] = True
            torch.testing.assert_close(found[:, :, *keep], answer[:, :, *within], rtol=1e-5, atol=1e-6)
    assert compared.all()
    assert not torch.allclose(found, whole(*inputs))


def _kept(start, starts, length, side):
    before = [other for other in starts if other < start]
    after = [other for other in starts if other > start]
    first = (before[-1] + length + start) // 2 if before else 0
    last = (start + length + after[0]) // 2 if after else side
    return first, last


@pytest.mark.parametrize("size", [(16, 16), (24, 24), (8, 24)])
def test_an_image_of_a_tile_and_its_margins_is_whole(size):
    network = _randomised(_network(attention_tile=16, attention_margin=4))
    whole = _network(attention_tile=1000)
    whole.load_state_dict(network.state_dict())
    assert torch.equal(network(*_inputs(4, *size)), whole(*_inputs(4, *size)))


class _LargestTensor(TorchDispatchMode):
    """The most elements of any tensor that an operation returned."""

    elements = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        answer = function(*args, **(kwargs or {}))
        found = [leaf.numel() for leaf in tree_leaves(answer) if isinstance(leaf, torch.Tensor)]
        self.elements = max([self.elements, *found])
        return answer


def test_no_step_holds_a_weight_for_every_pair_of_pixels():
    network, inputs = _network(width=16), _inputs(4, 64, 64, batch=1)
    with _LargestTensor() as largest:
        network(*inputs).sum().backward()
    assert 16 * 64**2 <= largest.elements < 64**4 / 16


def test_a_tiled_answer_gives_gradients_to_every_parameter_and_input():
    network = _randomised(_network(skip="upsampled", attention_tile=8, attention_margin=4))
    inputs = [x.requires_grad_() for x in _inputs()]
    network(*inputs).square().mean().backward()
    assert all(x.grad.abs().amin(dim=(2, 3)).max() > 0 for x in inputs)
    assert [name for name, x in network.named_parameters() if x.grad is None or not x.grad.any()] == []


def test_the_network_is_rebuilt_from_its_hyper_parameters():
    numbers = {"output_start": "zero", "skip": Skip.UPSAMPLED, "width": 16, "attention_tile": 8, "attention_margin": 8}
    network = _randomised(_network(**numbers))
    rebuilt = U2Net(**json.loads(json.dumps(network.hyper_parameters)))
    rebuilt.load_state_dict(network.state_dict())
    assert torch.equal(rebuilt(*_inputs()), network(*_inputs()))


def test_half_precision_stays_near_the_answer():
    network, inputs = _network().eval(), _inputs()
    with torch.inference_mode():
        exact = network(*inputs)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = network(*inputs)
    assert (rough - exact).abs().max() < 0.03 * exact.abs().max()  # bfloat16 has eight bits
