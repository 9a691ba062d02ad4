import json
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from pifnet_cli.estimation.blur_and_shift import WINDOW, estimate_pair, sample_windows
from pifnet_cli.pair.alignment import align
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.scene import Bands, Grid, Scene
from waves import NODATA, NORTH_UP, Texture, write_pair

UTM = CRS.from_epsg(32633).to_wkt()
SNR_DB = 35.0, 40.0
ROTATED = NORTH_UP @ Affine.rotation(30)


def _scene(height, width, transform):
    return Scene(Path("scene.tif"), Grid(height, width, transform, UTM), Bands(3))


def _alignment(height, width, ratio=4):
    """Of an LR-HSI of this size that ends where the HR-MSI does."""
    low = _scene(height, width, NORTH_UP @ Affine.scale(ratio))
    return align(low, _scene(round(height * ratio), round(width * ratio), NORTH_UP))


def _estimated(folder, *, bands=14, spoil=None, sigma=None, **pair):
    lr, hr, _ = write_pair(
        folder, bands=bands, ground=Texture(bands), hr_size=(133, 149), snr_db=SNR_DB, spoil=spoil, **pair
    )
    with open_scene(lr) as low, open_scene(hr) as high:
        return estimate_pair(low.read, high.read, alignment=align(low.scene, high.scene), default_mtf=0.3, sigma=sigma)


@pytest.mark.parametrize("hr_transform", [NORTH_UP, ROTATED], ids=["north-up", "rotated"])
@pytest.mark.parametrize("ratio", [4.0, 3.3])
def test_a_displaced_pair_is_measured(ratio, hr_transform, tmp_path):
    found = _estimated(tmp_path, displaced=(0.4, -0.25), mtf=0.2, ratio=ratio, hr_transform=hr_transform)
    assert found.is_reliable
    assert found.shift_lr == pytest.approx((0.4, -0.25), abs=0.05)
    assert found.mtf_at_nyquist == pytest.approx((0.2, 0.2), abs=0.05)
    assert found.shift == pytest.approx((0.4 * ratio, -0.25 * ratio), abs=0.05 * ratio)


def test_the_margin_is_read_where_the_hr_msi_has_one(tmp_path):
    inner = NORTH_UP @ Affine.translation(16, 16) @ Affine.scale(4)
    found = _estimated(tmp_path, lr_transform=inner, lr_size=(24, 28), displaced=(0.4, -0.25))
    assert found.fitted.pixels == 24 * 28


def test_a_small_shift_is_left_alone(tmp_path):
    found = _estimated(tmp_path, displaced=(0.01, 0.01))
    assert found.is_reliable
    assert found.shift == (0.0, 0.0)
    assert not found.is_worrying


@pytest.mark.parametrize(("rows", "is_worrying"), [(0.2, False), (0.45, True)])
def test_the_user_is_told_of_large_shifts_alone(rows, is_worrying, tmp_path):
    found = _estimated(tmp_path, displaced=(rows, 0.0))
    assert found.shift != (0.0, 0.0)
    assert found.is_worrying is is_worrying


def test_a_pair_that_tells_nothing_is_not_corrected(tmp_path):
    def flatten(lr_hsi, hr_msi):
        lr_hsi[:], hr_msi[:] = 0.4, 0.5

    found = _estimated(tmp_path, displaced=(0.5, 0.5), spoil=flatten)
    assert not found.is_reliable
    assert found.shift == (0.0, 0.0)
    assert not found.is_worrying


def test_a_known_blur_is_kept(tmp_path):
    found = _estimated(tmp_path, displaced=(0.4, -0.25), mtf=0.3, sigma=(1.9, 1.9))
    assert found.fitted.best.sigma == pytest.approx((1.9, 1.9))
    assert found.shift_lr == pytest.approx((0.4, -0.25), abs=0.05)


def test_too_few_valid_pixels_are_refused(tmp_path):
    def empty(lr_hsi, _hr_msi):
        lr_hsi[:, 5:] = -9999.0

    with pytest.raises(ValueError, match="LR pixels are valid"):
        _estimated(tmp_path, spoil=empty, lr_size=(34, 8))


def test_the_record_is_json(tmp_path):
    record = _estimated(tmp_path, displaced=(0.4, -0.25)).record()
    assert json.loads(json.dumps(record)) == record
    assert record["shift_lr_pixels"] == pytest.approx(np.array(record["shift_hr_pixels"]) / 4, abs=1e-3)
    assert record["is_reliable"] is True


def test_all_of_a_small_scene_is_one_window():
    (window,) = sample_windows(_alignment(2 * WINDOW, 23))
    assert (window.row, window.column, window.height, window.width) == (0, 0, 2 * WINDOW, 23)


def test_windows_of_a_large_scene_reach_from_end_to_end():
    windows = sample_windows(_alignment(500, 301))
    assert len(windows) == 9
    assert {(window.height, window.width) for window in windows} == {(WINDOW, WINDOW)}
    assert {window.row for window in windows} == {0, (500 - WINDOW) // 2, 500 - WINDOW}
    assert {window.column for window in windows} == {0, (301 - WINDOW) // 2, 301 - WINDOW}


def test_a_strip_is_sampled_along_its_length():
    windows = sample_windows(_alignment(20, 400))
    assert [(window.height, window.width) for window in windows] == [(20, WINDOW)] * 3


def test_windows_stay_within_the_common_footprint():
    low = _scene(300, 300, NORTH_UP @ Affine.translation(-400, -400) @ Affine.scale(4))
    alignment = align(low, _scene(500, 520, NORTH_UP))
    for window in sample_windows(alignment):
        assert window.row >= 99
        assert window.column >= 99
        assert window.row + window.height <= 100 + 126
        assert window.column + window.width <= 100 + 131


@pytest.mark.parametrize("side", ["HR-MSI", "LR-HSI"])
def test_nodata_along_a_side_changes_neither_the_estimate_nor_what_parts_of_the_scene_say(side, tmp_path):
    def spoil(lr_hsi, hr_msi):
        if side == "HR-MSI":
            hr_msi[:, :, 102:] = NODATA
        else:
            lr_hsi[:, :, 25:] = NODATA

    lr, hr, _ = write_pair(tmp_path, bands=14, ground=Texture(14), hr_size=(132, 148), spoil=spoil)
    with open_scene(lr) as low, open_scene(hr) as high:
        alignment = align(low.scene, high.scene)
        found = estimate_pair(low.read, high.read, alignment=alignment, default_mtf=0.3)
    assert found.mtf_at_nyquist == pytest.approx((0.3, 0.3), abs=0.005)
    assert found.shift_lr == pytest.approx((0.0, 0.0), abs=0.005)
    assert all(local.shift == pytest.approx((0.0, 0.0), abs=0.01) for local in found.local)
