"""The recipe of a training: the network's own, as published or as we found best, with what the user says instead."""

from dataclasses import asdict, fields, replace

from pifnet_cli.choices import Anchor, Variant
from pifnet_cli.recipe import Optimisation, Recipe
from pifnet_cli.settings import RecipeOverrides, TrainSettings

PAPER_EPOCHS = 500  # length of PIF-Net's training, whose steps a recipe has that is published without any
CACHED_OVER_KRIGING = 256  # patches: kriging is too slow to be computed anew for each


def recipe_of(settings: TrainSettings) -> Recipe:
    """The method's recipe with the overrides, network arguments and budget of the settings.

    A recipe's budget counts only where the settings have none. The drops of a schedule of steps are published in
    epochs, and counted in them in a budget of epochs, or where the settings say how many. In a budget of steps or
    minutes they lie at the shares of it that they have of the published length.
    """
    facts = settings.method.facts
    recipe = facts.anchored_recipe if settings.variant_used is Variant.ANCHORED else facts.recipe
    if recipe is None:
        raise ValueError(f"{settings.method.value} has no recipe")
    published_epochs = recipe.epochs or PAPER_EPOCHS
    if settings.anchor_used is Anchor.KRIGING:
        recipe = replace(recipe, cached_examples=CACHED_OVER_KRIGING)
    if any(limit is not None for limit in (settings.steps, settings.epochs, settings.minutes)):
        recipe = replace(recipe, steps=settings.steps, epochs=settings.epochs, minutes=settings.minutes)
    if recipe.epochs is None and settings.overrides.decay_every is None:
        share = recipe.optimisation.decay_every / published_epochs
        recipe = replace(recipe, optimisation=replace(recipe.optimisation, decay_share=share))
    return _overridden(replace(recipe, network=recipe.network | settings.network), settings.overrides)


def _overridden(recipe: Recipe, overrides: RecipeOverrides) -> Recipe:
    said = {name: value for name, value in asdict(overrides).items() if value is not None}
    of_optimisation = {entry.name for entry in fields(Optimisation)} & said.keys()
    optimisation = replace(recipe.optimisation, **{name: said.pop(name) for name in of_optimisation})
    return replace(recipe, optimisation=optimisation, **said)
