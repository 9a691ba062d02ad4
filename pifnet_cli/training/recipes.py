"""How every network is trained where the user says nothing: as published, or, for `anchored`, as we found best."""

from dataclasses import dataclass, field, fields, replace

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Anchor, HyperParameter, Schedule, Variant
from pifnet_cli.settings import TrainSettings

NO_CLIP = 1e6  # a norm that no gradient has
POOL = 256  # patches, where an anchor is too slow to be computed anew for each


@dataclass(frozen=True)
class Recipe:
    """Everything about a training that a method has its own habit of. `network` goes to its constructor.

    Adam is AdamW with a weight decay of zero. `decay_every` epochs the learning rate is multiplied by `decay_factor`
    where the schedule has steps; an epoch is `epoch_patches`, or every place of the scenes once.
    """

    patch_size: int
    batch_size: int
    learning_rate: float
    schedule: Schedule
    network: dict[str, HyperParameter] = field(default_factory=dict)
    epoch_patches: int | None = None
    decay_every: int = 200
    decay_factor: float = 0.5
    beta1: float = 0.9
    weight_decay: float = 0.0
    gradient_clip: float = NO_CLIP
    ema_decay: float = 0.0
    input_noise: float = 0.0
    inverse_weight: float = 0.0
    cosine_weight: float = 0.0
    pool: int = 0
    minutes: float | None = None
    epochs: int | None = None
    steps: int | None = None


ANCHORED = Recipe(
    network={"width": 32, "blocks": 1, "pooling_window": 31},
    patch_size=32,
    batch_size=8,
    learning_rate=1e-3,
    schedule=Schedule.COSINE,
    weight_decay=1e-4,
    gradient_clip=1.0,
    ema_decay=0.99,
    input_noise=0.01,
    inverse_weight=0.01,
    cosine_weight=0.1,
    minutes=10.0,
)

PUBLISHED = {
    Method.PIFNET: Recipe(
        patch_size=64,
        batch_size=8,
        learning_rate=1e-4,
        schedule=Schedule.STEPS,
        weight_decay=1e-4,
        gradient_clip=1.0,
        inverse_weight=0.01,
        cosine_weight=0.1,
        epochs=500,
    ),
    Method.HSRNET: Recipe(patch_size=64, batch_size=32, learning_rate=1e-4, schedule=Schedule.CONSTANT, steps=150_000),
    Method.FUSFORMER: Recipe(
        patch_size=64, batch_size=3, learning_rate=1e-3, schedule=Schedule.STEPS, decay_factor=0.1, epochs=1000
    ),
    Method.PSRT: Recipe(
        patch_size=64,
        batch_size=32,
        learning_rate=1e-4,
        schedule=Schedule.CONSTANT,
        weight_decay=1e-4,
        gradient_clip=10.0,
        epochs=2000,
    ),
    Method.U2NET: Recipe(
        patch_size=64, batch_size=16, learning_rate=1e-3, schedule=Schedule.STEPS, decay_every=100, epochs=500
    ),
    Method.DT3NET: Recipe(
        patch_size=64,
        batch_size=8,
        learning_rate=1e-4,
        schedule=Schedule.STEPS,
        decay_every=80,
        epochs=100,
        epoch_patches=20_000,
    ),
    Method.SMGUNET: Recipe(
        patch_size=64,
        batch_size=2,
        learning_rate=1e-4,
        schedule=Schedule.STEPS,
        decay_every=1000,
        decay_factor=0.1,
        beta1=0.5,
        epochs=2001,
    ),
}
"""SMGU-Net's authors state no patch size; the others' is taken."""


def recipe_of(settings: TrainSettings) -> Recipe:
    """The method's recipe with all that the settings say put in its place.

    A recipe's budget counts only where the settings have none.
    """
    is_anchored = settings.variant_used is Variant.ANCHORED
    default = ANCHORED if is_anchored else PUBLISHED[settings.method]
    if settings.anchor_used is Anchor.KRIGING:
        default = replace(default, pool=POOL)
    budget = ("epochs", "steps", "minutes")
    has_budget = any(getattr(settings, name) is not None for name in budget)
    said = {
        entry.name: getattr(settings, entry.name)
        for entry in fields(Recipe)
        if entry.name not in ("network", "epoch_patches")
        and (getattr(settings, entry.name) is not None or (has_budget and entry.name in budget))
    }
    return replace(default, network=default.network | settings.network, **said)
