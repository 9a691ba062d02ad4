"""What a training needs to know that differs between methods; each network's own stands in its row of the catalog."""

import math
from dataclasses import dataclass, field

from pifnet_cli.choices import HyperParameter, Schedule

NO_CLIP = 1e6  # a norm that no gradient has
WARM_UP = 20  # steps over which the rate of a cosine schedule rises
ROUNDING = 1e-9  # of a number of drops: shares of a budget are floats


@dataclass(frozen=True, slots=True)
class Optimisation:
    """How weights move: AdamW, which is Adam where nothing decays.

    Attributes:
        learning_rate: At its highest.
        schedule: How it falls.
        decay_every: Epochs between the drops of a schedule of steps.
        decay_factor: What it is multiplied by then.
        decay_share: Share of the budget between those drops, which then counts instead of epochs; None: epochs count.
        beta1: Decay of Adam's running mean of gradients.
        weight_decay: AdamW's; 0 is Adam.
        ema_decay: Decay of the running mean of weights; 0 keeps none.
        gradient_clip: Largest norm of the gradient.
    """

    learning_rate: float
    schedule: Schedule
    decay_every: int = 200
    decay_factor: float = 0.5
    decay_share: float | None = None
    beta1: float = 0.9
    weight_decay: float = 0.0
    ema_decay: float = 0.0
    gradient_clip: float = NO_CLIP

    def rate(self, step: int, *, progress: float, epoch: int) -> float:
        """The learning rate of one step; `progress` is the used share of the budget."""
        match self.schedule:
            case Schedule.COSINE:
                fall = 0.5 * (1 + math.cos(math.pi * progress))
                return self.learning_rate * fall * min(1.0, (step + 1) / WARM_UP)
            case Schedule.STEPS:
                drops = epoch // self.decay_every
                if self.decay_share is not None:
                    drops = int(progress / self.decay_share + ROUNDING)
                return float(self.learning_rate * self.decay_factor**drops)
            case Schedule.CONSTANT:
                return self.learning_rate


@dataclass(frozen=True, slots=True)
class Recipe:
    """All numbers of a training that differ between methods.

    Attributes:
        patch_size: Side of a training crop, HR pixels.
        batch_size: Patches a step.
        optimisation: How weights move.
        network: Goes to the network's constructor.
        epoch_patches: Patches of an epoch; None for every place of the scenes once.
        input_noise: Standard deviation of what is added to the network's inputs.
        inverse_weight: Of L_inv in the loss.
        cosine_weight: Of the cosine term in the loss.
        cached_examples: Patches that are made once and used again; 0 makes every one anew.
        minutes: The training ends at whichever limit comes first.
        epochs: Likewise.
        steps: Likewise.
    """

    patch_size: int
    batch_size: int
    optimisation: Optimisation
    network: dict[str, HyperParameter] = field(default_factory=dict)
    epoch_patches: int | None = None
    input_noise: float = 0.0
    inverse_weight: float = 0.0
    cosine_weight: float = 0.0
    cached_examples: int = 0
    minutes: float | None = None
    epochs: int | None = None
    steps: int | None = None
