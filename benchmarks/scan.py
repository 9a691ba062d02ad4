"""How fast each back end of the selective scan is, forward and backward, against the plain loop.

Run `python benchmarks/scan.py` from the repository root. Times are the best of several runs with torch's own number of
threads; ratios are taken within one run, so that a busy machine shifts both sides. On a GPU the bytes that the scan
must read and write at least, over the time, are printed as well.
"""

import argparse
import time
from collections.abc import Callable

import torch
from torch import Tensor

from pifnet_models.kernels.selective_scan.dispatch import ScanBackend, default_backend, selective_scan

Scan = Callable[..., Tensor]
REFERENCE, UNBOUND, CHUNKED = "reference loop", "loop over cut sequences", "chunked"


def unbound_loop(u: Tensor, delta: Tensor, a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """The reference with its sequences cut once: the derivative of a slice in a loop costs a whole tensor each."""
    decay = torch.exp(delta[..., None] * a[:, None]).unbind(2)
    drive = ((delta * u)[..., None] * b[..., None, :]).unbind(2)
    state, outputs = torch.zeros_like(drive[0]), []
    for decay_t, drive_t, c_t in zip(decay, drive, c.unbind(2), strict=True):
        state = decay_t * state + drive_t
        outputs.append((state * c_t[:, :, None, :]).sum(dim=-1))
    return torch.stack(outputs, dim=2) + d[:, None, :] * u


def tensors(shape: tuple[int, ...], device: torch.device) -> list[Tensor]:
    """u, delta, A, B, C, D of (B, K, L, E, N), wanting gradients."""
    batch, directions, length, channels, states = shape
    torch.manual_seed(0)
    u, delta = torch.randn(2, batch, directions, length, channels)
    b, c = torch.randn(2, batch, directions, length, states)
    a = -torch.arange(1.0, states + 1).expand(directions, channels, states)
    made = (u, torch.nn.functional.softplus(delta - 4), a, b, c, torch.ones(directions, channels))
    return [tensor.to(device).contiguous().requires_grad_() for tensor in made]


def seconds(scan: Scan, given: list[Tensor], *, repeats: int) -> tuple[float, float]:
    """Best forward time without, and best forward and backward time with derivatives."""
    cpu = given[0].device.type == "cpu"
    forward, both = [], []
    for _ in range(repeats):
        with torch.no_grad():
            forward.append(_timed(lambda: scan(*given), cpu=cpu))
        both.append(_timed(lambda: torch.autograd.grad(scan(*given).sum(), given), cpu=cpu))
    return min(forward), min(both)


def _timed(action: Callable[[], object], *, cpu: bool) -> float:
    start = time.perf_counter()
    action()
    if not cpu:
        torch.cuda.synchronize()
    return time.perf_counter() - start


def least_bytes(shape: tuple[int, ...]) -> int:
    """What a forward scan must move: u, delta, y, B and C once, in float32."""
    batch, directions, length, channels, states = shape
    return 4 * batch * directions * length * (3 * channels + 2 * states)


def compare(shape: tuple[int, ...], device: torch.device, *, loops: list[str]) -> None:
    """Print one table; the loops take up to minutes."""
    print(f"\n(B, K, L, E, N) = {shape}, {device}, {torch.get_num_threads()} threads")
    print(f"{'':24}{'forward':>12}{'+ backward':>12}   how many times as fast forward and backward as")
    given = tensors(shape, device)
    fastest = f"{default_backend(device, torch.float32).value} (default)"
    scans = {
        REFERENCE: (lambda *x: selective_scan(*x, backend=ScanBackend.REFERENCE), 1),
        UNBOUND: (unbound_loop, 2),
        CHUNKED: (lambda *x: selective_scan(*x, backend=ScanBackend.CHUNKED), 5),
        fastest: (selective_scan, 30),
    }
    results: dict[str, tuple[float, float]] = {}
    for name in [*loops, CHUNKED, fastest]:
        scan, repeats = scans[name]
        forward, both = results[name] = seconds(scan, given, repeats=repeats)
        ratios = ", ".join(f"{other} {slower / both:.1f}" for other, (_, slower) in results.items() if other != name)
        print(f"{name:24}{forward * 1e3:9.2f} ms{both * 1e3:9.2f} ms   {ratios}", flush=True)
    if device.type != "cpu":
        print(f"forward, bytes it must move: {least_bytes(shape) / results[fastest][0] / 1e9:.0f} GB/s")


def main() -> None:
    """Compare the back ends on the processor, and on a GPU if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, help="torch's threads")
    threads = parser.parse_args().threads
    if threads:
        torch.set_num_threads(threads)
    devices = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
    for device in devices:
        compare((2, 4, 1024, 64, 16), device, loops=[REFERENCE, UNBOUND])
        compare((8, 16, 1024, 32, 8), device, loops=[])  # one SSMM of a training step


if __name__ == "__main__":
    main()
