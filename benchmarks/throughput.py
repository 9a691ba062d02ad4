"""How fast are GSA and regression beside a plain copy? `pifnet fuse` against `gdal_translate`, in one run.

python benchmarks/throughput.py [--size 4096 4096] [--bands 100] [--rounds 2] [--scratch FOLDER]

Generates a pair of --bands + 4 bands, x4, uint16: smooth spectra, abundances with detail at every scale, noise of some
38 dB, so that it compresses as reflectance does. Fuses it by every method, and copies the first result, of the same
size and format, with the same creation options. Methods and copy take turns; the least time of each counts, from the
start of a process to its end (`fuse` waits until the disk has its output, the copy does not; what it then still takes
is printed). Processor time is printed besides: on a busy machine it is the fairer one, on a quiet one it does not see
what two cores do at once. At 4096 x 4096 x 100 it needs 10 GB of disk.
"""

import argparse
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import rasterio
import rasterio.shutil
from affine import Affine
from measured import pifnet
from numpy.typing import NDArray
from rasterio.windows import Window

RATIO, MSI_BANDS, BLOCK, MATERIALS = 4, 4, 512, 8
CORNER = Affine(10, 0, 365000, 0, -10, 5807000)
CELLS = 512, 128, 32, 8, 2  # HR pixels between the nodes of each octave
NOISE = 25.0, 10.0  # standard deviation in stored units, HSI and MSI
WANTED = 0.5  # of the copy's throughput

Floats = NDArray[np.float32]


def main() -> None:
    """Generate, take turns, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", nargs=2, type=int, default=(4096, 4096), metavar=("HEIGHT", "WIDTH"))
    parser.add_argument("--bands", type=int, default=100)
    parser.add_argument("--methods", nargs="+", default=["gsa", "regression"])
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--scratch", type=Path, help="folder on the disk to be measured")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=words.scratch) as name:
        folder = Path(name)
        start = time.perf_counter()
        write_pair(folder, *words.size, bands=words.bands)
        print(f"generated in {time.perf_counter() - start:.0f} s")
        measure(folder, words.methods, words.rounds)


def measure(folder: Path, methods: list[str], rounds: int) -> None:
    """Take turns and print times, and every method's throughput over the copy's."""
    copy = _copier()
    times: dict[str, list[Times]] = {name: [] for name in ("copy", *methods)}
    peaks: dict[str, float] = {}
    source = folder / f"{methods[0]}.tif"
    for _ in range(rounds):
        for method in methods:
            times[method].append(_timed(partial(_fuse, folder, method, peaks)))
        times["copy"].append(_timed(partial(copy, source, folder / "copy.tif")))
        for name, found in times.items():
            print(f"  {name}: {found[-1].wall:.2f} s, processor {found[-1].processor:.2f} s", flush=True)
        print(f"  flushing the copy to the disk: {_flushed(folder / 'copy.tif'):.2f} s")
    with rasterio.open(source) as dataset:
        values, raw = dataset.count * dataset.height * dataset.width, np.dtype(dataset.dtypes[0]).itemsize
        print(f"output {dataset.count} x {dataset.height} x {dataset.width} {dataset.dtypes[0]}, ", end="")
    print(f"{values * raw / 1e9:.2f} GB raw, {source.stat().st_size / (values * raw):.2f} of that in the file")
    least = {name: Times(*map(min, zip(*found, strict=True))) for name, found in times.items()}
    print(f"{copy.__name__[1:]}: {least['copy'].wall:.2f} s, {values / least['copy'].wall / 1e6:.1f} M values/s")
    for method in methods:
        share = least["copy"].wall / least[method].wall
        print(
            f"{method}: {least[method].wall:.2f} s, {values / least[method].wall / 1e6:.1f} M values/s, {share:.0%} of "
            f"the copy's throughput ({'enough' if share >= WANTED else f'less than {WANTED:.0%}'}; by processor time "
            f"{least['copy'].processor / least[method].processor:.0%}); peak {peaks[method]:.0f} MiB"
        )


class Times(NamedTuple):
    """Seconds of one process: by the clock, and of all its threads together."""

    wall: float
    processor: float


def _timed(action: Callable[[], object]) -> Times:
    """Begun when earlier writes are on the disk."""
    os.sync()
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    action()
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Times(wall, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)


def _flushed(path: Path) -> float:
    """Seconds until a file is on the disk."""
    start = time.perf_counter()
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return time.perf_counter() - start


def _fuse(folder: Path, method: str, peaks: dict[str, float]) -> None:
    """Fuse, and note the peak memory, MiB."""
    inputs, output = (folder / "lr.tif", folder / "hr.tif"), folder / f"{method}.tif"
    run = pifnet("fuse", *inputs, "-o", output, "--method", method, "-q", "--overwrite")
    peaks[method] = max(run.peak_mib, peaks.get(method, 0.0))


def _copier() -> Callable[[Path, Path], None]:
    """gdal_translate, or the same driver's copy through rasterio where there is none."""
    return _gdal_translate if shutil.which("gdal_translate") else _rasterio_copy


def _creation_options(source: Path) -> dict[str, str]:
    """Those that `pifnet fuse` wrote the file with."""
    with rasterio.open(source) as dataset:
        rows, columns = dataset.block_shapes[0]
    return {
        "TILED": "YES",
        "BLOCKXSIZE": str(columns),
        "BLOCKYSIZE": str(rows),
        "INTERLEAVE": "BAND",
        "COMPRESS": "ZSTD",
        "ZSTD_LEVEL": "1",
        "PREDICTOR": "2",
        "BIGTIFF": "IF_SAFER",
    }


def _gdal_translate(source: Path, target: Path) -> None:
    options = [word for name, value in _creation_options(source).items() for word in ("-co", f"{name}={value}")]
    subprocess.run(["gdal_translate", "-q", *options, str(source), str(target)], check=True)


def _rasterio_copy(source: Path, target: Path) -> None:
    rasterio.shutil.copy(source, target, driver="GTiff", **_creation_options(source))


def write_pair(folder: Path, height: int, width: int, *, bands: int) -> None:
    """lr.tif and hr.tif, written block by block."""
    rng = np.random.default_rng(0)
    spectra = _spectra(bands, rng)
    responses = np.array([run.mean(axis=0) for run in np.array_split(spectra, MSI_BANDS)])
    octaves = [_lattices(height, width, cell, rng) for cell in CELLS]
    low = {"height": height // RATIO, "width": width // RATIO, "transform": CORNER @ Affine.scale(RATIO)}
    with (
        rasterio.Env(GDAL_CACHEMAX=64),
        rasterio.open(folder / "lr.tif", "w", **_profile(bands), **low) as lr,
        rasterio.open(
            folder / "hr.tif", "w", **_profile(MSI_BANDS), height=height, width=width, transform=CORNER
        ) as hr,
    ):
        for row in range(0, height, BLOCK):
            for column in range(0, width, BLOCK):
                rows, columns = np.arange(row, min(row + BLOCK, height)), np.arange(column, min(column + BLOCK, width))
                shares = _abundances(octaves, rows, columns)
                coarse = shares.reshape(MATERIALS, len(rows) // RATIO, RATIO, len(columns) // RATIO, RATIO).mean((2, 4))
                lr.write(_stored(spectra, coarse, NOISE[0], rng), window=_window(row, column, coarse, RATIO))
                hr.write(_stored(responses, shares, NOISE[1], rng), window=_window(row, column, shares, 1))


def _profile(bands: int) -> dict[str, object]:
    return {
        "driver": "GTiff", "count": bands, "dtype": "uint16", "nodata": 65535, "crs": "EPSG:32633", "tiled": True,
        "blockxsize": 256, "blockysize": 256, "interleave": "band", "compress": "zstd", "predictor": 2,
    }  # fmt: skip


def _spectra(bands: int, rng: np.random.Generator) -> Floats:
    """(C, materials): smooth curves from 200 to some 4000 stored units."""
    steps = rng.normal(size=(bands + 40, MATERIALS)).cumsum(axis=0)
    smooth = np.apply_along_axis(lambda curve: np.convolve(curve, np.hanning(41) / 20, mode="valid"), 0, steps)[:bands]
    low, high = smooth.min(axis=0), smooth.max(axis=0)
    return (200 + 3800 * (smooth - low) / (high - low)).astype(np.float32)


def _lattices(height: int, width: int, cell: int, rng: np.random.Generator) -> tuple[int, Floats]:
    """An octave: its cell, and random nodes (materials, rows, columns) that amount to less the finer it is."""
    size = MATERIALS, height // cell + 2, width // cell + 2
    return cell, (rng.standard_normal(size, dtype=np.float32) * np.float32((cell / CELLS[0]) ** 0.4))


def _abundances(octaves: list[tuple[int, Floats]], rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Floats:
    """(materials, h, w), positive, sum 1."""
    total = np.zeros((MATERIALS, len(rows), len(columns)), dtype=np.float32)
    for cell, nodes in octaves:
        down, first_row = _interpolation(rows, cell)
        across, first_column = _interpolation(columns, cell)
        part = nodes[:, first_row : first_row + down.shape[1], first_column : first_column + across.shape[1]]
        total += down @ part @ across.T
    shares = np.exp(2 * total)
    return shares / shares.sum(axis=0)


def _interpolation(pixels: NDArray[np.intp], cell: int) -> tuple[Floats, int]:
    """Linear weights (n, nodes) of a run of pixels, and the first node."""
    first = int(pixels[0]) // cell
    count = int(pixels[-1]) // cell - first + 2
    distance = np.abs(pixels[:, None] / cell - first - np.arange(count))
    return np.maximum(1 - distance, 0).astype(np.float32), first


def _stored(spectra: Floats, shares: Floats, noise: float, rng: np.random.Generator) -> NDArray[np.uint16]:
    exact = (spectra @ shares.reshape(MATERIALS, -1)).reshape(len(spectra), *shares.shape[1:])
    exact += noise * rng.standard_normal(exact.shape, dtype=np.float32)
    return np.clip(np.rint(exact), 1, 60_000).astype(np.uint16)


def _window(row: int, column: int, image: Floats, ratio: int) -> Window:
    return Window(column // ratio, row // ratio, image.shape[2], image.shape[1])


if __name__ == "__main__":
    main()
