"""How much do tiles show? A scene fused in tiles of 128 against the same scene fused whole.

python benchmarks/seams.py SCENE [CHECKPOINT ...]

The bundled checkpoint is used where none is named; the scene is degraded x3, with the noise of the sample.

Prints the largest and the rms difference, in units of the rms correction of the anchor and of the peak, and the
gradient across the edges of tile cores over the gradient elsewhere, divided by the same figure of the whole-image
result: 1 means that nothing in the picture tells where a tile ended.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Overwrite
from pifnet_cli.fusion.choose_method import BUNDLED
from pifnet_cli.settings import FuseSettings, SimulateSettings
from pifnet_cli.workflows.fuse import fuse_scene
from pifnet_cli.workflows.simulate import simulate_scene

TILES = ((128, 32, 0), (128, 32, 16), (128, 32, 32), (128, 0, 0))  # size, overlap, halo
WHOLE = 1024


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", type=Path, help="a reference scene, e.g. of sample_data/generate.py --size 384")
    parser.add_argument("checkpoints", nargs="*", type=Path)
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        simulate_scene(words.scene, folder / "pair", SimulateSettings(ratio=3, hsi_snr_db=35, msi_snr_db=40))
        anchor = fused(folder, Method.REGRESSION, None, (WHOLE, 0, 0))
        for checkpoint in words.checkpoints or sorted(BUNDLED.iterdir()):
            whole = fused(folder, None, checkpoint, (WHOLE, 0, 0))
            correction = float(np.sqrt(np.square(whole - anchor).mean()))
            print(f"{checkpoint}: rms correction of the anchor {correction:.2e}, peak {whole.max():.3f}")
            for tiles in TILES:
                compare(fused(folder, None, checkpoint, tiles), whole, tiles, correction)


def fused(folder: Path, method: Method | None, checkpoint: Path | None, tiles: tuple[int, int, int]) -> np.ndarray:
    """(C, H, W), float64."""
    size, overlap, halo = tiles
    settings = FuseSettings(
        method=method, tile_size=size, overlap=overlap, halo=halo, dtype="float32", overwrite=Overwrite.REPLACE
    )
    pair, output = folder / "pair", folder / "fused.tif"
    fuse_scene(pair / "lr_hsi.tif", pair / "hr_msi.tif", output, replace(settings, checkpoint=checkpoint))
    with rasterio.open(output) as dataset:
        return dataset.read().astype(np.float64)


def compare(tiled: np.ndarray, whole: np.ndarray, tiles: tuple[int, int, int], correction: float) -> None:
    """One line of figures."""
    size, overlap, halo = tiles
    difference = np.abs(tiled - whole)
    largest, rms = difference.max(), np.sqrt(np.square(difference).mean())
    seam = seam_ratio(tiled, size - overlap) / seam_ratio(whole, size - overlap)
    print(
        f"  tile {size}, overlap {overlap:2d}, halo {halo:2d}: max {largest / correction:8.4f} corrections "
        f"({largest / whole.max():.2e} of the peak), rms {rms / correction:.5f}, "
        f"seam gradient {seam:.5f}"
    )


def seam_ratio(image: np.ndarray, stride: int) -> float:
    """Mean gradient across the edges of cores over the mean gradient elsewhere, rows and columns together."""
    at, elsewhere = [], []
    for axis in (1, 2):
        steps = np.abs(np.diff(image, axis=axis))
        is_edge = np.arange(1, image.shape[axis]) % stride == 0
        at.append(np.compress(is_edge, steps, axis=axis).mean())
        elsewhere.append(np.compress(~is_edge, steps, axis=axis).mean())
    return float(np.mean(at) / np.mean(elsewhere))


if __name__ == "__main__":
    main()
