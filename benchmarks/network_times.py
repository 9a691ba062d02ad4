"""How long every network takes for one image, beside the published implementations. Prints Markdown.

python benchmarks/network_times.py [--sides 64 340] [--repeats 7] [--limit-gib 12]

C = 103, M = 4, x4, one thread, no gradients. The time is processor time, which other programs change least, and the
least of several rounds over all networks; HSRnet is measured again before each of them. What counts is a network's time
over HSRnet's in the same run, because the originals were timed on another day: it should not exceed 1.2 x theirs. A
network that needs more memory than the limit is left out, and the table says so. Linux only.
"""

import argparse
import ctypes
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, cast

import torch
from torch import nn

from pifnet_cli.catalog import NETWORKS, Method
from pifnet_models.interface import FusionNetwork

HSI, MSI, RATIO = 103, 4, 4
YARDSTICK = Method.HSRNET
LARGE = 128  # sides above are measured less often
ORIGINALS_MS = {  # one thread, the authors' own code
    64: {
        Method.HSRNET: 59,
        Method.FUSFORMER: 2500,
        Method.PSRT: 108,
        Method.U2NET: 576,
        Method.DT3NET: 3500,
        Method.SMGUNET: 747,
    },
    340: {Method.HSRNET: 2400, Method.PSRT: 7300, Method.DT3NET: 219_000, Method.SMGUNET: 28_000},
}
PROTOTYPE = "The prototype of PIF-Net took 100 ms at 64 x 64 and 2,500 ms at 340 x 340, with two threads."
ALLOWED = 1.2  # of the original's time, both over HSRnet's


class Network(NamedTuple):
    """A built network and the sum of its parameters."""

    module: nn.Module
    parameters: int


@dataclass
class Times:
    """What was measured of one network at one size; `failure` says why it was not."""

    side: int
    milliseconds: float = float("inf")
    peak_mib: float = 0.0
    failure: str = ""
    rounds: int = field(default=0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sides", nargs="+", type=int, default=[64, 340])
    parser.add_argument("--networks", nargs="+", type=Method, default=list(NETWORKS), help="HSRnet besides")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--large-repeats", type=int, default=2, help=f"of sides above {LARGE}")
    parser.add_argument("--limit-gib", type=float, default=12.0)
    words = parser.parse_args()
    torch.set_num_threads(1)
    names = [YARDSTICK, *(name for name in words.networks if name is not YARDSTICK)]
    networks = {name: _built(name) for name in names}
    for side in words.sides:
        repeats = words.repeats if side <= LARGE else words.large_repeats
        found = _measured(networks, side, repeats=repeats, limit_gib=words.limit_gib)
        print(f"\n### {side} x {side} pixels\n")
        print("\n".join(_table(networks, found, side)), flush=True)
    print(f"\n{PROTOTYPE}")


def _built(name: Method) -> Network:
    torch.manual_seed(0)
    shape = {"hsi_channels": HSI, "msi_channels": MSI}
    if name.facts.takes_ratio:
        shape["ratio"] = RATIO
    module = name.facts.load()(**shape).eval()
    return Network(module, sum(parameter.numel() for parameter in module.parameters()))


def _measured(networks: dict[Method, Network], side: int, *, repeats: int, limit_gib: float) -> dict[Method, Times]:
    """Rounds over all networks, the yardstick before each of them."""
    forwards, found = {}, {}
    for name, network in networks.items():
        grown = cast("FusionNetwork", network.module).size_rule.grown(-(-side // RATIO) * RATIO)
        forwards[name], found[name] = _forward(network.module, grown), Times(grown)
    _bound_memory(limit_gib)
    if side <= LARGE:  # first calls prepare what later ones use
        for name, forward in forwards.items():
            _timed(forward, Times(found[name].side))
    for _ in range(repeats):
        for name, forward in forwards.items():
            if found[name].failure:
                continue
            if name is not YARDSTICK:
                _timed(forwards[YARDSTICK], found[YARDSTICK])
            _timed(forward, found[name])
    return found


def _forward(network: nn.Module, side: int) -> Callable[[], object]:
    torch.manual_seed(0)
    images = [torch.rand(1, bands, side, side) for bands in (HSI, MSI)]
    if network.needs_lr_hsi:
        images.append(torch.rand(1, HSI, side // RATIO, side // RATIO))

    def run() -> None:
        with torch.inference_mode():
            network(*images)

    return run


def _timed(forward: Callable[[], object], times: Times) -> None:
    """Run once; keep the time if it is the least, or the reason if it cannot be done."""
    before = _memory_now()
    start = time.process_time()
    try:
        forward()
    except (RuntimeError, MemoryError) as error:
        if "memory" not in str(error) and not isinstance(error, MemoryError):
            raise
        times.failure = "more memory than allowed"
        return
    times.milliseconds = min(times.milliseconds, (time.process_time() - start) * 1e3)
    times.peak_mib = max(times.peak_mib, _memory_mib("VmHWM") - before)
    times.rounds += 1


def _bound_memory(gib: float) -> None:
    """Let an allocation fail that would take more than `gib` beyond what is in use."""
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (int(_memory_mib("VmSize") * 2**20 + gib * 2**30), hard))


def _memory_now() -> float:
    """MiB in use, when what is free has been given back to the system and the peak is forgotten."""
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _memory_mib("VmRSS")


def _memory_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def _table(networks: dict[Method, Network], found: dict[Method, Times], side: int) -> list[str]:
    originals = ORIGINALS_MS.get(side, {})
    lines = [
        "| network | parameters | side | ms | over HSRnet | the original's, ms | over HSRnet | ours / theirs | MiB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for name, times in found.items():
        label = name.facts.title
        head = f"| {label} | {networks[name].parameters:,} | {times.side} |"
        if times.failure:
            lines.append(f"{head} {times.failure} | | | | | |")
            continue
        ratio = times.milliseconds / found[YARDSTICK].milliseconds
        ours = f"{head} {times.milliseconds:,.0f} | {ratio:.2f} |"
        if name in originals:
            theirs = originals[name] / originals[YARDSTICK]
            verdict = f"{ratio / theirs:.2f}" + (" (too slow)" if ratio > ALLOWED * theirs else "")
            lines.append(f"{ours} {originals[name]:,} | {theirs:.2f} | {verdict} | {times.peak_mib:,.0f} |")
        else:
            lines.append(f"{ours} | | | {times.peak_mib:,.0f} |")
    return lines


if __name__ == "__main__":
    main()
