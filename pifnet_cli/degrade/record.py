"""`simulation.json`: what `pifnet simulate` writes down beside a pair, and those who read it."""

import json
from pathlib import Path

RECORD_NAME = "simulation.json"


def simulated_ratio(path: Path) -> float | None:
    """The ratio in the record of a simulation; `None` where there is no such file, or it does not tell."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        ratio = float(record["sensor"]["ratio"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return ratio if ratio >= 1 else None
