"""The table of methods: every row leads to a class, to a paper, and to the words of the README."""

import subprocess
import sys

import pytest

from pifnet_cli.catalog import NETWORKS, Kind, Method, Statistics


@pytest.mark.parametrize("method", Method)
def test_every_row_leads_to_a_class_that_serves_its_kind(method):
    loaded = method.facts.load()
    maker = {Kind.NETWORK: "forward", Kind.KRIGING: "from_regression"}.get(method.facts.kind, "from_moments")
    if method is Method.REGRESSION:  # its statistics are the method
        maker = "apply"
    assert callable(getattr(loaded, maker))


@pytest.mark.parametrize("method", Method)
def test_every_row_has_a_title_a_summary_and_a_paper(method):
    assert method.facts.title
    assert method.facts.summary
    assert method.facts.papers


def test_titles_are_told_apart():
    assert len({method.facts.title for method in Method}) == len(Method)


@pytest.mark.parametrize("method", Method)
def test_a_name_on_the_command_line_finds_its_row(method):
    assert Method(method.value) is method
    assert method == method.value
    assert method.value.islower()


def test_networks_blend_their_tiles_and_start_from_the_regression():
    assert NETWORKS
    assert all(method.facts.blends_tiles for method in NETWORKS)
    assert all(method.facts.statistics is Statistics.REGRESSION for method in NETWORKS)


def test_the_table_loads_nothing_but_the_standard_library():
    program = (
        "import sys; before = set(sys.modules); import pifnet_cli.catalog; "
        "print(sorted({name.split('.')[0] for name in set(sys.modules) - before} - set(sys.stdlib_module_names)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "['pifnet_cli', 'pifnet_models']"
