"""Every training-free method on real scenes, x2, x4, x8, both protocols: scores, time, memory. Prints Markdown.

python benchmarks/training_free.py DATA [--all] [--output FILE.md] [--results FILE.json]

Each result comes from the commands: `pifnet simulate`, `pifnet fuse --method`, `pifnet metrics`. The time is the
processor time of `fuse` on one thread less that of the same command with --dry-run, measured beside it; the memory is
the largest resident set of that process. With --all, bicubic, regression and kriging on every scene of the folder
instead. What --results holds already is not measured again, so that a run can be stopped, or split.
"""

import argparse
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from measured import Run, keep, kept, pifnet, scores
from real_scenes import AVIRIS_TEST, AVIRIS_TRAINING, ENMAP, EVERY_SCENE, ROSIS, RealScene

METHODS = "bicubic", "brovey", "gsa", "sfim", "glp", "cnmf", "hysure", "atprk", "regression", "kriging"
FEW_METHODS = "bicubic", "regression", "kriging"
NAIVE_METHODS = "bicubic", "gsa", "regression"
RATIOS = 2, 4, 8
PROTOCOLS = "paper", "mtf"
AVIRIS = "AVIRIS Los Angeles, five crops"
GROUPS = {
    AVIRIS: [*AVIRIS_TRAINING, *AVIRIS_TEST],
    "AVIRIS Los Angeles, the two test crops": AVIRIS_TEST,
    "ROSIS Pavia Centre": [ROSIS],
    "EnMAP Potsdam": [ENMAP],
}

Results = dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Case:
    """One line to be measured."""

    scene: RealScene
    ratio: int
    protocol: str
    method: str
    phase: str = "true"

    @property
    def key(self) -> str:
        """Its name in the file of results."""
        return f"{self.scene.name}, x{self.ratio}, {self.protocol}, {self.method}, {self.phase}"


def main() -> None:
    """Measure what is missing, print tables."""
    words = _words()
    results: Results = kept(words.results)
    with tempfile.TemporaryDirectory(dir=words.scratch) as folder:
        for scene in EVERY_SCENE if words.all else [*GROUPS[AVIRIS], ROSIS, ENMAP]:
            if not scene.is_in(words.data):
                print(f"{scene.path}: is not in {words.data}; left out")
                continue
            missing = [case for case in _cases(scene, words) if case.key not in results]
            for case, result in _measured(missing, words.data, Path(folder)):
                results[case.key] = result
                keep(words.results, case.key, result)
    text = "\n\n".join(_every_scene(results) if words.all else _tables(results)) + "\n"
    if words.output:
        words.output.write_text(text, encoding="utf-8")
    else:
        print(text)


def _words() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="the folder of real scenes")
    parser.add_argument("--all", action="store_true", help="every scene, by bicubic, regression and kriging")
    parser.add_argument("--methods", nargs="+", choices=METHODS, help="these alone")
    parser.add_argument("--ratios", nargs="+", type=int, default=RATIOS)
    parser.add_argument("--output", type=Path, help="Markdown; else it is printed")
    parser.add_argument("--results", type=Path, help="JSON; kept between runs")
    parser.add_argument("--scratch", type=Path, help="folder for temporary files")
    return parser.parse_args()


def _cases(scene: RealScene, words: argparse.Namespace) -> Iterator[Case]:
    methods = words.methods or (FEW_METHODS if words.all else METHODS)
    for ratio in words.ratios:
        for protocol in PROTOCOLS:
            yield from (Case(scene, ratio, protocol, method) for method in methods)
        if not words.all:
            yield from (Case(scene, ratio, "paper", name, "naive") for name in methods if name in NAIVE_METHODS)


def _measured(cases: list[Case], data: Path, folder: Path) -> Iterator[tuple[Case, dict[str, float]]]:
    """Every case that can be measured, with its result; cases of a pair follow each other."""
    prepared = None
    for case in cases:
        if prepared != (case.scene.name, case.ratio, case.protocol):
            prepared = case.scene.name, case.ratio, case.protocol
            pair = folder / "_".join(map(str, prepared)).replace(" ", "_")
            _simulate(case, data, folder, pair)
            start_up = _fuse(case, pair, "--dry-run").cpu_seconds
        run = _fuse(case, pair)
        found = scores(folder / "fused.tif", pair / "reference.tif")
        result = {name: found[name] for name in ("psnr", "ssim", "sam", "ergas")}
        result |= {"seconds": run.cpu_seconds - start_up, "wall": run.seconds, "peak_mib": run.peak_mib}
        print(f"{case.key}: {result['psnr']:.2f} dB, {result['seconds']:.2f} s, {run.peak_mib:.0f} MiB", flush=True)
        yield case, result


def _simulate(case: Case, data: Path, folder: Path, pair: Path) -> None:
    scene = case.scene
    how = "--ratio", case.ratio, "--protocol", case.protocol, "--srf", scene.srf
    pifnet("simulate", scene.prepared(data, folder), "-o", pair, *how, "-q", "--overwrite", threads=1)
    scene.put_msi(data, pair)


def _fuse(case: Case, pair: Path, *options: str) -> Run:
    how = "--method", case.method, "--protocol", case.protocol, "--phase", case.phase, "-q", "--overwrite", *options
    return pifnet("fuse", pair / "lr_hsi.tif", pair / "hr_msi.tif", "-o", pair.parent / "fused.tif", *how, threads=1)


def _tables(results: Results) -> Iterator[str]:
    """Scores by scene and protocol, then times, then what the naive phase costs."""
    for name, scenes in GROUPS.items():
        for protocol in PROTOCOLS:
            rows = [
                (method, [_scored(results, scenes, ratio, protocol, method) for ratio in RATIOS]) for method in METHODS
            ]
            yield f"### {name}, `--protocol {protocol}`\n\n" + _table("PSNR dB / SAM degrees / ERGAS", rows)
    for name, scenes in GROUPS.items():
        if scenes is not AVIRIS_TEST:
            rows = [(method, [_cost(results, scenes, ratio, method) for ratio in RATIOS]) for method in METHODS]
            yield f"### Time and memory, {name}\n\n" + _table("seconds / MiB", rows)
    rows = [
        (f"{name}, {method}", [_naive(results, scenes, ratio, method) for ratio in RATIOS])
        for name, scenes in GROUPS.items()
        if scenes is not AVIRIS_TEST
        for method in NAIVE_METHODS
    ]
    yield "### PSNR with the true phase, and with `--phase naive` (`--protocol paper`)\n\n" + _table("dB", rows)


def _table(what: str, rows: list[tuple[str, list[str]]]) -> str:
    head = [f"| {what} | " + " | ".join(f"x{ratio}" for ratio in RATIOS) + " |", "|---" * (1 + len(RATIOS)) + "|"]
    return "\n".join([*head, *(f"| {name} | " + " | ".join(cells) + " |" for name, cells in rows if any(cells))])


def _found(results: Results, scenes: list[RealScene], ratio: int, protocol: str, *how: str) -> list[dict[str, float]]:
    """Results of all scenes; none where one is missing."""
    keys = [Case(scene, ratio, protocol, *how).key for scene in scenes]
    return [results[key] for key in keys] if all(key in results for key in keys) else []


def _scored(results: Results, scenes: list[RealScene], ratio: int, protocol: str, method: str) -> str:
    found = _found(results, scenes, ratio, protocol, method)
    if not found:
        return ""
    psnr, sam, ergas = (fmean(result[name] for result in found) for name in ("psnr", "sam", "ergas"))
    return f"{psnr:.2f} / {sam:.2f} / {ergas:.2f}"


def _cost(results: Results, scenes: list[RealScene], ratio: int, method: str) -> str:
    """The mean time of a scene, and the largest memory."""
    found = [result for protocol in PROTOCOLS for result in _found(results, scenes, ratio, protocol, method)]
    if not found:
        return ""
    return f"{fmean(result['seconds'] for result in found):.2f} / {max(result['peak_mib'] for result in found):.0f}"


def _naive(results: Results, scenes: list[RealScene], ratio: int, method: str) -> str:
    true, naive = (_found(results, scenes, ratio, "paper", method, phase) for phase in ("true", "naive"))
    if not (true and naive):
        return ""
    return " → ".join(f"{fmean(result['psnr'] for result in found):.2f}" for found in (true, naive))


def _every_scene(results: Results) -> Iterator[str]:
    """Kriging over regression, scene by scene, and where it is not above."""
    below = []
    for protocol in PROTOCOLS:
        rows = []
        for scene in EVERY_SCENE:
            cells = []
            for ratio in RATIOS:
                found = [_found(results, [scene], ratio, protocol, method) for method in FEW_METHODS]
                if not all(found):
                    cells.append("")
                    continue
                bicubic, regression, kriging = (result[0]["psnr"] for result in found)
                gain = kriging - regression
                cells.append(f"{bicubic:.2f} / {regression:.2f} / {kriging:.2f} ({gain:+.2f})")
                if gain <= 0:
                    below.append(f"{scene.name}, x{ratio}, {protocol} ({gain:+.2f} dB)")
            rows.append((scene.name, cells))
        title = f"### Every scene, `--protocol {protocol}`\n\n"
        yield title + _table("PSNR dB: bicubic / regression / kriging (gain over regression)", rows)
    yield "Kriging is not above regression on: " + ("; ".join(below) or "none of these") + "."


if __name__ == "__main__":
    main()
