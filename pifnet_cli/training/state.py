"""What a training needs to go on as if it had never stopped: arrays and plain values, no pickle.

Batches and random numbers are functions of the step's number, so weights, moments and position are all there is.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pifnet_cli.checkpoint import TrainingState
from pifnet_cli.errors import CheckpointError
from pifnet_cli.networks import load_weights, weights_of
from pifnet_cli.training.loop import Learner, Position
from pifnet_cli.training.validation import HeldOut

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
        state: From `pifnet_cli.checkpoint.load_state`.
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
