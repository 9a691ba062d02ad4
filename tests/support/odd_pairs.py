"""Pairs as they come, what `pifnet fuse` makes of them, and how near that is to the truth.

One analytic ground of seven bands is seen by both sensors at a ratio of 4; every test spoils one thing about the pair.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray

from pifnet_cli.raster.gdal import gdal_session
from scenes import write_scene
from waves import GSD, NODATA, NORTH_UP, Ground, responses

BANDS, MSI, RATIO, SIZE = 7, 3, 4, (48, 60)
LR_AT = NORTH_UP @ Affine.scale(RATIO)
SIGMA = GSD * RATIO / np.pi * np.sqrt(-2 * np.log(0.3))  # metres, of a PSF of MTF 0.3
GROUND = Ground(BANDS)
TRUTH = GROUND.seen(NORTH_UP, *SIZE)
HR = np.einsum("mc,chw->mhw", responses(BANDS, MSI), TRUTH).astype(np.float32)
LR = GROUND.seen(LR_AT, 12, 15, sigma=SIGMA)
WELL = 0.005  # root mean square error of a pair that is fused well, in values of 0.1 to 0.9; interpolation: 0.013
ALIKE = 1e-4  # the same between results that should be one

TOLD = ("--mtf", "0.3", "--align", "none")  # such small scenes tell neither blur nor shift
REGRESSION, KRIGING, GSA, CNMF, BICUBIC = (
    (*TOLD, "--method", method) for method in ("regression", "kriging", "gsa", "cnmf", "bicubic")
)


def write_lr(folder: Path, pixels: NDArray = LR, *, name: str = "lr.tif", transform: Affine | None = LR_AT, **how):
    """The LR-HSI, as it should be but for what is said; `how` goes to `write_scene`."""
    return write_scene(folder / name, pixels, transform=transform, **how)


def write_hr(folder: Path, pixels: NDArray = HR, *, name: str = "hr.tif", transform: Affine | None = NORTH_UP, **how):
    """The HR-MSI likewise."""
    return write_scene(folder / name, pixels, transform=transform, **how)


def write_odd_pair(folder: Path, *, lr: dict | None = None, hr: dict | None = None) -> tuple[Path, Path]:
    """A pair in a folder, made where it is absent; `lr` and `hr` say what is odd about a scene."""
    folder.mkdir(exist_ok=True)
    return write_lr(folder, **(lr or {})), write_hr(folder, **(hr or {}))


def spoiled(image: NDArray, *index, value=NODATA) -> NDArray:
    """A copy with one value at the index."""
    copy = image.copy()
    copy[index] = value
    return copy


def ten_thousandths(dtype: str) -> NDArray:
    """The LR-HSI as whole numbers."""
    return np.rint(LR * 1e4).astype(dtype)


def refusal(pifnet: Callable, lr: Path, hr: Path, *options: str, code: int = 1) -> str:
    """Have a pair refused: the one line that is said. No file appears, whatever the folder held before."""
    before = sorted(hr.parent.iterdir())
    run = pifnet("fuse", lr, hr, "-o", hr.parent / "out.tif", "-q", *options)
    assert (run.code, run.err.count("\n"), run.out) == (code, 1, "")
    assert sorted(hr.parent.iterdir()) == before
    return run.err


@dataclass(frozen=True)
class Result:
    """What was written: `image` (C, H, W) in physical units, NaN where nodata; `told` is what stood on stderr."""

    image: NDArray
    transform: Affine
    dtype: str
    stored: NDArray
    tags: list[dict[str, str]]
    told: str

    @property
    def is_valid(self) -> NDArray[np.bool_]:
        """Of every value."""
        return np.isfinite(self.image)

    @property
    def wavelengths(self) -> list[float]:
        """As each band's tag tells."""
        return [float(tags["wavelength"]) for tags in self.tags]

    @property
    def good(self) -> str:
        """The bad-band list as a word of 0 and 1."""
        return "".join(tags["bbl"] for tags in self.tags)


def fused(pifnet: Callable, lr: Path, hr: Path, *options: str) -> Result:
    """Fuse a pair and read what was written beside it."""
    run = pifnet("fuse", lr, hr, "-o", hr.parent / "out.tif", *options)
    assert run.code == 0, run.err
    with gdal_session(), rasterio.open(hr.parent / "out.tif") as dataset:
        stored = dataset.read()
        scales, offsets = (np.array(numbers)[:, None, None] for numbers in (dataset.scales, dataset.offsets))
        image = np.where(np.isnan(stored) | (stored == dataset.nodata), np.nan, stored * scales + offsets)
        tags = [dataset.tags(band) for band in dataset.indexes]
        return Result(image, dataset.transform, dataset.dtypes[0], stored, tags, " ".join(run.err.split()))


def error(image: NDArray, truth: NDArray = TRUTH) -> float:
    """Root mean square over valid values."""
    return float(np.sqrt(np.nanmean(np.square(image - truth))))


def is_well(result: Result) -> bool:
    """Whole, and near to the truth."""
    return bool(result.is_valid.all()) and error(result.image) < WELL


def is_well_beside(result: Result, *index) -> bool:
    """Whole, and near to the truth in all that is not there, along one axis."""
    axis, places = next((axis, place) for axis, place in enumerate(index) if place != slice(None))
    rest = (np.delete(image, places, axis=axis) for image in (result.image, TRUTH))
    return bool(result.is_valid.all()) and error(*rest) < WELL


def is_well_but(result: Result, *index) -> bool:
    """Nodata there and nowhere else, and near to the truth."""
    expected = np.ones(TRUTH.shape, dtype=bool)
    expected[index] = False
    return np.array_equal(result.is_valid, expected) and error(result.image) < WELL


def is_like_plain(pifnet: Callable, result: Result, folder: Path, *options: str) -> bool:
    """Whole, and what a pair without anything odd becomes by these options; that pair is written to `folder`."""
    plain = fused(pifnet, *write_odd_pair(folder), *options)
    return bool(result.is_valid.all()) and error(result.image, plain.image) < ALIKE
