"""Engines that need no training: what a tile's result depends on, and where there is none."""

from dataclasses import replace

import numpy as np
import pytest

from pifnet_cli.catalog import Kind, Method, Statistics
from pifnet_cli.choices import Anchor
from pifnet_cli.fusion.closed_form import (
    BlockEngine,
    KrigingEngine,
    PointwiseEngine,
    anchor_engine,
    training_free_engine,
)
from pifnet_cli.pair.lr_grid import on_hr_array, parallel, sampling_operator
from pifnet_cli.pair.resample import SUPPORT
from pifnet_cli.pair.tile import degrade_msi
from pifnet_cli.scene import Window
from pifnet_models.classical.moments import MomentSums
from pifnet_models.kriging.kriging import GuidedKriging
from pifnet_models.kriging.regression import RegressionSums
from tiles import flipped, pair_tile, ramp, ramp_tile

HSI, MSI, RATIO = 7, 3, (4.0, 4.0)
TRAINING_FREE = [method for method in Method if method.facts.statistics is Statistics.MOMENTS]
ALL = [*TRAINING_FREE, Method.REGRESSION, Method.KRIGING]
LOCAL = [method for method in Method if method.facts.kind is Kind.POINTWISE]


class Echo:
    """A method whose answer shows what it was given: the LR-HSI interpolated, plus the MSI that the LR pixels see."""

    def __init__(self, *, halo=SUPPORT, core=16):
        self.halo, self.core = halo, core
        self.seen = []

    def fuse_block(self, lr_hsi, hr_msi, operator, *, core=(slice(None), slice(None))):
        self.seen.append((lr_hsi.shape[1:], hr_msi.shape[1:]))
        detail = operator.up(operator.down(hr_msi)).sum(axis=0)
        return (operator.up(lr_hsi) + detail)[:, *core]


def _correlated_tile(seed=0, *, size=(40, 56), tile=None, phase=None):
    """Smooth materials under light that changes from pixel to pixel: detail that every band shares."""
    rng = np.random.default_rng(seed)
    plain = pair_tile(rng, bands=(HSI, MSI), size=size, phase=phase, tile=tile)
    rows, columns = np.mgrid[: size[0], : size[1]]
    shares = np.stack([1.2 + np.sin(rows / a + columns / b) for a, b in rng.uniform(3, 9, (4, 2))])
    spectra = 0.1 + rng.uniform(0.1, 0.5, (HSI, 4))
    light = 1 + 0.2 * np.sin(rows / 1.3 + 0.2) * np.sin(columns / 1.7) + 0.3 * np.sin(rows / 5) * np.cos(columns / 6)
    truth = (light * np.einsum("cs,shw->chw", spectra, shares / shares.sum(axis=0))).astype(np.float32)
    hr_msi = np.stack([part.mean(axis=0) for part in np.array_split(truth, MSI)])
    lr_hsi = degrade_msi(truth, plain.geometry.lr_in_hr, plain.psf)
    return replace(plain, lr_hsi=lr_hsi, hr_msi=hr_msi), truth


def _statistics(tile, sums_class):
    sums = sums_class(hsi_bands=len(tile.lr_hsi), msi_bands=len(tile.hr_msi))
    low = degrade_msi(tile.hr_msi, tile.geometry.lr_in_hr, tile.psf)
    sums.add(tile.lr_hsi.reshape(len(tile.lr_hsi), -1), low.reshape(len(low), -1))
    return sums.solve()


def _engine(method, tile):
    if method in (Method.REGRESSION, Method.KRIGING):
        return anchor_engine(Anchor(method.value), _statistics(tile, RegressionSums), ratio=RATIO)
    return training_free_engine(method, _statistics(tile, MomentSums), ratio=RATIO)


def _in_window(tile, window):
    return replace(tile, geometry=replace(tile.geometry, tile=window))


def _by_tiles(engine, tile, window, side=12):
    """The result on `window`, put together from tiles without overlap."""
    parts = []
    for row in range(window.row, window.bottom, side):
        columns = range(window.column, window.right, side)
        tiles = [Window(row, column, min(side, window.bottom - row), min(side, window.right - column))
                 for column in columns]  # fmt: skip
        parts.append(np.concatenate([engine.fuse(_in_window(tile, part)).pixels for part in tiles], axis=2))
    return np.concatenate(parts, axis=1)


@pytest.mark.parametrize("method", LOCAL)
def test_tiles_of_pointwise_methods_are_parts_of_the_whole(method):
    tile, _ = _correlated_tile()
    engine = _engine(method, tile)
    assert isinstance(engine, PointwiseEngine)
    window = tile.geometry.tile
    np.testing.assert_allclose(_by_tiles(engine, tile, window), engine.fuse(tile).pixels, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("method", LOCAL)
def test_a_pointwise_engine_hands_the_method_the_tile_s_planes(method):
    tile, _ = _correlated_tile(phase=(0.7, 1.9))
    tile = _in_window(tile, Window(3, 5, 20, 33))
    inputs = tile.inputs()
    if method is Method.REGRESSION:
        fusion = _statistics(tile, RegressionSums)
    else:
        fusion = method.facts.load().from_moments(_statistics(tile, MomentSums))
    expected = fusion.apply(inputs.upsampled, inputs.hr_msi, inputs.msi_smooth)
    np.testing.assert_array_equal(_engine(method, tile).fuse(tile).pixels, expected)


PHASES = [((1.5, 1.5), "mtf"), ((1.1, 1.9), "mtf"), ((0.0, 0.0), "paper")]


@pytest.mark.parametrize(("phase", "protocol"), PHASES)
def test_a_block_engine_cuts_the_tile_out_of_the_block(phase, protocol):
    tile = pair_tile(np.random.default_rng(0), phase=phase, protocol=protocol, tile=Window(4, 7, 13, 22))
    operator = sampling_operator(tile)
    whole = operator.up(tile.lr_hsi) + operator.up(operator.down(tile.hr_msi)).sum(axis=0)
    fused = BlockEngine(Echo(), ratio=RATIO).fuse(tile).pixels
    np.testing.assert_array_equal(fused, whole[:, 4:17, 7:29])
    assert fused.flags.c_contiguous


@pytest.mark.parametrize(("phase", "protocol"), PHASES)
@pytest.mark.parametrize("side", [5, 12, 16, 100])
def test_cores_are_parts_of_one_large_core(phase, protocol, side):
    rng, window = np.random.default_rng(0), Window(2, 7, 41, 50)
    tile = pair_tile(rng, phase=phase, protocol=protocol, size=(48, 60), tile=window)
    expected = KrigingEngine(Echo(core=100), ratio=RATIO).fuse(tile).pixels
    operator = sampling_operator(tile)
    whole = operator.up(tile.lr_hsi) + operator.up(operator.down(tile.hr_msi)).sum(axis=0)
    np.testing.assert_allclose(expected, whole[:, 2:43, 7:57], rtol=1e-5)
    np.testing.assert_allclose(KrigingEngine(Echo(core=side), ratio=RATIO).fuse(tile).pixels, expected, rtol=1e-5)


def test_cores_of_a_part_of_a_scene_lie_on_the_scene_s_grid():
    tile = pair_tile(np.random.default_rng(0), size=(160, 200), tile=Window(40, 64, 40, 32))
    part = replace(tile, geometry=replace(tile.geometry, start=(-16, 0)))
    echo = Echo(core=32)
    fused = KrigingEngine(echo, ratio=RATIO).fuse(part).pixels
    assert len(echo.seen) == 2  # rows 40 to 47 and 48 to 79
    alone = KrigingEngine(Echo(core=100), ratio=RATIO).fuse(tile).pixels
    np.testing.assert_allclose(fused, alone, rtol=1e-5)


def test_cores_see_their_halo_and_no_more():
    tile = pair_tile(np.random.default_rng(0), size=(160, 200), tile=Window(48, 64, 32, 32))
    echo = Echo(halo=3, core=16)
    KrigingEngine(echo, ratio=RATIO).fuse(tile)
    assert len(echo.seen) == 4
    reach = tile.psf.radius + 2
    for lr_size, hr_size in echo.seen:
        assert lr_size == (4 + 2 * 3, 4 + 2 * 3)  # a core of four LR pixels
        assert max(hr_size) <= 4 * 9 + 1 + 2 * reach


@pytest.mark.parametrize("axes", [(1,), (2,), (1, 2)])
@pytest.mark.parametrize("kind", [BlockEngine, KrigingEngine])
def test_lr_rows_may_run_the_other_way(kind, axes):
    tile = pair_tile(np.random.default_rng(0), tile=Window(4, 7, 13, 22), size=(48, 60))
    engine = kind(Echo(), ratio=RATIO)
    np.testing.assert_allclose(engine.fuse(flipped(tile, *axes)).pixels, engine.fuse(tile).pixels, rtol=1e-5)


@pytest.mark.parametrize("kind", [BlockEngine, KrigingEngine])
def test_lr_pixels_that_look_beyond_the_hr_msi_are_not_shown_to_the_method(kind):
    window = Window(4, 7, 13, 22)
    tile = pair_tile(np.random.default_rng(0), phase=(-4.0, 1.5), size=(44, 56), tile=window)  # a row of them above it
    engine = kind(Echo(core=100), ratio=RATIO)
    expected = engine.fuse(tile).pixels
    tile.lr_hsi[:, 0] += 100
    np.testing.assert_array_equal(engine.fuse(tile).pixels, expected)
    tile.lr_hsi[:, 0] = np.nan  # nor does it matter that it is invalid, as no HR pixel of the tile is nearest to it
    np.testing.assert_array_equal(engine.fuse(tile).pixels, expected)


@pytest.mark.parametrize("degrees", [30.0, -71.0])
@pytest.mark.parametrize("kind", [BlockEngine, KrigingEngine])
def test_rotated_lr_pixels_are_interpolated_along_the_hr_rows(kind, degrees):
    window = Window(20, 24, 18, 20)
    tile = ramp_tile(4.0, degrees=degrees, tile=window)
    fused = kind(Echo(), ratio=RATIO).fuse(tile).pixels
    rows, columns = np.arange(20, 38), np.arange(24, 44)
    np.testing.assert_allclose(fused[0], 2 * ramp(rows[:, None], columns), atol=0.02)  # the MSI is the ramp as well


@pytest.mark.parametrize("method", TRAINING_FREE)
def test_every_training_free_method_has_its_engine(method):
    tile, _ = _correlated_tile()
    engine = _engine(method, tile)
    kind = PointwiseEngine if method.facts.kind is Kind.POINTWISE else BlockEngine
    assert isinstance(engine, kind)
    halo = getattr(method.facts.load(), "halo", 0) if kind is BlockEngine else SUPPORT
    assert engine.margin == max(halo, SUPPORT)


def test_a_narrow_halo_leaves_room_for_interpolation():
    assert BlockEngine(Echo(halo=0), ratio=RATIO).margin == SUPPORT
    assert KrigingEngine(Echo(halo=1), ratio=RATIO).margin == SUPPORT
    assert KrigingEngine(Echo(halo=6), ratio=RATIO).margin == 6


def test_interpolation_is_no_anchor():
    tile, _ = _correlated_tile()
    with pytest.raises(ValueError, match="no anchor"):
        anchor_engine(Anchor.NONE, _statistics(tile, RegressionSums), ratio=RATIO)


def test_the_kriging_anchor_knows_the_ratio():
    regression = _statistics(_correlated_tile()[0], RegressionSums)
    engine = anchor_engine(Anchor.KRIGING, regression, ratio=(9.0, 4.0))
    assert isinstance(engine, KrigingEngine)
    expected = GuidedKriging.from_regression(regression, ratio=6.0)
    assert engine.margin == max(expected.halo, SUPPORT)
    assert engine.core == expected.core


def test_kriging_by_cores_is_close_to_kriging_whole():
    tile, truth = _correlated_tile()
    kriging = GuidedKriging.from_regression(_statistics(tile, RegressionSums), ratio=4.0, adapts=False)
    whole, parts = (KrigingEngine(replace(kriging, core=core), ratio=RATIO).fuse(tile).pixels for core in (64, 16))
    difference, missed = (np.sqrt(np.square(image - truth).mean()) for image in (parts - whole + truth, whole))
    assert 0 < difference < 0.5 * missed  # measured: 0.37; far samples count little, but not nothing


@pytest.mark.parametrize("side", ["lr_hsi", "hr_msi"])
def test_cores_without_ground_are_not_solved(side):
    tile = pair_tile(np.random.default_rng(0), size=(64, 64))
    image = getattr(tile, side).copy()
    image[:, :, image.shape[2] // 4 :] = np.nan  # all but a quarter of the columns
    echo = Echo(core=16)
    KrigingEngine(echo, ratio=RATIO).fuse(replace(tile, **{side: image}))
    assert len(echo.seen) == 4  # of sixteen


@pytest.mark.parametrize("method", [*LOCAL, Method.KRIGING])
def test_a_tile_needs_no_more_than_its_margin(method):
    tile, _ = _correlated_tile(size=(64, 80))
    engine = _engine(method, tile)
    core = Window(29, 33, 9, 14)
    lr = tuple(slice(start // 4 - engine.margin, stop // 4 + 1 + engine.margin) for start, stop in ((29, 37), (33, 46)))
    radius = tile.psf.radius + 2
    hr = Window(4 * lr[0].start - radius, 4 * lr[1].start - radius, 4 * (lr[0].stop - lr[0].start) + 2 * radius,
                4 * (lr[1].stop - lr[1].start) + 2 * radius).clipped(64, 80)  # fmt: skip
    geometry = tile.geometry.cropped(hr, lr, core)
    part = replace(tile, lr_hsi=tile.lr_hsi[:, *lr], hr_msi=tile.hr_msi[:, *hr.slices], geometry=geometry)
    expected = engine.fuse(_in_window(tile, core)).pixels
    np.testing.assert_allclose(engine.fuse(part).pixels, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", ALL)
def test_every_method_comes_nearer_to_the_truth_than_interpolation(method):
    tile, truth = _correlated_tile()
    inner = Window(8, 8, 24, 40)
    rows, columns = inner.slices
    fused = _engine(method, tile).fuse(_in_window(tile, inner)).pixels
    upsampled = _in_window(tile, inner).inputs().upsampled
    error, floor = (np.sqrt(np.square(image - truth[:, rows, columns]).mean()) for image in (fused, upsampled))
    assert error <= floor * (1 if method is Method.BICUBIC else 0.7)


@pytest.mark.parametrize("method", ALL)
def test_a_result_is_a_number_where_both_scenes_are(method):
    tile, _ = _correlated_tile()
    tile.lr_hsi[:, 4, 6] = np.nan  # all bands of HR rows 16..19, columns 24..27
    tile.lr_hsi[2, 7, 3] = np.nan  # one band of rows 28..31, columns 12..15
    tile.hr_msi[1, 33:37, 44:50] = np.nan
    tile.hr_msi[:, 5, 9] = np.nan
    expected = np.zeros((HSI, 40, 56), dtype=bool)
    expected[:, 16:20, 24:28] = True
    expected[2, 28:32, 12:16] = True
    expected[:, 33:37, 44:50] = True
    expected[:, 5, 9] = True

    before = tile.lr_hsi.copy(), tile.hr_msi.copy()
    fused = _engine(method, tile).fuse(tile).pixels
    np.testing.assert_array_equal(np.isnan(fused), expected)
    np.testing.assert_array_equal(tile.lr_hsi, before[0])
    np.testing.assert_array_equal(tile.hr_msi, before[1])


@pytest.mark.parametrize("method", ALL)
def test_a_band_without_data_stays_without_and_spoils_no_other(method):
    tile, truth = _correlated_tile()
    tile.lr_hsi[4] = np.nan
    fused = _engine(method, tile).fuse(tile).pixels
    assert np.isnan(fused[4]).all()
    others = np.delete(np.arange(HSI), 4)
    assert np.isfinite(fused[others]).all()
    assert np.abs(fused[others] - truth[others]).max() < 0.5 * np.ptp(truth)


@pytest.mark.parametrize("method", ALL)
def test_a_tile_without_valid_pixels_has_no_result(method):
    tile, _ = _correlated_tile()
    engine = _engine(method, tile)
    empty = replace(tile, lr_hsi=np.full_like(tile.lr_hsi, np.nan))
    assert np.isnan(engine.fuse(empty).pixels).all()
    dark = replace(tile, hr_msi=np.full_like(tile.hr_msi, np.nan))
    assert np.isnan(engine.fuse(dark).pixels).all()


@pytest.mark.parametrize("method", ALL)
def test_the_same_tile_gives_the_same_result(method):
    tile, _ = _correlated_tile()
    engine = _engine(method, tile)
    first = engine.fuse(tile).pixels
    np.testing.assert_array_equal(engine.fuse(tile).pixels, first)
    np.testing.assert_array_equal(_engine(method, tile).fuse(tile).pixels, first)


@pytest.mark.parametrize("method", ALL)
def test_rotated_pairs_are_fused_by_every_method(method):
    tile = ramp_tile(4.0, degrees=30, tile=Window(20, 24, 18, 20))
    tile = replace(tile, lr_hsi=tile.lr_hsi.repeat(2, axis=0) * np.array([[[1.0]], [[0.5]]], np.float32))
    fused = _engine(method, tile).fuse(tile).pixels
    truth = ramp(np.arange(20, 38)[:, None], np.arange(24, 44)) * np.array([[[1.0]], [[0.5]]])
    assert fused.dtype == np.float32
    assert np.abs(fused - truth).max() < 0.05 * np.ptp(truth)


def test_parallel_rows_are_the_engine_s_own_business():
    tile = ramp_tile(4.0, degrees=30, tile=Window(20, 24, 18, 20))
    echo = Echo()
    BlockEngine(echo, ratio=RATIO).fuse(tile)
    assert echo.seen == [(on_hr_array(parallel(tile, *RATIO)).lr_hsi.shape[1:], (60, 70))]


@pytest.mark.parametrize("method", [Method.CNMF, Method.HYSURE])
def test_unmixing_is_spared_the_bands_marked_bad(method):
    tile, _ = _correlated_tile()
    good = np.arange(HSI) != 2
    rubbish = tile.lr_hsi.copy()
    rubbish[2] = 10 * np.random.default_rng(0).normal(size=rubbish[2].shape)
    spoiled = replace(tile, lr_hsi=rubbish)
    engine = training_free_engine(method, _statistics(spoiled, MomentSums), ratio=RATIO, good=good)
    alone = replace(tile, lr_hsi=tile.lr_hsi[good])
    expected = _engine(method, alone).fuse(alone).pixels
    fused = engine.fuse(spoiled).pixels
    np.testing.assert_array_equal(fused[good], expected)
    np.testing.assert_allclose(fused[2], _engine(Method.GLP, spoiled).fuse(spoiled).pixels[2], atol=1e-4)


@pytest.mark.parametrize("good", [None, np.ones(HSI, dtype=bool), np.zeros(HSI, dtype=bool)])
def test_nothing_is_split_where_all_bands_are_alike(good):
    tile, _ = _correlated_tile()
    moments = _statistics(tile, MomentSums)
    assert isinstance(training_free_engine(Method.CNMF, moments, ratio=RATIO, good=good), BlockEngine)
