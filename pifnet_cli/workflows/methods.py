"""Which methods there are, how large, and where they come from."""

from typing import Any, cast

import torch

from pifnet_cli.catalog import Method
from pifnet_cli.networks.build import build_network
from pifnet_cli.settings import MethodsSettings, TrainSettings
from pifnet_models.interface import FusionNetwork


def list_methods(settings: MethodsSettings) -> list[dict[str, Any]]:
    """Every method as JSON values, networks first.

    Raises:
        SettingsError: A network cannot be built for these bands and this ratio.
    """
    return [_record(method, settings) for method in Method]


def _record(method: Method, settings: MethodsSettings) -> dict[str, Any]:
    facts = method.facts
    paper = facts.papers[0]
    record: dict[str, Any] = {
        "name": method.value,
        "title": facts.title,
        "kind": "network" if method.is_network else "training-free",
        "parameters": 0,
        "paper": paper.citation,
        "cited_as": paper.short,
        "doi": paper.doi,
    }
    return record | (_size(method, settings) if method.is_network else {})


def _size(method: Method, settings: MethodsSettings) -> dict[str, Any]:
    """What a network weighs; it is built without memory for its weights."""
    shape: dict[str, Any] = {"hsi_channels": settings.hsi_bands, "msi_channels": settings.msi_bands}
    if method.facts.takes_ratio:
        shape["ratio"] = settings.ratio
    network = _weightless(method, shape)
    rule = network.size_rule
    record = {
        "parameters": _count(network),
        "dead_parameters": sum(network.dead_parameters.values()),
        "sides_multiple_of": rule.multiple_of,
    }
    anchored = method.facts.anchored_recipe
    if anchored is not None:
        components = min(TrainSettings.components, settings.hsi_bands)
        msi_channels = 2 * settings.msi_bands + 4
        inputs = {"hsi_channels": 2 * components, "msi_channels": msi_channels, "out_channels": components}
        record["parameters_anchored"] = _count(_weightless(method, inputs | anchored.network))
    return record


def _weightless(method: Method, shape: dict[str, Any]) -> FusionNetwork:
    with torch.device("meta"):
        return cast("FusionNetwork", build_network(method.value, shape))


def _count(network: FusionNetwork) -> int:
    return sum(parameter.numel() for parameter in cast("torch.nn.Module", network).parameters())
