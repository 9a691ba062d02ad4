"""How long PIF-Net takes, forward and in training, and where the time goes.

Run `python benchmarks/network.py` from the repository root. C = 103, M = 4. Each figure comes with the time in units of
the network's own arithmetic at the speed of a plain 3 x 3 convolution measured in the same run: a busy or a slower
machine shifts both. The prototype's figures (two cores) are those of the design.
"""

import argparse
import resource
import time
from collections.abc import Callable
from contextlib import nullcontext
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor

from pifnet_models.pifnet.network import PIFNet

HSI, MSI = 103, 4
PROTOTYPE_SECONDS = {"forward 64 x 64": 0.100, "forward 340 x 340": 2.5, "training step, 8 of 64 x 64": 2.24}


def timed(action: Callable[[], object], *, repeats: int, device: torch.device) -> tuple[float, float]:
    """The best and the median of several runs, in seconds, after one that does not count."""
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        action()
        if device.type == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    return min(times[1:]), median(times[1:])


def images(batch: int, side: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """An upsampled HSI, an MSI and a target."""
    torch.manual_seed(0)
    return tuple(torch.rand(batch, bands, side, side, device=device) for bands in (HSI, MSI, HSI))


def calibration(device: torch.device) -> float:
    """Seconds of a 3 x 3 convolution of 64 channels at 256 x 256, channels last: 4.8 billion operations."""
    image = torch.rand(1, 64, 256, 256, device=device).contiguous(memory_format=torch.channels_last)
    weight = torch.rand(64, 64, 3, 3, device=device)
    with torch.inference_mode():
        return timed(lambda: F.conv2d(image, weight, padding=1), repeats=20, device=device)[0]


def forward(network: PIFNet, side: int, device: torch.device) -> Callable[[], object]:
    """One inference of an image of `side` x `side` pixels."""
    hsi, msi, _ = images(1, side, device)

    def run() -> None:
        with torch.inference_mode():
            network(hsi, msi)

    return run


def training_step(network: PIFNet, device: torch.device, dtype: torch.dtype | None = None) -> Callable[[], object]:
    """One step of the paper's recipe: eight patches of 64 x 64, its three losses, AdamW."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4)
    hsi, msi, target = images(8, 64, device)

    def run() -> None:
        with torch.autocast(device.type, dtype=dtype) if dtype else nullcontext():
            output = network.forward_with_auxiliary(hsi, msi)
        likeness = F.cosine_similarity(output.fused.float(), output.preliminary.float(), dim=1).mean()
        loss = (output.fused - target).abs().mean() + 0.01 * output.log_det.square().mean() + 0.1 * (1 - likeness)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return run


def measure(device: torch.device) -> None:
    """Print the table for one device."""
    network = PIFNet(hsi_channels=HSI, msi_channels=MSI).to(device)
    unit = calibration(device)
    actions = {
        "forward 64 x 64": (forward(network, 64, device), 20),
        "forward 340 x 340": (forward(network, 340, device), 3),
        "training step, 8 of 64 x 64": (training_step(network, device), 4),
    }
    print(f"{device}, {torch.get_num_threads()} threads; calibrating convolution {unit * 1e3:.2f} ms")
    print(f"{'':30}{'best':>10}{'median':>10}{'convolutions':>15}{'prototype':>12}")
    for name, (action, repeats) in actions.items():
        best, middle = timed(action, repeats=repeats, device=device)
        prototype = f"{PROTOTYPE_SECONDS[name]:10.2f} s" if device.type == "cpu" else ""
        print(f"{name:30}{best:8.3f} s{middle:8.3f} s{best / unit:15.1f}{prototype}", flush=True)
    for dtype in (torch.bfloat16,):
        best, middle = timed(training_step(network, device, dtype), repeats=4, device=device)
        print(f"{'the step in ' + str(dtype)[6:]:30}{best:8.3f} s{middle:8.3f} s{best / unit:15.1f}")
    if device.type == "cpu":
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def profile(device: torch.device, *, rows: int) -> None:
    """Print where the time of a training step goes."""
    step = training_step(PIFNet(hsi_channels=HSI, msi_channels=MSI).to(device), device)
    step()
    with torch.profiler.profile() as profiler:
        step()
    order = "self_cpu_time_total" if device.type == "cpu" else "self_device_time_total"
    events = sorted(profiler.key_averages(), key=lambda event: -getattr(event, order))
    total = sum(getattr(event, order) for event in events)
    print(f"\nwhere the time of a training step goes, {device}")
    for event in events[:rows]:
        share = getattr(event, order) / total
        print(f"{event.key[:40]:42}{share:7.1%}{getattr(event, order) / 1e3:10.1f} ms{event.count:8d} calls")


def main() -> None:
    """Measure on the processor, and on a GPU if there is one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, help="torch's threads")
    parser.add_argument("--rows", type=int, default=15, help="rows of the profile")
    words = parser.parse_args()
    if words.threads:
        torch.set_num_threads(words.threads)
    for device in [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]:
        measure(device)
        profile(device, rows=words.rows)


if __name__ == "__main__":
    main()
