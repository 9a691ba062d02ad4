"""A real pair of sensors, Hyperion and ALI over Paris, whose truth is known at reduced scale. Prints Markdown.

python benchmarks/two_sensors.py DATA [--ratios 2 3 4] [--hsi-snr DB] [--output FILE.md]

Both images lie on one grid of 30 m. Hyperion is degraded (Gaussian of MTF 0.3) and fused with ALI as it is, by every
training-free method: as delivered (`--mtf 0.3 --align none`), and with blur and shift found from the pair. The truth is
Hyperion itself, brought to ALI's grid by the shift that `pifnet estimate` finds at that ratio (cubic splines); four
pixels along the borders do not count. All by the commands.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import rasterio
import scipy.io
from measured import pifnet, scores
from real_scenes import PARIS, write_raster
from scipy import ndimage

METHODS = "default", "kriging", "regression", "gsa", "glp", "atprk", "sfim", "brovey", "cnmf", "hysure", "bicubic"
DELIVERED = "--mtf", "0.3", "--align", "none"
BORDER = 4

Scores = dict[str, float]


def main() -> None:
    """Fuse by every method, twice, at every ratio."""
    words = _words()
    found = scipy.io.loadmat(words.data / PARIS)
    hyperion, ali = (found[name].transpose(2, 0, 1).astype(np.float32) for name in ("HSim", "MSim"))
    lines = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_raster(folder / "hyperion.tif", hyperion)
        for ratio in words.ratios:
            pair = folder / f"x{ratio}"
            noise = () if words.hsi_snr is None else ("--hsi-snr", words.hsi_snr)
            how = "--ratio", ratio, "--srf", "boxes:4", "--mtf", 0.3, *noise
            pifnet("simulate", folder / "hyperion.tif", "-o", pair, *how, "-q")
            with rasterio.open(pair / "reference.tif") as reference:
                height, width = reference.shape
            write_raster(pair / "hr_msi.tif", ali[:, :height, :width])
            estimate = json.loads(pifnet("estimate", pair / "lr_hsi.tif", pair / "hr_msi.tif", "--json", "-q").output)
            shift = estimate["shift_hr_pixels"]
            # An LR pixel that claims to lie at c shows what is at c + shift.
            moved = ndimage.shift(hyperion[:, :height, :width], (0, *shift), order=3, mode="mirror")
            write_raster(folder / "truth.tif", moved)
            lines.append(_told(ratio, estimate))
            for method in METHODS:
                chosen = () if method == "default" else ("--method", method)
                delivered, estimated = (_scored(pair, folder, *chosen, *options) for options in (DELIVERED, ()))
                lines.append(_row(ratio, method, delivered, estimated))
                print(lines[-1], flush=True)
    text = "\n".join(["| ratio | method | as delivered | found from the pair |", "|---|---|---|---|", *lines]) + "\n"
    if words.output:
        words.output.write_text(text, encoding="utf-8")
    else:
        print(text)


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of real scenes")
    parser.add_argument("--ratios", nargs="+", type=int, default=(2, 3, 4))
    parser.add_argument("--hsi-snr", type=float, help="dB of noise of its own that the LR-HSI gets; else none")
    parser.add_argument("--output", type=Path, help="Markdown; else it is printed")
    return parser.parse_args()


def _scored(pair: Path, folder: Path, *options: str) -> Scores:
    files = pair / "lr_hsi.tif", pair / "hr_msi.tif", "-o", folder / "fused.tif"
    pifnet("fuse", *files, *options, "-q", "--overwrite", threads=1)
    return scores(folder / "fused.tif", folder / "truth.tif", "--border", BORDER)


def _told(ratio: int, estimate: dict[str, list[float]]) -> str:
    rows, columns = estimate["shift_hr_pixels"]
    mtf = " and ".join(f"{value:.2f}" for value in estimate["mtf_at_nyquist"])
    return f"| x{ratio} | | | shift {rows:+.2f}, {columns:+.2f} fine pixels (rows, columns), MTF {mtf} |"


def _row(ratio: int, method: str, *cells: Scores) -> str:
    shown = (f"{found['psnr']:.2f} / {found['sam']:.2f} / {found['ergas']:.2f}" for found in cells)
    return f"| x{ratio} | {method} | " + " | ".join(shown) + " |"


if __name__ == "__main__":
    main()
