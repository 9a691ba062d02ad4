"""What is kept of a training: the best checkpoint, the last one, the state to resume from, a line of history."""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pifnet_cli.checkpoint import Arrays, Checkpoint, Header, save_checkpoint, save_state
from pifnet_cli.networks import weights_of
from pifnet_cli.training.loop import Learner, Position
from pifnet_cli.training.state import training_state
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
