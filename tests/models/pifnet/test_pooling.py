import pytest
import torch

from pifnet_models.pifnet.pooling import local_mean


@pytest.mark.parametrize("window", [1, 3, 7, 31])
def test_the_mean_is_over_the_pixels_of_the_window_inside_the_image(window):
    image = torch.randn(2, 9, 12, 3, dtype=torch.float64)
    reach = window // 2
    expected = torch.empty_like(image)
    for row in range(9):
        for column in range(12):
            rows, columns = (slice(max(0, at - reach), at + reach + 1) for at in (row, column))
            expected[:, row, column] = image[:, rows, columns].mean(dim=(1, 2))
    torch.testing.assert_close(local_mean(image, window=window), expected)
