"""The recipe of every network: as published, or, for the anchored variant, as we found best."""

import math
from dataclasses import asdict, dataclass, field, fields, replace

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Anchor, HyperParameter, Schedule, Variant
from pifnet_cli.settings import RecipeOverrides, TrainSettings

NO_CLIP = 1e6  # a norm that no gradient has
CACHED_OVER_KRIGING = 256  # patches: kriging is too slow to be computed anew for each
WARM_UP = 20  # steps over which the rate of a cosine schedule rises


@dataclass(frozen=True, slots=True)
class Optimisation:
    """How weights move: AdamW, which is Adam where nothing decays.

    Attributes:
        learning_rate: At its highest.
        schedule: How it falls.
        decay_every: Epochs between the drops of a schedule of steps.
        decay_factor: What it is multiplied by then.
        beta1: Decay of Adam's running mean of gradients.
        weight_decay: AdamW's; 0 is Adam.
        ema_decay: Decay of the running mean of weights; 0 keeps none.
        gradient_clip: Largest norm of the gradient.
    """

    learning_rate: float
    schedule: Schedule
    decay_every: int = 200
    decay_factor: float = 0.5
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
                return float(self.learning_rate * self.decay_factor ** (epoch // self.decay_every))
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


ANCHORED = Recipe(
    network={"width": 32, "blocks": 1, "pooling_window": 31},
    patch_size=32,
    batch_size=8,
    optimisation=Optimisation(1e-3, Schedule.COSINE, weight_decay=1e-4, gradient_clip=1.0, ema_decay=0.99),
    input_noise=0.01,
    inverse_weight=0.01,
    cosine_weight=0.1,
    minutes=10.0,
)

PUBLISHED = {
    Method.PIFNET: Recipe(
        patch_size=64,
        batch_size=8,
        optimisation=Optimisation(1e-4, Schedule.STEPS, weight_decay=1e-4, gradient_clip=1.0),
        inverse_weight=0.01,
        cosine_weight=0.1,
        epochs=500,
    ),
    Method.HSRNET: Recipe(
        patch_size=64, batch_size=32, optimisation=Optimisation(1e-4, Schedule.CONSTANT), steps=150_000
    ),
    Method.FUSFORMER: Recipe(
        patch_size=64, batch_size=3, optimisation=Optimisation(1e-3, Schedule.STEPS, decay_factor=0.1), epochs=1000
    ),
    Method.PSRT: Recipe(
        patch_size=64,
        batch_size=32,
        optimisation=Optimisation(1e-4, Schedule.CONSTANT, weight_decay=1e-4, gradient_clip=10.0),
        epochs=2000,
    ),
    Method.U2NET: Recipe(
        patch_size=64, batch_size=16, optimisation=Optimisation(1e-3, Schedule.STEPS, decay_every=100), epochs=500
    ),
    Method.DT3NET: Recipe(
        patch_size=64,
        batch_size=8,
        optimisation=Optimisation(1e-4, Schedule.STEPS, decay_every=80),
        epochs=100,
        epoch_patches=20_000,
    ),
    Method.SMGUNET: Recipe(
        patch_size=64,
        batch_size=2,
        optimisation=Optimisation(1e-4, Schedule.STEPS, decay_every=1000, decay_factor=0.1, beta1=0.5),
        epochs=2001,
    ),
}
"""SMGU-Net's authors state no patch size; the others' is taken."""


def recipe_of(settings: TrainSettings) -> Recipe:
    """The method's recipe with the overrides, network arguments and budget of the settings.

    A recipe's budget counts only where the settings have none.
    """
    is_anchored = settings.variant_used is Variant.ANCHORED
    recipe = ANCHORED if is_anchored else PUBLISHED[settings.method]
    if settings.anchor_used is Anchor.KRIGING:
        recipe = replace(recipe, cached_examples=CACHED_OVER_KRIGING)
    if any(limit is not None for limit in (settings.steps, settings.epochs, settings.minutes)):
        recipe = replace(recipe, steps=settings.steps, epochs=settings.epochs, minutes=settings.minutes)
    return _overridden(replace(recipe, network=recipe.network | settings.network), settings.overrides)


def _overridden(recipe: Recipe, overrides: RecipeOverrides) -> Recipe:
    said = {name: value for name, value in asdict(overrides).items() if value is not None}
    of_optimisation = {entry.name for entry in fields(Optimisation)} & said.keys()
    optimisation = replace(recipe.optimisation, **{name: said.pop(name) for name in of_optimisation})
    return replace(recipe, optimisation=optimisation, **said)
