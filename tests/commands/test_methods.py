import json

import pytest

from pifnet_cli.catalog import Method


def test_methods_are_listed_one_a_line(pifnet):
    run = pifnet("methods")
    heading, *lines = run.out.splitlines()
    assert (run.code, run.err) == (0, "")
    assert heading == "parameters for: 103 + 4 bands at ratio 4"
    assert [line.split(":")[0] for line in lines] == [method.value for method in Method]
    # 2,153,899 less 37 that nothing reads
    assert "hsrnet: network of 2,153,862 parameters; HSRnet (Hu et al. 2022)" in lines
    assert next(line for line in lines if line.startswith("gsa")).startswith("gsa: training-free; ")


def test_json_is_a_list_of_what_was_asked_for(pifnet):
    run = pifnet("methods", "--hsi-bands", 103, "--msi-bands", 4, "--ratio", 4, "--json")
    records = json.loads(run.out)
    assert isinstance(records, list)
    assert {record["name"] for record in records} == {method.value for method in Method}
    for record in records:
        assert {"name", "kind", "parameters", "paper"} <= record.keys()
        assert record["kind"] in ("network", "training-free")
        assert isinstance(record["parameters"], int)
        assert isinstance(record["paper"], str)


def test_options_reach_the_networks(pifnet):
    records = json.loads(pifnet("methods", "--hsi-bands", 31, "--msi-bands", 3, "--json").out)
    parameters = {record["name"]: record["parameters"] for record in records}
    assert parameters["hsrnet"] == 633_438 - 37
    assert parameters["gsa"] == 0


def test_bibtex_is_printed_alone(pifnet):
    run = pifnet("methods", "--bibtex")
    assert run.code == 0
    assert run.out.startswith("@")
    assert run.out.count("{") == run.out.count("}")
    assert "10.1609/aaai.v40i8.37519" in run.out
    keys = [line.split("{")[1].rstrip(",") for line in run.out.splitlines() if line.startswith("@")]
    assert len(keys) == len(set(keys)) >= 15


@pytest.mark.parametrize("option", ["--hsi-bands", "--msi-bands", "--ratio"])
@pytest.mark.parametrize("value", ["0", "-1", "20000"])
def test_a_pair_that_cannot_be_is_refused_in_one_line(pifnet, option, value):
    run = pifnet("methods", option, value)
    assert (run.code, run.out) == (2, "")
    assert run.err == f"pifnet: {option} {value}: 1 to 10000 was expected\n"


def test_a_word_for_a_number_is_refused(pifnet):
    run = pifnet("methods", "--ratio", "four")
    assert (run.code, run.out) == (2, "")
    assert "--ratio" in run.err
