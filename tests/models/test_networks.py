"""One contract for every network; a new one joins it by existing."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from pifnet_cli.catalog import NETWORKS, Method

HSI, MSI, RATIO = 7, 3, 4
ANSWERS_UPSAMPLED = {  # what `output_start="zero"` needs besides, and the rounding that its docstring grants
    Method.HSRNET: ({}, 0.0),
    Method.FUSFORMER: ({}, 0.0),
    Method.PSRT: ({}, 0.0),
    Method.U2NET: ({"skip": "upsampled"}, 0.0),
    Method.DT3NET: ({}, 0.0),
    Method.SMGUNET: ({}, 1e-6),
}


def _built(name, *, hsi=HSI, msi=MSI, ratio=RATIO, **more):
    torch.manual_seed(0)
    shape = {"hsi_channels": hsi, "msi_channels": msi} | ({"ratio": ratio} if name.facts.takes_ratio else {})
    return name.facts.load()(**shape, **more).eval()


def _varied(name, **more):
    """With what starts at zero moved away from there: it would hide what depends on it."""
    network = _built(name, **more)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in network.parameters():
            fan_in = parameter[0].numel() if parameter.ndim else 1
            parameter += 0.1 * torch.randn_like(parameter) / fan_in**0.5
    return network


def _inputs(network, size=None, *, batch=2):
    """Images of a size, or of the smallest ones accepted that are not square."""
    rule, numbers = network.size_rule, network.hyper_parameters
    height, width = size or (rule.minimum, rule.minimum + rule.multiple_of)
    torch.manual_seed(2)
    bands, ratio = numbers["hsi_channels"], numbers.get("ratio", RATIO)
    images = [torch.rand(batch, bands, height, width), torch.rand(batch, numbers["msi_channels"], height, width)]
    if network.needs_lr_hsi:
        images.append(torch.rand(batch, bands, max(height // ratio, 1), max(width // ratio, 1)))
    return images


def _parameters(network):
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("hsi", "msi"), [(HSI, MSI), (1, 12), (240, 1), (1, 1)])
def test_every_network_answers_with_an_image_of_its_hsi_shape(name, hsi, msi):
    network = _built(name, hsi=hsi, msi=msi)
    inputs = _inputs(network, batch=1)
    with torch.inference_mode():
        fused = network(*inputs)
    assert fused.shape == inputs[0].shape
    assert fused.dtype == torch.float32
    assert torch.isfinite(fused).all()


@pytest.mark.parametrize("name", [name for name in NETWORKS if name is not Method.PIFNET])
@pytest.mark.parametrize("ratio", [2, 3, 4, 8])
def test_every_ratio_is_answered_on_the_fine_grid(name, ratio):
    network = _built(name, ratio=ratio)
    inputs = _inputs(network, batch=1)
    with torch.inference_mode():
        assert network(*inputs).shape == inputs[0].shape
    if network.needs_lr_hsi:
        assert network.size_rule.multiple_of % ratio == 0


@pytest.mark.parametrize("name", [name for name in NETWORKS if name is not Method.PIFNET])
def test_a_ratio_below_one_is_refused(name):
    with pytest.raises(ValueError, match=r"ratio.* 0"):
        _built(name, ratio=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_learns_from_its_inputs_with_all_parameters(name):
    network = _varied(name, **({"skip": "upsampled"} if name is Method.U2NET else {}))
    inputs = [image.requires_grad_() for image in _inputs(network)]
    network(*inputs).square().mean().backward()
    for image in inputs:
        assert image.grad.abs().amax(dim=(0, 2, 3)).min() > 0  # every band of it
    untrained = [key for key, parameter in network.named_parameters() if parameter.grad is None]
    if name is not Method.PIFNET:  # its preliminary answer is for training alone; see below
        assert untrained == []
    unmoved = [key for key, parameter in network.named_parameters() if parameter.grad is not None
               and not parameter.grad.any()]  # fmt: skip
    assert unmoved == []


def test_pifnet_learns_with_all_parameters_through_its_auxiliary_answers():
    network = _varied(Method.PIFNET)
    hsi, msi = (image.requires_grad_() for image in _inputs(network))
    output = network.forward_with_auxiliary(hsi, msi)
    sum(part.square().mean() for part in output).backward()
    assert [key for key, parameter in network.named_parameters() if parameter.grad is None] == []


def test_u2net_as_published_does_not_read_the_upsampled_image():
    network = _varied(Method.U2NET)
    upsampled, hr_msi, lr_hsi = _inputs(network)
    with torch.inference_mode():
        assert torch.equal(network(upsampled, hr_msi, lr_hsi), network(upsampled + 1, hr_msi, lr_hsi))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("start", ["published", "zero"])
def test_every_network_is_rebuilt_from_its_hyper_parameters_and_weights(name, start):
    network = _varied(name, output_start=start)
    rebuilt = name.facts.load()(**json.loads(json.dumps(dict(network.hyper_parameters)))).eval()
    rebuilt.load_state_dict(network.state_dict())
    inputs = _inputs(network)
    with torch.inference_mode():
        assert torch.equal(rebuilt(*inputs), network(*inputs))
    assert rebuilt.hyper_parameters == network.hyper_parameters


@pytest.mark.parametrize("name", NETWORKS)
def test_numbers_of_its_own_come_back_too(name):
    own = {
        Method.PIFNET: {"pooling_window": 9, "width": 16},
        Method.HSRNET: {"width": 16},
        Method.FUSFORMER: {"attention_tile": 8},
        Method.PSRT: {"residual_slope": 1.0},
        Method.U2NET: {"skip": "upsampled"},
        Method.DT3NET: {"operator_kernel": 7},
        Method.SMGUNET: {},
    }[name]
    network = _built(name, **own)
    assert own.items() <= network.hyper_parameters.items()
    assert {"hsi_channels", "msi_channels", "output_start"} <= network.hyper_parameters.keys()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("side", [1, 2, 3, 4, 6, 8, 12, 16, 22])
def test_the_declared_size_rule_is_true_and_sufficient(name, side):
    network = _built(name)
    other = network.size_rule.grown(8)
    for size in ((side, other), (other, side)):
        inputs = _inputs(network, size, batch=1)
        if network.size_rule.accepts(*size):
            with torch.inference_mode():
                assert network(*inputs).shape[2:] == size
        else:
            with pytest.raises(ValueError, match=rf"{network.size_rule.multiple_of}|even sides"):
                network(*inputs)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("ratio", [3, 8])
def test_the_size_rule_of_other_ratios_is_sufficient(name, ratio):
    network = _built(name, ratio=ratio)
    rule = network.size_rule
    with torch.inference_mode():
        for size in ((rule.minimum, rule.minimum), (rule.minimum + rule.multiple_of, rule.minimum)):
            assert network(*_inputs(network, size, batch=1)).shape[2:] == size


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_answer_the_same_again_and_from_several_threads(name):
    network = _built(name)
    inputs = _inputs(network, batch=1)
    with torch.inference_mode():
        expected = network(*inputs)

    def answer(_):
        with torch.inference_mode():
            return network(*inputs)

    assert torch.equal(answer(0), expected)
    with ThreadPoolExecutor(2) as threads:
        answers = list(threads.map(answer, range(4)))
    assert all(torch.equal(found, expected) for found in answers)


@pytest.mark.parametrize("name", NETWORKS)
def test_images_of_a_batch_do_not_see_each_other(name):
    network = _varied(name)
    inputs = _inputs(network)
    with torch.inference_mode():
        both, second = network(*inputs), network(*(image[1:] for image in inputs))
    torch.testing.assert_close(both[1:], second, rtol=1e-4, atol=1e-5 * both.abs().max().item())


@pytest.mark.parametrize("name", NETWORKS)
def test_inputs_are_left_as_they_were(name):
    network = _varied(name)
    inputs = _inputs(network)
    before = [image.clone() for image in inputs]
    network(*inputs)
    assert all(torch.equal(image, kept) for image, kept in zip(inputs, before, strict=True))


@pytest.mark.parametrize("name", NETWORKS)
def test_half_precision_arithmetic_changes_digits_only(name):
    network = _built(name)
    inputs = _inputs(network, batch=1)
    with torch.inference_mode():
        expected = network(*inputs)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = network(*inputs).float()
    assert (found - expected).abs().max() < 0.1 * expected.abs().max()


@pytest.mark.parametrize("name", ANSWERS_UPSAMPLED)
def test_a_zero_start_answers_the_upsampled_image(name):
    more, rounding = ANSWERS_UPSAMPLED[name]
    network = _built(name, output_start="zero", **more)
    inputs = _inputs(network)
    with torch.inference_mode():
        torch.testing.assert_close(network(*inputs), inputs[0], rtol=rounding, atol=rounding)


def test_a_zero_start_of_pifnet_answers_zero():
    network = _built(Method.PIFNET, output_start="zero")
    with torch.inference_mode():
        assert not network(*_inputs(network)).any()


@pytest.mark.parametrize("name", NETWORKS)
def test_an_unknown_start_is_refused(name):
    with pytest.raises(ValueError, match="random"):
        _built(name, output_start="random")


# Totals of the published networks by the closed forms of docs/methods.md 1.2: bands c, m and ratio s.
CLOSED_FORMS = {
    Method.HSRNET: lambda c, m, s: (
        (c + 1) + 2 * c + 37 + 37 + 36 * m**2 + m + 9 * (c + m) * c * s**2 + c * s**2 + 576 * (c + m) + 64
        + 443_136 + 576 * c + c
    ),
    Method.FUSFORMER: lambda c, m, _: (
        48 * (c + m) + 48 + 28_320 + 47_040 + 20_784 + 432 * c + c + 393_216
    ),
    Method.PSRT: lambda c, m, _: 288 * (c + m) + 32 + 18 * 12_704 + 288 * c + c,
    Method.U2NET: lambda c, m, s: (
        9 * c**2 * s**2 + 288 * c + 32 + 288 * m + 32 + 9_248 + 288 * c + c + 161_824 + 32_928 + 87_232 + 230_832
        + 105_760
    ),
    Method.DT3NET: lambda c, m, _: (
        2_441_754 + 1_621 * c + (576 * c + 64) + 4 * 110_656 + 184_384 + 2 * (169 * c**2 + c) + (9 * c * m + m)
        + (9 * m * c + c) + 15
    ),
    Method.SMGUNET: lambda c, m, s: (
        2 * (9 * m * c + c) + m * c + m + 3 * (s**2 * c**2 + c) + (38 * c**2 + 4 * c)
        + (576 * c + 64 + 73_856 + 110_656 + 9 * (64 + c) * c + c + 182 * c**2 + 9 * c)
        + (27 * c**2 + c + 182 * c**2 + 9 * c) + (72 * c**2 + 6 * c) + 4
    ),
}  # fmt: skip
# Millions in the table of docs/methods.md 1.2, at C = 103, M = 4 and ratio 2, 4, 8; then at C = 31, M = 3 and ratio 4.
PRINTED = {
    Method.HSRNET: (0.962, 2.154, 6.920, 0.633),
    Method.FUSFORMER: (0.539, 0.539, 0.539, 0.504),
    Method.PSRT: (0.289, 0.289, 0.289, 0.247),
    Method.U2NET: (1.070, 2.216, 6.799, 0.785),
    Method.DT3NET: (6.889, 6.889, 6.889, 3.464),
    Method.SMGUNET: (5.853, 6.234, 7.762, 0.759),
}
LISTED = {Method.HSRNET: 2_153_899, Method.FUSFORMER: 539_143, Method.PSRT: 289_287,
          Method.U2NET: 2_216_167, Method.DT3NET: 6_888_703, Method.SMGUNET: 6_234_495}  # fmt: skip
LISTED_DEAD = {Method.HSRNET: 37, Method.FUSFORMER: 393_216, Method.PSRT: 0, Method.U2NET: 105_760,
               Method.DT3NET: 11, Method.SMGUNET: 0, Method.PIFNET: 0}  # fmt: skip
SHAPES = ((103, 4, 2), (103, 4, 4), (103, 4, 8), (31, 3, 4))


def _weightless(name, hsi, msi, ratio):
    with torch.device("meta"):
        return _built(name, hsi=hsi, msi=msi, ratio=ratio)


@pytest.mark.parametrize("name", CLOSED_FORMS)
@pytest.mark.parametrize("index", range(4))
def test_live_and_dead_parameters_are_those_of_the_published_network(name, index):
    network = _weightless(name, *SHAPES[index])
    total = _parameters(network) + sum(network.dead_parameters.values())
    assert total == CLOSED_FORMS[name](*SHAPES[index])
    assert round(total / 1e6, 3) == PRINTED[name][index]


@pytest.mark.parametrize("name", CLOSED_FORMS)
def test_totals_are_the_printed_ones(name):
    assert CLOSED_FORMS[name](103, 4, 4) == LISTED[name]


@pytest.mark.parametrize("name", NETWORKS)
def test_dead_parameters_are_listed(name):
    assert sum(_weightless(name, 103, 4, 4).dead_parameters.values()) == LISTED_DEAD[name]


@pytest.mark.parametrize(("hsi", "msi"), [(103, 4), (31, 3)])
def test_pifnet_has_the_parameters_of_its_design(hsi, msi):
    width = 64
    between = max(width, hsi)

    def convolutions(start, middle, end):
        return 9 * start * middle + middle + 9 * middle * end + end

    heads = convolutions(hsi, width, width) + convolutions(msi, width, width)
    tails = convolutions(width, between, hsi) + convolutions(2 * width, between, hsi)
    inside = 73_856 + 110_656 + 708_864 + 110_784 + 110_720 + 113_216  # rows of docs/design.md 6.2 that no band enters
    assert _parameters(_weightless(Method.PIFNET, hsi, msi, 4)) == heads + inside + tails


def test_pifnet_weighs_what_the_paper_says():
    assert round(_parameters(_weightless(Method.PIFNET, 103, 4, 4)) / 1e6, 2) == 1.73
