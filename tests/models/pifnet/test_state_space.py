import math

import pytest
import torch
import torch.nn.functional as F

from pifnet_models.kernels.selective_scan.reference import reference_scan
from pifnet_models.pifnet.state_space import SS2D, scan_order


def _randomised(module):
    torch.manual_seed(0)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module


def _sequences(image):
    """The four readings of a (C, H, W) image: rows, columns, and both from the end. Each (H W, C)."""
    rows, columns = image.flatten(1).t(), image.transpose(1, 2).flatten(1).t()
    return [rows, columns, rows.flip(0), columns.flip(0)]


def _image(sequences, height, width):
    """The sum of the four readings, put back in place: (C, H, W)."""
    rows, columns, rows_back, columns_back = sequences
    by_rows = (rows + rows_back.flip(0)).t().reshape(-1, height, width)
    return by_rows + (columns + columns_back.flip(0)).t().reshape(-1, width, height).transpose(1, 2)


def test_four_segments_of_sixteen_channels_have_5504_parameters_each():
    count = sum(parameter.numel() for parameter in SS2D(channels=64, segments=4).parameters())
    assert count == 4 * 5504


def test_one_direction_after_the_other_gives_the_same():
    block, image = _randomised(SS2D(channels=6, d_state=3)), torch.randn(6, 5, 7)
    values, gate = (torch.einsum("ei,ihw->ehw", weight[0], image) for weight in block.input_weight)
    values = F.silu(block.convolution(values[None]))[0]
    scanned = []
    for k, sequence in enumerate(_sequences(values)):
        maps = block.scan_weight[0].view(4, -1, 12)[k]
        step, b, c = (sequence @ maps.t()).split((block.rank, 3, 3), dim=1)
        delta = F.softplus(step @ block.step_weight[k] + block.step_bias[k])
        u, delta, b, c = (x[None, None] for x in (sequence, delta, b, c))
        scanned.append(reference_scan(u, delta, -block.decay_log[k, None].exp(), b, c, block.skip[k, None])[0, 0])
    merged = _image(scanned, 5, 7).permute(1, 2, 0)
    normal = F.layer_norm(merged, (12,), block.norm_weight[0], block.norm_bias[0])
    expected = (normal * F.silu(gate.permute(1, 2, 0))) @ block.output_weight[0].t()
    torch.testing.assert_close(block(image[None])[0], expected.permute(2, 0, 1), atol=1e-5, rtol=1e-4)


def test_segments_are_independent_blocks_computed_together():
    together, features = _randomised(SS2D(channels=12, segments=3, d_state=2)), torch.randn(2, 12, 4, 6)
    answers = together(features)
    for segment in range(3):
        alone, state = SS2D(channels=4, d_state=2), {}
        for name, tensor in together.state_dict().items():
            parts = tensor.chunk(3, dim=1 if name == "input_weight" else 0)
            state[name] = parts[segment]
        alone.load_state_dict(state)
        own = slice(4 * segment, 4 * segment + 4)
        torch.testing.assert_close(alone(features[:, own]), answers[:, own], atol=1e-5, rtol=1e-4)


def test_every_direction_visits_every_pixel_once():
    order = scan_order(3, 5, device=torch.device("cpu"))
    assert torch.equal(order.sort(dim=1).values, torch.arange(15).expand(4, 15))
    assert order[1, :4].tolist() == [0, 5, 10, 1]
    assert torch.equal(order[2:], order[:2].flip(1))


def test_steps_start_log_uniform_and_rates_at_minus_one_to_n():
    torch.manual_seed(0)
    block = SS2D(channels=64, segments=4, d_state=5)
    steps = F.softplus(block.step_bias)
    assert 1e-3 * 0.999 < steps.min() < 1.2e-3
    assert 0.09 < steps.max() < 0.1 * 1.001
    assert abs(steps.log().mean() - math.log(1e-2)) < 0.2
    torch.testing.assert_close(-block.decay_log.exp(), -torch.arange(1.0, 6).expand_as(block.decay_log))
    assert (block.skip == 1).all()


def test_the_derivative_of_a_block_is_right():
    block = _randomised(SS2D(channels=4, segments=2, d_state=2)).double()
    features = torch.randn(1, 4, 2, 3, dtype=torch.float64, requires_grad=True)
    parameters = tuple(block.parameters())
    torch.autograd.gradcheck(lambda *_: block(features), (features, *parameters), fast_mode=True)


def test_bfloat16_autocast_changes_little():
    block, features = _randomised(SS2D(channels=32, segments=2)), torch.randn(1, 32, 6, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = block(features)
    exact = block(features)
    assert (rough - exact).abs().max() < 0.1 * exact.abs().max()


def test_segments_that_do_not_divide_the_channels_are_refused():
    with pytest.raises(ValueError, match="10 channels cannot be split into 4"):
        SS2D(channels=10, segments=4)
