import json

import numpy as np
import pytest
from affine import Affine

from pifnet_cli.choices import Protocol
from pifnet_cli.degrade.sensor_model import SensorModel, degrade_patch, project_spectrally
from pifnet_cli.scene import Grid

BANDS, MSI_BANDS = 7, 3
SRF = np.random.default_rng(0).dirichlet(np.ones(BANDS), size=MSI_BANDS)
RATIOS = [2, 3, 4, 8]


def sensor(protocol=Protocol.MTF, ratio=4, **fields):
    return SensorModel(protocol=protocol, ratio=ratio, mtf_at_nyquist=0.3, srf=SRF, **fields)


def ramps(ratio, cells=(16, 20)):
    """(7, H, W): bands of rows and columns in turn, in HR pixels."""
    rows, columns = np.mgrid[: cells[0] * ratio, : cells[1] * ratio].astype(np.float32)
    return np.stack([rows, columns] * 3 + [rows + columns])


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("ratio", RATIOS)
def test_flat_scene_stays_flat(protocol, ratio):
    reference = np.full((BANDS, 24 * ratio, 10 * ratio), 0.37, dtype=np.float32)

    lr_hsi, hr_msi = degrade_patch(reference, sensor(protocol, ratio), rng=None)

    assert lr_hsi.shape == (BANDS, 24, 10)
    assert hr_msi.shape == (MSI_BANDS, 24 * ratio, 10 * ratio)
    assert lr_hsi.dtype == hr_msi.dtype == np.float32
    np.testing.assert_allclose(lr_hsi, 0.37, rtol=1e-6)
    np.testing.assert_allclose(hr_msi, 0.37, rtol=1e-6)


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("ratio", RATIOS)
@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.4, -1.3)])
def test_ramps_are_sampled_where_phase_and_shift_say(protocol, ratio, shift):
    model = sensor(protocol, ratio, shift=shift)

    lr_hsi, _ = degrade_patch(ramps(ratio), model, rng=None)

    inside = slice(5, -5)  # beyond the reach of mirrored borders
    rows = ratio * np.arange(16)[inside] + model.phase[0] + shift[0]
    columns = ratio * np.arange(20)[inside] + model.phase[1] + shift[1]
    np.testing.assert_allclose(lr_hsi[0, inside, inside], np.tile(rows[:, None], (1, 10)), atol=1e-4)
    np.testing.assert_allclose(lr_hsi[1, inside, inside], np.tile(columns, (6, 1)), atol=1e-4)


@pytest.mark.parametrize("protocol", Protocol)
@pytest.mark.parametrize("ratio", RATIOS)
def test_geotransform_puts_lr_centres_on_the_hr_pixels_they_sample(protocol, ratio):
    model = sensor(protocol, ratio, shift=(0.7, 0.2))
    rotated = Affine.translation(4e5, 5e6) @ Affine.rotation(30) @ Affine.scale(10, -10)

    lr_grid = model.lr_grid(Grid(10 * ratio + 1, 7 * ratio + 1, rotated, "EPSG:32633"))

    assert (lr_grid.height, lr_grid.width, lr_grid.crs_wkt) == (10, 7, "EPSG:32633")
    for lr_row, lr_column in ((0, 0), (9, 3)):
        row, column = lr_row * ratio + model.phase[0], lr_column * ratio + model.phase[1]
        expected = rotated @ (column + 0.5, row + 0.5)
        assert lr_grid.transform @ (lr_column + 0.5, lr_row + 0.5) == pytest.approx(expected, abs=1e-6)


def test_paper_grid_starts_up_left_and_mtf_grid_shares_the_corner():
    grid = Grid(40, 40, Affine(10, 0, 500, 0, -10, 900), None)

    assert sensor(Protocol.PAPER).lr_grid(grid).transform == Affine(40, 0, 485, 0, -40, 915)
    assert sensor(Protocol.MTF).lr_grid(grid).transform == Affine(40, 0, 500, 0, -40, 900)


def test_patch_of_a_scene_degrades_like_the_scene():
    reference = np.random.default_rng(1).random((BANDS, 96, 96), dtype=np.float32)
    model = sensor()

    whole, _ = degrade_patch(reference, model, rng=None)
    part, _ = degrade_patch(reference[:, 16:80, 16:80], model, rng=None)

    np.testing.assert_array_equal(part[:, 3:-3, 3:-3], whole[:, 7:-7, 7:-7])


def test_noise_comes_from_the_generator_alone():
    reference = np.random.default_rng(1).random((BANDS, 32, 32), dtype=np.float32)
    model = sensor(hsi_snr_db=35.0, msi_snr_db=40.0)

    first, second, clean = (
        degrade_patch(reference, model, rng=rng) for rng in (np.random.default_rng(5), np.random.default_rng(5), None)
    )

    for noisy, again, without in zip(first, second, clean, strict=True):
        np.testing.assert_array_equal(noisy, again)
        assert (noisy != without).any()


def test_record_survives_json():
    model = sensor(Protocol.PAPER, 3, hsi_snr_db=35.0, shift=(0.25, -1.0))

    again = SensorModel.from_record(json.loads(json.dumps(model.to_record())))

    assert again.to_record() == model.to_record()
    assert again.shift == (0.25, -1.0)
    np.testing.assert_array_equal(again.srf, SRF)
    assert again.protocol is Protocol.PAPER


def test_records_tell_rows_first():
    assert sensor(shift=(0.25, -1.0)).to_record()["shift_rows_columns"] == [0.25, -1.0]


def test_records_of_older_versions_told_columns_first():
    record = sensor().to_record()
    del record["shift_rows_columns"]

    assert SensorModel.from_record(record | {"shift": [-1.0, 0.25]}).shift == (0.25, -1.0)


def test_msi_is_invalid_where_a_contributing_band_is():
    srf = np.array([[0.5, 0.5, 0], [0, 0, 1.0]])
    reference = np.ones((3, 4, 5), dtype=np.float32)
    reference[0, 1, 2] = np.nan
    reference[2, 3, 4] = np.nan

    hr_msi = project_spectrally(reference, srf)

    assert np.argwhere(np.isnan(hr_msi)).tolist() == [[0, 1, 2], [1, 3, 4]]


def test_bands_without_a_valid_pixel_stay_empty():
    reference = np.ones((BANDS, 16, 16), dtype=np.float32)
    reference[4] = np.nan

    lr_hsi, _ = degrade_patch(reference, sensor(hsi_snr_db=30.0), rng=np.random.default_rng(0))

    assert np.isnan(lr_hsi[4]).all()
    assert np.isfinite(np.delete(lr_hsi, 4, axis=0)).all()
