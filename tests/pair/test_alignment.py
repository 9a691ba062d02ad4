from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from pifnet_cli.choices import Extent
from pifnet_cli.errors import GridError
from pifnet_cli.pair.alignment import align
from pifnet_cli.scene import Bands, Grid, Scene, Window

UTM = CRS.from_epsg(32633).to_wkt()
NEXT_UTM = CRS.from_epsg(32632).to_wkt()
GEOGRAPHIC = CRS.from_epsg(4326).to_wkt()
HR_TRANSFORM = Affine(10, 0, 365000, 0, -10, 5807000)


def _scene(name, height, width, transform, crs=UTM):
    return Scene(Path(name), Grid(height, width, transform, crs), Bands(3))


def _hr(height=96, width=120, transform=HR_TRANSFORM, crs=UTM):
    return _scene("hr.tif", height, width, transform, crs)


def test_common_corner_gives_block_centres():
    alignment = align(_scene("lr.tif", 24, 30, HR_TRANSFORM @ Affine.scale(4)), _hr())
    assert alignment.output == Window(0, 0, 96, 120)
    assert alignment.ratio == pytest.approx(4)
    positions = alignment.hr_positions(Window(0, 0, 2, 3))
    np.testing.assert_allclose(positions.rows, [1.5, 5.5])
    np.testing.assert_allclose(positions.columns, [1.5, 5.5, 9.5])


def test_the_paper_s_phase_follows_from_the_transform():
    shifted = HR_TRANSFORM @ Affine.translation(-1.5, -1.5) @ Affine.scale(4)
    alignment = align(_scene("lr.tif", 24, 30, shifted), _hr())
    np.testing.assert_allclose(alignment.hr_positions(Window(0, 0, 2, 2)).rows, [0, 4], atol=1e-9)
    assert alignment.output == Window(0, 0, 96, 120)  # the last three pixels lie within one LR pixel of a centre


def test_output_is_the_common_footprint():
    lr = _scene("lr.tif", 10, 10, Affine(40, 0, 365000 + 200, 0, -40, 5807000 - 100))
    alignment = align(lr, _hr())
    assert alignment.output == Window(8, 18, 44, 44)  # LR extent 10..50, continued by half an LR pixel
    assert align(lr, _hr(), extent=Extent.HR).output == Window(0, 0, 96, 120)


@pytest.mark.parametrize("crs", [NEXT_UTM, GEOGRAPHIC])
def test_another_crs_is_projected_to_a_fiftieth_of_a_pixel(crs):
    import rasterio.warp

    lr = _scene("lr.tif", 40, 40, Affine(40, 0, 364800, 0, -40, 5807200))
    x, y = rasterio.warp.transform(UTM, crs, [365400], [5806600])
    size = 10 if crs == NEXT_UTM else 1e-4
    hr = _hr(90, 70, Affine(size, 0, x[0] - 35 * size, 0, -size, y[0] + 45 * size), crs)
    alignment = align(lr, hr)
    window = Window(13, 7, 60, 50)
    positions = alignment.lr_positions(window)
    columns, rows = np.meshgrid(np.arange(7, 57) + 0.5, np.arange(13, 73) + 0.5)
    map_x, map_y = hr.grid.transform @ (columns.ravel(), rows.ravel())
    true_x, true_y = rasterio.warp.transform(crs, UTM, map_x, map_y)
    true_columns, true_rows = ~lr.grid.transform @ (np.array(true_x), np.array(true_y))
    np.testing.assert_allclose(positions.rows.ravel(), true_rows - 0.5, atol=0.005)
    np.testing.assert_allclose(positions.columns.ravel(), true_columns - 0.5, atol=0.005)


def test_windows_are_consistent_across_tiles_when_projected():
    lr = _scene("lr.tif", 40, 40, Affine(40, 0, 364800, 0, -40, 5807200))
    import rasterio.warp

    x, y = rasterio.warp.transform(UTM, NEXT_UTM, [365000], [5807000])
    alignment = align(lr, _hr(100, 100, Affine(10, 0, x[0], 0, -10, y[0]), NEXT_UTM))
    whole = alignment.lr_positions(Window(0, 0, 60, 60))
    part = alignment.lr_positions(Window(21, 33, 20, 20))
    np.testing.assert_allclose(part.rows, whole.rows[21:41, 33:53], atol=1e-9)


@pytest.mark.parametrize("angle", [30, 71])
def test_rotation_maps_there_and_back(angle):
    lr = _scene("lr.tif", 24, 30, HR_TRANSFORM @ Affine.translation(60, 40) @ Affine.rotation(angle) @ Affine.scale(4))
    alignment = align(lr, _hr(200, 200))
    there = alignment.hr_positions(Window(5, 6, 1, 1))
    back = ~lr.grid.transform @ (HR_TRANSFORM @ (there.columns[0, 0] + 0.5, there.rows[0, 0] + 0.5))
    assert back == pytest.approx((6.5, 5.5))
    assert alignment.ratio == pytest.approx(4)


def test_bare_files_share_a_corner_and_say_so():
    lr, hr = _scene("lr.img", 85, 40, Affine.identity(), None), _hr(340, 162, Affine.identity(), None)
    alignment = align(lr, hr)
    assert alignment.ratio == pytest.approx(4)
    assert "same upper-left corner" in alignment.notices[0]


@pytest.mark.parametrize(
    ("lr", "hr", "message"),
    [
        (_scene("lr.tif", 24, 30, HR_TRANSFORM @ Affine.scale(4), None), _hr(), "lr.tif: has no CRS, but hr.tif"),
        (_scene("lr.tif", 24, 30, HR_TRANSFORM @ Affine.scale(4)), _hr(crs=None), "hr.tif: has no CRS, but lr.tif"),
        (_scene("lr.tif", 96, 120, HR_TRANSFORM), _scene("hr.tif", 24, 30, HR_TRANSFORM @ Affine.scale(4)), "swapped"),
        (_scene("lr.tif", 24, 30, HR_TRANSFORM @ Affine.translation(5000, 0) @ Affine.scale(4)), _hr(), "overlaps"),
        (_scene("lr.tif", 24, 30, HR_TRANSFORM @ Affine.translation(116, 0) @ Affine.scale(4)), _hr(), None),
        (_scene("lr.tif", 24, 30, HR_TRANSFORM @ Affine.translation(118, 0) @ Affine.scale(4)), _hr(), "by 96 x 2 HR"),
        (_scene("lr.img", 24, 99, Affine.identity(), None), _hr(96, 120, Affine.identity(), None), "different ratios"),
    ],
)
def test_what_does_not_fit_is_refused(lr, hr, message):
    if message is None:
        assert align(lr, hr).output.width == 6  # an LR pixel, and half of one of continuation
        return
    with pytest.raises(GridError, match=message):
        align(lr, hr)


SHIFT = 2.3, -1.1  # HR pixels down and right
AROUND = HR_TRANSFORM @ Affine.translation(20, 10)
GRIDS = {
    "same corner": (HR_TRANSFORM @ Affine.scale(4), UTM),
    "rotated": (AROUND @ Affine.rotation(30) @ Affine.scale(4), UTM),
    "other CRS": (Affine.identity(), NEXT_UTM),  # found below
}


def _shifted(name):
    """An alignment as delivered, and the same with a shift."""
    transform, crs = GRIDS[name]
    if crs == NEXT_UTM:
        import rasterio.warp

        x, y = rasterio.warp.transform(UTM, crs, [365200], [5806900])
        transform = Affine(40, 0, x[0], 0, -40, y[0])
    delivered = align(_scene("lr.tif", 24, 30, transform, crs), _hr(200, 240))
    return delivered, replace(delivered, correction=Affine.translation(SHIFT[1], SHIFT[0]))


@pytest.mark.parametrize("name", GRIDS)
def test_a_shift_moves_lr_pixels_down_and_right_in_the_hr_msi(name):
    delivered, shifted = _shifted(name)
    window = Window(3, 5, 4, 6)
    before, after = delivered.hr_positions(window), shifted.hr_positions(window)
    np.testing.assert_allclose(after.rows - before.rows, SHIFT[0])
    np.testing.assert_allclose(after.columns - before.columns, SHIFT[1])


@pytest.mark.parametrize("name", GRIDS)
def test_a_shift_is_undone_on_the_way_back(name):
    _, shifted = _shifted(name)
    there = shifted.hr_positions(Window(7, 9, 1, 1))
    row, column = float(there.rows.ravel()[0]), float(there.columns.ravel()[0])
    pixel = Window(int(row), int(column), 2, 2)  # bilinear between the HR pixels around that place
    back = shifted.lr_positions(pixel)
    weights = np.outer([1 - row % 1, row % 1], [1 - column % 1, column % 1])
    rows, columns = (
        np.broadcast_arrays(back.rows[:, None], back.columns[None]) if back.is_separable else (back.rows, back.columns)
    )
    # To the projected positions' own accuracy, a fiftieth of an LR pixel at most.
    assert (weights * rows).sum() == pytest.approx(7, abs=0.01)
    assert (weights * columns).sum() == pytest.approx(9, abs=0.01)


def test_a_whole_lr_pixel_of_shift_is_the_next_lr_pixel():
    delivered, _ = _shifted("same corner")
    shifted = replace(delivered, correction=Affine.translation(-8, 4))
    before, after = (alignment.lr_positions(Window(40, 40, 3, 5)) for alignment in (delivered, shifted))
    np.testing.assert_allclose(after.rows, before.rows - 1)
    np.testing.assert_allclose(after.columns, before.columns + 2)


def test_what_a_tile_reads_follows_the_shift():
    delivered, _ = _shifted("same corner")
    shifted = replace(delivered, correction=Affine.translation(4, 8))
    before, after = (alignment.lr_window(Window(40, 40, 16, 16), 2) for alignment in (delivered, shifted))
    assert (after.row, after.column) == (before.row - 2, before.column - 1)


TURN = Affine.translation(60, 48) @ Affine.rotation(2) @ Affine.scale(1.02) @ Affine.translation(1.0, 2.0)
TURN @= Affine.translation(-60, -48)


@pytest.mark.parametrize("name", GRIDS)
def test_an_affine_correction_moves_lr_pixels_from_where_they_claim_to_lie(name):
    delivered, _ = _shifted(name)
    corrected = replace(delivered, correction=TURN)
    window = Window(3, 5, 4, 6)
    before, after = delivered.hr_positions(window), corrected.hr_positions(window)
    rows, columns = before.rows, before.columns
    if before.is_separable:
        rows, columns = np.broadcast_arrays(rows[:, None], columns[None])
    expected = TURN @ (columns + 0.5, rows + 0.5)
    np.testing.assert_allclose(after.columns + 0.5, expected[0], atol=1e-6)
    np.testing.assert_allclose(after.rows + 0.5, expected[1], atol=1e-6)


def test_the_shift_of_an_affine_correction_is_told_amid_the_output():
    delivered, _ = _shifted("same corner")
    corrected = replace(delivered, correction=TURN)
    middle = corrected.output.width / 2, corrected.output.height / 2
    column, row = TURN @ middle
    assert corrected.shift == pytest.approx((row - middle[1], column - middle[0]))
    assert delivered.shift == (0.0, 0.0)


def test_ratio_and_footprint_follow_the_correction():
    lr = _scene("lr.tif", 10, 10, HR_TRANSFORM @ Affine.translation(40, 40) @ Affine.scale(4))
    corrected = align(lr, _hr(200, 240), correction=Affine.translation(20, -12) @ Affine.scale(1.1))
    assert (corrected.ratio_rows, corrected.ratio_columns) == pytest.approx((4.4, 4.4))
    around = corrected.output
    middle = around.row + around.height / 2, around.column + around.width / 2
    assert middle == pytest.approx((60 * 1.1 - 12, 60 * 1.1 + 20), abs=0.6)


@pytest.mark.parametrize(("lr_crs", "hr_crs"), [(None, None), (None, UTM), (UTM, None)])
def test_scenes_without_a_common_map_lie_corner_on_corner_before_a_correction(lr_crs, hr_crs):
    lr = _scene("lr.img", 24, 99, Affine.identity() if lr_crs is None else HR_TRANSFORM, lr_crs)
    hr = _scene("hr.img", 96, 120, Affine.identity() if hr_crs is None else HR_TRANSFORM, hr_crs)
    with pytest.raises(GridError, match="--align affine"):
        align(lr, hr)
    place = Affine.translation(30, 7) @ Affine.rotation(10) @ Affine.scale(0.5)
    placed = align(lr, hr, correction=place)
    ratio = np.sqrt(96 / 24 * 120 / 99)
    at = placed.hr_positions(Window(2, 3, 1, 1))
    assert (at.columns[0, 0] + 0.5, at.rows[0, 0] + 0.5) == pytest.approx(place @ (3.5 * ratio, 2.5 * ratio))
