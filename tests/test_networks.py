from dataclasses import replace

import numpy as np
import pytest
import torch

from pifnet_cli.checkpoint import Checkpoint, Header
from pifnet_cli.errors import CheckpointError, SettingsError
from pifnet_cli.networks import build_network, restored_network, weights_of

SMALL = {"hsi_channels": 4, "msi_channels": 2, "width": 8, "blocks": 1, "segments": 2, "d_state": 2}
HEADER = Header(
    method="pifnet", variant="paper", hyper_parameters=SMALL, hsi_bands={}, msi_bands={}, ratio=4, sensor={}, scale=1
)


@pytest.fixture
def network():
    return build_network("pifnet", SMALL)


def test_a_network_comes_back_from_its_weights(network):
    restored = restored_network(Checkpoint(HEADER, weights_of(network)), "model")
    images = torch.rand(1, 4, 8, 8), torch.rand(1, 2, 8, 8)

    assert not restored.training
    with torch.no_grad():
        assert torch.equal(restored(*images), network.eval()(*images))


def test_weights_are_copies(network):
    weights = weights_of(network)
    before = {name: array.copy() for name, array in weights.items()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)

    assert all(np.array_equal(weights[name], before[name]) for name in weights)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda weights: weights | {"tail.0.bias": np.zeros(3, np.float32)},
        lambda weights: weights | {"another": np.zeros(3, np.float32)},
        lambda weights: {name: array for name, array in weights.items() if name != "tail.0.bias"},
    ],
)
def test_weights_of_another_shape_are_refused(network, spoil):
    with pytest.raises(CheckpointError, match=r"model: its weights do not fit .*(tail.0.bias|another)"):
        restored_network(Checkpoint(HEADER, spoil(weights_of(network))), "model")


@pytest.mark.parametrize("change", [{"method": "unknown"}, {"hyper_parameters": SMALL | {"depth": 3}}])
def test_a_header_of_another_version_is_refused(network, change):
    with pytest.raises(CheckpointError, match="model: does not suit this version"):
        restored_network(Checkpoint(replace(HEADER, **change), weights_of(network)), "model")


def test_numbers_that_make_no_network_are_refused():
    with pytest.raises(SettingsError, match="--network: pifnet cannot be built"):
        build_network("pifnet", SMALL | {"segments": 3})
