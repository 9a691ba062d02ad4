"""docs/methods.md 9, typed once more; and what the user says instead."""

from dataclasses import asdict, fields, replace

import numpy as np
import pytest

from pifnet_cli.catalog import NETWORKS, Method
from pifnet_cli.choices import Anchor, Schedule, Variant
from pifnet_cli.recipe import NO_CLIP
from pifnet_cli.settings import RecipeOverrides, TrainSettings
from pifnet_cli.training.loop import Budget
from pifnet_cli.training.recipes import CACHED_OVER_KRIGING, recipe_of

# Method: learning rate, factor and epochs of its steps (None: constant), length, batch, patch, weight decay, beta1.
PRINTED = {
    Method.HSRNET: (1e-4, None, {"steps": 150_000}, 32, 64, 0, 0.9),
    Method.FUSFORMER: (1e-3, (0.1, 200), {"epochs": 1000}, 3, 64, 0, 0.9),
    Method.PSRT: (1e-4, None, {"epochs": 2000}, 32, 64, 1e-4, 0.9),
    Method.U2NET: (1e-3, (0.5, 100), {"epochs": 500}, 16, 64, 0, 0.9),
    Method.DT3NET: (1e-4, (0.5, 80), {"epochs": 100}, 8, 64, 0, 0.9),
    Method.SMGUNET: (1e-4, (0.1, 1000), {"epochs": 2001}, 2, 64, 0, 0.5),  # the patch is not stated: ours
    Method.PIFNET: (1e-4, (0.5, 200), {"epochs": 500}, 8, 64, 1e-4, 0.9),
}


def _settings(method, **changes):
    return TrainSettings(method=method, variant=Variant.PAPER, **changes)


@pytest.mark.parametrize("method", NETWORKS)
def test_published_recipes_are_the_printed_ones(method):
    rate, steps, length, batch, patch, decay, beta1 = PRINTED[method]
    recipe = recipe_of(_settings(method))

    optimisation = recipe.optimisation
    assert (optimisation.learning_rate, recipe.batch_size, recipe.patch_size) == (rate, batch, patch)
    assert (optimisation.weight_decay, optimisation.beta1) == (decay, beta1)
    assert optimisation.schedule is (Schedule.CONSTANT if steps is None else Schedule.STEPS)
    if steps is not None:
        assert (optimisation.decay_factor, optimisation.decay_every) == steps
    budget = {name: getattr(recipe, name) for name in ("steps", "epochs", "minutes")}
    assert budget == {"steps": None, "epochs": None, "minutes": None} | length


@pytest.mark.parametrize("method", NETWORKS)
def test_only_what_is_published_besides_is_done_besides(method):
    recipe = recipe_of(_settings(method))
    assert recipe.epoch_patches == (20_000 if method is Method.DT3NET else None)
    assert (recipe.optimisation.ema_decay, recipe.input_noise, recipe.cached_examples, recipe.network) == (0, 0, 0, {})
    clip = {Method.PSRT: 10.0, Method.PIFNET: 1.0}.get(method, NO_CLIP)
    assert recipe.optimisation.gradient_clip == clip
    terms = (0.01, 0.1) if method is Method.PIFNET else (0, 0)
    assert (recipe.inverse_weight, recipe.cosine_weight) == terms


def test_every_network_has_a_recipe():
    assert set(PRINTED) == set(NETWORKS) == {method for method in Method if method.facts.recipe is not None}


def _numbers(recipe):
    """All of a recipe under one roof, as overrides name it."""
    numbers = asdict(recipe)
    return numbers | numbers.pop("optimisation")


@pytest.mark.parametrize("method", NETWORKS)
def test_all_of_a_recipe_can_be_said_otherwise(method):
    said = {"patch_size": 32, "batch_size": 5, "learning_rate": 3e-3, "schedule": Schedule.COSINE, "decay_every": 7,
            "decay_factor": 0.3, "beta1": 0.7, "weight_decay": 0.02, "gradient_clip": 2.0, "ema_decay": 0.9,
            "input_noise": 0.05, "cached_examples": 11}  # fmt: skip
    found = _numbers(recipe_of(_settings(method, overrides=RecipeOverrides(**said))))
    assert {name: found[name] for name in said} == said


def test_every_override_is_a_number_of_a_recipe():
    assert {entry.name for entry in fields(RecipeOverrides)} <= _numbers(recipe_of(TrainSettings())).keys()


@pytest.mark.parametrize(
    "name", ["gradient_clip", "ema_decay", "input_noise", "weight_decay", "cached_examples", "beta1"]
)
def test_zero_is_something_said(name):
    value = 1e-6 if name == "gradient_clip" else 0
    settings = TrainSettings(anchor=Anchor.KRIGING, overrides=RecipeOverrides(**{name: value}))
    assert _numbers(recipe_of(settings))[name] == value


@pytest.mark.parametrize(
    ("said", "budget"),
    [
        ({}, (150_000, None, None)),
        ({"minutes": 5.0}, (None, None, 5.0)),
        ({"epochs": 3}, (None, 3, None)),
        ({"steps": 7, "minutes": 1.0}, (7, None, 1.0)),
    ],
)
def test_a_recipe_s_budget_counts_only_where_none_is_given(said, budget):
    recipe = recipe_of(_settings(Method.HSRNET, **said))
    assert (recipe.steps, recipe.epochs, recipe.minutes) == budget


def _drops(settings):
    """The shares of a budget of steps or minutes where the rate falls on a scene of one step an epoch, and by what."""
    recipe = recipe_of(settings)
    budget = Budget.of_recipe(recipe, places=1)
    minutes, steps = (budget.minutes, 5000) if budget.minutes else (0, budget.steps)
    rates = []
    for thousandth in range(1000):
        step = steps * thousandth // 1000
        progress = budget.progress(step, 60 * minutes * thousandth / 1000)
        rates.append(recipe.optimisation.rate(step, progress=progress, epoch=step // budget.steps_per_epoch))
    fallen = [index for index in range(1, 1000) if rates[index] != rates[index - 1]]
    return [(index / 1000, round(rates[index] / rates[index - 1], 6)) for index in fallen]


PUBLISHED_DROPS = {
    Method.FUSFORMER: [(0.2, 0.1), (0.4, 0.1), (0.6, 0.1), (0.8, 0.1)],
    Method.U2NET: [(0.2, 0.5), (0.4, 0.5), (0.6, 0.5), (0.8, 0.5)],
    Method.DT3NET: [(0.8, 0.5)],
    Method.SMGUNET: [(0.5, 0.1)],  # and once more in its last epoch of 2001
    Method.PIFNET: [(0.4, 0.5), (0.8, 0.5)],
}


@pytest.mark.parametrize("budget", [{"minutes": 12.0}, {"steps": 5000}, {"steps": 10**6, "minutes": 12.0}])
@pytest.mark.parametrize("method", PUBLISHED_DROPS)
def test_a_rate_that_falls_in_steps_falls_at_the_published_shares_of_a_budget(method, budget):
    drops = _drops(_settings(method, **budget))
    assert np.array(drops) == pytest.approx(np.array(PUBLISHED_DROPS[method]), abs=1e-3)


@pytest.mark.parametrize("schedule_of", [{"variant": Variant.ANCHORED}, {"method": Method.HSRNET, "steps": 100}])
def test_steps_in_place_of_another_schedule_fall_with_the_budget_too(schedule_of):
    settings = TrainSettings(**schedule_of, overrides=RecipeOverrides(schedule=Schedule.STEPS))
    assert _drops(settings) == [(0.4, 0.5), (0.8, 0.5)]


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"epochs": 3000},
        {"epochs": 3000, "minutes": 12.0},
        {"steps": 5000, "overrides": RecipeOverrides(decay_every=200)},
        {"minutes": 12.0, "overrides": RecipeOverrides(decay_every=200)},
    ],
)
def test_epochs_count_where_the_budget_or_the_user_names_them(said):
    optimisation = recipe_of(_settings(Method.PIFNET, **said)).optimisation
    rates = [optimisation.rate(0, progress=0.9, epoch=epoch) for epoch in (199, 200, 399, 400)]
    assert rates == [1e-4, 5e-5, 5e-5, 2.5e-5]


def test_numbers_of_the_network_are_put_into_the_recipe_s():
    assert recipe_of(TrainSettings()).network == {"width": 32, "blocks": 1, "pooling_window": 31}
    settings = TrainSettings(network={"width": 8, "segments": 2})
    assert recipe_of(settings).network == {"width": 8, "blocks": 1, "pooling_window": 31, "segments": 2}
    assert recipe_of(TrainSettings()).network["width"] == 32  # the recipe itself is as before


def test_the_anchored_variant_has_a_recipe_of_its_own():
    recipe = recipe_of(TrainSettings())
    optimisation = recipe.optimisation
    assert (optimisation.learning_rate, optimisation.schedule, recipe.patch_size) == (1e-3, Schedule.COSINE, 32)
    assert (recipe.minutes, recipe.epochs, recipe.steps) == (10.0, None, None)
    assert optimisation.ema_decay == 0.99


@pytest.mark.parametrize("method", NETWORKS)
def test_patches_over_kriging_are_used_again(method):
    over_kriging = TrainSettings(method=method, anchor=Anchor.KRIGING)
    assert recipe_of(over_kriging).cached_examples == CACHED_OVER_KRIGING
    assert recipe_of(replace(over_kriging, overrides=RecipeOverrides(cached_examples=0))).cached_examples == 0
    assert recipe_of(TrainSettings(method=method, anchor=Anchor.REGRESSION)).cached_examples == 0
