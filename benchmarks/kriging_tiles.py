"""Guided kriging of scenes that are no multiple of a tile: time per pixel in tiles, beside one tile.

python benchmarks/kriging_tiles.py [--sides 256,272,320] [--ratio 4] [--bands 32]

Every scene is fused in tiles of the default size, and as one tile of 1024; the processor time of either, on one thread,
is divided by its pixels. Tiles may take 1.15 times as long, and give the same pixels.
"""

import argparse
import time

import numpy as np
from threadpoolctl import threadpool_limits

import pifnet_cli as pifnet
from pifnet_cli.degrade.psf import DEFAULT_MTF, gaussian_from_mtf
from pifnet_cli.degrade.sampling import PsfSampler
from pifnet_cli.scene import Pixels, Positions
from pifnet_cli.settings import FuseSettings

MSI_BANDS = 4
ONE_TILE = 1024
LIMIT = 1.15


def main() -> None:
    """A line per scene."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", default="256,272,320")
    parser.add_argument("--ratio", type=int, default=4)
    parser.add_argument("--bands", type=int, default=32)
    options = parser.parse_args()
    with threadpool_limits(1):
        fused(*pair(64, options.ratio, options.bands), options.ratio, FuseSettings.tile_size)  # compiles
        for side in map(int, options.sides.split(",")):
            scenes = pair(side, options.ratio, options.bands)
            tiled, seconds = fused(*scenes, options.ratio, FuseSettings.tile_size)
            whole, of_one = fused(*scenes, options.ratio, ONE_TILE)
            apart = np.abs(tiled - whole).max() / np.abs(whole).max()
            print(
                f"{side} x {side}: {seconds / side**2 * 1e6:5.1f} microseconds a pixel in tiles, "
                f"{of_one / side**2 * 1e6:5.1f} as one tile: {seconds / of_one:.2f} times (limit {LIMIT:g}), "
                f"pixels differ by {apart:.1e} of the peak",
                flush=True,
            )


def pair(side: int, ratio: int, bands: int) -> tuple[Pixels, Pixels]:
    """An LR-HSI and an HR-MSI of `side` x `side` pixels: three materials in a texture, and noise."""
    rng = np.random.default_rng(0)
    spectra, shares = rng.random((bands, 3)), rng.random((3, side, side)).cumsum(axis=1).cumsum(axis=2)
    truth = np.tensordot(spectra, np.sin(shares / 9) + 1.2, 1)
    hr_msi = np.stack([part.mean(axis=0) for part in np.array_split(truth, MSI_BANDS)])
    centres = np.arange((ratio - 1) / 2, side, ratio)
    psf = gaussian_from_mtf(DEFAULT_MTF, ratio_rows=ratio, ratio_columns=ratio)
    lr_hsi = PsfSampler(Positions(centres, centres), psf, height=side, width=side)(truth.astype(np.float32))
    noisy = (image + 0.01 * rng.standard_normal(image.shape) for image in (lr_hsi, hr_msi))
    first, second = (image.astype(np.float32) for image in noisy)
    return first, second


def fused(lr_hsi: Pixels, hr_msi: Pixels, ratio: int, tile_size: int) -> tuple[Pixels, float]:
    """The fused pixels, and the seconds of processor time that they took."""
    before = time.process_time()
    result = pifnet.fuse(
        lr_hsi, hr_msi, ratio=ratio, method="kriging", mtf=DEFAULT_MTF, align="none", tile_size=tile_size
    )
    return np.asarray(result.fused), time.process_time() - before


if __name__ == "__main__":
    main()
