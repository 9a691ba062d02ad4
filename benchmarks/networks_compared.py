"""All networks, the same minutes of training each on three AVIRIS crops, scored on two that none has seen.

python benchmarks/networks_compared.py DATA --minutes 5 [--threads 1] [--seed 0] [--only NAME ...]
    [--results FILE.json] [--output FILE.md]

Everything goes through the commands: `pifnet train` on airport-1, airport-3 and urban-4 (their last fifth of rows held
out to choose the checkpoint), x4, four boxes of bands; `pifnet fuse` and `pifnet metrics` on airport-2 and urban-5.
Minutes are wall time: run nothing beside it, or read the column of processor minutes.

Each network has its published recipe. Where that would leave it fewer than a hundred steps in five minutes on one core,
the batch is smaller, and where a batch of one is too slow the patch as well: the table says so. --recipe common trains
all of them by the recipe of `anchored` (AdamW, 1e-3 falling by a cosine, 8 patches of 32, running mean) instead. What
--results holds already is not done again, so that a run can be stopped, or split over processes by --only.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from measured import keep, kept, pifnet, scores
from real_scenes import AVIRIS_TEST, AVIRIS_TRAINING, BOXES

RATIO, HSI_BANDS, MSI_BANDS = 4, 205, 4
VALIDATIONS = 5  # of the budget; each costs the slowest network several seconds
COMMON = {
    "batch-size": 8, "patch-size": 32, "lr": 1e-3, "schedule": "cosine", "weight-decay": 1e-4, "ema": 0.99, "clip": 1,
}  # fmt: skip
TRAINING_FREE = "bicubic", "regression", "kriging"


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the table.

    Attributes:
        label: In the table.
        method: For `--method`.
        options: Besides; what makes it another row of the same method.
        changes: To its published recipe.
        recipe: Batch and patch, and how they differ from the published ones.
    """

    label: str
    method: str
    recipe: str
    options: tuple[str, ...] = ()
    changes: tuple[str, ...] = ()

    @property
    def is_anchored(self) -> bool:
        """PIF-Net's own variant, which has a recipe and a size of its own."""
        return "--anchor" in self.options


ENTRIES = {
    "pifnet-paper": Entry("PIF-Net, `paper`", "pifnet", "8 x 64", options=("--variant", "paper")),
    "pifnet-regression": Entry(
        "PIF-Net, `anchored` over regression", "pifnet", "8 x 32", options=("--anchor", "regression")
    ),
    "pifnet-kriging": Entry("PIF-Net, `anchored` over kriging", "pifnet", "8 x 32", options=("--anchor", "kriging")),
    "hsrnet": Entry("HSRnet", "hsrnet", "8 x 64 (published: 32)", changes=("--batch-size", "8")),
    "fusformer": Entry("Fusformer", "fusformer", "3 x 64"),
    "psrt": Entry("PSRT", "psrt", "8 x 64 (published: 32)", changes=("--batch-size", "8")),
    "u2net": Entry("U2Net", "u2net", "8 x 64 (published: 16)", changes=("--batch-size", "8")),
    "3dtnet": Entry(
        "3DT-Net", "3dtnet", "1 x 32 (published: 8 x 64)", changes=("--batch-size", "1", "--patch-size", "32")
    ),
    "smgunet": Entry("SMGU-Net", "smgunet", "2 x 32 (published: 2, patch not stated)", changes=("--patch-size", "32")),
}

Results = dict[str, dict[str, float]]


def main() -> None:
    """Train and score what is missing, print the table."""
    words = _words()
    results: Results = kept(words.results)
    with tempfile.TemporaryDirectory(dir=words.scratch) as name:
        folder = Path(name)
        scenes = [*AVIRIS_TRAINING, *AVIRIS_TEST]
        crops = {scene.name: scene.prepared(words.data, folder) for scene in scenes}
        for scene in AVIRIS_TEST:
            pifnet("simulate", crops[scene.name], "-o", folder / scene.name, *_sensor(words), "-q")
        training = [crops[scene.name] for scene in AVIRIS_TRAINING]
        for key, result in _missing(results, training, folder, words):
            results[key] = result
            keep(words.results, key, result)
            print(f"{key}: {result['psnr']:.2f} dB", flush=True)
    text = "\n".join(_table(results, words)) + "\n"
    if words.output:
        words.output.write_text(text, encoding="utf-8")
    else:
        print(text)


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of real scenes")
    parser.add_argument("--minutes", type=float, default=5.0, help="of training, each")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", choices=[*ENTRIES, *TRAINING_FREE], help="these alone")
    parser.add_argument("--recipe", choices=["published", "common"], default="published")
    parser.add_argument("--protocol", choices=["paper", "mtf"], default="paper")
    parser.add_argument("--hsi-snr", type=float, help="noise, dB")
    parser.add_argument("--msi-snr", type=float, help="noise, dB")
    parser.add_argument("--results", type=Path, help="JSON; kept between runs")
    parser.add_argument("--output", type=Path, help="Markdown; else it is printed")
    parser.add_argument("--scratch", type=Path, help="folder for temporary files")
    return parser.parse_args()


def _sensor(words: argparse.Namespace) -> list[object]:
    noise = [("--hsi-snr", words.hsi_snr), ("--msi-snr", words.msi_snr)]
    added = [word for name, value in noise if value is not None for word in (name, value)]
    return ["--ratio", RATIO, "--protocol", words.protocol, "--srf", BOXES, *added]


def _setting(words: argparse.Namespace) -> str:
    """What all rows of a table have in common."""
    noise = "" if words.hsi_snr is None and words.msi_snr is None else f" {words.hsi_snr} and {words.msi_snr} dB"
    return f"{words.protocol}{noise}, {words.recipe} recipes, {words.minutes:g} minutes, {words.threads} threads"


def _key(name: str, words: argparse.Namespace, seed: int) -> str:
    return f"{name}, {_setting(words)}, seed {seed}"


def _missing(
    results: Results, training: list[Path], folder: Path, words: argparse.Namespace
) -> Iterator[tuple[str, dict[str, float]]]:
    chosen = words.only or [*TRAINING_FREE, *ENTRIES]
    for name in chosen:
        key = _key(name, words, words.seed)
        if key in results:
            continue
        if name in TRAINING_FREE:
            yield key, _scores(folder, words, "--method", name, "--protocol", words.protocol)
        else:
            model = folder / name
            yield key, _trained(name, training, model, words) | _scores(folder, words, "--checkpoint", model)


def _trained(name: str, training: list[Path], model: Path, words: argparse.Namespace) -> dict[str, float]:
    """Train into a folder; what that took."""
    entry = ENTRIES[name]
    recipe: tuple[object, ...] = entry.changes
    if words.recipe == "common" and not entry.is_anchored:
        recipe = tuple(word for option, value in COMMON.items() for word in (f"--{option}", value))
    run = pifnet(
        "train", *training, "-o", model, "--method", entry.method, *entry.options, *recipe, *_sensor(words),
        "--minutes", words.minutes, "--seed", words.seed, "--validations", VALIDATIONS, "--device", "cpu", "--json",
        "-q", threads=words.threads,
    )  # fmt: skip
    record = json.loads(run.output)
    return {
        "parameters": _parameters(entry),
        "steps": record["steps"],
        "seconds_per_step": record["last"]["seconds"] / record["steps"],
        "best_step": record["best"]["step"],
        "cpu_minutes": run.cpu_seconds / 60,
        "peak_mib": run.peak_mib,
    }


def _parameters(entry: Entry) -> int:
    listed = pifnet("methods", "--hsi-bands", HSI_BANDS, "--msi-bands", MSI_BANDS, "--ratio", RATIO, "--json").output
    found = next(method for method in json.loads(listed) if method["name"] == entry.method)
    return int(found["parameters_anchored" if entry.is_anchored else "parameters"])


def _scores(folder: Path, words: argparse.Namespace, *how: object) -> dict[str, float]:
    """Means over the test crops, and the time of fusing one."""
    found, seconds = [], []
    for scene in AVIRIS_TEST:
        pair, output = folder / scene.name, folder / "fused.tif"
        inputs = pair / "lr_hsi.tif", pair / "hr_msi.tif"
        run = pifnet("fuse", *inputs, "-o", output, *how, "-q", "--overwrite", threads=words.threads)
        seconds.append(run.seconds)
        found.append(scores(output, pair / "reference.tif"))
    means = {name: fmean(result[name] for result in found) for name in ("psnr", "ssim", "sam", "ergas")}
    return means | {"fuse_seconds": fmean(seconds)}


def _table(results: Results, words: argparse.Namespace) -> Iterator[str]:
    """One row a network, means over all seeds that were run."""
    yield f"Protocol {_setting(words)}."
    yield ""
    yield (
        "| network | parameters | batch x patch | steps | s a step | processor minutes | peak MiB | PSNR dB | SSIM | "
        "SAM degrees | ERGAS |"
    )
    yield "|---" * 11 + "|"
    for name in (*TRAINING_FREE, *ENTRIES):
        start = _key(name, words, 0).removesuffix("0")
        found = [result for key, result in results.items() if key.startswith(start)]
        if not found:
            continue
        mean = {value: fmean(result[value] for result in found) for value in found[0]}
        psnr = f"{mean['psnr']:.2f}" + _spread([result["psnr"] for result in found])
        quality = f"{psnr} | {mean['ssim']:.4f} | {mean['sam']:.2f} | {mean['ergas']:.2f} |"
        if name in TRAINING_FREE:
            yield f"| {name} | | | | | | | {quality}"
            continue
        entry = ENTRIES[name]
        recipe = entry.recipe if words.recipe == "published" or entry.is_anchored else "8 x 32"
        yield (
            f"| {entry.label} | {mean['parameters']:,.0f} | {recipe} | {mean['steps']:.0f} | "
            f"{mean['seconds_per_step']:.2f} | {mean['cpu_minutes']:.1f} | {mean['peak_mib']:,.0f} | {quality}"
        )


def _spread(values: list[float]) -> str:
    return "" if len(values) == 1 else f" ({len(values)} seeds: {min(values):.2f} to {max(values):.2f})"


if __name__ == "__main__":
    main()
