"""Standard deviations by tile, and what a few of them tell of a scene."""

from dataclasses import replace

import numpy as np
import pytest

from pifnet_cli.choices import Anchor
from pifnet_cli.degrade.psf import gaussian_from_mtf
from pifnet_cli.fusion.closed_form import Sigma, scene_anchor
from pifnet_cli.fusion.statistics import scene_statistics
from pifnet_cli.fusion.uncertainty import BandErrors, expected_error
from pifnet_cli.pair.alignment import align
from pifnet_cli.pair.tile import PairGeometry, PairTile, plan_windows
from pifnet_cli.raster.reader import open_scene
from pifnet_cli.scene import Window
from pifnet_models.kriging.regression import RegressionSums
from waves import NODATA, Texture, write_pair

BANDS = 14


class Scenes:
    """A pair on disk, its engine, and what it read."""

    def __init__(self, folder, stack, *, size=(150, 170), **pair):
        paths = write_pair(folder, bands=BANDS, ground=Texture(BANDS), hr_size=size, snr_db=(35, 40), **pair)
        self.lr, self.hr = (stack.enter_context(open_scene(path)) for path in paths[:2])
        self.truth = paths[2]
        self.alignment = align(self.lr.scene, self.hr.scene)
        ratio = self.alignment.ratio_rows, self.alignment.ratio_columns
        self.psf = gaussian_from_mtf(0.3, ratio_rows=ratio[0], ratio_columns=ratio[1])
        sums = RegressionSums(hsi_bands=BANDS, msi_bands=3)
        how = {"alignment": self.alignment, "psf": self.psf, "report": lambda *_: None}
        self.regression = scene_statistics(sums, self.lr.read, self.hr.read, **how)
        self.engine, self.plain = (
            scene_anchor(
                Anchor.KRIGING, self.regression, self.hr.read, alignment=self.alignment, psf=self.psf, sigma=sigma
            )
            for sigma in (Sigma.TELL, Sigma.SKIP)
        )

    def tile(self, window):
        windows = plan_windows(self.alignment, window, self.psf, margin=self.engine.margin)
        geometry = PairGeometry.of_windows(self.alignment, windows)
        return PairTile(self.lr.read(windows.lr), self.hr.read(windows.hr), geometry, self.psf)

    def expected(self, **others):
        readers = {"read_lr": self.lr.read, "read_hr": self.hr.read} | others
        return expected_error(self.engine, **readers, alignment=self.alignment, psf=self.psf)


@pytest.fixture
def scenes(tmp_path):
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda **pair: Scenes(tmp_path, stack, **pair)


def _spoil(lr_hsi, hr_msi):
    lr_hsi[:, 8:12, 8:20] = NODATA
    hr_msi[0, 90:100, 20:30] = NODATA


def test_a_tile_and_its_sigma_are_valid_in_the_same_places(scenes):
    found = scenes(spoil=_spoil)
    tile = found.tile(found.alignment.output)
    fused, sigma = found.engine.fuse(tile)
    plain = found.plain.fuse(tile)
    assert plain.sigma is None
    assert np.array_equal(fused, plain.pixels, equal_nan=True)
    assert np.array_equal(np.isnan(fused), np.isnan(sigma))
    assert 0 < np.isnan(sigma).mean() < 0.2
    assert np.nanmin(sigma) > 0


def test_a_few_cores_tell_what_the_scene_s_errors_will_be(scenes):
    found = scenes()
    fused, sigma = found.engine.fuse(found.tile(found.alignment.output))
    errors = np.sqrt(np.square(fused - found.truth).mean(axis=(1, 2)))
    spread = np.sqrt(np.square(sigma.astype(float)).mean(axis=(1, 2)))
    expected = found.expected()
    assert expected == pytest.approx(spread, rel=0.1)
    assert np.sqrt(np.square(expected).mean()) == pytest.approx(np.sqrt(np.square(errors).mean()), rel=0.3)


def test_at_most_nine_cores_are_looked_at(scenes):
    found, windows = scenes(size=(400, 450)), []

    def read(window):
        windows.append(window)
        return found.lr.read(window)

    found.expected(read_lr=read)
    assert len(windows) == 9
    assert max(window.height for window in windows) <= found.engine.core / 4 + 2 * found.engine.margin + 2


def test_what_is_invalid_everywhere_has_no_expected_error(scenes):
    found = scenes(spoil=lambda lr_hsi, _: lr_hsi[3].fill(NODATA))
    expected = found.expected()
    assert np.isnan(expected[3])
    assert np.isfinite(np.delete(expected, 3)).all()


def test_beyond_the_lr_hsi_nothing_is_expected(scenes):
    found = scenes()
    found.alignment = replace(found.alignment, output=Window(5000, 5000, 40, 40))
    assert np.isnan(found.expected()).all()
    assert len(found.expected()) == BANDS


def test_mean_squares_are_those_of_all_that_was_added():
    rng = np.random.default_rng(0)
    sigma = rng.uniform(0, 1, (3, 8, 9)).astype(np.float32)
    sigma[1, :5], sigma[2] = np.nan, np.nan
    errors = BandErrors(3)
    for part in (sigma[:, :3], sigma[:, 3:]):
        errors.add(part)
    assert errors.rms[:2] == pytest.approx(np.sqrt(np.nanmean(np.square(sigma[:2]), axis=(1, 2))), rel=1e-6)
    assert np.isnan(errors.rms[2])
