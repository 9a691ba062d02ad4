"""What a training may be told, and what it may not."""

import pytest

from pifnet_cli.catalog import NETWORKS, Method
from pifnet_cli.choices import Anchor, Protocol, Variant
from pifnet_cli.errors import SettingsError
from pifnet_cli.settings import (
    FuseSettings,
    MethodsSettings,
    MetricsSettings,
    RecipeOverrides,
    SimulateSettings,
    TrainSettings,
)

OTHERS = [method for method in NETWORKS if method is not Method.PIFNET]


@pytest.mark.parametrize("method", [method for method in Method if method not in NETWORKS])
def test_what_needs_no_training_is_not_trained(method):
    with pytest.raises(SettingsError, match=f"--method {method.value}: needs no training; one of pifnet, hsr"):
        TrainSettings(method=method)


@pytest.mark.parametrize("method", OTHERS)
def test_the_anchored_variant_is_pif_net_s_alone(method):
    with pytest.raises(SettingsError, match=f"--variant anchored: .*{method.value} takes --anchor regression or krig"):
        TrainSettings(method=method, variant=Variant.ANCHORED)


@pytest.mark.parametrize("variant", [None, Variant.ANCHORED])
def test_the_anchored_variant_needs_an_anchor(variant):
    with pytest.raises(SettingsError, match=r"--anchor none: .*choose --variant paper"):
        TrainSettings(variant=variant, anchor=Anchor.NONE)


@pytest.mark.parametrize("anchor", [Anchor.REGRESSION, Anchor.KRIGING])
def test_pif_net_over_an_anchor_is_the_anchored_variant(anchor):
    with pytest.raises(SettingsError, match=f"--variant paper --anchor {anchor}: .*in --variant anchored only"):
        TrainSettings(variant=Variant.PAPER, anchor=anchor)


@pytest.mark.parametrize("method", OTHERS)
@pytest.mark.parametrize("term", ["inverse_weight", "cosine_weight"])
def test_the_paper_s_terms_are_pif_net_s_alone(method, term):
    with pytest.raises(SettingsError, match="--inverse-weight, --cosine-weight: only PIF-Net has these losses"):
        TrainSettings(method=method, overrides=RecipeOverrides(**{term: 0.1}))
    without = TrainSettings(method=method, overrides=RecipeOverrides(**{term: 0.0}))
    assert getattr(without.overrides, term) == 0  # not to have it can be said


@pytest.mark.parametrize(
    ("said", "variant", "anchor"),
    [
        ({}, Variant.ANCHORED, Anchor.REGRESSION),
        ({"anchor": Anchor.KRIGING}, Variant.ANCHORED, Anchor.KRIGING),
        ({"variant": Variant.PAPER}, Variant.PAPER, Anchor.NONE),
        ({"variant": Variant.PAPER, "anchor": Anchor.NONE}, Variant.PAPER, Anchor.NONE),
        ({"method": Method.PSRT}, Variant.PAPER, Anchor.NONE),
        ({"method": Method.PSRT, "variant": Variant.PAPER}, Variant.PAPER, Anchor.NONE),
        ({"method": Method.U2NET, "anchor": Anchor.KRIGING}, Variant.PAPER, Anchor.KRIGING),
        ({"method": Method.HSRNET, "anchor": Anchor.REGRESSION}, Variant.PAPER, Anchor.REGRESSION),
    ],
)
def test_what_is_not_said_follows_from_the_method(said, variant, anchor):
    settings = TrainSettings(**said)
    assert (settings.variant_used, settings.anchor_used) == (variant, anchor)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"decay_every": 0}, "--decay-every 0: 1 to "),
        ({"decay_factor": 1.5}, "--decay-factor 1.5: 1e-06 to 1 "),
        ({"beta1": 1.0}, "--beta1 1.0: 0 to 0.9999 "),
        ({"cached_examples": -1}, "--pool -1: 0 to "),
        ({"gradient_clip": 0.0}, "--clip 0.0: "),
        ({"patch_size": 17}, "--patch-size 17: an even number"),
    ],
)
def test_overrides_out_of_range_are_refused_by_their_option(said, message):
    with pytest.raises(SettingsError, match=message):
        RecipeOverrides(**said)


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"validation_share": 0.6}, "--validation-share 0.6: 0 to 0.5 "),
        ({"minutes": 0.0}, "--minutes 0.0: 0.001 to "),
        ({"components": 0}, "--components 0: 1 to 256 "),
        ({"seed": -1}, "--seed -1: 0 to "),
    ],
)
def test_numbers_out_of_range_are_refused_by_their_option(said, message):
    with pytest.raises(SettingsError, match=message):
        TrainSettings(**said)


@pytest.mark.parametrize(
    ("said", "option"), [({"hsi_bands": 0}, "--hsi-bands 0"), ({"msi_bands": -3}, "--msi-bands -3"),
                         ({"ratio": 0}, "--ratio 0"), ({"ratio": 10_001}, "--ratio 10001")]
)  # fmt: skip
def test_pairs_that_cannot_be_have_no_methods(said, option):
    with pytest.raises(SettingsError, match=f"{option}: 1 to 10000 was expected"):
        MethodsSettings(**said)


@pytest.mark.parametrize("settings", [FuseSettings, MetricsSettings, SimulateSettings])
def test_a_blur_is_not_told_in_two_ways(settings):
    with pytest.raises(SettingsError, match=r"--protocol paper --mtf 0.4: .*; leave one of them out") as refused:
        settings(protocol=Protocol.PAPER, mtf_at_nyquist=0.4)
    assert refused.value.exit_code == 2
    assert settings(protocol=Protocol.MTF, mtf_at_nyquist=0.4).mtf_at_nyquist == 0.4
