"""The files of a training: the best checkpoint, the last one, the state to resume from, a line of history."""

import json
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pifnet_cli.choices import Overwrite, Start
from pifnet_cli.errors import CheckpointError, SettingsError
from pifnet_cli.networks.build import load_weights, weights_of
from pifnet_cli.networks.checkpoint import (
    HEADER_FILE,
    STATE_FILE,
    WEIGHTS_FILE,
    Arrays,
    Checkpoint,
    Header,
    TrainingState,
    load_state,
    read_header,
    save_checkpoint,
    save_state,
)
from pifnet_cli.raster.publishing.places import require_no_input
from pifnet_cli.recipe import Recipe
from pifnet_cli.settings import TrainSettings
from pifnet_cli.training.history import HISTORY_FILE
from pifnet_cli.training.loop import Learner, TrainingStatus
from pifnet_cli.training.sources import TrainingScene
from pifnet_cli.training.validation import HeldOut

LAST_FILE = "last.safetensors"
WRITTEN_FILES = WEIGHTS_FILE, HEADER_FILE, STATE_FILE, LAST_FILE, HISTORY_FILE
NETWORK, MEAN, MOMENTS = "network.", "mean.", "moments."  # what names of arrays in a state begin with
BUDGET = (
    "epochs",
    "steps",
    "minutes",
    "decay_share",
)  # the share of it between drops of the rate follows from the others
MAY_CHANGE = *BUDGET, "validations", "device", "start", "log", "overwrite"  # when resumed

log = logging.getLogger(__name__)


class TrainingFiles:
    """Saves a training after every validation; each file is replaced as a whole."""

    def __init__(
        self,
        folder: Path,
        learner: Learner,
        *,
        header: Header,
        constants: Arrays,
        fingerprint: Mapping[str, Any],
        add_to_history: Callable[[Mapping[str, Any]], None],
    ) -> None:
        """Remember where and what to save.

        Args:
            folder: Exists.
            learner: Its weights are saved.
            header: Complete but for how training went.
            constants: The variant's arrays.
            fingerprint: What must not change when training is resumed, from `fingerprint`.
            add_to_history: Receives one record per validation.
        """
        self.header = header
        self._folder, self._learner = folder, learner
        self._constants, self._fingerprint = constants, fingerprint
        self._add_to_history = add_to_history

    def save(self, status: TrainingStatus) -> str:
        """Write all files; returns the name of the checkpoint that a failure leaves to fall back to."""
        record = status.to_record()
        header = replace(self.header, training=self.header.training | record)
        checkpoint = Checkpoint(header, weights_of(self._learner.answering), self._constants)
        if status.is_best:
            self.header = header
            save_checkpoint(self._folder, checkpoint)
        save_checkpoint(self._folder / LAST_FILE, checkpoint)
        save_state(self._folder, training_state(self._learner, status, self._fingerprint))
        self._add_to_history(record)
        log.info("%s", _sentence(status, header.compared_with.value))
        return f"{self._folder} (step {status.best_step})"


def opened_folder(
    folder: Path, *, start: Start, overwrite: Overwrite, inputs: Sequence[Path] = ()
) -> TrainingState | None:
    """Create the folder of a new training, or read the state that a resumed one goes on from.

    Args:
        folder: Of the checkpoint.
        start: Anew, or where a training stopped.
        overwrite: Whether it may hold a training.
        inputs: Files that the training reads; none may be one that it writes.

    Raises:
        CheckpointError: It holds another training, or none to resume; or it cannot be created.
        SceneWriteError: A file that would be written is an input.
        SettingsError: It is a file.
    """
    require_no_input((folder / name for name in WRITTEN_FILES), inputs)
    if start is Start.RESUME:
        return load_state(folder)
    if folder.exists() and not folder.is_dir():
        raise SettingsError(f"{folder}: is a file; a folder for the checkpoint was expected")
    if (folder / WEIGHTS_FILE).exists() and overwrite is Overwrite.REFUSE:
        raise CheckpointError(f"{folder}: holds a checkpoint; use --resume to go on with it, --overwrite to replace it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be created ({error.strerror or error})") from error
    return None


def fingerprint(settings: TrainSettings, recipe: Recipe, scenes: Sequence[TrainingScene]) -> dict[str, Any]:
    """The options and scenes that must be the same when a training is resumed, as JSON values."""
    numbers = asdict(recipe)
    optimisation, pool = numbers.pop("optimisation"), numbers.pop("cached_examples")
    chosen = asdict(settings) | numbers | optimisation | {"pool": pool}  # flat, and named as in all states so far
    chosen = {name: value for name, value in chosen.items() if name not in (*MAY_CHANGE, "overrides")}
    chosen["validation"] = [path.name for path in settings.validation]
    seen = [
        [scene.path.name, scene.lr.bands.count, scene.hr.bands.count, scene.hr.grid.height, scene.hr.grid.width]
        for scene in scenes
    ]
    record: dict[str, Any] = json.loads(json.dumps(chosen | {"inputs": seen}))
    return record


def network_so_far(state: TrainingState, folder: Path, fingerprint: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of the network whose training stopped in a folder, those included that were a default then.

    Raises:
        CheckpointError: The last checkpoint is missing or damaged.
        SettingsError: Another training than the one with this fingerprint stopped there.
    """
    before = state.record["fingerprint"]
    changed = [
        f"{key}: {before.get(key)} -> {fingerprint.get(key)}"
        for key in sorted({*before, *fingerprint})
        if before.get(key) != fingerprint.get(key)
    ]
    if changed:
        raise SettingsError(
            f"--resume: {folder} was trained otherwise ({'; '.join(changed)}); use the same options and inputs, or "
            f"--overwrite to begin anew"
        )
    return read_header(folder / LAST_FILE).hyper_parameters


def training_state(learner: Learner, status: TrainingStatus, fingerprint: Mapping[str, Any]) -> TrainingState:
    """The state after a validation: all that `restore` needs."""
    arrays: dict[str, NDArray[Any]] = {NETWORK + key: array for key, array in weights_of(learner.network).items()}
    if learner.running_mean is not None:
        arrays |= {MEAN + key: array for key, array in weights_of(learner.running_mean).items()}
    for index, moments in learner.optimizer.state_dict()["state"].items():
        arrays |= {f"{MOMENTS}{index}.{key}": value.detach().cpu().numpy().copy() for key, value in moments.items()}
    return TrainingState(record={"position": asdict(status), "fingerprint": dict(fingerprint)}, arrays=arrays)


def restore(learner: Learner, state: TrainingState, name: str) -> TrainingStatus:
    """Put a learner back where `training_state` found it.

    Args:
        learner: Built as it was then.
        state: From `training_state`, or read by `pifnet_cli.networks.checkpoint.load_state`.
        name: The folder, for messages.

    Raises:
        CheckpointError: The state does not fit the learner.
    """
    load_weights(learner.network, _under(state.arrays, NETWORK), name)
    if learner.running_mean is not None:
        load_weights(learner.running_mean, _under(state.arrays, MEAN), name)
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for key, array in _under(state.arrays, MOMENTS).items():
        index, _, field = key.partition(".")
        moments.setdefault(int(index), {})[field] = torch.from_numpy(np.array(array))
    groups = learner.optimizer.state_dict()["param_groups"]
    learner.optimizer.load_state_dict({"state": moments, "param_groups": groups})
    return _status(state.record["position"], name)


def _under(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}


def _status(record: Mapping[str, Any], name: str) -> TrainingStatus:
    try:
        held_out, best = (HeldOut(**record[key]) if record[key] else None for key in ("held_out", "best"))
        return TrainingStatus(**{**record, "held_out": held_out, "best": best})
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{name}: its training state is of another version ({error}); train it again") from error


def _sentence(status: TrainingStatus, start: str) -> str:
    words = f"step {status.step} ({status.progress:.0%})"
    if "loss" in status.losses and math.isfinite(status.losses["loss"]):
        words += f": loss {status.losses['loss']:.4g}"
    if status.held_out is not None:
        words += f", held-out PSNR {status.held_out.psnr_db:.2f} dB ({status.held_out.gain_db:+.2f} over {start})"
    return words + (", best so far" if status.is_best and status.step else "")
