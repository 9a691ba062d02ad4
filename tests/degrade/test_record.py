import json
from pathlib import Path

import pytest

from pifnet_cli.degrade.record import simulated_ratio


def test_the_ratio_of_a_simulation_is_read(tmp_path: Path) -> None:
    (tmp_path / "simulation.json").write_text(json.dumps({"sensor": {"ratio": 8}}), encoding="utf-8")
    assert simulated_ratio(tmp_path / "simulation.json") == 8


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"sensor": null}', '{"sensor": {"ratio": "x"}}', '{"sensor": {"ratio": 0}}']
)
def test_records_that_do_not_tell_give_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "simulation.json").write_text(text, encoding="utf-8")
    assert simulated_ratio(tmp_path / "simulation.json") is None


def test_a_missing_record_gives_none(tmp_path: Path) -> None:
    assert simulated_ratio(tmp_path / "simulation.json") is None
