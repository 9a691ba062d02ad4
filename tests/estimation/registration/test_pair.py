from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine
from rasterio.crs import CRS

from pifnet_cli.errors import GridError
from pifnet_cli.estimation.registration.coarse_scene import WindowedScene
from pifnet_cli.estimation.registration.pair import corner_distance, register_pair
from pifnet_cli.pair.alignment import align
from pifnet_cli.scene import Bands, Grid, Scene, Window
from waves import GSD, NORTH_UP, Texture, noisy, responses

BANDS, MSI, RATIO = 8, 3, 4
UTM = CRS.from_epsg(32633).to_wkt()


def _pair(correction, *, lr_to_hr=None, lr_size=(34, 38), hr_size=(140, 156), crs=UTM, spoil=None, hr_seed=0):
    """Both scenes in memory: LR pixels lie where the correction says, not where `lr_to_hr` does."""
    rng, ground = np.random.default_rng(0), Texture(BANDS)
    claimed = lr_to_hr or Affine.scale(RATIO)
    hr_msi = np.einsum("mc,chw->mhw", responses(BANDS, MSI), Texture(BANDS, seed=hr_seed).seen(NORTH_UP, *hr_size))
    lr_hsi = ground.seen(NORTH_UP @ correction @ claimed, *lr_size, sigma=2 * GSD)
    lr_hsi, hr_msi = noisy(lr_hsi, 35, rng), noisy(hr_msi, 40, rng)
    if spoil is not None:
        spoil(lr_hsi, hr_msi)
    transforms = (Affine.identity(),) * 2 if crs is None else (NORTH_UP @ claimed, NORTH_UP)
    return [_source(*both, crs) for both in zip(("lr.tif", "hr.tif"), (lr_hsi, hr_msi), transforms, strict=True)]


def _source(name, pixels, transform, crs):
    grid = Grid(*pixels.shape[1:], transform, crs)
    return WindowedScene(Scene(Path(name), grid, Bands(len(pixels))), lambda window: pixels[:, *window.slices])


def _about(row, column, change):
    return Affine.translation(column, row) @ change @ Affine.translation(-column, -row)


def _apart(first, second, *, size=(140, 156)):
    """LR pixels between the places of the corners, at most."""
    corners = [(x, y) for x in (0, size[1]) for y in (0, size[0])]
    return max(np.linalg.norm(np.subtract(first @ corner, second @ corner)) for corner in corners) / RATIO


TURNED = _about(70, 78, Affine.rotation(0.5) @ Affine.scale(1.01) @ Affine.translation(2.0, -1.2))


def test_a_georeferenced_pair_is_corrected():
    lr, hr = _pair(TURNED)
    found = register_pair(lr, hr, default_mtf=0.3)
    assert _apart(found.correction, TURNED) < 0.04
    assert found.affine.rotation_deg == pytest.approx(0.5, abs=5 * np.degrees(found.affine.linear_error[1]))
    assert found.shift_lr == pytest.approx((-0.3, 0.5), abs=0.04)
    assert found.shift_spread_lr < 0.05
    assert not found.is_uneven


@pytest.mark.parametrize("shift", [(0.0, 0.0), (3.0, -1.5)])
def test_a_pair_that_is_moved_alone_stays_parallel(shift):
    moved = Affine.translation(*shift)
    lr, hr = _pair(moved)
    found = register_pair(lr, hr, default_mtf=0.3)
    assert found.affine is None
    assert align(lr.scene, hr.scene, correction=found.correction).hr_positions(Window(0, 0, 5, 5)).is_separable
    assert _apart(found.correction, moved) < 0.04


@pytest.mark.slow
@pytest.mark.parametrize("crs", [UTM, None], ids=["map", "bare"])
def test_a_large_scene_is_first_looked_at_from_afar(crs):
    size = 420, 240
    far = _about(210, 120, Affine.rotation(1.5) @ Affine.scale(1.02))  # by up to two LR pixels
    lr, hr = _pair(far, lr_size=(105, 60), hr_size=size, crs=crs)
    found = register_pair(lr, hr, default_mtf=0.3)
    assert _apart(found.correction, far, size=size) < 0.05


@pytest.mark.parametrize("crs", [UTM, None], ids=["map", "bare"])
def test_what_is_placed_is_what_lies_there(crs):
    """The alignment that follows puts LR pixels where they are, whichever map the files have."""
    lr, hr = _pair(TURNED, crs=crs, lr_size=(35, 39))
    found = register_pair(lr, hr, default_mtf=0.3)
    at = align(lr.scene, hr.scene, correction=found.correction).hr_positions(Window(20, 30, 1, 1))
    column, row = TURNED @ (30.5 * RATIO, 20.5 * RATIO)
    assert (at.rows.flat[0], at.columns.flat[0]) == pytest.approx((row - 0.5, column - 0.5), abs=0.1)


def test_a_bare_pair_of_other_ground_covered_is_placed():
    truth = Affine.translation(62, 8) @ Affine.rotation(24) @ Affine.scale(4.3, 4.1)
    lr, hr = _pair(Affine.identity(), lr_to_hr=truth, lr_size=(26, 20), crs=None)
    found = register_pair(lr, hr, default_mtf=0.3)
    alignment = align(lr.scene, hr.scene, correction=found.correction)
    assert (alignment.ratio_rows, alignment.ratio_columns) == pytest.approx((4.1, 4.3), abs=0.01)
    assert found.affine.rotation_deg == pytest.approx(24, abs=0.1)
    at = alignment.hr_positions(Window(0, 0, 26, 20))
    columns, rows = truth @ tuple(np.meshgrid(np.arange(20) + 0.5, np.arange(26) + 0.5))
    assert np.hypot(at.rows + 0.5 - rows, at.columns + 0.5 - columns).max() < 0.15


def test_one_file_with_a_map_is_enough():
    truth = Affine.translation(20, 30) @ Affine.scale(4)
    lr, hr = _pair(Affine.identity(), lr_to_hr=truth, lr_size=(24, 26))
    bare = replace(lr, scene=replace(lr.scene, grid=Grid(24, 26, Affine.identity(), None)))
    found = register_pair(bare, hr, default_mtf=0.3)
    at = align(bare.scene, hr.scene, correction=found.correction).hr_positions(Window(3, 5, 1, 1))
    assert at.is_separable
    assert (at.rows[0], at.columns[0]) == pytest.approx((30 + 14 - 0.5, 20 + 22 - 0.5), abs=0.1)


def test_a_blur_that_is_known_is_kept():
    lr, hr = _pair(TURNED)
    found = register_pair(lr, hr, default_mtf=0.3, sigma_of=lambda alignment: (alignment.ratio / 2,) * 2)
    assert found.fitted.best.sigma == pytest.approx((2.02, 2.02), abs=0.01)


def _flatten(lr_hsi, hr_msi):
    rng = np.random.default_rng(0)
    for image in (lr_hsi, hr_msi):
        image[:] = 0.4 + 0.002 * rng.normal(size=image.shape)


@pytest.mark.parametrize("crs", [UTM, None], ids=["map", "bare"])
@pytest.mark.parametrize("content", [{"spoil": _flatten}, {"hr_seed": 5}], ids=["featureless", "unrelated"])
def test_a_pair_that_does_not_tell_is_refused(content, crs):
    lr, hr = _pair(TURNED, crs=crs, lr_size=(26, 22), **content)
    with pytest.raises(GridError, match=r"lr.tif: its place on hr.tif cannot be found: .*; do both show"):
        register_pair(lr, hr, default_mtf=0.3)


def test_too_few_pixels_are_too_few():
    def empty(lr_hsi, _hr_msi):
        lr_hsi[:, 2:] = np.nan

    lr, hr = _pair(TURNED, spoil=empty, lr_size=(10, 12))
    with pytest.raises(ValueError, match="LR pixels are valid"):
        register_pair(lr, hr, default_mtf=0.3)


def test_the_corners_tell_how_far_two_placements_lie_apart():
    lr, hr = _pair(TURNED)
    first, second = (align(lr.scene, hr.scene, correction=change) for change in (TURNED, Affine.identity()))
    expected = max(np.linalg.norm(np.subtract(TURNED @ (x, y), (x, y))) / RATIO for x in (2, 150) for y in (2, 134))
    assert corner_distance(second, first) == pytest.approx(expected, rel=0.02)
