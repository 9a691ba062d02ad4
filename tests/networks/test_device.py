import pytest
import torch

from pifnet_cli.choices import Device, Precision
from pifnet_cli.errors import DependencyError
from pifnet_cli.networks.device import chosen_device, chosen_precision


def test_a_cpu_computes_in_float32_unless_told_otherwise():
    assert chosen_precision(Precision.AUTO, torch.device("cpu")) is Precision.FLOAT32
    assert chosen_precision(Precision.BFLOAT16, torch.device("cpu")) is Precision.BFLOAT16


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_gpu_that_is_not_there_is_an_error():
    with pytest.raises(DependencyError, match="no CUDA device is visible"):
        chosen_device(Device.CUDA)
    assert chosen_device(Device.AUTO).type == "cpu"
