"""What the repository says of itself: its checks, its citation, and the documents that its files name."""

import ast
import importlib
import re
from pathlib import Path

import pytest

from pifnet_cli import __version__
from pifnet_models import references

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = "pifnet_cli", "models", "tests", "benchmarks", "docs", "sample_data"
KINDS = ".py", ".md", ".toml", ".html"
TEXTS = sorted(
    path
    for path in (*ROOT.glob("*"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*")))
    if path.is_file() and (path.suffix in KINDS or path.name in ("Makefile", "CITATION.cff", ".pre-commit-config.yaml"))
)
PLACEHOLDERS = {"FILE.md"}  # what a benchmark's --output is called in its help
SECTION = r"\d+(?:\.\d+)*"
CITED = re.compile(rf"\b([a-z_]+)\.md\s+({SECTION}(?:(?:, | and | to ){SECTION})*)")


def _headings(page):
    return re.findall(rf"^#+ ({SECTION}) ", page.read_text(), flags=re.MULTILINE)


def _hooks():
    """The configuration's hooks by what they run, each as its own lines."""
    hooks = (ROOT / ".pre-commit-config.yaml").read_text().split("- id: ")[1:]
    return {re.search(r"entry: (.*)", hook).group(1): hook for hook in hooks}


def _checks():
    """The commands of `make test`, as the hooks write them."""
    recipe = re.search(r"^test:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), flags=re.MULTILINE).group(1)
    return [line.replace("$(BIN)", ".venv/bin") for line in recipe.strip().replace("\t", "").splitlines()]


def _citation(key):
    return re.search(rf"^{key}: (.*)$", (ROOT / "CITATION.cff").read_text(), flags=re.MULTILINE).group(1)


def test_every_check_has_a_hook_and_no_hook_checks_anything_else():
    assert len(_checks()) == 5
    assert list(_hooks()) == _checks()


@pytest.mark.parametrize("check", _checks())
def test_tests_run_before_a_push_and_all_else_before_a_commit(check):
    stage = "pre-push" if check.startswith(".venv/bin/pytest ") else "pre-commit"
    assert f"stages: [{stage}]" in _hooks()[check]
    assert "language: system" in _hooks()[check]


def test_the_citation_is_of_this_version():
    assert _citation("version") == __version__
    assert _citation("cff-version") == "1.2.0"
    assert f'license = "{_citation("license")}"' in (ROOT / "pyproject.toml").read_text()


def test_the_citation_names_the_paper_of_pifnet():
    text = (ROOT / "CITATION.cff").read_text()
    assert references.PIFNET.doi in text
    assert references.PIFNET.title in text
    for author in references.PIFNET.authors:
        family, given = author.split(", ")
        assert f"family-names: {family}\n        given-names: {given}" in text


def test_documents_that_files_name_are_in_the_repository():
    absent = [
        (str(path.relative_to(ROOT)), name)
        for path in TEXTS
        for name in set(re.findall(r"[\w./-]*\w\.md\b", path.read_text())) - PLACEHOLDERS
        if not any((folder / name).is_file() for folder in (ROOT, path.parent, ROOT / "docs"))
    ]
    assert absent == []


def test_sections_that_files_cite_are_in_the_page():
    cited = [
        (str(path.relative_to(ROOT)), page, number)
        for path in TEXTS
        for page, numbers in CITED.findall(path.read_text())
        for number in re.findall(SECTION, numbers)
    ]
    assert len(cited) > 30
    assert [place for place in cited if place[2] not in _headings(ROOT / "docs" / f"{place[1]}.md")] == []


def test_no_file_names_what_lies_outside_of_the_repository():
    outside = re.compile(r"\.\./shared|\b(?:DESIGN|METHODS)'?,? \d")
    assert [str(path.relative_to(ROOT)) for path in TEXTS if outside.search(path.read_text())] == []


@pytest.mark.parametrize("page", ["design.md", "methods.md"])
def test_sections_are_numbered_without_a_gap(page):
    chapter, section = 0, 0
    for heading in _headings(ROOT / "docs" / page):
        numbers = [int(number) for number in heading.split(".")]
        chapter, section = (chapter, section + 1) if len(numbers) == 2 else (chapter + 1, 0)
        assert numbers == ([chapter, section] if section else [chapter])


@pytest.mark.parametrize("path", sorted((ROOT / "benchmarks").glob("*.py")), ids=lambda path: path.name)
def test_benchmarks_import_what_there_is(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("pifnet_cli", "pifnet_models")):
            module = importlib.import_module(node.module)
            assert [name.name for name in node.names if not hasattr(module, name.name)] == []
