import pytest
import torch
import torch.nn.functional as F

from pifnet_models.pifnet.depthwise import depthwise_convolution

CASES = [
    pytest.param(16, 11, 21, 5, 1, id="16 channels, 5 x 5"),
    pytest.param(32, 13, 26, 7, 3, id="32 channels, 7 x 7 with gaps of 3"),
    pytest.param(16, 3, 5, 7, 3, id="an image smaller than the reach"),
    pytest.param(16, 1, 1, 3, 2, id="a single pixel"),
    pytest.param(10, 8, 9, 7, 3, id="channels that fill no register"),
]


def _tensors(channels, height, width, side):
    torch.manual_seed(0)
    image = torch.randn(2, channels, height, width).contiguous(memory_format=torch.channels_last)
    tensors = image, torch.randn(channels, 1, side, side), torch.randn(channels)
    return [tensor.requires_grad_() for tensor in tensors]


def _expected(image, weight, bias, dilation):
    reach = dilation * (weight.shape[-1] // 2)
    return F.conv2d(image, weight, bias, padding=reach, dilation=dilation, groups=len(bias))


@pytest.mark.parametrize(("channels", "height", "width", "side", "dilation"), CASES)
def test_it_is_the_grouped_convolution_and_so_are_its_derivatives(channels, height, width, side, dilation):
    tensors = _tensors(channels, height, width, side)
    precise = [tensor.detach().double().requires_grad_() for tensor in tensors]
    output, expected = depthwise_convolution(*tensors, dilation=dilation), _expected(*precise, dilation)
    direction = torch.randn_like(output)
    found = [output, *torch.autograd.grad(output, tensors, direction)]
    wanted = [expected, *torch.autograd.grad(expected, precise, direction.double())]
    for one, other in zip(found, wanted, strict=True):
        assert (one - other).abs().max() < 2e-6 * other.abs().max()


def test_only_the_derivatives_that_are_asked_for_are_computed():
    image, weight, bias = _tensors(16, 6, 7, 5)
    depthwise_convolution(image, weight.detach(), bias.detach()).sum().backward()
    assert image.grad is not None
    assert weight.grad is None


def test_a_transposed_image_is_read_right():
    image, weight, bias = _tensors(16, 9, 9, 7)
    turned = image.detach().transpose(2, 3)
    torch.testing.assert_close(
        depthwise_convolution(turned, weight, bias, dilation=3), _expected(turned, weight, bias, 3), atol=1e-5, rtol=0
    )


def test_autocast_and_double_precision_are_served():
    image, weight, bias = _tensors(16, 9, 9, 7)
    precise = depthwise_convolution(image.double(), weight.double(), bias.double(), dilation=3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = depthwise_convolution(image, weight, bias, dilation=3)
    assert precise.dtype == torch.float64
    assert (rough.double() - precise).abs().max() < 0.02 * precise.abs().max()


def test_one_thread_and_several_agree_to_the_last_bit():
    tensors = _tensors(32, 17, 9, 7)
    before = torch.get_num_threads()
    results = []
    try:
        for threads in (1, 3):
            torch.set_num_threads(threads)
            output = depthwise_convolution(*tensors, dilation=3)
            results.append([output, *torch.autograd.grad(output.square().sum(), tensors[:2])])
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(one, other) for one, other in zip(*results, strict=True))
