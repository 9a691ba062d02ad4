"""What earlier runs wrote down beside their results."""

import json
from pathlib import Path


def simulated_ratio(path: Path) -> float | None:
    """The ratio in the record of a simulation; `None` where there is no such file, or it does not tell."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        ratio = float(record["sensor"]["ratio"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return ratio if ratio >= 1 else None
