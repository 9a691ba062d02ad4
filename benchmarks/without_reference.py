"""What scores without reference are worth: how they rank methods, against how the truth ranks them. Prints Markdown.

python benchmarks/without_reference.py DATA [--ratio 4] [--scratch FOLDER]

Real scenes are degraded without noise and with it, fused by every method, and scored both ways by `pifnet metrics`. The
first table has Spearman's rank correlation of every score with the PSNR against the truth, over the methods; the second
what the scores of the truth itself are, and of the methods that come nearest to it and furthest from it.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path

from measured import pifnet
from real_scenes import AVIRIS_TEST, ENMAP, EVERY_SCENE, ROSIS, RealScene
from scipy.stats import spearmanr

METHODS = "bicubic", "brovey", "gsa", "sfim", "glp", "cnmf", "hysure", "atprk", "regression", "kriging"
TWO_SENSORS = [scene for scene in EVERY_SCENE if scene.msi is not None]
NOISE = ((), ("--hsi-snr", 35, "--msi-snr", 40))
SCORES = {"qnr": 1, "d_lambda": -1, "d_s": -1, "lr_rmse": -1, "msi_rmse": -1, "wald": 1}  # 1: higher is better
SHOWN = "qnr", "d_lambda", "d_s", "lr_rmse_over_noise", "msi_rmse", "wald", "psnr"

Found = dict[str, float]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of real scenes")
    parser.add_argument("--ratio", type=int, default=4)
    parser.add_argument("--scratch", type=Path, help="folder for temporary files")
    words = parser.parse_args()
    ranks, values = [], []
    for scene in (*AVIRIS_TEST, ROSIS, ENMAP, *TWO_SENSORS):
        if not scene.is_in(words.data):
            print(f"{scene.path}: is not in {words.data}; left out")
            continue
        for noise in NOISE:
            with tempfile.TemporaryDirectory(dir=words.scratch) as folder:
                found = _found(scene, words.data, Path(folder), ratio=words.ratio, noise=noise)
            name = f"{scene.name}, {'35 dB' if noise else 'no noise'}"
            ranks.append([name, *(_agreement(found, score, sign) for score, sign in SCORES.items())])
            print(*ranks[-1], sep="  ", file=sys.stderr, flush=True)
            best = max(METHODS, key=lambda method: found[method]["psnr"])
            rows = {"the truth": found["truth"], f"best: {best}": found[best], "bicubic": found["bicubic"]}
            values += [[f"{name}: {row}", *map(_shown, map(numbers.get, SHOWN))] for row, numbers in rows.items()]
    print(_table(["rank correlation with PSNR", *SCORES], ranks), _table(["score", *SHOWN], values), sep="\n\n")


def _found(scene: RealScene, data: Path, folder: Path, *, ratio: int, noise: tuple[object, ...]) -> dict[str, Found]:
    """Scores of every method, and of the truth."""
    pair, fused = folder / "pair", folder / "fused.tif"
    how = "--ratio", ratio, "--protocol", "mtf", "--srf", scene.srf, *noise
    pifnet("simulate", scene.prepared(data, folder), "-o", pair, *how, "-q", threads=1)
    scene.put_msi(data, pair)
    lr, hr, truth = (pair / f"{name}.tif" for name in ("lr_hsi", "hr_msi", "reference"))
    by_pair = "--lr", lr, "--hr", hr, "--json", "-q"
    found = {"truth": json.loads(pifnet("metrics", truth, *by_pair, threads=1).output)}
    for method in METHODS:
        pifnet("fuse", lr, hr, "-o", fused, "--method", method, "-q", "--overwrite", threads=1)
        record = json.loads(pifnet("metrics", fused, truth, *by_pair, "--wald", threads=1).output)
        if record["wald"] is not None:
            record["wald"] = record["wald"]["psnr"]
        found[method] = record
    return found


def _agreement(found: dict[str, Found], score: str, sign: int) -> str:
    columns = [[found[method][name] for method in METHODS] for name in (score, "psnr")]
    return "" if None in columns[0] else f"{sign * spearmanr(*columns).statistic:+.2f}"


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ["---"] * len(head), *rows))


if __name__ == "__main__":
    main()
