import time

import pytest

from pifnet_cli.catalog import NETWORKS, Method
from pifnet_cli.errors import SettingsError
from pifnet_cli.settings import MethodsSettings
from pifnet_cli.workflows.methods import list_methods

# Parameters in all, dead ones included, at C = 103, M = 4, ratio 4 (docs/methods.md 1.2).
TOTALS = {"hsrnet": 2_153_899, "fusformer": 539_143, "psrt": 289_287, "u2net": 2_216_167, "3dtnet": 6_888_703,
          "smgunet": 6_234_495, "pifnet": 1_733_070}  # fmt: skip
DEAD = {"hsrnet": 37, "fusformer": 393_216, "u2net": 105_760, "3dtnet": 11}


def _records(**numbers):
    return {record["name"]: record for record in list_methods(MethodsSettings(**numbers))}


def test_every_method_is_listed_once_networks_first():
    names = [record["name"] for record in list_methods(MethodsSettings())]
    assert names == [method.value for method in Method]
    assert names[: len(NETWORKS)] == [method.value for method in NETWORKS]


def test_a_method_is_described():
    for name, record in _records().items():
        assert record["kind"] == ("network" if name in TOTALS else "training-free")
        assert record["title"]
        assert record["paper"].endswith(record["cited_as"][-4:])  # the year
        assert record["cited_as"].split()[0] in record["paper"]
        assert (record["parameters"] > 0) is (name in TOTALS)


@pytest.mark.parametrize("name", TOTALS)
def test_networks_weigh_what_is_published(name):
    record = _records()[name]
    assert record["dead_parameters"] == DEAD.get(name, 0)
    assert record["parameters"] + record["dead_parameters"] == TOTALS[name]


def test_numbers_follow_the_scene_pair():
    small, large = _records(hsi_bands=31, msi_bands=3), _records(ratio=8)
    assert small["hsrnet"]["parameters"] == 633_438 - 37
    assert large["hsrnet"]["parameters"] == 2_153_899 - 37 + 103 * (64 - 16) * (107 * 9 + 1)  # one convolution grows
    assert large["psrt"]["parameters"] == 289_287
    assert large["u2net"]["sides_multiple_of"] == 8
    assert small["psrt"]["sides_multiple_of"] == 8


def test_the_anchored_variant_of_pif_net_is_smaller_and_told_besides():
    record = _records()["pifnet"]
    assert 0 < record["parameters_anchored"] < record["parameters"]
    assert _records(hsi_bands=1, msi_bands=1)["pifnet"]["parameters_anchored"] > 0


def test_large_networks_are_counted_without_memory():
    started = time.monotonic()
    assert _records(hsi_bands=2000, ratio=16)["hsrnet"]["parameters"] > 9_000_000_000  # 36 GB if it were built
    assert time.monotonic() - started < 60


def test_a_pair_that_no_network_takes_is_refused():
    with pytest.raises(SettingsError, match="--hsi-bands 0"):
        list_methods(MethodsSettings(hsi_bands=0))
