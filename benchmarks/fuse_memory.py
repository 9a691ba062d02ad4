"""Peak memory of `pifnet fuse` against the size of the scene: it must not grow.

python benchmarks/fuse_memory.py [--checkpoint MODEL]

Generates pairs of 64 + 4 bands on disk, x4, fuses each in a process of its own, and prints the peak resident set and
its ratio to that of the smallest scene. Needs about 3 GB of disk.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.windows import Window

SIZES = ((1024, 1024), (4096, 4096), (512, 16384))
BANDS, MSI_BANDS, RATIO, BLOCK = 64, 4, 4, 512
CORNER = Affine(10, 0, 365000, 0, -10, 5807000)

MEASURE = """
import json, resource, sys, time
from pifnet_cli.app import main
start = time.perf_counter()
try:
    main()
except SystemExit as end:
    if end.code:
        raise
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
sys.stderr.write(json.dumps({"peak_mib": peak, "seconds": time.perf_counter() - start}))
"""


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--checkpoint", help="a network for 64 + 4 bands; the regression anchor without one")
    checkpoint = parser.parse_args().checkpoint
    how = ["--checkpoint", checkpoint] if checkpoint else ["--method", "regression"]
    first = None
    for height, width in SIZES:
        with tempfile.TemporaryDirectory(dir=Path.cwd()) as name:
            folder = Path(name)
            lr, hr = _write_pair(folder, height, width)
            words = ["fuse", lr, hr, "-o", folder / "out.tif", "-q", *how]
            run = subprocess.run([sys.executable, "-c", MEASURE, *words], check=True, capture_output=True, text=True)
            result = json.loads(run.stderr)
        first = first or result["peak_mib"]
        pixels = height * width * BANDS / result["seconds"] / 1e6
        print(
            f"{height:6d} x {width:6d} x {BANDS}: peak {result['peak_mib']:7.1f} MiB, "
            f"{result['peak_mib'] / first:5.3f} of the first; {result['seconds']:6.1f} s, {pixels:6.1f} M values/s"
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
