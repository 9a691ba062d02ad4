import re
import shlex
from pathlib import Path

import pytest

from pifnet_cli.catalog import Method

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
SECTION = README.split("## Four commands on the sample scene")[1].split("\n## ")[0]
BLOCKS = re.findall(r"```console\n(.*?)```", SECTION, flags=re.DOTALL)
COMMANDS = [part for block in BLOCKS for part in re.split(r"^\$ ", block, flags=re.MULTILINE) if part.strip()]


def _without_numbers(text):
    """The words of an output: figures may differ in the last digits, and between machines."""
    return re.sub(r"[-+]?\d+(\.\d+)?(e[-+]\d+)?", "#", re.sub(r"[ ─━]+", " ", text)).split()


@pytest.mark.slow
def test_the_commands_of_the_readme_print_what_it_shows(pifnet, tmp_path, monkeypatch):
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    assert len(COMMANDS) == 4
    for part in COMMANDS:
        command, _, shown = part.partition("\n")
        run = pifnet(*shlex.split(command)[1:])
        assert run.code == 0, run.err
        assert _without_numbers(run.out) == _without_numbers(shown), command


def test_the_table_of_methods_is_the_catalog():
    rows = re.findall(r"^\| `(\w+)` \| (.*) \| (yes|no) \|$", README, flags=re.MULTILINE)
    expected = [(method.value, method.facts.summary, "yes" if method.is_network else "no") for method in Method]
    assert sorted(rows) == sorted(expected)


@pytest.mark.slow
def test_the_python_of_the_documentation_runs(tmp_path, monkeypatch):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "python.md").read_text(), flags=re.DOTALL)
    (tmp_path / "sample_data").symlink_to(ROOT / "sample_data")
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks:
        exec(compile(block, "docs/python.md", "exec"), names)
    assert names["scores"].psnr > 40
    assert names["result"].fused.shape == (80, 162, 162)
    assert (tmp_path / "fused_from_memory.tif").is_file()


def test_every_command_and_exit_code_is_in_the_readme():
    for word in ("simulate", "train", "fuse", "metrics", "info"):
        assert f"pifnet {word}" in README
    for code in ("| 0 |", "| 1 |", "| 2 |", "| 130, 143 |"):
        assert code in README
