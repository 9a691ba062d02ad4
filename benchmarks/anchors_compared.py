"""`anchored` PIF-Net over the regression and over guided kriging: what does training add to either?

python benchmarks/anchors_compared.py DATA [--steps 500] [--seeds 3] [--results FILE.json]

Trains on AVIRIS airport-1, airport-3 and urban-4 (x4, four boxes of bands), their last fifth of rows held out, and
fuses airport-2 and urban-5, which nothing was chosen on; `paper` protocol without noise, and `mtf` 0.3 with an SNR of
35 dB on the LR-HSI and 40 dB on the HR-MSI. Goes through the `pifnet` commands; prints a Markdown table.
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
from measured import keep, kept, pifnet, scores
from real_scenes import AVIRIS_TEST, AVIRIS_TRAINING

SENSORS = {
    "paper": ("--protocol", "paper"),
    "mtf, 35/40 dB": ("--protocol", "mtf", "--mtf", 0.3, "--hsi-snr", 35, "--msi-snr", 40),
}
ANCHORS = ("regression", "kriging")


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", choices=tuple(SENSORS))
    parser.add_argument("--results", type=Path)
    options = parser.parse_args()
    for sensor in [options.only] if options.only else SENSORS:
        with tempfile.TemporaryDirectory() as folder:
            measure(sensor, options, Path(folder))


def measure(sensor: str, options: argparse.Namespace, work: Path) -> None:
    """All runs under one sensor model."""
    words = SENSORS[sensor]
    pairs = []
    for scene in AVIRIS_TEST:
        pairs.append(work / scene.name.replace(" ", "_"))
        pifnet("simulate", scene.prepared(options.data, work), "-o", pairs[-1], "--srf", "boxes:4", *words, "-q")
    training = [scene.prepared(options.data, work) for scene in AVIRIS_TRAINING]
    print(f"\n{sensor}: mean over {len(pairs)} test crops, dB\n\n| anchor | alone | held-out gain | with the network |")
    print("|---|---|---|---|")
    for anchor in ANCHORS:
        alone = mean_psnr(pairs, work, "--method", anchor, *words[:4])
        gains, found = [], []
        for seed in range(options.seeds):
            name = f"{sensor}, {anchor}, {options.steps} steps, seed {seed}"
            result = kept(options.results).get(name)
            if result is None:
                result = one_run(anchor, seed, options, [*training, "--srf", "boxes:4", *words], work)
                result["test_psnr_db"] = mean_psnr(pairs, work, "--checkpoint", result["checkpoint"])
                keep(options.results, name, result)
            gains.append(result["best"].get("gain_db", float("nan")))
            found.append(result["test_psnr_db"])
        gain, score = " ".join(f"{gain:+.2f}" for gain in gains), " ".join(f"{score:.2f}" for score in found)
        print(f"| {anchor} | {alone:.2f} | {gain} | {score} ({np.mean(found) - alone:+.2f}) |", flush=True)


def one_run(anchor: str, seed: int, options: argparse.Namespace, scenes: list[object], work: Path) -> dict[str, object]:
    """Train; what `pifnet train` says."""
    model = work / f"{anchor}-{seed}"
    budget = ("--steps", options.steps, "--seed", seed)
    run = pifnet("train", *scenes, "-o", model, "--anchor", anchor, *budget, "--json", "-q", threads=options.threads)
    result: dict[str, object] = json.loads(run.output)
    return result


def mean_psnr(pairs: list[Path], work: Path, *how: object) -> float:
    """PSNR over the test crops."""
    found = []
    for pair in pairs:
        fused = work / "fused.tif"
        pifnet("fuse", pair / "lr_hsi.tif", pair / "hr_msi.tif", "-o", fused, *how, "--overwrite", "-q")
        found.append(scores(fused, pair / "reference.tif")["psnr"])
    return float(np.mean(found))


if __name__ == "__main__":
    main()
