from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Align
from pifnet_cli.errors import BandsError, GridError, SceneReadError
from pifnet_cli.metrics.without_reference import UnreferencedScores
from pifnet_cli.reports.pictures import ConsistencyMaps
from pifnet_cli.scoring.without_reference import score_without_reference
from pifnet_cli.settings import FuseSettings, MetricsSettings, SimulateSettings
from pifnet_cli.workflows.fuse import fuse_scene
from pifnet_cli.workflows.simulate import simulate_scene
from reference_scenes import real_scene
from scenes import write_scene
from waves import NODATA, NORTH_UP, SOUTH_UP, Texture, write_pair

SIZE = (101, 117)
TOLD = MetricsSettings(mtf_at_nyquist=0.3)
NUMBERS = (
    "qnr",
    "d_lambda",
    "d_s",
    "lr_rmse",
    "lr_sam",
    "msi_rmse",
    "msi_sam",
    "msi_cc",
    "pixels",
    "lr_pixels",
)
NEARLY = 5e-3  # of the contrast: up to a twentieth of a blur may fall on invalid pixels, as at borders
ROTATED = NORTH_UP @ Affine.rotation(30)


def written(folder: Path, image: np.ndarray, *, transform: Affine = NORTH_UP, name: str = "fused.tif", **told) -> Path:
    """A fused scene; invalid pixels as NaN."""
    stored = np.where(np.isnan(image), np.float32(NODATA), image)
    return write_scene(folder / name, stored, transform=transform, nodata=NODATA, **told)


def numbers(scores: UnreferencedScores) -> list[float]:
    return [getattr(scores, name) for name in NUMBERS]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, np.ndarray]:
    """LR-HSI, HR-MSI, and the truth (7, 101, 117) that both show without noise."""
    return write_pair(tmp_path_factory.mktemp("pair"), ground=Texture(7), hr_size=SIZE)


# What agrees with the pair


@pytest.mark.parametrize("ratio", [2.0, 3.3, 4.0])
@pytest.mark.parametrize("hr_transform", [NORTH_UP, SOUTH_UP, ROTATED], ids=["north-up", "south-up", "rotated"])
def test_the_truth_agrees_with_its_pair(hr_transform: Affine, ratio: float, tmp_path: Path) -> None:
    lr, hr, truth = write_pair(tmp_path, ground=Texture(7), hr_size=SIZE, hr_transform=hr_transform, ratio=ratio)
    fused = written(tmp_path, truth, transform=hr_transform)
    scores = score_without_reference(fused, lr, hr, TOLD)
    assert scores.lr_rmse < NEARLY * truth.std()
    assert scores.msi_rmse < 1e-3 * truth.std()
    assert scores.msi_cc > 0.99999
    assert scores.d_s < 0.03
    assert scores.qnr == pytest.approx((1 - scores.d_lambda) * (1 - scores.d_s))


def test_grids_that_are_turned_against_each_other_are_compared_in_place(tmp_path: Path) -> None:
    lr_transform = NORTH_UP @ Affine.translation(50, 5) @ Affine.rotation(30) @ Affine.scale(4)
    lr, hr, truth = write_pair(tmp_path, ground=Texture(7), hr_size=SIZE, lr_transform=lr_transform, lr_size=(20, 20))
    scores = score_without_reference(written(tmp_path, truth), lr, hr, TOLD)
    assert scores.lr_pixels > 100
    assert scores.lr_rmse < NEARLY * truth.std()


def test_interpolation_agrees_less(pair, tmp_path: Path) -> None:
    lr, hr, truth = pair
    blurred = fuse_scene(lr, hr, tmp_path / "fused.tif", FuseSettings(method=Method.BICUBIC)).scene.path
    poor = score_without_reference(blurred, lr, hr, TOLD)
    good = score_without_reference(written(tmp_path, truth, name="truth.tif"), lr, hr, TOLD)
    assert poor.d_s > 2 * good.d_s
    assert poor.lr_rmse > 10 * good.lr_rmse
    assert poor.msi_rmse > 10 * good.msi_rmse
    assert poor.qnr < good.qnr


def test_an_error_is_told_in_its_band_and_in_its_size(pair, tmp_path: Path) -> None:
    lr, hr, truth = pair
    off = truth + np.array([0, 0, 0.25, 0, 0, 0, 0], dtype=np.float32)[:, None, None]
    scores = score_without_reference(written(tmp_path, off), lr, hr, TOLD)
    rmse = [band.rmse for band in scores.lr_per_band]
    assert rmse[2] == pytest.approx(0.25, rel=1e-3)
    assert max(rmse[:2] + rmse[3:]) < 1e-3
    assert scores.lr_rmse == pytest.approx(0.25 / np.sqrt(7), rel=1e-3)


def test_pixels_that_see_beyond_the_fused_scene_are_not_scored(pair, tmp_path: Path) -> None:
    lr, hr, truth = pair
    scores = score_without_reference(written(tmp_path, truth), lr, hr, TOLD)
    # Of 25 x 29 the outermost lie 2 and 3 HR pixels from the border: 84 % and 93 % of their blur are inside.
    assert scores.lr_pixels == 23 * 27
    assert scores.pixels == SIZE[0] * SIZE[1]


# The operator


def test_blur_and_shift_are_found_from_the_pair(tmp_path: Path) -> None:
    shown = {"ground": Texture(7), "hr_size": (133, 149), "snr_db": (45, 50), "displaced": (0.4, -0.25), "mtf": 0.2}
    lr, hr, truth = write_pair(tmp_path, **shown)
    scores = score_without_reference(written(tmp_path, truth), lr, hr, MetricsSettings())
    assert scores.operator.source == "found"
    assert scores.operator.mtf_at_nyquist == pytest.approx((0.2, 0.2), abs=0.03)
    assert scores.operator.shift_lr_pixels == pytest.approx((0.4, -0.25), abs=0.03)
    noise = 0.4 * 10 ** (-45 / 20)
    assert scores.lr_rmse == pytest.approx(noise, rel=0.2)


def test_a_blur_that_is_told_is_taken(pair, tmp_path: Path) -> None:
    lr, hr, truth = pair
    fused = written(tmp_path, truth)
    wrong = score_without_reference(fused, lr, hr, MetricsSettings(mtf_at_nyquist=0.8))
    assert wrong.operator.source == "given"
    assert wrong.operator.mtf_at_nyquist == pytest.approx((0.8, 0.8))
    assert wrong.lr_rmse > 10 * score_without_reference(fused, lr, hr, TOLD).lr_rmse


def test_the_truth_is_as_far_from_the_lr_hsi_as_its_noise(tmp_path: Path) -> None:
    lr, hr, truth = write_pair(tmp_path, bands=30, ground=Texture(30), hr_size=SIZE, snr_db=(35, 60))
    fused = written(tmp_path, truth)
    scores = score_without_reference(fused, lr, hr, TOLD)
    assert scores.lr_rmse_over_noise == pytest.approx(1, abs=0.1)
    noise = np.array([band.noise for band in scores.lr_per_band])
    signal = np.sqrt(np.square(truth).mean(axis=(1, 2)))
    np.testing.assert_allclose(noise, signal * 10 ** (-35 / 20), rtol=0.2)


# Streaming


def test_scores_do_not_depend_on_the_blocks(pair, tmp_path: Path) -> None:
    lr, hr, truth = pair
    holes = truth + 0.02 * np.random.default_rng(0).normal(size=truth.shape).astype(np.float32)
    holes[:, 40:47, 60:75] = np.nan
    fused = written(tmp_path, holes)
    whole = score_without_reference(fused, lr, hr, TOLD)
    small = replace(TOLD, block_size=32, block_bytes=4 * 7 * 60 * 60)
    stages = []
    parts = score_without_reference(fused, lr, hr, small, progress=lambda *step: stages.append(step))
    assert stages[-1] == ("comparing with the HR-MSI", 16, 16)
    assert ("comparing with the LR-HSI", 16, 16) in stages
    np.testing.assert_allclose(numbers(parts), numbers(whole), rtol=1e-4)  # float32 products differ by their sizes
    assert parts.pixels == whole.pixels == SIZE[0] * SIZE[1] - 7 * 15
    assert parts.lr_pixels == whole.lr_pixels


class Recorder:
    """How often each pixel was shown, and how often with values."""

    def begin(self, lr_grid, hr_grid) -> None:
        self.grids = lr_grid, hr_grid
        self.shown = [np.zeros((grid.height, grid.width), dtype=int) for grid in self.grids]
        self.scored = [0, 0]

    def _add(self, level, made, measured, window) -> None:
        assert made.shape == measured.shape == (len(made), window.height, window.width)
        np.testing.assert_array_equal(np.isnan(made), np.isnan(measured))
        self.shown[level][window.slices] += 1
        self.scored[level] += int(np.isfinite(made[0]).sum())

    def add_lr(self, degraded, lr_hsi, window) -> None:
        self._add(0, degraded, lr_hsi, window)

    def add_hr(self, projected, hr_msi, window) -> None:
        self._add(1, projected, hr_msi, window)


def test_observers_are_shown_every_pixel_once(pair, tmp_path: Path) -> None:
    lr, hr, truth = pair
    recorder = Recorder()
    fused = written(tmp_path, truth[:, 8:, 4:], transform=NORTH_UP @ Affine.translation(4, 8))
    scores = score_without_reference(fused, lr, hr, replace(TOLD, block_size=32), observers=[recorder])
    assert all((counts == 1).all() for counts in recorder.shown)
    assert recorder.scored == [scores.lr_pixels, scores.pixels]
    assert recorder.grids[1].transform == NORTH_UP @ Affine.translation(4, 8)
    assert recorder.grids[0].gsd == (40, 40)


def test_maps_hold_what_the_scores_are_means_of(pair, tmp_path: Path) -> None:
    lr, hr, truth = pair
    noisy = truth + 0.02 * np.random.default_rng(0).normal(size=truth.shape).astype(np.float32)
    maps = ConsistencyMaps()
    scores = score_without_reference(written(tmp_path, noisy), lr, hr, TOLD, observers=[maps])
    assert np.nanmean(maps.lr_sam) == pytest.approx(scores.lr_sam, rel=1e-5)
    assert np.sqrt(np.nanmean(np.square(maps.lr_rmse))) == pytest.approx(scores.lr_rmse, rel=1e-5)
    assert np.sqrt(np.nanmean(np.square(maps.msi_rmse))) == pytest.approx(scores.msi_rmse, rel=1e-5)


# Grids, bands and nodata


def test_a_crop_is_scored_on_its_place(pair, tmp_path: Path) -> None:
    lr, hr, truth = pair
    place = NORTH_UP @ Affine.translation(13, 7)
    crop = written(tmp_path, truth[:, 7:90, 13:110], transform=place)
    scores = score_without_reference(crop, lr, hr, TOLD)
    assert scores.pixels == 83 * 97
    assert scores.lr_rmse < NEARLY * truth.std()
    assert scores.msi_rmse < 1e-3 * truth.std()


def test_a_border_is_cut(pair, tmp_path: Path) -> None:
    lr, hr, truth = pair
    fused = written(tmp_path, truth)
    crop = written(tmp_path, truth[:, 8:-8, 8:-8], transform=NORTH_UP @ Affine.translation(8, 8), name="crop.tif")
    bordered = score_without_reference(fused, lr, hr, replace(TOLD, border=8))
    np.testing.assert_allclose(numbers(bordered), numbers(score_without_reference(crop, lr, hr, TOLD)), rtol=1e-6)


def test_nodata_of_any_scene_is_left_out(tmp_path: Path) -> None:
    def spoil(lr_hsi, hr_msi) -> None:
        lr_hsi[2, 4, 5] = NODATA
        hr_msi[1, 50, 60] = NODATA

    lr, hr, truth = write_pair(tmp_path, ground=Texture(7), hr_size=SIZE, spoil=spoil)
    whole = score_without_reference(written(tmp_path, truth), lr, hr, TOLD)
    truth[:, 80:84, 80:84] = np.nan
    holed = score_without_reference(written(tmp_path, truth, name="holed.tif"), lr, hr, TOLD)
    assert whole.pixels == SIZE[0] * SIZE[1] - 1
    assert holed.pixels == whole.pixels - 16
    assert holed.lr_pixels < whole.lr_pixels
    assert holed.lr_rmse < NEARLY * np.nanstd(truth)


@pytest.mark.parametrize("where", ["lr", "fused"])
def test_a_band_without_data_does_not_count(where: str, tmp_path: Path) -> None:
    def spoil(lr_hsi, _hr_msi) -> None:
        if where == "lr":
            lr_hsi[3] = NODATA

    lr, hr, truth = write_pair(tmp_path, ground=Texture(7), hr_size=SIZE, spoil=spoil)
    if where == "fused":
        truth[3] = np.nan
    scores = score_without_reference(written(tmp_path, truth), lr, hr, TOLD)
    assert (scores.bands, scores.excluded_bands) == (6, (4,))
    assert [band.band for band in scores.lr_per_band] == [1, 2, 3, 5, 6, 7]
    assert scores.lr_rmse < NEARLY * np.nanstd(truth)


def test_scenes_without_georeference_are_laid_on_one_corner(tmp_path: Path) -> None:
    truth = Texture(7).seen(NORTH_UP, 100, 116)
    source = write_scene(tmp_path / "scene.tif", truth)
    simulate_scene(source, tmp_path / "pair", SimulateSettings(ratio=4, srf="boxes:3"))
    bare = []
    for name in ("lr_hsi", "hr_msi", "reference"):
        with rasterio.open(tmp_path / "pair" / f"{name}.tif") as dataset:
            bare.append(write_scene(tmp_path / f"{name}.tif", dataset.read(), transform=None, crs=None))
    scores = score_without_reference(bare[2], bare[0], bare[1], TOLD)
    assert scores.lr_rmse < NEARLY * truth.std()
    assert scores.msi_rmse < 1e-5


def test_one_band_of_each_is_scored(tmp_path: Path) -> None:
    lr, hr, truth = write_pair(tmp_path, ground=Texture(1), bands=1, msi=1, hr_size=SIZE)
    scores = score_without_reference(written(tmp_path, truth), lr, hr, TOLD)
    assert scores.d_lambda == 0
    assert scores.msi_cc > 0.9999


def test_other_bands_are_refused(pair, tmp_path: Path) -> None:
    lr, hr, truth = pair
    with pytest.raises(BandsError, match=r"fused\.tif: 6 bands, but .*lr\.tif has 7; a fused scene and its LR-HSI"):
        score_without_reference(written(tmp_path, truth[:6]), lr, hr, TOLD)


def test_other_pixels_are_refused(pair, tmp_path: Path) -> None:
    lr, hr, truth = pair
    fused = written(tmp_path, truth, transform=NORTH_UP @ Affine.translation(0.5, 0))
    with pytest.raises(GridError, match=r"fused\.tif: its pixels do not coincide with those of .*hr\.tif.*HR-MSI's"):
        score_without_reference(fused, lr, hr, TOLD)


def test_another_place_is_refused(pair, tmp_path: Path) -> None:
    lr, hr, truth = pair
    fused = written(tmp_path, truth, transform=NORTH_UP @ Affine.translation(500, 0))
    with pytest.raises(GridError, match=r"fused\.tif: does not overlap .*hr\.tif; is this its HR-MSI\?"):
        score_without_reference(fused, lr, hr, TOLD)


def test_another_crs_is_refused(pair, tmp_path: Path) -> None:
    lr, hr, truth = pair
    fused = written(tmp_path, truth, crs="EPSG:32632")
    with pytest.raises(GridError, match=r"fused\.tif: its CRS \(32632\) .*fuse in the HR-MSI's CRS"):
        score_without_reference(fused, lr, hr, TOLD)


@pytest.mark.parametrize("kept", [0, 3])
def test_a_scene_without_enough_data_is_refused(kept: int, pair, tmp_path: Path) -> None:
    lr, hr, truth = pair
    little = np.full_like(truth, np.nan)
    little[:, :kept, :kept] = truth[:, :kept, :kept]
    with pytest.raises(SceneReadError, match=r"fused\.tif: no LR pixel is valid in all bands here, in .*lr\.tif"):
        score_without_reference(written(tmp_path, little), lr, hr, TOLD)


# Real scenes


def test_fusion_of_a_real_scene_scores_better_than_interpolation(real_data: Path, tmp_path: Path) -> None:
    cube = real_scene(real_data, "abu-airport-2", ratio=4)[::8]
    wavelengths = np.linspace(400, 2450, len(cube)).tolist()
    source = write_scene(tmp_path / "scene.tif", cube, wavelengths=wavelengths)
    simulate_scene(source, tmp_path / "pair", SimulateSettings(ratio=4, hsi_snr_db=35, msi_snr_db=40))
    lr, hr = tmp_path / "pair" / "lr_hsi.tif", tmp_path / "pair" / "hr_msi.tif"
    found = {}
    for method in (Method.BICUBIC, Method.REGRESSION, Method.KRIGING):
        settings = FuseSettings(method=method, align=Align.NONE)
        fused = fuse_scene(lr, hr, tmp_path / f"{method.value}.tif", settings).scene.path
        found[method] = score_without_reference(fused, lr, hr, MetricsSettings())
    for method in (Method.REGRESSION, Method.KRIGING):
        for score in ("d_s", "lr_rmse", "msi_rmse"):
            assert getattr(found[method], score) < 0.4 * getattr(found[Method.BICUBIC], score), score
        assert found[method].qnr > found[Method.BICUBIC].qnr + 0.05
