"""One step, one validation, and the loop over them; serves every network."""

import copy
import math
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from time import monotonic

import torch
from torch import nn

from pifnet_cli.choices import Precision, Schedule
from pifnet_cli.errors import TrainingError
from pifnet_cli.training.objectives import Batch, Objective
from pifnet_cli.training.validation import HeldOut

WARM_UP = 20  # steps over which the rate of a cosine schedule rises
BETA2 = 0.999  # of Adam; no recipe says otherwise
EMA_START = 10  # the running mean of the first steps reaches back less far
LOOKAHEAD = 3  # batches that are prepared while a GPU works

BatchAt = Callable[[int], Batch]


@dataclass(frozen=True, slots=True)
class Budget:
    """When to stop: whichever limit comes first."""

    steps: int | None
    epochs: int | None
    minutes: float | None
    steps_per_epoch: int

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
class Optimisation:
    """How weights move: AdamW, which is Adam where nothing decays.

    `decay_every` epochs a schedule of steps multiplies the learning rate by `decay_factor`.
    """

    learning_rate: float
    schedule: Schedule
    decay_every: int
    decay_factor: float
    beta1: float
    weight_decay: float
    ema_decay: float
    gradient_clip: float

    def rate(self, step: int, *, progress: float, epoch: int) -> float:
        """The learning rate of one step."""
        match self.schedule:
            case Schedule.COSINE:
                fall = 0.5 * (1 + math.cos(math.pi * progress))
                return self.learning_rate * fall * min(1.0, (step + 1) / WARM_UP)
            case Schedule.STEPS:
                return float(self.learning_rate * self.decay_factor ** (epoch // self.decay_every))
            case Schedule.CONSTANT:
                return self.learning_rate


@dataclass(frozen=True, slots=True)
class Position:
    """Where a training stands. `losses` are means of the loss's parts since the last validation."""

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
        """At the pace so far; NaN before there is one."""
        return self.seconds * (1 - self.progress) / self.progress if self.progress else math.nan


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
        """The network that is validated and kept."""
        return self.network if self.running_mean is None else self.running_mean

    def step(self, batch: Batch, objective: Objective, *, rate: float, number: int) -> dict[str, float]:
        """Move the weights once; returns the parts of the loss.

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
class Course:
    """What `run` does beside stepping.

    Attributes:
        validate: Scores the network that answers; None where nothing is held out.
        validations: How many, evenly over the budget.
        keep: Called after each validation; saves what is to be saved and returns its name.
        report: Called after each step.
    """

    validate: Callable[[nn.Module], HeldOut | None]
    validations: int
    keep: Callable[[Position], str]
    report: Callable[[Position], None]


class Training:
    """The loop. It opens no file and owns no clock but its own."""

    def __init__(
        self, learner: Learner, *, objective: Objective, budget: Budget, course: Course, position: Position
    ) -> None:
        self._learner, self._objective = learner, objective
        self._budget, self._course = budget, course
        self._position = replace(position, progress=budget.progress(position.step, position.seconds))
        self._started = monotonic() - position.seconds
        self._sums: dict[str, float] = {}
        self._since = position.step
        self._last_good = "the checkpoint that was resumed"

    def run(self, batch_at: BatchAt) -> Position:
        """Train to the end of the budget.

        Args:
            batch_at: The batch of a step: a function of its number alone, so that a resumed run sees the same ones.

        Raises:
            TrainingError: The loss is not finite, or memory ran out; names the last good checkpoint.
        """
        if self._position.step == 0:
            self._validate()
        ahead = LOOKAHEAD if self._learner.device.type == "cuda" else 0
        with closing(prepared(batch_at, self._position.step, ahead)) as batches:
            while self._position.progress < 1:
                before = self._position.progress
                self._move(next(batches))
                if self._is_due(before):
                    self._validate()
                self._course.report(self._position)
        return self._position

    def _is_due(self, before: float) -> bool:
        """Whether a validation's place in the budget lies between `before` and now; at the end one always does."""
        rounding = 1e-9
        first, last = (
            int(progress * self._course.validations + rounding) for progress in (before, self._position.progress)
        )
        return last > first

    def _move(self, batch: Batch) -> None:
        position, number = self._position, self._position.step
        epoch = number // self._budget.steps_per_epoch
        rate = self._learner.optimisation.rate(number, progress=position.progress, epoch=epoch)
        try:
            parts = self._learner.step(batch, self._objective, rate=rate, number=number)
        except FloatingPointError as error:
            raise TrainingError(
                f"step {number}: not finite ({error}); the last good checkpoint is {self._last_good}; go on from it "
                f"with a lower --lr, or look for extreme pixels in the scenes"
            ) from error
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"step {number}: the GPU's memory ran out; the last good checkpoint is {self._last_good}; lower "
                f"--batch-size or --patch-size, or use --precision bfloat16"
            ) from error
        self._sums = {name: self._sums.get(name, 0.0) + value for name, value in parts.items()}
        seconds = monotonic() - self._started
        self._position = replace(
            position,
            step=number + 1,
            seconds=seconds,
            progress=self._budget.progress(number + 1, seconds),
            learning_rate=rate,
            losses={name: total / (number + 1 - self._since) for name, total in self._sums.items()},
        )

    def _validate(self) -> None:
        held_out = self._course.validate(self._learner.answering)
        best, best_step = self._position.best, self._position.best_step
        if held_out is None or best is None or held_out.psnr_db > best.psnr_db:
            best, best_step = held_out, self._position.step
        self._position = replace(self._position, held_out=held_out, best=best, best_step=best_step)
        self._last_good = self._course.keep(self._position)
        self._sums, self._since = {}, self._position.step


@contextmanager
def contained_randomness(seed: int) -> Generator[None, None, None]:
    """Torch's global generators are seeded inside and as they were outside: a step is a function of its number."""
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
