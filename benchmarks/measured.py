"""`pifnet` commands in processes of their own: what they print, how long they take, how much memory they need.

For the other benchmarks to import.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHILD = """
import json, re, resource, sys, time
from pathlib import Path
from pifnet_cli.app import main
start, process = time.perf_counter(), time.process_time()
try:
    main()
except SystemExit as end:
    if end.code:
        raise
seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - process
status = Path("/proc/self/status")
if status.exists():  # of this program alone; the other figure also counts what forked it
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1])
else:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "peak_mib": peak / 1024}), file=sys.stderr)
"""


class CommandError(RuntimeError):
    """A command failed; the message is the last line that it wrote."""


@dataclass(frozen=True, slots=True)
class Run:
    """A command that succeeded.

    Attributes:
        output: What it wrote to stdout.
        seconds: From its first import to its end.
        cpu_seconds: What it computed in that time, all threads together.
        peak_mib: Its largest resident set.
    """

    output: str
    seconds: float
    cpu_seconds: float
    peak_mib: float


def pifnet(*words: object, threads: int | None = None) -> Run:
    """Run `pifnet WORDS`; `threads` bounds those of torch and BLAS.

    Raises:
        CommandError: It failed.
    """
    variables = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
    environment = os.environ | ({} if threads is None else dict.fromkeys(variables, str(threads)))
    command = [sys.executable, "-c", CHILD, *map(str, words)]
    run = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    lines = run.stderr.splitlines() or [""]
    if run.returncode:
        raise CommandError(f"pifnet {' '.join(map(str, words))}: {lines[-1]}")
    return Run(output=run.stdout, **json.loads(lines[-1]))


def scores(fused: Path, reference: Path, *options: object) -> dict[str, float]:
    """What `pifnet metrics` says."""
    run = pifnet("metrics", fused, reference, *options, "--json", "-q", threads=1)
    found: dict[str, float] = json.loads(run.output)
    return found


def kept(path: Path | None) -> dict[str, dict[str, Any]]:
    """Results of earlier runs; none where there is no such file."""
    return json.loads(path.read_bytes()) if path and path.exists() else {}


def keep(path: Path | None, name: str, result: Mapping[str, Any]) -> None:
    """Add one result to a file that other processes add to as well."""
    if path is None:
        return
    lock = path.with_name(f"{path.name}.lock")
    with lock.open("a") as file:
        _lock(file.fileno())
        partial = path.with_name(f"{path.name}.partial")
        partial.write_text(json.dumps(kept(path) | {name: result}, indent=1), encoding="utf-8")
        partial.replace(path)


def _lock(descriptor: int) -> None:
    """Wait for the file's lock, where the system has such; it is released when the file is closed."""
    try:
        import fcntl
    except ImportError:
        return
    fcntl.flock(descriptor, fcntl.LOCK_EX)
