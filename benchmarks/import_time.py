"""What `import pifnet_cli` and `pifnet --help` cost, beside a Python that does nothing, in one run.

python benchmarks/import_time.py [--repeats 20]

The promise is an import below 50 ms without NumPy.
"""

import argparse
import statistics
import subprocess
import sys
import time

PROGRAMS = {
    "python": "pass",
    "import pifnet_cli": "import pifnet_cli",
    "pifnet --help": "import sys; sys.argv = ['pifnet', '--help']; from pifnet_cli.app import main; main()",
    "import numpy": "import numpy",
}


def main() -> None:
    """Time every program in turn, again and again, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    repeats = parser.parse_args().repeats
    seconds: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(repeats):
        for name, program in PROGRAMS.items():
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
            seconds[name].append(time.perf_counter() - start)
    nothing = statistics.median(seconds["python"])
    for name, times in seconds.items():
        median = statistics.median(times)
        print(
            f"{name:<20}{1000 * median:7.1f} ms, {1000 * (median - nothing):+7.1f} ms, {median / nothing:5.2f} x python"
        )


if __name__ == "__main__":
    main()
