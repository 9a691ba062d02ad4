import json
import os
import subprocess
import sys

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS

from pifnet_cli.choices import Overwrite, Protocol, SceneFormat
from pifnet_cli.degrade.sensor_model import SensorModel, degrade_patch
from pifnet_cli.errors import BandsError, GridError, SceneWriteError, SettingsError
from pifnet_cli.settings import SimulateSettings
from pifnet_cli.workflows import simulate
from pifnet_cli.workflows.simulate import simulate_scene

BANDS, HEIGHT, WIDTH = 7, 50, 77
TRANSFORM = Affine(10, 0, 365000, 0, -10, 5807000)
WAVELENGTHS = (450.5, 520.25, 560.0, 640.125, 665.0, 790.0, 850.0)
OUTPUTS = ["hr_msi.tif", "lr_hsi.tif", "reference.tif", "simulation.json"]


def textured(bands=BANDS, height=HEIGHT, width=WIDTH):
    return np.random.default_rng(0).random((bands, height, width), dtype=np.float32) + 0.5


def written(path, pixels, *, nodata=None, wavelengths=WAVELENGTHS, scales=None):
    count, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": count, "height": height, "width": width, "dtype": pixels.dtype.name}
    with rasterio.open(path, "w", **profile, transform=TRANSFORM, crs=CRS.from_epsg(32633), nodata=nodata) as dataset:
        dataset.write(pixels)
        for band, nm in enumerate(wavelengths or (), start=1):
            dataset.update_tags(band, wavelength=nm, wavelength_units="Nanometers")
        if scales:
            dataset.scales = scales
    return path


def pixels_of(path):
    with rasterio.open(path) as dataset:
        return dataset.read(masked=True)


@pytest.mark.parametrize("protocol", Protocol)
def test_files_hold_what_the_sensor_model_says(tmp_path, protocol):
    image = textured()
    scene = written(tmp_path / "scene.tif", image)

    simulate_scene(scene, tmp_path / "pair", SimulateSettings(ratio=4, protocol=protocol, srf="boxes:3"))

    assert sorted(path.name for path in (tmp_path / "pair").iterdir()) == OUTPUTS
    record = json.loads((tmp_path / "pair" / "simulation.json").read_text())
    cropped = image[:, :48, :76]
    lr_hsi, hr_msi = degrade_patch(cropped, SensorModel.from_record(record["sensor"]), rng=None)
    np.testing.assert_array_equal(pixels_of(tmp_path / "pair" / "lr_hsi.tif"), lr_hsi)
    np.testing.assert_array_equal(pixels_of(tmp_path / "pair" / "hr_msi.tif"), hr_msi)
    np.testing.assert_array_equal(pixels_of(tmp_path / "pair" / "reference.tif"), cropped)


@pytest.mark.parametrize(
    ("protocol", "corner"), [(Protocol.PAPER, (365000 - 15, 5807000 + 15)), (Protocol.MTF, (365000, 5807000))]
)
def test_geotransforms_are_the_true_ones(tmp_path, protocol, corner):
    scene = written(tmp_path / "scene.tif", textured())

    # The shift is a misregistration: no file tells of it.
    settings = SimulateSettings(ratio=4, protocol=protocol, srf="boxes:3", shift=(1.5, -0.5))
    simulate_scene(scene, tmp_path / "pair", settings)

    with (
        rasterio.open(tmp_path / "pair" / "lr_hsi.tif") as lr_hsi,
        rasterio.open(tmp_path / "pair" / "hr_msi.tif") as hr_msi,
        rasterio.open(tmp_path / "pair" / "reference.tif") as reference,
    ):
        assert lr_hsi.transform == Affine(40, 0, corner[0], 0, -40, corner[1])
        assert hr_msi.transform == reference.transform == TRANSFORM
        assert {dataset.crs.to_epsg() for dataset in (lr_hsi, hr_msi, reference)} == {32633}
        assert lr_hsi.dtypes == ("float32",) * BANDS


def test_shifted_pair_shows_what_lies_below_and_right(tmp_path):
    columns = np.tile(np.arange(WIDTH, dtype=np.float32), (1, HEIGHT, 1))
    rows = np.tile(np.arange(HEIGHT, dtype=np.float32)[:, None], (1, 1, WIDTH))
    scene = written(tmp_path / "scene.tif", np.concatenate([columns, rows]), wavelengths=None)

    for name, shift in (("true", (0.0, 0.0)), ("shifted", (-1.5, 0.75))):
        simulate_scene(scene, tmp_path / name, SimulateSettings(ratio=4, srf="boxes:1", shift=shift))

    change = pixels_of(tmp_path / "shifted" / "lr_hsi.tif") - pixels_of(tmp_path / "true" / "lr_hsi.tif")
    np.testing.assert_allclose(change[0, 3:-3, 3:-3], 0.75, atol=1e-5)
    np.testing.assert_allclose(change[1, 3:-3, 3:-3], -1.5, atol=1e-5)


def test_a_ramp_keeps_its_place_at_a_ratio_that_is_no_whole_number(tmp_path):
    columns = np.tile(np.arange(WIDTH, dtype=np.float32), (1, HEIGHT, 1))
    rows = np.tile(np.arange(HEIGHT, dtype=np.float32)[:, None], (1, 1, WIDTH))
    scene = written(tmp_path / "scene.tif", np.concatenate([columns, rows]), wavelengths=None)

    simulate_scene(scene, tmp_path / "pair", SimulateSettings(ratio=3.3, srf="boxes:1"))

    with rasterio.open(tmp_path / "pair" / "lr_hsi.tif") as dataset:
        seen, transform = dataset.read(), dataset.transform
    with rasterio.open(tmp_path / "pair" / "reference.tif") as dataset:
        assert dataset.shape == (50, 76)  # 15 x 23 LR pixels lie on 49.5 x 75.9 HR ones
    assert (seen.shape[1:], (transform.a, transform.e)) == ((15, 23), (33, -33))
    x, y = transform @ (np.arange(23) + 0.5, np.full(23, 0.5))
    np.testing.assert_allclose(seen[0, 7, 3:-3], ((x - TRANSFORM.c) / 10 - 0.5)[3:-3], atol=1e-4)
    x, y = transform @ (np.full(15, 0.5), np.arange(15) + 0.5)
    np.testing.assert_allclose(seen[1, 3:-3, 9], ((TRANSFORM.f - y) / 10 - 0.5)[3:-3], atol=1e-4)


@pytest.mark.parametrize(
    "settings",
    [{}, {"hsi_snr_db": 35.0, "msi_snr_db": 40.0, "seed": 3, "shift": (3.3, -2.0)}, {"ratio": 3.3, "hsi_snr_db": 30.0}],
)
def test_result_does_not_depend_on_blocks(tmp_path, settings):
    image = textured(height=150, width=170)
    image[:, 30:60, 90:140] = np.nan
    image[2, 100:, :30] = np.nan
    scene = written(tmp_path / "scene.tif", image, nodata=np.nan)

    for block_size in (16, 48, 512):
        options = SimulateSettings(**{"ratio": 3, "srf": "boxes:3", "block_size": block_size} | settings)
        simulate_scene(scene, tmp_path / str(block_size), options)

    for name in ("lr_hsi.tif", "hr_msi.tif", "reference.tif"):
        small, middle, whole = (pixels_of(tmp_path / str(size) / name).filled(np.nan) for size in (16, 48, 512))
        assert np.isnan(whole).any()
        np.testing.assert_array_equal(small, whole)
        np.testing.assert_array_equal(middle, whole)


def test_noise_has_the_requested_snr(tmp_path):
    image = textured(height=240, width=240) * np.linspace(0.2, 1, BANDS, dtype=np.float32)[:, None, None]
    scene = written(tmp_path / "scene.tif", image)
    clean = SimulateSettings(ratio=2, srf="boxes:3")

    simulate_scene(scene, tmp_path / "clean", clean)
    noisy = SimulateSettings(ratio=2, srf="boxes:3", hsi_snr_db=25, msi_snr_db=35)
    simulate_scene(scene, tmp_path / "noisy", noisy)

    for name, snr_db in (("lr_hsi.tif", 25), ("hr_msi.tif", 35)):
        signal, noisy_signal = (pixels_of(tmp_path / run / name).astype(np.float64) for run in ("clean", "noisy"))
        power = [np.square(values).mean(axis=(1, 2)) for values in (signal, noisy_signal - signal)]
        # 14,400 pixels: the estimate has a standard deviation of 0.05 dB.
        np.testing.assert_allclose(10 * np.log10(power[0] / power[1]), snr_db, atol=0.2)
    np.testing.assert_array_equal(
        pixels_of(tmp_path / "noisy" / "reference.tif"), pixels_of(tmp_path / "clean" / "reference.tif")
    )


def test_same_seed_gives_the_same_files_and_another_does_not(tmp_path):
    scene = written(tmp_path / "scene.tif", textured())

    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        simulate_scene(scene, tmp_path / name, SimulateSettings(srf="boxes:3", hsi_snr_db=30, seed=seed))

    first, again, other = (pixels_of(tmp_path / name / "lr_hsi.tif") for name in "abc")
    np.testing.assert_array_equal(first, again)
    assert (first != other).all(axis=(1, 2)).all()


def test_nodata_spreads_no_further_than_the_psf(tmp_path):
    image = textured(height=80, width=80)
    image[:, 32:48, 32:48] = -1
    image[5] = -1
    scene = written(tmp_path / "scene.tif", image, nodata=-1)

    simulate_scene(scene, tmp_path / "pair", SimulateSettings(ratio=4, protocol=Protocol.PAPER, srf="boxes:3"))

    with rasterio.open(tmp_path / "pair" / "lr_hsi.tif") as dataset:
        assert dataset.nodata == -1
        lr_hsi = dataset.read(masked=True)
    expected = np.zeros((20, 20), dtype=bool)
    expected[8:12, 8:12] = True  # PSF centres on HR pixels 32 to 44; their neighbours at 28 and 48 see all or 21 %
    expected[12, 8:12] = expected[8:12, 12] = True
    np.testing.assert_array_equal(lr_hsi.mask[0], expected)
    assert lr_hsi.mask[5].all()
    hr_msi = pixels_of(tmp_path / "pair" / "hr_msi.tif")
    hole = np.zeros((80, 80), dtype=bool)
    hole[32:48, 32:48] = True
    assert all((mask == hole).all() for mask in hr_msi.mask)  # the empty band has no weight, so it spoils no pixel


def test_empty_band_gets_no_weight_though_nothing_marks_it(tmp_path):
    image = textured()
    image[3] = -9
    scene = written(tmp_path / "scene.tif", image, nodata=-9)

    pair = simulate_scene(scene, tmp_path / "pair", SimulateSettings(srf="boxes:1"))

    np.testing.assert_allclose(pair.sensor.srf, [[1 / 6, 1 / 6, 1 / 6, 0, 1 / 6, 1 / 6, 1 / 6]])


def test_scale_of_the_file_is_applied(tmp_path):
    stored = (textured() * 10000).astype(np.int16)
    scene = written(tmp_path / "scene.tif", stored, nodata=-32768, scales=(1e-4,) * BANDS)

    simulate_scene(scene, tmp_path / "pair", SimulateSettings(srf="boxes:3"))

    with rasterio.open(tmp_path / "pair" / "reference.tif") as dataset:
        assert dataset.scales == (1.0,) * BANDS
        assert dataset.nodata == -32768
        np.testing.assert_allclose(dataset.read(), stored[:, :48, :76] * 1e-4, rtol=1e-6)


def test_nodata_is_declared_where_the_source_has_none(tmp_path):
    scene = written(tmp_path / "scene.tif", textured())

    simulate_scene(scene, tmp_path / "pair", SimulateSettings(srf="boxes:3"))

    with rasterio.open(tmp_path / "pair" / "lr_hsi.tif") as dataset:
        assert dataset.nodata == -9999


def test_bands_are_described_in_files_and_record(tmp_path):
    scene = written(tmp_path / "scene.tif", textured())

    simulate_scene(scene, tmp_path / "pair", SimulateSettings(srf="quickbird"))

    with rasterio.open(tmp_path / "pair" / "lr_hsi.tif") as dataset:
        assert [float(dataset.tags(band)["wavelength"]) for band in dataset.indexes] == list(WAVELENGTHS)
    record = json.loads((tmp_path / "pair" / "simulation.json").read_text())
    assert record["msi_bands"]["names"] == ["Blue", "Green", "Red", "NIR"]
    assert record["hsi_bands"]["wavelengths"] == list(WAVELENGTHS)
    with rasterio.open(tmp_path / "pair" / "hr_msi.tif") as dataset:
        assert [float(dataset.tags(b)["wavelength"]) for b in dataset.indexes] == record["msi_bands"]["wavelengths"]
    assert record["input"] == {"path": str(scene), "height": HEIGHT, "width": WIDTH, "bands": BANDS}
    assert record["settings"]["shift_rows_columns"] == [0.0, 0.0]
    assert record["outputs"]["lr_hsi"] == {
        "file": "lr_hsi.tif",
        "bands": BANDS,
        "height": 12,
        "width": 19,
        "transform": [40.0, 0.0, 365000.0, 0.0, -40.0, 5807000.0],
        "nodata": -9999.0,
    }


def test_envi_output_says_the_same(tmp_path):
    scene = written(tmp_path / "scene.tif", textured())

    for scene_format in SceneFormat:
        settings = SimulateSettings(srf="boxes:3", scene_format=scene_format)
        simulate_scene(scene, tmp_path / scene_format, settings)

    assert {path.name for path in (tmp_path / "envi").glob("*.hdr")} == {"lr_hsi.hdr", "hr_msi.hdr", "reference.hdr"}
    for name in ("lr_hsi", "hr_msi", "reference"):
        with (
            rasterio.open(tmp_path / "envi" / f"{name}.img") as envi,
            rasterio.open(tmp_path / "geotiff" / f"{name}.tif") as geotiff,
        ):
            np.testing.assert_array_equal(envi.read(), geotiff.read())
            assert envi.transform.almost_equals(geotiff.transform, 1e-6)
            assert envi.crs.to_epsg() == 32633


def test_existing_outputs_are_kept_without_overwrite(tmp_path):
    scene = written(tmp_path / "scene.tif", textured())
    (tmp_path / "pair").mkdir()
    (tmp_path / "pair" / "hr_msi.tif").write_text("mine")

    with pytest.raises(SceneWriteError, match=r"hr_msi.tif: exists already.*--overwrite"):
        simulate_scene(scene, tmp_path / "pair", SimulateSettings(srf="boxes:3"))

    assert [path.name for path in (tmp_path / "pair").iterdir()] == ["hr_msi.tif"]


def test_overwriting_removes_the_other_format_and_nothing_else(tmp_path):
    scene = written(tmp_path / "scene.tif", textured())
    simulate_scene(scene, tmp_path / "pair", SimulateSettings(srf="boxes:3", scene_format=SceneFormat.ENVI))
    (tmp_path / "pair" / "fused.tif").write_text("mine")

    simulate_scene(scene, tmp_path / "pair", SimulateSettings(srf="boxes:2", overwrite=Overwrite.REPLACE))

    assert sorted(path.name for path in (tmp_path / "pair").iterdir()) == ["fused.tif", *OUTPUTS]
    assert pixels_of(tmp_path / "pair" / "hr_msi.tif").shape[0] == 2


def test_an_input_is_never_replaced(tmp_path):
    (tmp_path / "pair").mkdir()
    scene = written(tmp_path / "pair" / "reference.tif", textured())
    before = scene.read_bytes()
    link = tmp_path / "link.tif"
    link.hardlink_to(scene)

    for name in (scene, link):
        with pytest.raises(SceneWriteError, match="is also an input"):
            simulate_scene(name, tmp_path / "pair", SimulateSettings(srf="boxes:3", overwrite=Overwrite.REPLACE))

    assert scene.read_bytes() == before


@pytest.mark.parametrize("is_new", [True, False])
def test_failure_leaves_no_file(tmp_path, is_new):
    scene = written(tmp_path / "scene.tif", textured(height=100))
    if not is_new:
        (tmp_path / "pair").mkdir()

    def interrupt(stage, done, _total):
        if stage == "degrading" and done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate_scene(
            scene, tmp_path / "pair", SimulateSettings(ratio=2, srf="boxes:3", block_size=32), progress=interrupt
        )

    assert sorted(path.name for path in tmp_path.rglob("*")) == (["scene.tif"] if is_new else ["pair", "scene.tif"])


def test_folder_without_parent_is_refused(tmp_path):
    scene = written(tmp_path / "scene.tif", textured())

    with pytest.raises(SceneWriteError, match="parent folder does not exist"):
        simulate_scene(scene, tmp_path / "no" / "pair", SimulateSettings(srf="boxes:3"))


def test_file_in_place_of_the_folder_is_refused(tmp_path):
    scene = written(tmp_path / "scene.tif", textured())

    with pytest.raises(SceneWriteError, match="is a file; a folder was expected"):
        simulate_scene(scene, scene, SimulateSettings(srf="boxes:3"))


def test_scene_smaller_than_an_lr_pixel_is_refused(tmp_path):
    scene = written(tmp_path / "scene.tif", textured(height=7))

    with pytest.raises(GridError, match="7 x 77 pixels make no LR pixel at ratio 8"):
        simulate_scene(scene, tmp_path / "pair", SimulateSettings(ratio=8, srf="boxes:3"))
    assert not (tmp_path / "pair").exists()


def test_sensor_without_wavelengths_is_refused(tmp_path):
    scene = written(tmp_path / "scene.tif", textured(), wavelengths=None)

    with pytest.raises(BandsError, match="boxes:4"):
        simulate_scene(scene, tmp_path / "pair", SimulateSettings())


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"ratio": 1}, "--ratio 1"),
        ({"ratio": 3.3, "protocol": Protocol.PAPER}, "--ratio 3.3: --protocol paper"),
        ({"mtf_at_nyquist": 1.0}, "--mtf 1.0"),
        ({"shift": (0.5, 65.0)}, "--shift 0.5 65: at most 64 HR pixels were expected"),
        ({"shift": (-65.0, 0.5)}, "--shift -65 0.5: at most 64 HR pixels were expected"),
        ({"shift": (float("nan"), 0.0)}, "--shift nan 0"),
        ({"hsi_snr_db": float("inf")}, "--hsi-snr inf"),
        ({"msi_snr_db": float("nan")}, "--msi-snr nan"),
        ({"seed": -1}, "--seed -1"),
        ({"block_size": 8}, "--block-size 8"),
    ],
)
def test_settings_out_of_range_are_refused(fields, message):
    with pytest.raises(SettingsError, match=message):
        SimulateSettings(**fields)


def test_torch_is_never_imported():
    code = f"import sys, {simulate.__name__}; sys.exit('torch' in sys.modules)"

    assert subprocess.run([sys.executable, "-c", code], env=os.environ, check=False).returncode == 0


def test_enmap_scene_becomes_a_sentinel_2_pair(real_data, tmp_path):
    scene = real_data / "enmap_potsdam" / "derived_mosaic_A_rows96-159_cols96-223.tif"

    simulate_scene(scene, tmp_path / "pair", SimulateSettings(ratio=4, block_size=64, hsi_snr_db=35, msi_snr_db=40))

    record = json.loads((tmp_path / "pair" / "simulation.json").read_text())
    srf = np.array(record["sensor"]["srf"])
    assert record["msi_bands"]["names"] == ["B2", "B3", "B4", "B5", "B6", "B7", "B8", "B8A", "B11", "B12"]
    assert record["msi_bands"]["wavelengths"] == pytest.approx(
        [492.4, 559.8, 664.6, 704.1, 740.5, 782.8, 832.8, 864.7, 1613.7, 2202.4], abs=0.5
    )
    assert not srf[:, 129:135].any()
    with rasterio.open(scene) as source, rasterio.open(tmp_path / "pair" / "lr_hsi.tif") as dataset:
        assert dataset.shape == (16, 32)
        assert dataset.crs == source.crs
        assert dataset.transform == source.transform @ Affine.scale(4)
        assert dataset.nodata == source.nodata == -32768
        for band in source.indexes:
            expected = {name: source.tags(band)[name] for name in ("wavelength", "fwhm")}
            assert {name: dataset.tags(band)[name] for name in expected} == expected
        lr_hsi = dataset.read(masked=True)
        stored = source.read(masked=True)
    assert np.flatnonzero(np.ma.getmaskarray(lr_hsi).all(axis=(1, 2))).tolist() == [129, 130, 131, 132, 133, 134]
    valid = np.delete(np.arange(224), np.arange(129, 135))
    # Block centres of a smooth PSF: the means of whole blocks and of the LR image agree within 2 %.
    np.testing.assert_allclose(lr_hsi[valid].mean(axis=(1, 2)), stored[valid].mean(axis=(1, 2)), rtol=0.02, atol=5)
