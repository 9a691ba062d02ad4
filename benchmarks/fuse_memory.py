"""Peak memory of `pifnet fuse` against the size of the scene: it must not grow.

python benchmarks/fuse_memory.py [--methods regression gsa kriging ...] [--checkpoint MODEL]

Generates pairs of 64 + 4 bands on disk, x4, fuses each in a process of its own, and prints the peak resident set and
its ratio to that of the smallest scene. Needs about 3 GB of disk. Networks and methods that solve equations are
measured on smaller scenes, for their time; the smallest still has several tiles.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from measured import pifnet
from rasterio.windows import Window

QUICK = "regression", "gsa", "glp", "sfim", "brovey", "bicubic"
SLOW = "kriging", "atprk", "cnmf", "hysure"
SIZES, SMALL_SIZES = ((1024, 1024), (4096, 4096), (512, 16384)), ((768, 768), (1536, 1536), (512, 4096))
BANDS, MSI_BANDS, RATIO, BLOCK = 64, 4, 4, 512
CORNER = Affine(10, 0, 365000, 0, -10, 5807000)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--methods", nargs="+", choices=[*QUICK, *SLOW], default=["regression"])
    parser.add_argument("--checkpoint", help="a network for 64 + 4 bands, instead of methods")
    parser.add_argument("--scratch", type=Path, default=Path.cwd(), help="folder for temporary files")
    words = parser.parse_args()
    methods = [words.checkpoint] if words.checkpoint else words.methods
    for sizes in (SIZES, SMALL_SIZES):
        chosen = [name for name in methods if (name in QUICK) == (sizes is SIZES)]
        if chosen:
            measure(chosen, sizes, words.scratch)


def measure(methods: list[str], sizes: tuple[tuple[int, int], ...], scratch: Path) -> None:
    """Fuse a pair of each size by each method."""
    first: dict[str, float] = {}
    for height, width in sizes:
        with tempfile.TemporaryDirectory(dir=scratch) as name:
            folder = Path(name)
            lr, hr = _write_pair(folder, height, width)
            for method in methods:
                how = ("--method", method) if method in (*QUICK, *SLOW) else ("--checkpoint", method)
                run = pifnet("fuse", lr, hr, "-o", folder / "out.tif", "-q", "--overwrite", *how)
                share = run.peak_mib / first.setdefault(method, run.peak_mib)
                rate = height * width * BANDS / run.seconds / 1e6
                print(
                    f"{method}, {height:5d} x {width:5d} x {BANDS}: peak {run.peak_mib:7.1f} MiB, {share:5.3f} of the "
                    f"first; {run.seconds:6.1f} s, {rate:6.1f} M values/s",
                    flush=True,
                )


def _write_pair(folder: Path, height: int, width: int) -> tuple[Path, Path]:
    lr, hr = folder / "lr.tif", folder / "hr.tif"
    started = time.perf_counter()
    _write(lr, height // RATIO, width // RATIO, count=BANDS, transform=CORNER @ Affine.scale(RATIO))
    _write(hr, height, width, count=MSI_BANDS, transform=CORNER)
    print(f"  generated in {time.perf_counter() - started:.0f} s", file=sys.stderr)
    return lr, hr


def _write(path: Path, height: int, width: int, *, count: int, transform: Affine) -> None:
    """Noise over a gradient, block by block."""
    rng = np.random.default_rng(0)
    profile = {
        "driver": "GTiff", "height": height, "width": width, "count": count, "dtype": "int16", "crs": "EPSG:32633",
        "transform": transform, "tiled": True, "blockxsize": 256, "blockysize": 256, "interleave": "band",
    }  # fmt: skip
    with rasterio.Env(GDAL_CACHEMAX=64), rasterio.open(path, "w", **profile) as dataset:
        for row in range(0, height, BLOCK):
            for column in range(0, width, BLOCK):
                size = min(BLOCK, height - row), min(BLOCK, width - column)
                pixels = rng.integers(500, 4000, (count, *size), dtype=np.int16)
                dataset.write(pixels, window=Window(column, row, size[1], size[0]))


if __name__ == "__main__":
    main()
