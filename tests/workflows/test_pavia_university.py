"""A published pair without georeferencing: the LR-HSI shows part of the HR-MSI, turned by ten degrees, at 4.5 x 4.4."""

import json

import numpy as np
import pytest
import rasterio
import scipy.io
from scipy import ndimage

from scenes import write_scene

PAIR = "pavia_university_simulated/reg_pavia_dataset.mat"
COLOURS_NM = (600, 700), (500, 600), (430, 500)  # roughly those of red, green and blue


@pytest.fixture(scope="module")
def pair(real_data, tmp_path_factory):
    """The pair as files, then what it holds."""
    found = scipy.io.loadmat(real_data / PAIR)
    folder = tmp_path_factory.mktemp("pavia")
    rgb = _bands_first(found["rgb1"])
    lr_hsi, wavelengths_nm = _bands_first(found["I1"]).astype(np.float32), found["wl"].ravel() * 1000
    lr = write_scene(folder / "lr.hdr", lr_hsi, transform=None, crs=None, wavelengths=wavelengths_nm)
    return lr, write_scene(folder / "hr.tif", rgb, transform=None, crs=None), found


def _bands_first(pixels):
    return pixels.transpose(2, 0, 1)


def _published_places(found):
    """Rows and columns of the LR pixels in the HR-MSI, (h, w) each: scaled, then turned and moved."""
    (a, b, c), (d, e, f), _ = found["T"]
    side_x, side_y = found["s"].ravel()
    height, width = found["I1"].shape[:2]
    x, y = np.meshgrid((np.arange(width) + 0.5) * side_x, (np.arange(height) + 0.5) * side_y)
    return d * x + e * y + f - 0.5, a * x + b * y + c - 0.5


def _fused(path):
    with rasterio.open(path) as dataset:
        row, column = round(dataset.transform.f), round(dataset.transform.c)
        return dataset.read(masked=True).filled(np.nan), slice(row, row + dataset.height), slice(
            column, column + dataset.width
        )  # fmt: skip


def _correlations(fused, rgb, wavelengths_nm):
    valid = np.isfinite(fused).all(axis=0)
    for band, (low, high) in zip(rgb, COLOURS_NM, strict=True):
        colour = fused[(wavelengths_nm >= low) & (wavelengths_nm < high)].mean(axis=0)
        yield np.corrcoef(colour[valid], band[valid])[0, 1]


@pytest.mark.slow
def test_the_pair_is_brought_together_and_fused(pifnet, pair, tmp_path):
    lr, hr, found = pair
    rgb, wavelengths_nm = _bands_first(found["rgb1"]), found["wl"].ravel() * 1000
    fused_path = tmp_path / "fused.tif"
    run = pifnet("fuse", lr, hr, "-o", fused_path, "--align", "affine", "--method", "bicubic", "--json")
    assert run.code == 0
    record = json.loads(run.out)
    assert record["rotation corrected"] == pytest.approx(10, abs=0.05)
    assert record["ratio"] == pytest.approx(np.sqrt(4.4 * 4.5), abs=0.005)
    fused, rows, columns = _fused(fused_path)
    # Interpolation takes nothing from the HR-MSI: what agrees with it does so because it lies where it should.
    there = rgb[:, rows, columns]
    assert min(_correlations(fused, there, wavelengths_nm)) > 0.85
    for down, right in ((0, 4), (4, 0), (0, -4), (-4, 0)):
        aside = np.roll(there, (down, right), axis=(1, 2))
        assert max(_correlations(fused, aside, wavelengths_nm)) < min(_correlations(fused, there, wavelengths_nm))
    at_rows, at_columns = _published_places(found)
    places = at_rows[2:-2, 2:-2] - rows.start, at_columns[2:-2, 2:-2] - columns.start
    for fused_band, lr_band in zip(fused[::20], _bands_first(found["I1"])[::20], strict=True):
        seen = ndimage.map_coordinates(np.nan_to_num(fused_band), places, order=1)
        assert np.corrcoef(seen.ravel(), lr_band[2:-2, 2:-2].ravel())[0, 1] > 0.99


@pytest.mark.slow
def test_the_estimate_is_the_published_geometry(pifnet, pair):
    lr, hr, *_ = pair
    run = pifnet("estimate", lr, hr, "--align", "affine", "--json")
    record = json.loads(run.out)
    assert record["affine"]["rotation_deg"] == pytest.approx(10, abs=0.05)
    assert record["affine"]["place_error_lr_pixels"] < 0.01
    assert record["shift_spread_lr_pixels"] < 0.05
    assert record["is_reliable"]


def test_without_it_the_pair_is_refused(pifnet, pair, tmp_path):
    lr, hr, *_ = pair
    run = pifnet("fuse", lr, hr, "-o", tmp_path / "fused.tif")
    assert (run.code, run.out) == (1, "")
    assert "let --align affine find how they lie" in run.err
