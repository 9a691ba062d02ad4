import numpy as np
import pytest
import torch
from torch import nn

from pifnet_cli.choices import Precision
from pifnet_cli.errors import DependencyError
from pifnet_cli.networks.on_device import NetworkOnDevice
from pifnet_models.interface import SizeRule


def on_cpu(network, precision=Precision.FLOAT32):
    return NetworkOnDevice(network, torch.device("cpu"), precision, remedy="buy memory")


class Sum(nn.Module):
    size_rule = SizeRule(multiple_of=8, minimum=16)

    def forward(self, hsi, msi):
        assert self.size_rule.accepts(*hsi.shape[2:])
        assert not self.training
        return hsi + msi[:, :1]


class Greedy(Sum):
    def forward(self, _hsi, _msi):
        raise torch.OutOfMemoryError


class Convolution(Sum):
    def __init__(self):
        super().__init__()
        self.convolution = nn.Conv2d(3, 3, 1)
        self.seen = []

    def forward(self, hsi, _msi):
        answer = self.convolution(hsi)
        self.seen.append(answer.dtype)
        return answer


@pytest.fixture
def images():
    return np.random.default_rng(0).random((2, 3, 13, 21), dtype=np.float32)


def test_networks_see_sizes_that_they_accept(images):
    hsi, msi = images
    assert on_cpu(Sum().train())(hsi, msi) == pytest.approx(hsi + msi[:1])


def test_full_memory_is_explained_by_the_tile_and_the_remedy(images):
    with pytest.raises(DependencyError, match="cpu: out of memory on a tile of 13 x 21 pixels; buy memory"):
        on_cpu(Greedy())(*images)


@pytest.mark.parametrize(
    ("precision", "expected"), [(Precision.FLOAT32, torch.float32), (Precision.BFLOAT16, torch.bfloat16)]
)
def test_arithmetic_is_of_the_precision_and_answers_are_single(images, precision, expected):
    network = Convolution()
    answer = on_cpu(network, precision)(*images)
    assert network.seen == [expected]
    assert answer.dtype == np.float32
