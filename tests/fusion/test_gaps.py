"""Gaps of the LR-HSI: closed for the method, nodata in the result."""

from dataclasses import replace

import numpy as np
import pytest

from pifnet_cli.catalog import Method
from pifnet_cli.degrade.psf import gaussian_from_mtf
from pifnet_cli.fusion.gaps import GapEngine
from pifnet_cli.pair.tile import FusedTile, PairGeometry, PairTile, degrade_msi
from pifnet_models.classical.moments import MomentSums
from pifnet_models.kriging.regression import RegressionSums

PSF = gaussian_from_mtf(0.3, ratio_rows=4, ratio_columns=4)
GEOMETRY = PairGeometry.regular(ratio=4, phase=(1.5, 1.5), lr_size=(9, 11), hr_size=(36, 44))


class Shown:
    """Keeps what it is shown, and answers ones."""

    margin, reach = 3, 5

    def __init__(self):
        self.tiles = []

    def fuse(self, tile):
        self.tiles.append(tile)
        shape = len(tile.lr_hsi), tile.geometry.tile.height, tile.geometry.tile.width
        return FusedTile(np.ones(shape, dtype=np.float32))


@pytest.fixture
def tile():
    """Seven bands that three of the HR-MSI explain, and an offset that they do not."""
    rng = np.random.default_rng(0)
    msi = rng.uniform(0.1, 0.6, (3, 36, 44)).astype(np.float32)
    low = degrade_msi(msi, GEOMETRY.lr_in_hr, PSF)
    lr_hsi = np.tensordot(rng.uniform(0, 1, (7, 3)), low, 1) + np.linspace(0, 1, 7)[:, None, None]
    return PairTile(lr_hsi.astype(np.float32), msi, GEOMETRY, PSF)


def _statistics(tile, sums):
    low = degrade_msi(tile.hr_msi, tile.geometry.lr_in_hr, tile.psf)
    gathered = sums(hsi_bands=7, msi_bands=3)
    gathered.add(tile.lr_hsi.reshape(7, -1), low.reshape(3, -1))
    return gathered.solve()


def _holed(tile, *index):
    holed = tile.lr_hsi.copy()
    holed[index] = np.nan
    return replace(tile, lr_hsi=holed)


@pytest.mark.parametrize(("method", "sums"), [(Method.REGRESSION, RegressionSums), (Method.GSA, MomentSums)])
def test_what_the_msi_explains_closes_a_gap_exactly(tile, method, sums):
    shown, holed = Shown(), _holed(tile, slice(None), slice(3, 6), slice(4, 6))
    GapEngine(shown, _statistics(holed, sums), method=method).fuse(holed)
    np.testing.assert_allclose(shown.tiles[0].lr_hsi, tile.lr_hsi, atol=1e-5)


def test_a_gap_is_nodata_whatever_the_method_made_of_it(tile):
    holed = _holed(tile, 2, 3, 5)
    fused = GapEngine(Shown(), _statistics(tile, RegressionSums), method=Method.REGRESSION).fuse(holed).pixels
    expected = np.ones((7, 36, 44), dtype=np.float32)
    expected[2, 12:16, 20:24] = np.nan
    np.testing.assert_array_equal(fused, expected)


def test_kriging_is_not_shown_guesses_of_whole_pixels(tile):
    shown, holed = Shown(), _holed(_holed(tile, slice(None), 1, 1), slice(0, 2), 5, 5)
    GapEngine(shown, _statistics(tile, RegressionSums), method=Method.KRIGING).fuse(holed)
    assert np.isnan(shown.tiles[0].lr_hsi[:, 1, 1]).all()
    np.testing.assert_allclose(shown.tiles[0].lr_hsi[:, 5, 5], tile.lr_hsi[:, 5, 5], atol=1e-5)


def test_a_band_without_data_is_left_so(tile):
    shown, holed = Shown(), _holed(_holed(tile, 4), 1, 2, 2)
    GapEngine(shown, _statistics(holed, RegressionSums), method=Method.REGRESSION).fuse(holed)
    assert np.isnan(shown.tiles[0].lr_hsi[4]).all()
    assert np.isfinite(np.delete(shown.tiles[0].lr_hsi, 4, axis=0)).all()


def test_a_tile_without_gaps_is_passed_on_as_it_is(tile):
    shown = Shown()
    GapEngine(shown, _statistics(tile, RegressionSums), method=Method.REGRESSION).fuse(tile)
    assert shown.tiles == [tile]
