from dataclasses import replace

import numpy as np
import pytest
import torch
from affine import Affine
from rasterio import open as open_raster

from pifnet_cli.choices import Device, Overwrite, Precision
from pifnet_cli.errors import CheckpointError, DependencyError
from pifnet_cli.fusion.network import load_engine
from pifnet_cli.networks.checkpoint import Checkpoint, Header, bands_record, save_checkpoint
from pifnet_cli.scene import Bands
from pifnet_cli.settings import FuseSettings
from pifnet_cli.workflows.fuse import fuse_scene
from pifnet_models.kriging.regression import RegressionSums
from pifnet_models.pifnet.anchored import ResidualBasis, image_scale
from pifnet_models.pifnet.network import PIFNet
from scenes import write_scene
from tiles import pair_tile

HSI, MSI, COMPONENTS = 7, 3, 4
SMALL = {"width": 8, "blocks": 1, "segments": 2, "d_state": 2, "lora_heads": 2, "lora_rank": 1}


def _header(variant, hyper_parameters, scale=1.0):
    bands, msi = bands_record(Bands(HSI)), bands_record(Bands(MSI))
    return Header("pifnet", variant, hyper_parameters, bands, msi, ratio=4.0, sensor=None, scale=scale)


def _weights(network):
    return {name: tensor.numpy().copy() for name, tensor in network.state_dict().items()}


@pytest.fixture
def paper(tmp_path):
    torch.manual_seed(0)  # the network's first weights; nothing else draws from it
    hyper = {"hsi_channels": HSI, "msi_channels": MSI, **SMALL}
    network = PIFNet(**hyper).eval()
    save_checkpoint(tmp_path / "paper", Checkpoint(_header("paper", hyper, scale=2.0), _weights(network)))
    return tmp_path / "paper", network


@pytest.fixture
def anchored(tmp_path):
    torch.manual_seed(1)
    hyper = {
        "hsi_channels": 2 * COMPONENTS,
        "out_channels": COMPONENTS,
        "msi_channels": 2 * MSI + 4,
        "output_start": "zero",
        **SMALL,
    }
    directions = np.linalg.qr(np.random.default_rng(0).normal(size=(HSI, COMPONENTS)))[0].astype(np.float32)
    deviations = np.linspace(2, 1, COMPONENTS, dtype=np.float32)
    basis = ResidualBasis(directions, np.ones(HSI, dtype=np.float32), deviations, step=4).to_arrays()
    save_checkpoint(tmp_path / "anchored", Checkpoint(_header("anchored", hyper), _weights(PIFNet(**hyper)), basis))
    return tmp_path / "anchored"


def _tile(height, width, seed=0):
    return pair_tile(np.random.default_rng(seed), bands=(HSI, MSI), size=(height, width))


def _regression():
    rng = np.random.default_rng(1)
    sums = RegressionSums(hsi_bands=HSI, msi_bands=MSI)
    sums.add(rng.uniform(size=(HSI, 60)).astype(np.float32), rng.uniform(size=(MSI, 60)).astype(np.float32))
    return sums.solve()


def _loaded(path):
    return load_engine(path, _regression(), device=Device.CPU, precision=Precision.FLOAT32)


def test_the_image_network_answers_in_the_units_of_the_scene(paper):
    path, network = paper
    tile, scale = _tile(20, 24), image_scale(_regression())
    inputs = tile.inputs()
    with torch.inference_mode():
        hsi, msi = (torch.from_numpy(image / scale)[None] for image in (inputs.upsampled, inputs.hr_msi))
        expected = scale * network(hsi, msi)[0].numpy()
    np.testing.assert_allclose(_loaded(path).fuse(tile).pixels, expected, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (5, 33), (24, 40)])
def test_any_size_is_accepted(paper, size):
    assert _loaded(paper[0]).fuse(_tile(*size)).pixels.shape == (HSI, *size)


def test_an_untrained_anchored_network_is_the_anchor(anchored):
    tile = _tile(21, 34)
    inputs = tile.inputs()
    expected = _regression().apply(inputs.upsampled, inputs.hr_msi, inputs.msi_smooth)
    np.testing.assert_array_equal(_loaded(anchored).fuse(tile).pixels, expected)


def test_invalid_pixels_stay_invalid_and_spoil_no_others(paper, anchored):
    tile = _tile(32, 32)
    tile.lr_hsi[:, 1, 2] = np.nan
    tile.hr_msi[1, 20, 20] = np.nan
    tile.lr_hsi[4] = np.nan  # a band without data
    expected = np.zeros((HSI, 32, 32), dtype=bool)
    expected[:, 4:8, 8:12] = True
    expected[:, 20, 20] = True
    expected[4] = True
    np.testing.assert_array_equal(np.isnan(_loaded(paper[0]).fuse(tile).pixels), expected)
    tile.lr_hsi[4] = tile.lr_hsi[3]
    expected[4] = expected[3]
    np.testing.assert_array_equal(np.isnan(_loaded(anchored).fuse(tile).pixels), expected)


def test_tensors_of_another_network_are_refused(tmp_path):
    network = PIFNet(hsi_channels=HSI, msi_channels=MSI, **{**SMALL, "width": 16})
    hyper = {"hsi_channels": HSI, "msi_channels": MSI, **SMALL}
    save_checkpoint(tmp_path / "wrong", Checkpoint(_header("paper", hyper), _weights(network)))
    with pytest.raises(CheckpointError, match="do not fit the network"):
        _loaded(tmp_path / "wrong")


def test_unknown_hyper_parameters_are_refused(tmp_path, paper):
    hyper = {"hsi_channels": HSI, "msi_channels": MSI, "magic": 1}
    save_checkpoint(tmp_path / "odd", Checkpoint(_header("paper", hyper), _weights(paper[1])))
    with pytest.raises(CheckpointError, match="magic"):
        _loaded(tmp_path / "odd")


def test_a_basis_that_is_missing_is_refused(tmp_path):
    hyper = {"hsi_channels": 2 * COMPONENTS, "out_channels": COMPONENTS, "msi_channels": 2 * MSI + 4, **SMALL}
    save_checkpoint(tmp_path / "bare", Checkpoint(_header("anchored", hyper), _weights(PIFNet(**hyper))))
    with pytest.raises(CheckpointError, match="basis"):
        _loaded(tmp_path / "bare")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is present")
def test_an_absent_gpu_is_named(paper):
    with pytest.raises(DependencyError, match="--device cpu"):
        load_engine(paper[0], _regression(), device=Device.CUDA, precision=Precision.AUTO)


def _pair(tmp_path, size=(96, 112)):
    rng = np.random.default_rng(3)
    hr_transform = Affine(10, 0, 365000, 0, -10, 5807000)
    smooth = rng.uniform(0.1, 0.9, (HSI, size[0] // 4, size[1] // 4)).astype(np.float32)
    lr = write_scene(tmp_path / "lr.tif", smooth, transform=hr_transform @ Affine.scale(4))
    hr = write_scene(
        tmp_path / "hr.tif", rng.uniform(0.1, 0.9, (MSI, *size)).astype(np.float32), transform=hr_transform
    )
    return lr, hr


def test_a_scene_is_fused_by_a_checkpoint_in_tiles(paper, tmp_path):
    lr, hr = _pair(tmp_path)
    results = []
    for size, overlap, halo in ((160, 16, 0), (48, 16, 24)):
        settings = FuseSettings(tile_size=size, overlap=overlap, halo=halo, overwrite=Overwrite.REPLACE)
        fuse_scene(lr, hr, tmp_path / "fused.tif", replace(settings, checkpoint=paper[0]))
        with open_raster(tmp_path / "fused.tif") as dataset:
            results.append(dataset.read())
    spread = results[0].std()
    assert np.abs(results[0] - results[1]).max() < 0.05 * spread  # global pooling and the scan see the tile's size


def test_a_checkpoint_for_other_bands_is_refused(paper, tmp_path):
    lr, hr = _pair(tmp_path)
    with open_raster(lr) as dataset:
        fewer = write_scene(tmp_path / "fewer.tif", dataset.read()[:5], transform=dataset.transform)
    with pytest.raises(CheckpointError, match=r"7 bands.* 5"):
        fuse_scene(fewer, hr, tmp_path / "fused.tif", FuseSettings(checkpoint=paper[0]))
    assert not (tmp_path / "fused.tif").exists()
