import json
from pathlib import Path

import pytest

from pifnet_cli.degrade.record import recorded_sensor, simulated_ratio
from pifnet_cli.errors import SceneReadError


def test_the_ratio_of_a_simulation_is_read(tmp_path: Path) -> None:
    (tmp_path / "simulation.json").write_text(json.dumps({"sensor": {"ratio": 8}}), encoding="utf-8")
    assert simulated_ratio(tmp_path) == 8


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"sensor": null}', '{"sensor": {"ratio": "x"}}', '{"sensor": {"ratio": 0}}']
)
def test_records_that_do_not_tell_give_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "simulation.json").write_text(text, encoding="utf-8")
    assert simulated_ratio(tmp_path) is None


def test_a_missing_record_gives_none(tmp_path: Path) -> None:
    assert simulated_ratio(tmp_path) is None


def test_a_folder_without_a_record_holds_a_real_pair(tmp_path: Path) -> None:
    assert recorded_sensor(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"sensor": null}', '{"sensor": {"ratio": 4}}'])
def test_a_record_without_a_sensor_model_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "simulation.json").write_text(text, encoding="utf-8")
    with pytest.raises(SceneReadError, match="is no record of pifnet simulate"):
        recorded_sensor(tmp_path)
