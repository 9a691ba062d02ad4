from dataclasses import replace

import numpy as np
import pytest
import torch

from pifnet_cli.errors import CheckpointError, SettingsError
from pifnet_cli.networks.build import block_ratio, build_network, grown_to_rule, restored_network, weights_of
from pifnet_cli.networks.checkpoint import Checkpoint, Header
from pifnet_models.interface import SizeRule

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


def planes(height, width, ratio=4):
    """Two random images, and LR pixels that each number their block; and that number on the fine grid."""
    rng = np.random.default_rng(0)
    numbers = np.arange(height // ratio * (width // ratio), dtype=np.float32).reshape(1, height // ratio, -1)
    images = [rng.random((bands, height, width), dtype=np.float32) for bands in (7, 3)]
    return *images, numbers, numbers.repeat(ratio, axis=1).repeat(ratio, axis=2)


@pytest.mark.parametrize(
    ("size", "rule", "grown"),
    [
        ((24, 40), SizeRule(8, 8), (24, 40)),
        ((20, 36), SizeRule(8, 8), (24, 40)),
        ((4, 8), SizeRule(16, 48), (48, 48)),
        ((4, 36), SizeRule(4, 4), (4, 36)),
    ],
)
def test_planes_grow_to_the_size_rule(size, rule, grown):
    hsi, msi, lr_hsi, _ = planes(*size)
    assert [plane.shape for plane in grown_to_rule(hsi, msi, None, rule=rule)] == [(7, *grown), (3, *grown)]
    shapes = [plane.shape for plane in grown_to_rule(hsi, msi, lr_hsi, rule=rule)]
    assert shapes == [(7, *grown), (3, *grown), (1, grown[0] // 4, grown[1] // 4)]


@pytest.mark.parametrize("size", [(20, 36), (4, 8), (8, 4)])
def test_lr_pixels_grow_in_step_with_their_blocks(size):
    _, msi, lr_hsi, blocks = planes(*size)
    fine, _, coarse = grown_to_rule(blocks, msi, lr_hsi, rule=SizeRule(24, 48))
    np.testing.assert_array_equal(coarse.repeat(4, axis=1).repeat(4, axis=2), fine)


def test_growing_mirrors_the_image_at_its_border():
    hsi, msi, _, _ = planes(4, 8)
    fine = grown_to_rule(hsi, msi, None, rule=SizeRule(12, 12))[0]
    np.testing.assert_array_equal(fine[:, :4, :8], hsi)
    np.testing.assert_array_equal(fine[:, 4:8, :8], hsi[:, ::-1])
    np.testing.assert_array_equal(fine[:, 8:, :8], hsi)  # and back again
    np.testing.assert_array_equal(fine[:, :4, 8:], hsi[:, :, :3:-1])


def test_a_single_pixel_grows_to_any_size():
    hsi, msi = np.full((2, 1, 1), 3, np.float32), np.full((1, 1, 1), 5, np.float32)
    fine, guide = grown_to_rule(hsi, msi, None, rule=SizeRule(8, 16))
    assert fine.shape == (2, 16, 16)
    assert (fine == 3).all()
    assert (guide == 5).all()


def test_what_the_rule_accepts_is_passed_on_contiguous_and_not_copied():
    hsi, msi, _, _ = planes(24, 40)
    same, turned = grown_to_rule(hsi, msi.swapaxes(1, 2).copy().swapaxes(1, 2), None, rule=SizeRule(8, 8))
    assert same is hsi
    assert turned.flags.c_contiguous
    np.testing.assert_array_equal(turned, msi)


@pytest.mark.parametrize("ratio", [2, 4])
def test_only_networks_that_take_the_lr_hsi_have_a_block_ratio(ratio):
    numbers = {"hsi_channels": 4, "msi_channels": 2, "ratio": ratio}
    assert block_ratio(build_network("hsrnet", numbers)) == ratio
    assert block_ratio(build_network("u2net", numbers)) == ratio
    assert block_ratio(build_network("psrt", numbers)) is None
    assert block_ratio(build_network("pifnet", SMALL)) is None
