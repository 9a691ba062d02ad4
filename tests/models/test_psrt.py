import itertools
import json
import math

import pytest
import torch

from pifnet_models.psrt import PSRT, WindowAttention, WindowToWindow, pairwise_attention, reshuffled, shuffled

HSI, MSI, HEIGHT, WIDTH = 7, 3, 24, 40


def _randomised(module, std=0.3):
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=std)
    return module


def _network(**more):
    return _randomised(PSRT(hsi_channels=HSI, msi_channels=MSI, **more), std=0.1)


def _inputs(height=HEIGHT, width=WIDTH):
    torch.manual_seed(1)
    return torch.rand(2, HSI, height, width), torch.rand(2, MSI, height, width)


def _count(parts):
    return sum(parameter.numel() for parameter in parts)


def _attention(**more):
    return _randomised(WindowAttention(width=8, heads=2, logit_scale=4.0, **more)).double()


def _looped_attention(qkv, *, heads, scale):
    """Softmax attention of one window, (L, 3 D) -> (L, D), pair by pair and head by head in Python's numbers."""
    length, features = qkv.shape[0], qkv.shape[1] // 3
    tokens = qkv.tolist()
    answer = torch.zeros(length, features, dtype=torch.float64)
    for head, token in itertools.product(range(heads), range(length)):
        channels = range(head * features // heads, (head + 1) * features // heads)
        dots = [sum(tokens[token][c] * tokens[other][features + c] for c in channels) for other in range(length)]
        factors = [math.exp(scale * dot) for dot in dots]
        for c in channels:
            values = [factor * tokens[other][2 * features + c] for other, factor in enumerate(factors)]
            answer[token, c] = sum(values) / sum(factors)
    return answer


def _looped_window(attention, tokens):
    """One window through a whole block, (L, D) -> (L, D)."""
    qkv = attention.to_qkv(attention.norm(tokens))
    looped = _looped_attention(qkv, heads=attention.heads, scale=attention.logit_scale)
    tokens = tokens + attention.project(looped)
    norm, widen, activation, narrow = attention.mlp
    wide = widen(norm(tokens))
    assert isinstance(activation, torch.nn.GELU)
    return tokens + narrow(wide * (1 + torch.erf(wide / math.sqrt(2))) / 2)


def _looped_windows(attention, image, side):
    """Every window of an image (H, W, D) on its own."""
    answer = torch.full_like(image, torch.nan)
    for row, column in itertools.product(range(0, image.shape[0], side), range(0, image.shape[1], side)):
        window = image[row : row + side, column : column + side]
        answer[row : row + side, column : column + side] = _looped_window(attention, window.flatten(0, 1)).view_as(
            window
        )
    return answer


def _dealt(index, tiles):
    return index // 2 if index % 2 == 0 else tiles // 2 + (index - 1) // 2


def _dealt_tiles(image, tile):
    """The published rule for tiles (i, j) -> (i', j'), tile by tile; (H, W, D)."""
    answer = torch.full_like(image, torch.nan)
    rows, columns = image.shape[0] // tile, image.shape[1] // tile
    for i, j in itertools.product(range(rows), range(columns)):
        row, column = _dealt(i, rows) * tile, _dealt(j, columns) * tile
        source = image[i * tile : (i + 1) * tile, j * tile : (j + 1) * tile]
        answer[row : row + tile, column : column + tile] = source
    return answer


def _undealt_tiles(image, tile):
    answer = torch.full_like(image, torch.nan)
    rows, columns = image.shape[0] // tile, image.shape[1] // tile
    for i, j in itertools.product(range(rows), range(columns)):
        row, column = _dealt(i, rows) * tile, _dealt(j, columns) * tile
        source = image[row : row + tile, column : column + tile]
        answer[i * tile : (i + 1) * tile, j * tile : (j + 1) * tile] = source
    return answer


@pytest.mark.parametrize(("hsi", "msi", "total"), [(103, 4, 289_287), (31, 3, None)])
@pytest.mark.parametrize("ratio", [2, 4, 8])
def test_the_parameters_are_those_of_the_published_network(hsi, msi, ratio, total):
    attention = 2 * (2 * 32) + (32 * 96 + 96) + (32 * 32 + 32) + (32 * 128 + 128) + (128 * 32 + 32)
    closed_form = (9 * (hsi + msi) * 32 + 32) + 2 * 3 * 3 * attention + (9 * 32 * hsi + hsi)
    network = PSRT(hsi_channels=hsi, msi_channels=msi, ratio=ratio)
    assert _count(network.parameters()) + sum(network.dead_parameters.values()) == closed_form
    assert total in (None, closed_form)


def test_one_window_attention_has_12704_parameters():
    assert _count(WindowAttention(width=32, heads=8, logit_scale=4.0).parameters()) == 12_704


@pytest.mark.parametrize("tile", [1, 2, 4])
@pytest.mark.parametrize(("height", "width"), [(8, 8), (24, 40), (16, 56)])
def test_the_shuffle_deals_out_tiles_by_the_published_rule(tile, height, width):
    image = torch.arange(2.0 * height * width * 3).view(2, height, width, 3)
    expected = torch.stack([_dealt_tiles(one, tile) for one in image])
    assert torch.equal(shuffled(image, tile=tile), expected)


@pytest.mark.parametrize("tile", [1, 2, 4])
def test_the_reshuffle_puts_every_pixel_back(tile):
    image = torch.arange(2.0 * HEIGHT * WIDTH * 3).view(2, HEIGHT, WIDTH, 3)
    assert torch.equal(reshuffled(shuffled(image, tile=tile), tile=tile), image)
    assert torch.equal(shuffled(reshuffled(image, tile=tile), tile=tile), image)


def test_a_window_of_the_shuffled_image_holds_tiles_of_four_windows():
    window = torch.arange(2)[:, None] * 2 + torch.arange(2)  # the number of each 8 x 8 window of a 16 x 16 image
    image = window.repeat_interleave(8, 0).repeat_interleave(8, 1).view(1, 16, 16, 1)
    assert shuffled(image, tile=4)[0, :8, :8].unique().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("side", [2, 3, 4])
def test_window_attention_is_what_loops_over_pairs_of_tokens_say(side):
    attention = _attention()
    windows = torch.randn(5, side**2, 8, dtype=torch.float64)
    expected = torch.stack([_looped_window(attention, window) for window in windows])
    torch.testing.assert_close(attention(windows), expected, rtol=1e-10, atol=1e-10)


def test_an_attention_in_pieces_is_the_attention_of_each_window():
    attention = _attention()
    windows = torch.randn(1100, 4, 8, dtype=torch.float64)  # more pixels than one piece takes
    expected = torch.cat([attention(window[None]) for window in windows])
    torch.testing.assert_close(attention(windows), expected, rtol=1e-10, atol=1e-10)


def test_the_gradient_of_the_pairwise_attention_is_its_slope():
    torch.manual_seed(0)
    qkv = torch.randn(2, 4, 24, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: pairwise_attention(x, heads=2, logit_scale=4.0), qkv)


@pytest.mark.parametrize("side", [8, 4, 2])
def test_a_block_attends_shuffles_attends_reshuffles_attends(side):
    block = _randomised(WindowToWindow(window=side, width=4, heads=2, logit_scale=4.0)).double()
    image = torch.randn(1, 8, 16, 4, dtype=torch.float64)
    features = _looped_windows(block.before, image[0], side)
    features = _looped_windows(block.between, _dealt_tiles(features, side // 2), side)
    features = _looped_windows(block.after, _undealt_tiles(features, side // 2), side)
    torch.testing.assert_close(block(image)[0], image[0] + features, rtol=1e-9, atol=1e-9)


def test_the_network_has_two_pyramids_of_windows_8_4_2():
    assert [block.window for block in _network().pyramid] == [8, 4, 2, 8, 4, 2]


def test_every_attention_has_8_heads_and_logits_of_four_times_the_product():
    attentions = [module for module in _network().modules() if isinstance(module, WindowAttention)]
    assert [(attention.heads, attention.logit_scale) for attention in attentions] == [(8, 4)] * 18


def test_without_a_pyramid_two_convolutions_are_added_to_the_upsampled_image():
    network = _network(blocks=0)
    upsampled, hr_msi = _inputs()
    residual = network.tail(network.head(torch.cat((upsampled, hr_msi), dim=1)))
    expected = residual.where(residual > 0, 0.2 * residual) + upsampled
    torch.testing.assert_close(network(upsampled, hr_msi), expected)


def test_the_published_slope_scales_negative_residuals_alone():
    upsampled, hr_msi = _inputs()
    plain = _network(residual_slope=1.0)(upsampled, hr_msi) - upsampled
    published = _network()(upsampled, hr_msi) - upsampled
    assert (plain < 0).any()
    assert (plain > 0).any()
    torch.testing.assert_close(published, torch.where(plain < 0, 0.2 * plain, plain), rtol=1e-5, atol=1e-6)


def test_a_zero_start_answers_the_upsampled_image():
    upsampled, hr_msi = _inputs()
    network = PSRT(hsi_channels=HSI, msi_channels=MSI, output_start="zero")
    assert torch.equal(network(upsampled, hr_msi), upsampled)


def test_linear_layers_start_with_a_hundredth_and_convolutions_without_bias():
    torch.manual_seed(0)
    network = PSRT(hsi_channels=HSI, msi_channels=MSI)
    weights = torch.cat([m.weight.flatten() for m in network.modules() if isinstance(m, torch.nn.Linear)])
    assert weights.std().item() == pytest.approx(0.01, rel=0.02)  # 221,184 draws: known to 0.15 %
    assert not network.head.bias.any()
    assert not network.tail.bias.any()


def test_all_inputs_and_parameters_get_a_gradient():
    inputs = [image.requires_grad_() for image in _inputs()]
    network = _network()
    network(*inputs).square().mean().backward()
    assert all(image.grad.abs().amin(dim=(2, 3)).max() > 0 for image in inputs)
    assert [name for name, parameter in network.named_parameters() if not parameter.grad.abs().sum() > 0] == []


@pytest.mark.parametrize(("height", "width"), [(340, 8), (8, 340), (60, 64), (4, 8)])
def test_sides_that_8_does_not_divide_are_refused(height, width):
    network = PSRT(hsi_channels=HSI, msi_channels=MSI)
    assert not network.size_rule.accepts(height, width)
    with pytest.raises(ValueError, match=f"multiple of 8, not {height} x {width}"):
        network(*_inputs(height, width))


@pytest.mark.parametrize(("height", "width"), [(8, 8), (8, 24), (24, 40)])
def test_sides_that_8_divides_are_enough(height, width):
    network = PSRT(hsi_channels=HSI, msi_channels=MSI)
    assert network.size_rule.accepts(height, width)
    assert network(*_inputs(height, width)).shape == (2, HSI, height, width)


def test_a_network_is_rebuilt_from_its_hyper_parameters_and_weights():
    network = _network(ratio=3, residual_slope=0.5, width=16, heads=4, logit_scale=2.0)
    rebuilt = PSRT(**json.loads(json.dumps(network.hyper_parameters)))
    rebuilt.load_state_dict(network.state_dict())
    assert torch.equal(rebuilt(*_inputs()), network(*_inputs()))


def test_heads_that_do_not_divide_the_width_are_refused():
    with pytest.raises(ValueError, match="30 features cannot be split into 8"):
        PSRT(hsi_channels=HSI, msi_channels=MSI, width=30)


def test_a_ratio_below_1_is_refused():
    with pytest.raises(ValueError, match="ratio of 1 or more, not 0"):
        PSRT(hsi_channels=HSI, msi_channels=MSI, ratio=0)


def test_an_unknown_start_is_refused():
    with pytest.raises(ValueError, match="random"):
        PSRT(hsi_channels=HSI, msi_channels=MSI, output_start="random")
