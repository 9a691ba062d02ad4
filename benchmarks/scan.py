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

from models.layers.selective_scan.dispatch import ScanBackend, default_backend, selective_scan

Scan = Callable[..., Tensor]


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


def compare(shape: tuple[int, ...], device: torch.device) -> None:
    """Print one table."""
    print(f"\n(B, K, L, E, N) = {shape}, {device}, {torch.get_num_threads()} threads")
    print(f"{'':22}{'forward':>12}{'+ backward':>12}{'x loop':>10}{'x unbound':>10}{'x chunked':>10}")
    given = tensors(shape, device)
    fastest = default_backend(device, torch.float32)
    rows = {
        "reference loop": (lambda *x: selective_scan(*x, backend=ScanBackend.REFERENCE), 1),
        "unbound loop": (unbound_loop, 2),
        "chunked": (lambda *x: selective_scan(*x, backend=ScanBackend.CHUNKED), 5),
        f"{fastest.value} (default)": (selective_scan, 30),
    }
    results = {name: seconds(scan, given, repeats=repeats) for name, (scan, repeats) in rows.items()}
    for name, (forward, both) in results.items():
        loop, unbound, chunked = (results[other][1] / both for other in list(rows)[:3])
        print(f"{name:22}{forward * 1e3:9.2f} ms{both * 1e3:9.2f} ms{loop:10.1f}{unbound:10.1f}{chunked:10.1f}")
    if device.type != "cpu":
        print(f"forward, bytes it must move: {least_bytes(shape) / results[list(rows)[-1]][0] / 1e9:.0f} GB/s")


def main() -> None:
    """Compare the back ends on the processor, and on a GPU if there is one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, help="torch's threads")
    threads = parser.parse_args().threads
    if threads:
        torch.set_num_threads(threads)
    devices = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
    for device in devices:
        for shape in [(2, 4, 1024, 64, 16), (8, 16, 1024, 32, 8)]:  # a usual yardstick; one SSMM of a training step
            compare(shape, device)


if __name__ == "__main__":
    main()
