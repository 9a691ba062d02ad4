import pytest
import torch

from pifnet_models.pifnet.wavelet import HaarBands, haar_forward, haar_inverse


def _image():
    return torch.randn(2, 3, 6, 10, dtype=torch.float64)


def test_the_inverse_returns_the_image():
    image = _image()
    torch.testing.assert_close(haar_inverse(haar_forward(image)), image, rtol=0, atol=1e-14)


def test_the_transform_keeps_the_energy():
    image = _image()
    low, high = haar_forward(image)
    torch.testing.assert_close(low.square().sum() + high.square().sum(), image.square().sum())


def test_low_is_twice_the_mean_of_each_block():
    image = _image()
    torch.testing.assert_close(haar_forward(image).low, 2 * torch.nn.functional.avg_pool2d(image, 2))


@pytest.mark.parametrize(("band", "row_sign", "column_sign"), [(0, 1, -1), (1, -1, 1), (2, -1, -1)])
def test_each_detail_answers_to_its_own_pattern(band, row_sign, column_sign):
    pattern = torch.tensor([1.0, row_sign])[:, None] * torch.tensor([1.0, column_sign])
    image = pattern.repeat(3, 5)[None, None]
    low, high = haar_forward(image)
    expected = torch.zeros(1, 3, 3, 5)
    expected[:, band] = 2
    assert torch.equal(high, expected)
    assert not low.any()


def test_a_channels_last_image_comes_back_channels_last():
    image = _image().contiguous(memory_format=torch.channels_last)
    low, high = haar_forward(image)
    assert low.is_contiguous(memory_format=torch.channels_last)
    assert haar_inverse(HaarBands(low, high)).is_contiguous(memory_format=torch.channels_last)


def test_odd_sides_are_refused():
    with pytest.raises(ValueError, match="even sides, got 5 x 4"):
        haar_forward(torch.zeros(1, 1, 5, 4))
