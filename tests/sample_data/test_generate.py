"""The sample scene and the generator behind it."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from generate import generate, landscape
from landscape.scene import generate_scene
from landscape.sensor import band_centres_nm
from pifnet_cli.choices import Overwrite

SAMPLE = Path(__file__).resolve().parents[2] / "sample_data"
WAVELENGTHS_NM = np.array([2200.0, 450.0, 550.0, 670.0, 850.0, 1240.0, 1650.0])  # in no order


def scene(seed: int, *, height: int = 40, width: int = 56, gsd_m: float = 10.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return generate_scene(rng, height=height, width=width, wavelengths_nm=WAVELENGTHS_NM, gsd_m=gsd_m)


@pytest.mark.parametrize("gsd_m", [1.0, 10.0, 60.0])
@pytest.mark.parametrize("seed", range(4))
def test_reflectance_lies_between_0_and_1(seed: int, gsd_m: float) -> None:
    pixels = scene(seed, gsd_m=gsd_m)
    assert pixels.shape == (7, 40, 56)
    assert pixels.dtype == np.float32
    assert np.isfinite(pixels).all()
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    assert (pixels.std(axis=(1, 2)) > 1e-3).all()


def test_the_same_seed_gives_the_same_pixels() -> None:
    assert np.array_equal(scene(3), scene(3))


def test_another_seed_gives_another_landscape() -> None:
    first, second = scene(3)[4].ravel(), scene(4)[4].ravel()
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.5


def test_bands_follow_the_order_of_the_wavelengths() -> None:
    order = np.argsort(WAVELENGTHS_NM)
    rng = np.random.default_rng(3)
    ordered = generate_scene(rng, height=40, width=56, wavelengths_nm=WAVELENGTHS_NM[order])
    assert np.allclose(ordered, scene(3)[order], atol=1e-5)  # float32 sums over other bands


def test_vegetation_shows_its_red_edge() -> None:
    pixels = scene(3, height=96, width=96)
    greenness = (pixels[4] - pixels[3]) / (pixels[4] + pixels[3])
    assert np.percentile(greenness, 90) > 0.6
    assert np.percentile(greenness, 2) < 0.35


def test_many_spectral_directions_matter() -> None:
    pixels = landscape(5, 1, size=96).reshape(80, -1)
    energy = np.linalg.eigvalsh(np.cov(pixels))[::-1]
    left = 1 - np.cumsum(energy) / energy.sum()
    assert 1e-3 < left[3] < 2e-2  # real AVIRIS crops: 2.6e-3 to 6.0e-3
    assert 1e-4 < left[9] < 2e-3  # 2.3e-4 to 6.0e-4


def test_four_boxes_leave_a_realistic_residual() -> None:
    pixels = landscape(5, 1, size=96).reshape(80, -1).astype(np.float64)
    boxes = np.stack([part.mean(axis=0) for part in np.array_split(pixels, 4)])
    design = np.vstack([boxes, np.ones(boxes.shape[1])]).T
    residual = pixels.T - design @ np.linalg.lstsq(design, pixels.T, rcond=None)[0]
    unexplained = (residual**2).sum() / ((pixels.T - pixels.mean(axis=1)) ** 2).sum()
    assert 3e-3 < unexplained < 3e-2  # real AVIRIS crops: 5e-3 to 14e-3


def test_training_scenes_never_show_the_sample() -> None:
    sample = landscape(22, 0, size=48)
    for number in (1, 2, 3):
        assert not np.allclose(sample, landscape(22, number, size=48), atol=0.01)


def test_files_come_with_georeference_and_wavelengths(tmp_path: Path) -> None:
    generate(tmp_path / "pair", tmp_path / "more", scenes=2, seed=9, size=48, overwrite=Overwrite.REFUSE)
    _assert_sample(tmp_path / "pair", size=48)
    assert sorted(path.name for path in (tmp_path / "more").iterdir()) == ["scene_0001.tif", "scene_0002.tif"]


@pytest.mark.skipif(not (SAMPLE / "lr.hdr").exists(), reason="the sample has not been generated yet")
def test_the_committed_sample_is_whole_and_small() -> None:
    _assert_sample(SAMPLE, size=162)
    assert sum(path.stat().st_size for path in SAMPLE.rglob("*") if path.suffix != ".pyc") < 6_000_000


@pytest.mark.skipif(not (SAMPLE / "lr.hdr").exists(), reason="the sample has not been generated yet")
def test_the_committed_sample_is_what_the_script_makes() -> None:
    with rasterio.open(SAMPLE / "reference.tif") as dataset:
        stored = dataset.read()
    differs = np.abs(stored - landscape(22, 0, size=162) / 1e-4).max(axis=0) > 1
    # Other processors round the last bit elsewhere, which can move a fine cell across an edge.
    assert differs.mean() < 1e-3


def _assert_sample(folder: Path, *, size: int) -> None:
    for name, bands, side, gsd in (
        ("lr.img", 80, size // 3, 30),
        ("hr.tif", 10, size, 10),
        ("reference.tif", 80, size, 10),
    ):
        with rasterio.open(folder / name) as dataset:
            assert dataset.crs.to_epsg() == 32632
            assert (dataset.count, dataset.height, dataset.width) == (bands, side, side)
            assert dataset.res == (gsd, gsd)
            assert dataset.dtypes[0] == "int16"
            assert dataset.scales[0] == pytest.approx(1e-4)
            assert dataset.bounds == pytest.approx((647310, 5338230 - 10 * size, 647310 + 10 * size, 5338230))
    with rasterio.open(folder / "reference.tif") as dataset:
        found = [float(dataset.tags(band)["wavelength"]) for band in dataset.indexes]
    assert found == band_centres_nm().tolist()
