from pathlib import Path

import numpy as np
import pytest
import rasterio

from pifnet_cli.metrics.spectral_angle import spectral_angle_deg
from pifnet_cli.reports.comparison import DifferenceMap, PseudoColour, spectral_rmse
from pifnet_cli.reports.quicklook import MAP_COLOURS
from pifnet_cli.scene import Window

SHAPE = (7, 70, 40)


def read_png(path: Path) -> np.ndarray:
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(path) as dataset:
        return dataset.read()


def windows(height: int, width: int) -> list[Window]:
    return [Window(0, 0, 64, width), Window(64, 0, height - 64, width)]


def test_a_difference_map_is_bright_where_spectra_differ(tmp_path: Path) -> None:
    reference = np.ones(SHAPE, dtype=np.float32)
    fused = reference.copy()
    fused[:3, 40:] = 3.0  # a constant angle below row 40
    fused[5, 2, 2] = np.nan
    picture = DifferenceMap(
        tmp_path / "sam.png",
        quantity="spectral angle in degrees",
        difference=spectral_angle_deg,
        bands=tuple(range(7)),
        height=70,
        width=40,
    )
    for window in windows(70, 40):
        picture.add(fused[:, *window.slices], reference[:, *window.slices], window)
    angle = np.degrees(np.arccos((3 * 3 + 4) / np.sqrt(7 * (3 * 9 + 4))))
    assert picture.write() == f"spectral angle in degrees, 0 (dark) to {angle:.4g} (bright)"
    image = read_png(tmp_path / "sam.png")
    assert image[:3, 0, 0].tolist() == MAP_COLOURS[0].tolist()
    assert image[:3, 69, 39].tolist() == MAP_COLOURS[-1].tolist()
    assert image[3, 2, 2] == 0
    assert image[3].sum() == 255 * (70 * 40 - 1)


def test_bands_without_data_do_not_blank_a_map(tmp_path: Path) -> None:
    reference = np.ones(SHAPE, dtype=np.float32)
    reference[4] = np.nan
    picture = DifferenceMap(
        tmp_path / "e.png", quantity="error", difference=spectral_rmse, bands=(0, 1, 2, 3, 5, 6), height=70, width=40
    )
    picture.add(reference, reference, Window(0, 0, 70, 40))
    picture.write()
    assert read_png(tmp_path / "e.png")[3].min() == 255


def test_a_pseudo_colour_picture_shows_the_named_bands_of_both(tmp_path: Path) -> None:
    reference = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    picture = PseudoColour(tmp_path / "q.png", bands=(7, 4, 1), height=70, width=40)
    for window in windows(70, 40):
        picture.add(reference[:, *window.slices] * 0, reference[:, *window.slices], window)
    assert picture.write() == "fused left, reference right; bands 7, 4, 1"
    image = read_png(tmp_path / "q.png")
    assert image.shape == (4, 70, 88)
    assert image[:3, :, :40].max() == 0
    low, high = np.percentile(reference[6], (2, 98))
    expected = np.clip((reference[6] - low) / (high - low), 0, 1) * 255
    assert np.abs(image[0, :, 48:] - expected).max() <= 0.51


def test_spectral_rmse_is_a_mean_over_bands() -> None:
    assert spectral_rmse(np.array([[3.0], [0.0]]), np.array([[0.0], [0.0]])).tolist() == [np.sqrt(4.5)]
