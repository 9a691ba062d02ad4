"""A pair without georeferencing, before and after `--align affine`: a picture to look at, and figures.

python benchmarks/pavia_alignment.py DATA -o PICTURE.png

DATA is `reg_pavia_dataset.mat`, or the folder of real scenes. The picture has six fields on one part of the HR-MSI: the
HR-MSI; the LR-HSI where a shared upper left corner and the ratios of the sizes would put it; the LR-HSI where it is
found to lie; the fused scene; the HR-MSI in a checkerboard with the LR-HSI as put naively, and with the fused scene.
Nothing else is written.

Prints the correlation of each colour of the HR-MSI with the mean of the bands there, naive and registered, and what was
found beside what was published.
"""

import argparse
import tempfile
import warnings
from pathlib import Path

import numpy as np
import rasterio
import scipy.io
from affine import Affine
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Align
from pifnet_cli.pair.resample import CubicResampler
from pifnet_cli.scene import Positions
from pifnet_cli.settings import FuseSettings
from pifnet_cli.workflows.estimate import estimate_scene_pair
from pifnet_cli.workflows.fuse import fuse_scene

NAME = "pavia_university_simulated/reg_pavia_dataset.mat"
COLOURS_NM = (600, 700), (500, 600), (430, 500)  # roughly those of red, green and blue
SQUARE = 24  # HR pixels along a square of the checkerboard
GAP = 6  # pixels between fields

Image = NDArray[np.float32]


def main() -> None:
    """Register, fuse, draw, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True, help="PNG")
    words = parser.parse_args()
    file = words.data if words.data.is_file() else words.data / NAME
    found = scipy.io.loadmat(file)
    lr_hsi, rgb = (found[name].transpose(2, 0, 1).astype(np.float32) for name in ("I1", "rgb1"))
    wavelengths_nm = found["wl"].ravel() * 1000
    warnings.simplefilter("ignore", NotGeoreferencedWarning)  # it is what this is about
    with tempfile.TemporaryDirectory() as name:
        pair = [write(Path(name) / f"{each}.tif", pixels) for each, pixels in (("lr", lr_hsi), ("hr", rgb))]
        affine = estimate_scene_pair(*pair, Align.AFFINE).record()["affine"]
        placed, part = fused(pair, Path(name) / "placed.tif", Method.BICUBIC)
        best, _ = fused(pair, Path(name) / "fused.tif", None)
    naive = naively_placed(lr_hsi, rgb.shape[1:])[:, *part]
    seen = rgb[:, *part]
    for title, image in (("naive", naive), ("placed", placed), ("fused", best)):
        figures = ", ".join(f"{value:.4f}" for value in correlations(image, seen, wavelengths_nm))
        print(f"{title}: correlation with the HR-MSI's red, green, blue {figures}")
    print(f"found {affine}; published: sides {found['s'].ravel()}, {found['T'].tolist()}")
    draw(words.output, seen, *(colours(image, wavelengths_nm) for image in (naive, placed, best)))


def write(path: Path, pixels: Image) -> Path:
    """A GeoTIFF that says nothing of where it lies."""
    bands, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": bands, "height": height, "width": width, "dtype": "float32"}
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(pixels)
    return path


def fused(pair: list[Path], output: Path, method: Method | None) -> tuple[Image, tuple[slice, slice]]:
    """(C, h, w), NaN outside of the LR-HSI, and the part of the HR-MSI that it covers."""
    fuse_scene(*pair, output, FuseSettings(method=method, align=Align.AFFINE))
    with rasterio.open(output) as dataset:
        row, column = round(dataset.transform.f), round(dataset.transform.c)
        part = slice(row, row + dataset.height), slice(column, column + dataset.width)
        return dataset.read(masked=True).filled(np.nan), part


def naively_placed(lr_hsi: Image, hr_size: tuple[int, ...]) -> Image:
    """(C, H, W): corners taken to coincide, and the ratio to be that of the sizes, axis by axis."""
    height, width = lr_hsi.shape[1:]
    stretch = ~Affine.scale(hr_size[1] / width, hr_size[0] / height)
    rows, columns = (np.arange(side) + 0.5 for side in hr_size)
    positions = Positions(stretch.e * rows - 0.5, stretch.a * columns - 0.5)
    return CubicResampler(positions, height=height, width=width, reach=1.0)(lr_hsi)


def colours(image: Image, wavelengths_nm: NDArray[np.float64]) -> Image:
    """(C, H, W) -> (3, H, W): means over the bands of red, green and blue."""
    return np.stack([image[(wavelengths_nm >= low) & (wavelengths_nm < high)].mean(axis=0) for low, high in COLOURS_NM])


def correlations(image: Image, rgb: Image, wavelengths_nm: NDArray[np.float64]) -> list[float]:
    """Of each colour with the HR-MSI's, where the image is valid."""
    valid = np.isfinite(image).all(axis=0)
    both = zip(colours(image, wavelengths_nm), rgb, strict=True)
    return [float(np.corrcoef(ours[valid], theirs[valid])[0, 1]) for ours, theirs in both]


def draw(output: Path, rgb: Image, naive: Image, placed: Image, best: Image) -> None:
    """Six fields, two rows of three."""
    shown = [stretched(image) for image in (rgb, naive, placed, best)]
    height, width = rgb.shape[1:]
    rows, columns = np.indices((height, width)) // SQUARE
    is_other = (rows + columns) % 2 == 1
    mixed = [np.where(is_other, image, shown[0]) for image in (shown[1], shown[3])]
    fields = [shown[0], shown[1], shown[2], shown[3], *mixed]
    canvas = np.full((3, 2 * height + GAP, 3 * width + 2 * GAP), 255, dtype=np.uint8)
    for index, field in enumerate(fields):
        row, column = (height + GAP) * (index // 3), (width + GAP) * (index % 3)
        canvas[:, row : row + height, column : column + width] = field
    with rasterio.open(output, "w", driver="PNG", count=3, height=canvas.shape[1], width=canvas.shape[2],
                       dtype="uint8") as dataset:  # fmt: skip
        dataset.write(canvas)
    print(f"{output}: HR-MSI, naive, placed / fused, HR-MSI with naive, HR-MSI with fused")


def stretched(image: Image) -> NDArray[np.uint8]:
    """(3, H, W) between its 2nd and 98th percentiles, invalid pixels grey."""
    low, high = (np.nanpercentile(image, part, axis=(1, 2), keepdims=True) for part in (2, 98))
    scaled = np.clip((image - low) / (high - low), 0, 1)
    return np.where(np.isfinite(image), 255 * np.nan_to_num(scaled), 128).astype(np.uint8)


if __name__ == "__main__":
    main()
