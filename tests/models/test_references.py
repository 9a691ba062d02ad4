import re

import pytest

from pifnet_cli.catalog import Method

ALL = {paper.key: paper for method in Method for paper in method.facts.papers}
FIELD = re.compile(r"^  (\w+) = \{(.*)\},?$")


def _parsed(text):
    """(kind, key, fields) of an entry, by lines; fails on anything that is not one."""
    first, *fields, last = text.splitlines()
    kind, key = re.fullmatch(r"@(\w+)\{([^,{}]+),", first).groups()
    assert last == "}"
    assert all(line.endswith(",") for line in fields[:-1])
    assert not fields[-1].endswith(",")
    return kind, key, dict(FIELD.fullmatch(line).groups() for line in fields)


def _is_balanced(text):
    depth = 0
    for letter in text:
        depth += (letter == "{") - (letter == "}")
        if depth < 0:
            return False
    return depth == 0


def test_a_key_stands_for_one_work():
    cited = [paper for method in Method for paper in method.facts.papers]
    assert len({paper.key for paper in cited}) == len(set(cited))


@pytest.mark.parametrize("key", ALL)
def test_entries_are_bibtex(key):
    text = ALL[key].bibtex()
    kind, found, fields = _parsed(text)
    assert _is_balanced(text)
    assert (kind in ("article", "inproceedings"), found) == (True, key)
    assert {"author", "title", "year"} <= fields.keys()
    assert ("journal" if kind == "article" else "booktitle") in fields
    assert all(_is_balanced(value) and value for value in fields.values())
    assert text.isascii()  # accents in TeX's own way: older programs read nothing else


@pytest.mark.parametrize("key", ALL)
def test_what_is_said_of_a_work_is_possible(key):
    reference = ALL[key]
    _, _, fields = _parsed(reference.bibtex())
    assert 1970 <= reference.year <= 2030
    assert str(reference.year) in key
    assert fields["title"] == f"{{{reference.title}}}"  # capitals are kept
    assert reference.doi is None or re.fullmatch(r"10\.\d{4,9}/\S+", reference.doi)
    assert fields.get("doi") == reference.doi
    if "pages" in fields and "--" in fields["pages"]:
        first, last = map(int, fields["pages"].split("--"))
        assert first < last


def test_dois_are_not_shared():
    dois = [reference.doi for reference in ALL.values() if reference.doi]
    assert len(dois) == len(set(dois))


def test_citations_name_the_first_author_and_the_year():
    (gsa,) = Method.GSA.facts.papers
    assert gsa.short == "Aiazzi et al. 2007"
    assert gsa.citation.startswith("Aiazzi et al., Improving Component Substitution Pansharpening")
    assert gsa.citation.endswith(", 2007")
    (keys,) = Method.BICUBIC.facts.papers
    assert keys.short == "Keys 1981"


def test_accents_are_tex():
    (hysure,) = Method.HYSURE.facts.papers
    assert r"Sim{\~o}es" in hysure.bibtex()
    assert r"Jos{\'e}" in hysure.bibtex()
