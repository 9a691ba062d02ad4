"""`history.jsonl`, a line of JSON per validation; TensorBoard receives the same numbers where it is asked for."""

import importlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pifnet_cli.choices import Log
from pifnet_cli.errors import DependencyError, TrainingError

HISTORY_FILE = "history.jsonl"
TENSORBOARD_FOLDER = "tensorboard"


class History:
    """An open `history.jsonl`; a context manager. Every line is on disk when `add` returns."""

    def __init__(self, folder: Path, *, log: Log, from_step: int) -> None:
        """Open, keeping the lines up to a step.

        Args:
            folder: Of the checkpoint; exists.
            log: Whether TensorBoard's files are written besides.
            from_step: Lines of later steps are dropped: a resumed training writes them anew. -1 drops all.

        Raises:
            DependencyError: TensorBoard was asked for and is not installed.
            TrainingError: The file cannot be written.
        """
        self._board = _summary_writer(folder) if log is Log.TENSORBOARD else None
        path = folder / HISTORY_FILE
        try:
            kept = _lines_until(path, from_step)
            partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
            partial.write_text("".join(kept), encoding="utf-8")
            partial.replace(path)
            self._stream = path.open("a", encoding="utf-8")
        except OSError as error:
            raise TrainingError(f"{path}: cannot be written ({error.strerror or error})") from error

    def add(self, record: Mapping[str, Any]) -> None:
        """Append one line; `record` holds at least `step`. Numbers go to TensorBoard under their names."""
        self._stream.write(json.dumps(record) + "\n")
        self._stream.flush()
        if self._board is not None:
            for name, value in record.items():
                if isinstance(value, int | float) and name != "step":
                    self._board.add_scalar(name, value, record["step"])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        if self._board is not None:
            self._board.close()


def read_history(folder: Path) -> list[dict[str, Any]]:
    """All lines of a folder's history; empty where there is none."""
    return [json.loads(line) for line in _lines_until(folder / HISTORY_FILE, None)]


def _lines_until(path: Path, step: int | None) -> list[str]:
    """Whole lines up to a step; a line cut short by a crash is left out."""
    if not path.is_file() or step == -1:
        return []
    kept = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        try:
            is_kept = step is None or json.loads(line)["step"] <= step
        except (ValueError, KeyError, TypeError):
            continue
        if is_kept and line.endswith("\n"):
            kept.append(line)
    return kept


def _summary_writer(folder: Path) -> Any:
    try:
        # By name: TensorBoard takes a second to load and is optional.
        tensorboard = importlib.import_module("torch.utils.tensorboard")
    except ImportError as error:
        raise DependencyError(
            f"--log tensorboard: {error}; install it with: pip install 'pifnet[tensorboard]', or leave the option out"
        ) from error
    return tensorboard.SummaryWriter(str(folder / TENSORBOARD_FOLDER))
