from dataclasses import replace

import numpy as np
import pytest
import rasterio
from affine import Affine

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Align, Extent, Overwrite, Protocol
from pifnet_cli.degrade.psf import PAPER_SIGMA
from pifnet_cli.errors import PifnetError, SceneWriteError, SettingsError
from pifnet_cli.networks.checkpoint import Checkpoint, Header, bands_record, save_checkpoint
from pifnet_cli.scene import Bands
from pifnet_cli.settings import FuseSettings, SimulateSettings
from pifnet_cli.workflows.fuse import fuse_scene, preview_fusion
from pifnet_cli.workflows.simulate import simulate_scene
from waves import Texture, write_pair

NORTH_UP = Affine(10, 0, 365000, 0, -10, 5807000)
SOUTH_UP = Affine(10, 0, 365000, 0, 10, 5800000)
REGRESSION = FuseSettings(method=Method.REGRESSION, tile_size=96, overlap=32)
# Per band: slope along x and y in values per metre. One MSI band that averages all cannot explain x - y, so half of
# each ramp has to come through the interpolation.
SLOPES = np.array([[3e-4, 0], [0, 3e-4], [2e-4, -2e-4], [-1e-4, 3e-4]])


def _write(path, pixels, transform, *, nodata=None, crs="EPSG:32633"):
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": pixels.dtype.name}
    with rasterio.open(path, "w", **profile, transform=transform, crs=crs, nodata=nodata) as dataset:
        dataset.write(pixels)
    return path


def _ramps(transform, height, width, slopes=SLOPES):
    """Ramps of map coordinates, sampled at pixel centres: (C, height, width)."""
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    x, y = transform @ (columns, rows)
    return np.stack([a * (x - 365000) + b * (y - 5807000) for a, b in slopes]).astype(np.float32) + 10


def _interior_shift(path, cut, slopes=SLOPES):
    """Largest distance in HR pixels by which any ramp is displaced, borders cut."""
    with rasterio.open(path) as dataset:
        fused, transform = dataset.read().astype(np.float64), dataset.transform
    error = np.abs(fused - _ramps(transform, *fused.shape[1:], slopes))[:, cut:-cut, cut:-cut]
    assert error.size > 0
    per_pixel = np.hypot(slopes[:, 0], slopes[:, 1]) * 10
    return float((np.nanmax(error, axis=(1, 2)) / per_pixel).max())


def _half_explained(transform, height, width):
    """An HR-MSI of one band, the mean of all ramps: it explains a part of each, the rest must be interpolated."""
    return _ramps(transform, height, width).mean(axis=0, keepdims=True)


@pytest.mark.parametrize("transform", [NORTH_UP, SOUTH_UP, NORTH_UP @ Affine.rotation(30)])
@pytest.mark.parametrize("protocol", list(Protocol))
@pytest.mark.parametrize("ratio", [2, 3, 4, 8])
def test_ramps_come_back_in_place_from_simulation(ratio, protocol, transform, tmp_path):
    size = 13 * ratio + ratio - 1, 17 * ratio + 1
    scene = _write(tmp_path / "scene.tif", _ramps(transform, *size), transform)
    pair = tmp_path / "pair"
    simulate_scene(scene, pair, SimulateSettings(ratio=ratio, protocol=protocol, srf="boxes:1"))
    fused = tmp_path / "fused.tif"
    settings = FuseSettings(method=Method.REGRESSION, tile_size=96, overlap=32, protocol=protocol)
    fuse_scene(pair / "lr_hsi.tif", pair / "hr_msi.tif", fused, settings)
    assert _interior_shift(fused, cut=4 * ratio) < 0.02


@pytest.mark.parametrize("ratio", [2, 3, 4, 8, 3.3])
@pytest.mark.parametrize(
    "hr_transform", [NORTH_UP, SOUTH_UP, NORTH_UP @ Affine.rotation(30)], ids=["north-up", "south-up", "rotated"]
)
def test_grids_without_a_common_corner_are_brought_together(ratio, hr_transform, tmp_path):
    lr_transform = hr_transform @ Affine.scale(ratio) @ Affine.translation(0.37, -0.37)
    size = round(20 * ratio), round(22 * ratio)
    lr = _write(tmp_path / "lr.tif", _ramps(lr_transform, 20, 22), lr_transform)
    hr = _write(tmp_path / "hr.tif", _half_explained(hr_transform, *size), hr_transform)
    fuse_scene(lr, hr, tmp_path / "fused.tif", REGRESSION)
    assert _interior_shift(tmp_path / "fused.tif", cut=round(4 * ratio)) < 0.02


@pytest.mark.parametrize("angle", [30, -71])
def test_a_rotated_lr_grid_is_brought_to_the_hr_grid(angle, tmp_path):
    ratio = 4
    around_the_middle = Affine.translation(55, 50) @ Affine.rotation(angle) @ Affine.scale(ratio)
    lr_transform = NORTH_UP @ around_the_middle @ Affine.translation(-25, -25)
    lr = _write(tmp_path / "lr.tif", _ramps(lr_transform, 50, 50), lr_transform)
    hr = _write(tmp_path / "hr.tif", _half_explained(NORTH_UP, 100, 110), NORTH_UP)
    fuse_scene(lr, hr, tmp_path / "fused.tif", REGRESSION)
    assert _interior_shift(tmp_path / "fused.tif", cut=20) < 0.02
    with rasterio.open(tmp_path / "fused.tif") as dataset:
        assert np.isfinite(dataset.read()).all()


def test_corners_beyond_a_rotated_lr_grid_are_nodata(tmp_path):
    lr_transform = NORTH_UP @ Affine.translation(50, 0) @ Affine.rotation(45) @ Affine.scale(4)
    lr = _write(tmp_path / "lr.tif", _ramps(lr_transform, 17, 17), lr_transform)
    hr = _write(tmp_path / "hr.tif", _half_explained(NORTH_UP, 100, 100), NORTH_UP)
    fuse_scene(lr, hr, tmp_path / "fused.tif", REGRESSION)
    with rasterio.open(tmp_path / "fused.tif") as dataset:
        finite = np.isfinite(dataset.read(1))
    assert 0.4 < finite.mean() < 0.7
    assert not finite[0, 0]
    assert finite[finite.shape[0] // 2, finite.shape[1] // 2]


def test_another_crs_is_brought_to_the_hr_grid(tmp_path):
    ratio, crs = 4, "EPSG:32632"
    from rasterio.warp import transform as project

    x, y = project("EPSG:32633", crs, [365500.0], [5806500.0])
    lr_transform = Affine(40, 0, x[0] - 1200, 0, -40, y[0] + 1200)
    columns, rows = np.meshgrid(np.arange(60) + 0.5, np.arange(60) + 0.5)
    there = project(crs, "EPSG:32633", *(axis.ravel() for axis in lr_transform @ (columns, rows)))
    east, north = (np.asarray(axis).reshape(60, 60) for axis in there)
    pixels = np.stack([a * (east - 365000) + b * (north - 5807000) + 10 for a, b in SLOPES]).astype(np.float32)
    lr = _write(tmp_path / "lr.tif", pixels, lr_transform, crs=crs)
    hr = _write(tmp_path / "hr.tif", _half_explained(NORTH_UP, 100, 100), NORTH_UP)
    fuse_scene(lr, hr, tmp_path / "fused.tif", REGRESSION)
    assert _interior_shift(tmp_path / "fused.tif", cut=4 * ratio) < 0.02


def _pair(tmp_path, *, lr_dtype="float32", hole=False, seed=0):
    rng = np.random.default_rng(seed)
    hr_pixels = rng.uniform(1000, 5000, (3, 96, 120))
    weights = rng.uniform(0, 1, (7, 3))
    truth = np.einsum("cm,mhw->chw", weights, hr_pixels) + rng.normal(0, 20, (7, 96, 120))
    lr_pixels = truth.reshape(7, 24, 4, 30, 4).mean(axis=(2, 4)).astype(lr_dtype)
    if hole:
        lr_pixels[:, 5:8, 10:12] = -9999
        hr_pixels[1, 60:70, 80:95] = -9999
    lr = _write(tmp_path / "lr.tif", lr_pixels, NORTH_UP @ Affine.scale(4), nodata=-9999 if hole else None)
    hr = _write(tmp_path / "hr.tif", hr_pixels.astype("float32"), NORTH_UP, nodata=-9999 if hole else None)
    return lr, hr


def test_nothing_depends_on_the_tiles(tmp_path):
    lr, hr = _pair(tmp_path)
    results = []
    for size, overlap in ((96, 32), (40, 8), (300, 0)):
        settings = FuseSettings(method=Method.REGRESSION, tile_size=size, overlap=overlap, overwrite=Overwrite.REPLACE)
        fuse_scene(lr, hr, tmp_path / "fused.tif", settings)
        with rasterio.open(tmp_path / "fused.tif") as dataset:
            results.append(dataset.read())
    np.testing.assert_allclose(results[0], results[1], rtol=2e-6)
    np.testing.assert_allclose(results[0], results[2], rtol=2e-6)


def test_invalid_input_is_nodata_in_the_output(tmp_path):
    lr, hr = _pair(tmp_path, lr_dtype="int16", hole=True)
    fuse_scene(lr, hr, tmp_path / "fused.tif", REGRESSION)
    with rasterio.open(tmp_path / "fused.tif") as dataset:
        assert dataset.nodata == -9999
        assert dataset.dtypes[0] == "int16"
        invalid = dataset.read() == -9999
    expected = np.zeros((96, 120), dtype=bool)
    expected[20:32, 40:48] = True
    expected[60:70, 80:95] = True
    assert (invalid == expected).all()


def test_the_output_lies_on_the_hr_grid(tmp_path):
    lr, hr = _pair(tmp_path)
    fuse_scene(lr, hr, tmp_path / "fused.tif", REGRESSION)
    with rasterio.open(tmp_path / "fused.tif") as dataset, rasterio.open(hr) as source:
        assert dataset.transform == source.transform
        assert dataset.crs == source.crs
        assert dataset.shape == source.shape


def test_extent_hr_keeps_all_of_the_hr_msi(tmp_path):
    lr, hr = _pair(tmp_path)
    with rasterio.open(lr) as dataset:
        part = _write(tmp_path / "part.tif", dataset.read()[:, :12, :15], dataset.transform)
    fuse_scene(part, hr, tmp_path / "all.tif", FuseSettings(method=Method.REGRESSION, extent=Extent.HR))
    with rasterio.open(tmp_path / "all.tif") as dataset:
        assert dataset.shape == (96, 120)
        finite = np.isfinite(dataset.read(1))
    assert finite[:49, :61].all()
    assert not finite[51:].any()


def test_dry_run_writes_nothing(tmp_path):
    lr, hr = _pair(tmp_path)
    record = preview_fusion(lr, hr, tmp_path / "fused.tif", REGRESSION).record()
    assert record["height"] == 96
    assert record["method"] == "regression"
    assert not (tmp_path / "fused.tif").exists()


def test_integers_from_floats_need_a_scale(tmp_path):
    lr, hr = _pair(tmp_path)
    with pytest.raises(PifnetError, match="--scale"):
        fuse_scene(lr, hr, tmp_path / "fused.tif", FuseSettings(method=Method.REGRESSION, dtype="int16"))
    fuse_scene(lr, hr, tmp_path / "fused.tif", FuseSettings(method=Method.REGRESSION, dtype="uint16", scale=0.5))
    with rasterio.open(tmp_path / "fused.tif") as dataset:
        assert dataset.scales[0] == 0.5
        assert dataset.read().mean() > 2000


def test_an_input_is_never_the_output(tmp_path):
    lr, hr = _pair(tmp_path)
    link = tmp_path / "link.tif"
    link.symlink_to(hr)
    for output in (lr, hr, link):
        with pytest.raises(SceneWriteError, match="input"):
            fuse_scene(lr, hr, output, FuseSettings(method=Method.REGRESSION, overwrite=Overwrite.REPLACE))


def test_an_existing_output_needs_overwrite(tmp_path):
    lr, hr = _pair(tmp_path)
    (tmp_path / "fused.tif").write_bytes(b"precious")
    with pytest.raises(SceneWriteError, match="--overwrite"):
        fuse_scene(lr, hr, tmp_path / "fused.tif", REGRESSION)
    assert (tmp_path / "fused.tif").read_bytes() == b"precious"


def test_a_single_band_on_either_side_is_fused(tmp_path):
    lr, hr = _pair(tmp_path)
    with rasterio.open(lr) as one, rasterio.open(hr) as other:
        lr = _write(tmp_path / "lr1.tif", one.read()[:1], one.transform)
        hr = _write(tmp_path / "hr1.tif", other.read()[:1], other.transform)
    fuse_scene(lr, hr, tmp_path / "fused.tif", REGRESSION)
    with rasterio.open(tmp_path / "fused.tif") as dataset:
        assert np.isfinite(dataset.read()).all()


DISPLACED = 0.4, -0.25  # LR pixels that the LR-HSI lies further down and right than it says
ON_THE_RIGHT_PLACE = Affine(40, 0, 365000 + 40 * DISPLACED[1], 0, -40, 5807000 - 40 * DISPLACED[0])


def _displaced(folder, **pair):
    return write_pair(
        folder, bands=14, ground=Texture(14), hr_size=(133, 149), displaced=DISPLACED, mtf=0.2, snr_db=(35, 40), **pair
    )


def _psnr(path, truth):
    """In dB, borders cut."""
    with rasterio.open(path) as dataset:
        error = (dataset.read() - truth)[:, 8:-12, 8:-12]
    return float(10 * np.log10(truth.max() ** 2 / np.square(error).mean()))


def test_a_displaced_pair_is_fused_almost_as_if_all_were_known(tmp_path):
    lr, hr, truth = _displaced(tmp_path)
    found = fuse_scene(lr, hr, tmp_path / "found.tif", FuseSettings())
    assert found.record()["method"] == "kriging"
    with rasterio.open(lr, "r+") as dataset:
        dataset.transform = ON_THE_RIGHT_PLACE
    fuse_scene(lr, hr, tmp_path / "told.tif", FuseSettings(mtf_at_nyquist=0.2, align=Align.NONE))
    assert _psnr(tmp_path / "found.tif", truth) > _psnr(tmp_path / "told.tif", truth) - 0.5


@pytest.mark.parametrize("method", [Method.KRIGING, Method.ATPRK])
def test_a_rotated_scene_has_a_straight_outline_whatever_the_method(method, tmp_path):
    rotated = NORTH_UP @ Affine.rotation(12) @ Affine.scale(4)
    lr, hr, _ = write_pair(
        tmp_path, ground=Texture(7), hr_size=(133, 149), lr_transform=rotated, lr_size=(30, 34), snr_db=(35, 40)
    )
    valid = []
    for name in (method, Method.REGRESSION):
        fuse_scene(lr, hr, tmp_path / f"{name}.tif", FuseSettings(method=name, mtf_at_nyquist=0.3))
        with rasterio.open(tmp_path / f"{name}.tif") as dataset:
            valid.append(dataset.read_masks(1) > 0)
    np.testing.assert_array_equal(*valid)
    assert 0.5 < valid[0].mean() < 0.95


def test_what_was_found_is_recorded(tmp_path):
    lr, hr, _ = _displaced(tmp_path)
    record = preview_fusion(lr, hr, tmp_path / "fused.tif", FuseSettings()).record()
    assert record["shift corrected"] == pytest.approx(DISPLACED, abs=0.05)
    assert record["mtf"] == pytest.approx([0.2, 0.2], abs=0.05)


def test_a_corrected_shift_is_told(tmp_path, caplog):
    lr, hr, _ = _displaced(tmp_path)
    preview_fusion(lr, hr, tmp_path / "fused.tif", FuseSettings())
    assert any("LR pixels down" in line and line.endswith("corrected") for line in caplog.messages)


def test_align_none_keeps_the_delivered_position_and_warns(tmp_path, caplog):
    lr, hr, truth = _displaced(tmp_path)
    record = fuse_scene(lr, hr, tmp_path / "kept.tif", FuseSettings(align=Align.NONE)).record()
    assert record["shift corrected"] == [0.0, 0.0]
    assert any("not corrected, since --align none" in line for line in caplog.messages)
    fuse_scene(lr, hr, tmp_path / "moved.tif", FuseSettings())
    assert _psnr(tmp_path / "kept.tif", truth) < _psnr(tmp_path / "moved.tif", truth) - 1


def test_a_given_shift_stands_and_only_the_blur_is_found(tmp_path, caplog):
    lr, hr, truth = _displaced(tmp_path)
    shift = 4 * DISPLACED[0], 4 * DISPLACED[1]  # HR pixels down and right
    told = fuse_scene(lr, hr, tmp_path / "told.tif", FuseSettings(shift=shift))
    assert told.record()["shift corrected"] == pytest.approx(DISPLACED, abs=1e-6)
    assert told.record()["mtf"] == pytest.approx([0.2, 0.2], abs=0.05)
    fuse_scene(lr, hr, tmp_path / "found.tif", FuseSettings())
    assert _psnr(tmp_path / "told.tif", truth) == pytest.approx(_psnr(tmp_path / "found.tif", truth), abs=0.5)

    caplog.clear()
    preview_fusion(lr, hr, tmp_path / "wrong.tif", FuseSettings(shift=(0.0, 0.0)))
    assert any("of where --shift puts it: not corrected, since --shift was given" in line for line in caplog.messages)


@pytest.mark.parametrize("align", [Align.NONE, Align.AFFINE])
def test_a_shift_is_not_told_twice(align):
    with pytest.raises(SettingsError, match=f"--shift: .* --align {align}"):
        FuseSettings(shift=(1.0, 0.0), align=align)


@pytest.mark.parametrize("align", list(Align))
def test_a_given_mtf_stands_whatever_the_pair_tells(align, tmp_path):
    lr, hr, _ = _displaced(tmp_path)
    record = preview_fusion(lr, hr, tmp_path / "fused.tif", FuseSettings(mtf_at_nyquist=0.35, align=align)).record()
    assert record["mtf"] == pytest.approx([0.35, 0.35], abs=1e-3)
    assert any(record["shift corrected"]) is (align is not Align.NONE)


def test_a_given_protocol_stands_whatever_the_pair_tells(tmp_path):
    lr, hr, _ = _displaced(tmp_path)
    record = preview_fusion(lr, hr, tmp_path / "fused.tif", FuseSettings(protocol=Protocol.PAPER)).record()
    expected = np.exp(-0.5 * (np.pi * PAPER_SIGMA / 4) ** 2)
    assert record["mtf"] == pytest.approx([expected, expected], abs=1e-3)


@pytest.mark.parametrize("asked", [None, 0.35])
def test_a_checkpoint_s_blur_stands_unless_the_user_gives_one(asked, tmp_path):
    lr, hr, _ = _displaced(tmp_path)
    sensor = {"protocol": "mtf", "mtf_at_nyquist": 0.25}
    header = Header("pifnet", "anchored", {}, bands_record(Bands(14)), bands_record(Bands(3)), 4.0, sensor, 1.0)
    save_checkpoint(tmp_path / "model", Checkpoint(header, {"weight": np.zeros(2, dtype=np.float32)}))
    settings = FuseSettings(mtf_at_nyquist=asked)
    record = preview_fusion(lr, hr, tmp_path / "fused.tif", replace(settings, checkpoint=tmp_path / "model")).record()
    assert record["mtf"] == pytest.approx([asked or 0.25] * 2, abs=1e-3)
    assert record["shift corrected"] == pytest.approx(DISPLACED, abs=0.05)


def test_a_pair_that_tells_nothing_keeps_its_place_and_the_usual_blur(tmp_path):
    lr, hr = _pair(tmp_path)
    with rasterio.open(hr, "r+") as dataset:
        dataset.write(np.full((3, 96, 120), 7, dtype=np.float32))
    record = preview_fusion(lr, hr, tmp_path / "fused.tif", FuseSettings()).record()
    assert record["method"] == "regression"
    assert record["shift corrected"] == [0.0, 0.0]
    assert record["mtf"] == pytest.approx([0.3, 0.3], abs=1e-3)
