"""One contract for all methods, on files: whatever the grids, bands and holes, a whole result or one clear error."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
import torch
from affine import Affine

from pifnet_cli.catalog import NETWORKS, Method
from pifnet_cli.choices import Align, Overwrite, Phase, Protocol
from pifnet_cli.degrade.sensor_model import SensorModel, degrade_patch
from pifnet_cli.networks.build import build_network, weights_of
from pifnet_cli.networks.checkpoint import Checkpoint, Header, bands_record, save_checkpoint
from pifnet_cli.scene import Bands, Grid
from pifnet_cli.settings import FuseSettings
from pifnet_cli.workflows.fuse import fuse_scene
from scenes import write_scene
from small_networks import SMALL
from waves import GSD, NODATA, NORTH_UP, SOUTH_UP, Ground, responses, write_pair

pytestmark = pytest.mark.slow

TRAINING_FREE = [method for method in Method if not method.is_network]
POINTWISE = [Method.REGRESSION, Method.GSA, Method.GLP, Method.SFIM, Method.BROVEY, Method.BICUBIC]
BLOCKWISE = [Method.KRIGING, Method.ATPRK, Method.CNMF, Method.HYSURE]
CHEAP = [*POINTWISE, Method.PSRT, Method.PIFNET]
LARGE, LITTLE = (61, 83), (21, 27)  # HR pixels; neither side is a multiple of the ratio, nor of any size rule
ROTATED = NORTH_UP @ Affine.rotation(30)


@pytest.fixture(autouse=True)
def one_thread():
    """Tiny networks: threads would only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def _size(method):
    return LITTLE if method.is_network else LARGE


def _checkpoint(method, folder, *, bands=7, msi=3, ratio=4.0, phase="true"):
    """An untrained network, as training would keep it."""
    shape = {"hsi_channels": bands, "msi_channels": msi} | ({} if method is Method.PIFNET else {"ratio": round(ratio)})
    torch.manual_seed(0)
    network = build_network(method.value, shape | SMALL[method])
    header = Header(
        method=method.value,
        variant="paper",
        hyper_parameters=dict(network.hyper_parameters),
        hsi_bands=bands_record(Bands(bands)),
        msi_bands=bands_record(Bands(msi)),
        ratio=ratio,
        sensor={"protocol": "mtf", "mtf_at_nyquist": 0.3},
        scale=1.0,
        anchor="none",
        phase=phase,
    )
    save_checkpoint(folder / "model", Checkpoint(header, weights_of(network)))
    return folder / "model"


def _fused(method, pair, *, name="out", **settings):
    """(C, H, W), NaN where the file has nodata; `pair` is what `write_pair` returns.

    The blur is told and the scenes lie where they say: finding both has tests of its own.
    """
    lr, hr, _ = pair
    if "protocol" not in settings:
        settings = {"mtf_at_nyquist": 0.3} | settings
    settings = {"align": Align.NONE} | settings
    folder = lr.parent
    with rasterio.open(lr) as low, rasterio.open(hr) as high:
        shape = {"bands": low.count, "msi": high.count}
        ratio = np.sqrt(abs(low.transform.determinant / high.transform.determinant))
    model = _checkpoint(method, folder, ratio=ratio, **shape) if method.is_network else None
    choice = FuseSettings(method=method, overwrite=Overwrite.REPLACE, **settings)
    fuse_scene(lr, hr, folder / f"{name}.tif", replace(choice, checkpoint=model))
    with rasterio.open(folder / f"{name}.tif") as dataset:
        image = dataset.read()
    return np.where(image == np.float32(NODATA), np.float32(np.nan), image)


def _rmse(image, truth, *, cut=0):
    error = (image - truth)[:, cut : image.shape[1] - cut, cut : image.shape[2] - cut]
    return float(np.sqrt(np.nanmean(np.square(error))))


def _require_sane(method, image, pair, *, share=1.0, cut=0):
    """Finite; of training-free methods also nearer to the truth than `share` of what interpolation misses."""
    assert np.isfinite(image).all()
    if method is Method.BICUBIC or method.is_network:
        assert np.abs(image).max() < 100  # an untrained network, but of the pair's scale
        return
    missed = _rmse(_fused(Method.BICUBIC, pair, name="bicubic"), pair[2], cut=cut)
    assert _rmse(image, pair[2], cut=cut) < share * missed


@pytest.mark.parametrize("method", Method)
def test_odd_sizes_are_fused_whole(method, tmp_path):
    pair = write_pair(tmp_path, hr_size=_size(method))
    image = _fused(method, pair)
    assert image.shape == (7, *_size(method))
    _require_sane(method, image, pair, share=0.5)


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize(("bands", "msi"), [(7, 1), (7, 12), (1, 3), (1, 1)])
def test_any_number_of_bands_is_fused(method, bands, msi, tmp_path):
    pair = write_pair(tmp_path, bands=bands, msi=msi, hr_size=LITTLE if method.is_network else (41, 53))
    image = _fused(method, pair)
    assert len(image) == bands
    _require_sane(method, image, pair, share=0.8)


@pytest.mark.parametrize("method", CHEAP)
def test_many_bands_are_fused(method, tmp_path):
    pair = write_pair(tmp_path, bands=240, msi=4, hr_size=LITTLE if method.is_network else (41, 53))
    _require_sane(method, _fused(method, pair), pair, share=0.5)


def _holes(lr_hsi, hr_msi):
    lr_hsi[:, 2, 3] = NODATA  # HR rows 8..11, columns 12..15
    lr_hsi[4, 1, 1] = NODATA  # one band of rows 4..7, columns 4..7
    hr_msi[1, 14:18, 20:23] = NODATA
    hr_msi[:, 2, 9] = NODATA


def _expected_holes(size):
    invalid = np.zeros((7, *size), dtype=bool)
    invalid[:, 8:12, 12:16] = True
    invalid[4, 4:8, 4:8] = True
    invalid[:, 14:18, 20:23] = True
    invalid[:, 2, 9] = True
    return invalid


@pytest.mark.parametrize("method", Method)
def test_pixels_are_nodata_where_either_scene_is_and_nowhere_else(method, tmp_path):
    pair = write_pair(tmp_path, hr_size=_size(method), spoil=_holes)
    image = _fused(method, pair)
    np.testing.assert_array_equal(np.isnan(image), _expected_holes(_size(method)))
    if not method.is_network:
        assert _rmse(image, pair[2]) < 2 * _rmse(_fused(Method.BICUBIC, pair, name="bicubic"), pair[2])


@pytest.mark.parametrize("method", Method)
def test_the_same_files_give_the_same_bytes(method, tmp_path):
    pair = write_pair(tmp_path, hr_size=_size(method))
    first, again = (_fused(method, pair, name=name) for name in ("one", "two"))
    assert first.tobytes() == again.tobytes()


def _tiled(method, pair):
    """Whole, and in small tiles."""
    whole = _fused(method, pair, name="whole")
    tiled = _fused(method, pair, name="tiled", tile_size=40, overlap=12)
    return whole, tiled


@pytest.mark.parametrize("method", POINTWISE)
def test_pointwise_methods_are_the_same_in_tiles(method, tmp_path):
    whole, tiled = _tiled(method, write_pair(tmp_path))
    np.testing.assert_allclose(tiled, whole, rtol=1e-6, atol=1e-6)


# Largest root mean square difference between tiles of 40 pixels and the whole, in values of 0.1 to 0.9. Kriging and
# ATPRK take the LR pixels that they want round a tile; CNMF and HySure solve each tile anew and are blended. Measured:
# 9e-5, 9e-5, 3e-4, 4e-5, where the whole is 1.7e-3 to 3.4e-3 off the truth.
TILE_BOUND = {Method.KRIGING: 3e-4, Method.ATPRK: 3e-4, Method.CNMF: 1e-3, Method.HYSURE: 1e-3}


@pytest.mark.parametrize("method", BLOCKWISE)
def test_tiles_of_other_methods_differ_by_a_stated_bound(method, tmp_path):
    whole, tiled = _tiled(method, write_pair(tmp_path))
    assert _rmse(tiled, whole) < TILE_BOUND[method]


@pytest.mark.parametrize("method", NETWORKS)
def test_networks_fuse_in_tiles_without_seams_of_nodata(method, tmp_path):
    pair = write_pair(tmp_path, hr_size=(37, 42) if method is not Method.DT3NET else (21, 34))
    assert np.isfinite(_fused(method, pair, tile_size=32, overlap=8, halo=8)).all()


GEOMETRIES = ("offset", "rotated together", "rotated apart", "south-up", "against each other", "ratio 3.3")


def _geometry(name, size):
    """Arguments of `write_pair` for an HR-MSI of this size."""
    covering = tuple(-(-side // 4) for side in size)
    match name:
        case "offset":  # by 0.37 LR pixels, and further than the HR-MSI on all sides
            there = NORTH_UP @ Affine.scale(4) @ Affine.translation(-1.37, -1.37)
            return {"lr_transform": there, "lr_size": (covering[0] + 3, covering[1] + 3)}
        case "rotated together":
            return {"hr_transform": ROTATED}
        case "rotated apart":  # the LR grid about the middle of the HR one, and large enough to cover it
            middle = NORTH_UP @ Affine.translation(size[1] / 2, size[0] / 2)
            side = 16 if size == LITTLE else 40
            there = middle @ Affine.rotation(30) @ Affine.scale(4) @ Affine.translation(-side / 2, -side / 2)
            return {"lr_transform": there, "lr_size": (side, side)}
        case "south-up":
            return {"hr_transform": SOUTH_UP}
        case "against each other":  # a north-up LR-HSI of the same ground as a south-up HR-MSI
            there = SOUTH_UP @ Affine.translation(0, 4 * covering[0]) @ Affine.scale(4, -4)
            return {"hr_transform": SOUTH_UP, "lr_transform": there}
        case "ratio 3.3":
            return {"ratio": 3.3}


@pytest.mark.parametrize("method", Method)
@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_grids_of_all_kinds_are_fused(method, geometry, tmp_path):
    size = _size(method)
    pair = write_pair(tmp_path, hr_size=size, **_geometry(geometry, size))
    image = _fused(method, pair)
    assert image.shape == pair[2].shape
    _require_sane(method, image, pair, share=0.6)


def _simulated(folder, protocol, *, size=(64, 84)):
    """A pair of the protocol's own degradation."""
    truth = Ground(7).seen(NORTH_UP, *size)
    model = SensorModel(protocol, 4, 0.3, responses(7, 3))
    lr_hsi, hr_msi = degrade_patch(truth, model, rng=None)
    there = model.lr_grid(Grid(*size, NORTH_UP, None)).transform
    lr = write_scene(folder / "lr.tif", lr_hsi, transform=there, nodata=NODATA)
    hr = write_scene(folder / "hr.tif", hr_msi, transform=NORTH_UP, nodata=NODATA)
    return lr, hr, truth


@pytest.mark.parametrize("method", TRAINING_FREE)
@pytest.mark.parametrize("protocol", Protocol)
def test_every_method_is_better_than_interpolation(method, protocol, tmp_path):
    pair = _simulated(tmp_path, protocol)
    image = _fused(method, pair, protocol=protocol)
    _require_sane(method, image, pair, share=0.5)


@pytest.mark.parametrize("method", Method)
def test_the_naive_phase_is_another_where_corners_do_not_coincide(method, tmp_path):
    pair = _simulated(tmp_path, Protocol.PAPER, size=(20, 28) if method.is_network else (40, 52))
    true, naive = (_fused(method, pair, name=phase, phase=phase, protocol=Protocol.PAPER) for phase in Phase)
    assert naive.shape == true.shape
    assert np.isfinite(naive).all()
    assert _rmse(naive, true) > 1e-5
    if not method.is_network:
        assert _rmse(naive, pair[2]) > _rmse(true, pair[2])


@pytest.mark.parametrize("method", Method)
def test_the_naive_phase_is_the_true_one_where_corners_coincide(method, tmp_path):
    pair = write_pair(tmp_path, hr_size=(20, 28) if method.is_network else (40, 52))
    told = {"mtf_at_nyquist": 0.3, "align": Align.NONE}  # the naive phase finds nothing of these from the pair
    true, naive = (_fused(method, pair, name=phase, phase=phase, **told) for phase in Phase)
    np.testing.assert_array_equal(naive, true)


def test_the_checkpoint_s_phase_holds_where_the_user_says_nothing(tmp_path):
    lr, hr, _ = _simulated(tmp_path, Protocol.PAPER, size=(20, 28))
    images = {}
    for trained in Phase:
        model = _checkpoint(Method.PSRT, tmp_path / trained, phase=trained.value)
        for asked in (None, *Phase):
            output = tmp_path / f"{trained}-{asked}.tif"
            fuse_scene(lr, hr, output, FuseSettings(phase=asked, checkpoint=model))
            with rasterio.open(output) as dataset:
                images[trained, asked] = dataset.read()
    for trained in Phase:
        np.testing.assert_array_equal(images[trained, None], images[trained, trained])
        np.testing.assert_array_equal(images[Phase.TRUE, trained], images[Phase.NAIVE, trained])
    assert not np.array_equal(images[Phase.TRUE, None], images[Phase.NAIVE, None])


@pytest.mark.parametrize("method", BLOCKWISE)
def test_lr_pixels_beyond_the_hr_msi_are_no_samples(method, tmp_path):
    """An LR-HSI that reaches far beyond the HR-MSI gives what one gives that ends with it."""
    size = (40, 52)
    exact = write_pair(tmp_path / "exact", hr_size=size)
    beyond = write_pair(
        tmp_path / "beyond",
        hr_size=size,
        lr_size=(22, 25),
        lr_transform=NORTH_UP @ Affine.scale(4) @ Affine.translation(-6, -6),
    )
    told = {"mtf_at_nyquist": 0.3, "align": Align.NONE}  # what is found from either pair differs in the third digit
    np.testing.assert_allclose(_fused(method, beyond, **told), _fused(method, exact, **told), atol=1e-5)


@pytest.mark.parametrize("method", Method)
def test_a_scene_of_a_few_pixels_is_fused(method, tmp_path):
    pair = write_pair(tmp_path, hr_size=(9, 11))
    image = _fused(method, pair)
    assert image.shape == (7, 9, 11)
    assert np.isfinite(image).all()


# An undeclared offset is no change of unit; where brightness is a product, and to networks, it shows.
LINEAR = [method for method in TRAINING_FREE if method not in (Method.SFIM, Method.CNMF)]
UNITS = [(method, gain, 0.0) for method in Method for gain in (1e4, 0.01)] + [(method, 1e4, 1e3) for method in LINEAR]


@pytest.mark.parametrize(("method", "gain", "offset"), UNITS)
def test_the_unit_of_the_hr_msi_does_not_matter(method, gain, offset, tmp_path):
    pair = write_pair(tmp_path, hr_size=LITTLE if method.is_network else (41, 53))
    expected = _fused(method, pair)
    with rasterio.open(pair[1], "r+") as dataset:
        dataset.write((gain * dataset.read() + offset).astype(np.float32))
    assert _rmse(_fused(method, pair, name="other"), expected) < 1e-4 * np.abs(expected).max()


@pytest.mark.parametrize("ratio", [2.0, 8.0])
@pytest.mark.parametrize("method", Method)
def test_other_ratios_are_fused(method, ratio, tmp_path):
    size = (21, 26) if method.is_network else (67, 91)
    pair = write_pair(tmp_path, hr_size=size, ratio=ratio)
    _require_sane(method, _fused(method, pair), pair, share=0.8)


def test_the_truth_of_these_tests_is_what_it_says():
    """Blurred waves are the mean of the ground round a place, weighed by the Gaussian."""
    ground, sigma, step = Ground(3), 15.0, 2.5
    offsets = np.arange(-24, 25) * step
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    around = ground.seen(Affine(step, 0, 365000 - 24.5 * step, 0, step, 5807000 - 24.5 * step), 49, 49)
    expected = np.einsum("crk,r,k->c", around.astype(np.float64), weights, weights) / weights.sum() ** 2
    found = ground.seen(Affine(GSD, 0, 365000 - GSD / 2, 0, GSD, 5807000 - GSD / 2), 1, 1, sigma=sigma)[:, 0, 0]
    np.testing.assert_allclose(found, expected, atol=1e-4)
