import importlib.util
import json

import pytest

from pifnet_cli.choices import Log
from pifnet_cli.errors import DependencyError, TrainingError
from pifnet_cli.training.history import History, read_history


def test_lines_come_back(tmp_path):
    with History(tmp_path, log=Log.JSONL, from_step=-1) as history:
        history.add({"step": 0, "psnr_db": 30.5})
        history.add({"step": 5, "psnr_db": 31.0})

    assert read_history(tmp_path) == [{"step": 0, "psnr_db": 30.5}, {"step": 5, "psnr_db": 31.0}]


def test_a_line_is_on_disk_at_once(tmp_path):
    with History(tmp_path, log=Log.JSONL, from_step=-1) as history:
        history.add({"step": 0})
        assert read_history(tmp_path) == [{"step": 0}]


def test_resuming_drops_later_lines_and_torn_ones(tmp_path):
    lines = [json.dumps({"step": step}) for step in (0, 5, 10)]
    (tmp_path / "history.jsonl").write_text("\n".join([*lines, '{"step": 1']))
    with History(tmp_path, log=Log.JSONL, from_step=5) as history:
        history.add({"step": 7})

    assert [line["step"] for line in read_history(tmp_path)] == [0, 5, 7]


def test_beginning_anew_drops_all(tmp_path):
    (tmp_path / "history.jsonl").write_text('{"step": 0}\n')
    with History(tmp_path, log=Log.JSONL, from_step=-1):
        pass
    assert read_history(tmp_path) == []


def test_an_absent_folder_is_named(tmp_path):
    with pytest.raises(TrainingError, match=r"none/history.jsonl: cannot be written"):
        History(tmp_path / "none", log=Log.JSONL, from_step=-1)


@pytest.mark.skipif(importlib.util.find_spec("tensorboard") is not None, reason="TensorBoard is installed")
def test_absent_tensorboard_is_an_error(tmp_path):
    with pytest.raises(DependencyError, match="leave the option out"):
        History(tmp_path, log=Log.TENSORBOARD, from_step=-1)
