"""The loop of steps and validations that trains every network."""

import copy
import math
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import Any

import torch
from torch import nn

from pifnet_cli.choices import Precision
from pifnet_cli.errors import TrainingError
from pifnet_cli.recipe import Optimisation, Recipe
from pifnet_cli.training.objectives import Batch, Objective
from pifnet_cli.training.validation import HeldOut

BETA2 = 0.999  # of Adam; no recipe says otherwise
EMA_START = 10  # the running mean of the first steps reaches back less far
LOOKAHEAD = 3  # batches that are prepared while a GPU works

BatchAt = Callable[[int], Batch]  # the batch of a step


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop: whichever limit comes first."""

    steps: int | None
    epochs: int | None
    minutes: float | None
    steps_per_epoch: int

    @classmethod
    def of_recipe(cls, recipe: Recipe, *, places: int) -> "Budget":
        """A recipe's limits; `places` patches cover the scenes once, and are an epoch where the recipe names none."""
        steps_per_epoch = math.ceil((recipe.epoch_patches or places) / recipe.batch_size)
        return cls(steps=recipe.steps, epochs=recipe.epochs, minutes=recipe.minutes, steps_per_epoch=steps_per_epoch)

    def progress(self, step: int, seconds: float) -> float:
        """Share of the budget that is used, 0 to 1."""
        used = [
            done / limit
            for done, limit in (
                (step, self.steps),
                (step / self.steps_per_epoch, self.epochs),
                (seconds / 60, self.minutes),
            )
            if limit is not None
        ]
        return min(1.0, max(used))


@dataclass(frozen=True, slots=True)
class TrainingStatus:
    """How far a training has come.

    Attributes:
        step: Steps that are done.
        seconds: Time that they took.
        progress: Share of the budget that is used, 0 to 1.
        learning_rate: The last step's.
        losses: Means of the loss's parts since the last validation.
        held_out: Scores of the last validation; None where nothing is held out.
        best: The best scores so far; None where nothing is held out.
        best_step: The step that they were found after.
    """

    step: int = 0
    seconds: float = 0.0
    progress: float = 0.0
    learning_rate: float = 0.0
    losses: dict[str, float] = field(default_factory=dict)
    held_out: HeldOut | None = None
    best: HeldOut | None = None
    best_step: int = 0

    @property
    def is_best(self) -> bool:
        """Whether the latest validation is the best so far."""
        return self.best_step == self.step

    @property
    def seconds_left(self) -> float:
        """Time to the end of the budget at the pace so far; NaN before the first step."""
        return self.seconds * (1 - self.progress) / self.progress if self.progress else math.nan

    def to_record(self) -> dict[str, Any]:
        """The status as JSON values, as `history.jsonl` has it; held-out scores only where there are any."""
        losses = {("loss" if name == "loss" else f"loss_{name}"): value for name, value in self.losses.items()}
        record = {"step": self.step, "seconds": round(self.seconds, 3), "learning_rate": self.learning_rate, **losses}
        return record if self.held_out is None else record | self.held_out.to_record()


ReportStatus = Callable[[TrainingStatus], None]


class Learner:
    """A network, its optimiser and its running mean, on one device."""

    def __init__(
        self, network: nn.Module, optimisation: Optimisation, *, device: torch.device, precision: Precision
    ) -> None:
        self.network = network.to(device)
        self.optimisation = optimisation
        self.device = device
        self.optimizer = torch.optim.AdamW(
            self.network.parameters(),
            lr=optimisation.learning_rate,
            betas=(optimisation.beta1, BETA2),
            weight_decay=optimisation.weight_decay,
        )
        self.running_mean = copy.deepcopy(self.network) if optimisation.ema_decay else None
        self._uses_bfloat16 = precision is Precision.BFLOAT16

    @property
    def answering(self) -> nn.Module:
        """The network that is validated and saved: the running mean of weights, where there is one."""
        return self.network if self.running_mean is None else self.running_mean

    def step(self, batch: Batch, objective: Objective, *, rate: float, number: int) -> dict[str, float]:
        """Move the weights once, and return the loss and its parts.

        Raises:
            FloatingPointError: Loss or gradient is not finite; the weights are as before.
        """
        self.network.train()
        batch = batch.to(self.device)
        with (
            contained_randomness(number),
            torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._uses_bfloat16),
        ):
            losses = objective.losses(self.network, batch)
        self.optimizer.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        norm = nn.utils.clip_grad_norm_(self.network.parameters(), self.optimisation.gradient_clip)
        if not torch.isfinite(losses.total + norm):
            raise FloatingPointError(f"loss {losses.total.item():g}, gradient {norm.item():g}")
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self._follow(number)
        return {"loss": losses.total.item()} | {name: part.item() for name, part in losses.parts.items()}

    @torch.no_grad()
    def _follow(self, number: int) -> None:
        if self.running_mean is None:
            return
        decay = min(self.optimisation.ema_decay, (1 + number) / (EMA_START + number))
        for mean, current in zip(self.running_mean.parameters(), self.network.parameters(), strict=True):
            mean.lerp_(current, 1 - decay)
        for kept, buffer in zip(self.running_mean.buffers(), self.network.buffers(), strict=True):
            kept.copy_(buffer)


@dataclass(frozen=True, slots=True)
class Callbacks:
    """Functions that `Training.run` calls between its steps.

    Attributes:
        validate: Scores the network that answers; None where nothing is held out.
        save: Saves the training after each validation, and returns the name of its best checkpoint.
        report: Receives the status after each step.
    """

    validate: Callable[[nn.Module], HeldOut | None]
    save: Callable[[TrainingStatus], str]
    report: ReportStatus


class Training:
    """The loop over steps and validations. It opens no file."""

    def __init__(
        self,
        learner: Learner,
        *,
        objective: Objective,
        budget: Budget,
        validations: int,
        callbacks: Callbacks,
        status: TrainingStatus,
    ) -> None:
        """Go on from a status; `validations` are spread evenly over the budget."""
        self._learner, self._objective = learner, objective
        self._budget, self._validations, self._callbacks = budget, validations, callbacks
        self._status = replace(status, progress=budget.progress(status.step, status.seconds))
        self._started = monotonic() - status.seconds
        self._sums: dict[str, float] = {}
        self._since = status.step
        self._last_good = "the checkpoint that was resumed"

    def run(self, batch_at: BatchAt) -> TrainingStatus:
        """Train to the end of the budget.

        Args:
            batch_at: The batch of a step: a function of its number alone, so that a resumed run sees the same ones.

        Raises:
            TrainingError: The loss is not finite, or memory ran out; names the last good checkpoint.
        """
        if self._status.step == 0:
            self._validate()
        ahead = LOOKAHEAD if self._learner.device.type == "cuda" else 0
        with closing(prepared(batch_at, self._status.step, ahead)) as batches:
            while self._status.progress < 1:
                before = self._status.progress
                self._move(next(batches))
                if self._is_due(before):
                    self._validate()
                self._callbacks.report(self._status)
        return self._status

    def _is_due(self, before: float) -> bool:
        """Whether a validation's place in the budget lies between `before` and now; at the end one always does."""
        rounding = 1e-9
        first, last = (int(progress * self._validations + rounding) for progress in (before, self._status.progress))
        return last > first

    def _move(self, batch: Batch) -> None:
        status, number = self._status, self._status.step
        epoch = number // self._budget.steps_per_epoch
        rate = self._learner.optimisation.rate(number, progress=status.progress, epoch=epoch)
        try:
            parts = self._learner.step(batch, self._objective, rate=rate, number=number)
        except FloatingPointError as error:
            raise TrainingError(
                f"step {number}: not finite ({error}); the last good checkpoint is {self._last_good}; go on from it "
                f"with a lower --learning-rate, or look for extreme pixels in the scenes"
            ) from error
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"step {number}: the GPU's memory ran out; the last good checkpoint is {self._last_good}; lower "
                f"--batch-size or --patch-size, or use --precision bfloat16"
            ) from error
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in parts.items()}
        seconds = monotonic() - self._started
        self._status = replace(
            status,
            step=number + 1,
            seconds=seconds,
            progress=self._budget.progress(number + 1, seconds),
            learning_rate=rate,
            losses={name: total / (number + 1 - self._since) for name, total in self._sums.items()},
        )

    def _validate(self) -> None:
        held_out = self._callbacks.validate(self._learner.answering)
        best, best_step = self._status.best, self._status.best_step
        if held_out is None or best is None or held_out.psnr_db > best.psnr_db:
            best, best_step = held_out, self._status.step
        self._status = replace(self._status, held_out=held_out, best=best, best_step=best_step)
        self._last_good = self._callbacks.save(self._status)
        self._sums, self._since = {}, self._status.step


@contextmanager
def contained_randomness(seed: int) -> Generator[None, None, None]:
    """Seed torch's global generators inside, and leave them as they were: a step is a function of its number."""
    devices = list(range(torch.cuda.device_count())) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices):
        torch.manual_seed(seed)
        yield


def prepared(batch_at: BatchAt, first: int, ahead: int) -> Generator[Batch, None, None]:
    """Batches from number `first` on; `ahead` of them are made by threads while the device works."""
    if not ahead:
        while True:
            yield batch_at(first)
            first += 1
    with ThreadPoolExecutor(max_workers=ahead) as pool:
        waiting = deque(pool.submit(batch_at, number) for number in range(first, first + ahead))
        following = first + ahead
        try:
            while True:
                waiting.append(pool.submit(batch_at, following))
                following += 1
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
