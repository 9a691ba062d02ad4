"""What is kept of a training: the best checkpoint, the last one, the state to resume from, a line of history."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pifnet_cli.errors import CheckpointError
from pifnet_cli.networks.build import load_weights, weights_of
from pifnet_cli.networks.checkpoint import Arrays, Checkpoint, Header, TrainingState, save_checkpoint, save_state
from pifnet_cli.training.loop import Learner, Position
from pifnet_cli.training.validation import HeldOut

LAST_FILE = "last.safetensors"

log = logging.getLogger(__name__)


class Keeper:
    """Saves after every validation; each file is replaced as a whole."""

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
            learner: Whose weights are kept.
            header: Complete but for how training went.
            constants: Of the variant.
            fingerprint: What must not change when training is resumed.
            add_to_history: Receives one record per validation.
        """
        self.header = header
        self._folder, self._learner = folder, learner
        self._constants, self._fingerprint = constants, fingerprint
        self._add_to_history = add_to_history

    def keep(self, position: Position) -> str:
        """Save; returns the name of the checkpoint that a failure leaves to fall back to."""
        record = position_record(position)
        header = replace(self.header, training=self.header.training | record)
        checkpoint = Checkpoint(header, weights_of(self._learner.answering), self._constants)
        if position.is_best:
            self.header = header
            save_checkpoint(self._folder, checkpoint)
        save_checkpoint(self._folder / LAST_FILE, checkpoint)
        save_state(self._folder, training_state(self._learner, position, self._fingerprint))
        self._add_to_history(record)
        log.info("%s", _sentence(position))
        return f"{self._folder} (step {position.best_step})"


def position_record(position: Position) -> dict[str, Any]:
    """Where a training stands as JSON values; held-out scores only where there are any."""
    record: dict[str, Any] = {
        "step": position.step,
        "seconds": round(position.seconds, 3),
        "learning_rate": position.learning_rate,
        **{("loss" if name == "loss" else f"loss_{name}"): value for name, value in position.losses.items()},
    }
    return record | scores_record(position.held_out)


def scores_record(held_out: HeldOut | None) -> dict[str, float]:
    """Held-out scores as JSON values; empty where nothing was held out."""
    return {} if held_out is None else asdict(held_out) | {"gain_db": held_out.gain_db}


def _sentence(position: Position) -> str:
    words = f"step {position.step} ({position.progress:.0%})"
    if "loss" in position.losses and math.isfinite(position.losses["loss"]):
        words += f": loss {position.losses['loss']:.4g}"
    if position.held_out is not None:
        words += (
            f", held-out PSNR {position.held_out.psnr_db:.2f} dB ({position.held_out.gain_db:+.2f} over the anchor)"
        )
    return words + (", best so far" if position.is_best and position.step else "")


NETWORK, MEAN, MOMENTS = "network.", "mean.", "moments."


def training_state(learner: Learner, position: Position, fingerprint: Mapping[str, Any]) -> TrainingState:
    """The state after a validation. `fingerprint` is what must be the same when training goes on."""
    arrays: dict[str, NDArray[Any]] = {NETWORK + key: array for key, array in weights_of(learner.network).items()}
    if learner.running_mean is not None:
        arrays |= {MEAN + key: array for key, array in weights_of(learner.running_mean).items()}
    for index, moments in learner.optimizer.state_dict()["state"].items():
        arrays |= {f"{MOMENTS}{index}.{key}": value.detach().cpu().numpy().copy() for key, value in moments.items()}
    return TrainingState(record={"position": asdict(position), "fingerprint": dict(fingerprint)}, arrays=arrays)


def restore(learner: Learner, state: TrainingState, name: str) -> Position:
    """Put a learner back where `training_state` found it.

    Args:
        learner: Built as it was then.
        state: From `pifnet_cli.networks.checkpoint.load_state`.
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
    return _position(state.record["position"], name)


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two fingerprints, as "name: before -> now"."""
    return [
        f"{key}: {before.get(key)} -> {now.get(key)}"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    ]


def _under(arrays: Mapping[str, NDArray[Any]], prefix: str) -> dict[str, NDArray[Any]]:
    return {key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)}


def _position(record: Mapping[str, Any], name: str) -> Position:
    try:
        held_out, best = (HeldOut(**record[key]) if record[key] else None for key in ("held_out", "best"))
        return Position(**{**record, "held_out": held_out, "best": best})
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{name}: its training state is of another version ({error}); train it again") from error
