"""The API: the command line's names and defaults, results that can be read, examples that run."""

import doctest
import importlib
import inspect
import logging
import subprocess
import sys
from enum import Enum
from pathlib import Path

import pytest
import typer.main

import pifnet_cli as pifnet
from pifnet_cli import results
from pifnet_cli.app import app
from pifnet_cli.errors import PifnetError, SettingsError

SAMPLE = Path(__file__).resolve().parents[1] / "sample_data"
COMMANDS = {"score": "metrics"}  # where the name of the command is another
OF_THE_TERMINAL = {"json", "quiet", "help", "bibtex"}
OF_PYTHON = {
    "fuse": {"ratio", "lr_transform", "hr_transform", "progress"},
    "simulate": {"progress"},
    "train": {"progress"},
    "score": {"progress"},
}
POSITIONAL = {"fuse": 3, "simulate": 2, "train": 2, "estimate": 2, "score": 2, "info": 1, "methods": 0}


def _options(name):
    """Option names and defaults of a command, as Typer has them."""
    command = typer.main.get_command(app).commands[COMMANDS.get(name, name)]
    found = {}
    for parameter in command.params:
        longest = max(parameter.opts, key=len)
        if longest.startswith("--"):
            found[longest[2:].replace("-", "_")] = parameter.default
    return {option: default for option, default in found.items() if option not in OF_THE_TERMINAL}


def _plain(value):
    """None and empty are one to an option; an enum is its word."""
    value = value.value if isinstance(value, Enum) else value
    return None if value is None or (isinstance(value, tuple | list) and not value) else value


@pytest.mark.parametrize("name", pifnet.__all__)
def test_functions_have_the_options_of_their_commands_and_their_defaults(name):
    parameters = inspect.signature(getattr(pifnet, name)).parameters
    keywords = {key: entry.default for key, entry in parameters.items() if entry.kind is entry.KEYWORD_ONLY}
    options = _options(name)
    options.pop("output", None)  # the second or third argument here
    assert set(keywords) == set(options) | OF_PYTHON.get(name, set())
    assert {key: _plain(keywords[key]) for key in options} == {key: _plain(value) for key, value in options.items()}
    assert len(parameters) - len(keywords) == POSITIONAL[name]


@pytest.mark.slow
def test_the_examples_run_and_give_what_they_show(tmp_path, monkeypatch):
    (tmp_path / "sample_data").symlink_to(SAMPLE)
    monkeypatch.chdir(tmp_path)
    for name in pifnet.__all__:
        result = doctest.testmod(importlib.import_module(f"pifnet_cli.api.{name}"))
        assert result.failed == 0
        assert result.attempted >= 2


@pytest.mark.parametrize("name", pifnet.__all__)
def test_every_public_name_has_an_example(name):
    assert ">>> " in inspect.getdoc(getattr(pifnet, name))
    assert name in dir(pifnet)


def test_a_name_that_is_none_is_no_attribute():
    with pytest.raises(AttributeError, match="fuze"):
        pifnet.fuze  # noqa: B018 - the look-up is what is tested


def test_importing_pifnet_loads_nothing_heavy():
    program = "import sys, pifnet_cli; print({'numpy', 'torch', 'typer', 'rasterio'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


@pytest.fixture(scope="module")
def fused(tmp_path_factory):
    folder = tmp_path_factory.mktemp("api")
    return pifnet.fuse(
        str(SAMPLE / "lr.hdr"), SAMPLE / "hr.tif", folder / "fused.tif", uncertainty=folder / "sigma.tif"
    )


def test_a_fusion_tells_what_it_did(fused):
    assert fused.fused.is_file()
    assert fused.uncertainty.is_file()
    assert (fused.method, fused.blur_source) == ("kriging", "found")
    assert (fused.bands, fused.height, fused.width, fused.window) == (80, 162, 162, (0, 0, 162, 162))
    assert fused.mtf == pytest.approx((0.3, 0.3), abs=0.01)
    assert len(fused.expected_error) == 80
    assert fused.record["ratio"] == 3.0
    with pytest.raises(TypeError, match="is a file"):
        fused.__array__()


def test_results_are_shown_a_line_for_every_value(fused):
    lines = repr(fused).splitlines()
    assert lines[0] == "Fused"
    assert "  method: kriging" in lines
    assert any(line.startswith("  expected_error: ") and line.endswith("(80 in all)") for line in lines)
    assert all(len(line) < 200 for line in lines)


def test_scores_have_names(fused):
    scores = pifnet.score(fused.fused, SAMPLE / "reference.tif", lr=SAMPLE / "lr.hdr", hr=SAMPLE / "hr.tif")
    assert scores.psnr == pytest.approx(46.99, abs=0.02)
    assert scores.psnr == scores.with_reference.psnr
    assert scores.qnr == scores.without_reference.qnr
    assert {"psnr", "sam", "qnr", "lr_rmse"} <= {line.split(":")[0].strip() for line in repr(scores).splitlines()}
    with pytest.raises(AttributeError, match="no score 'psnrr' was computed"):
        scores.psnrr  # noqa: B018 - the look-up is what is tested


def test_a_page_is_written_for_files(tmp_path):
    page = tmp_path / "page.html"
    pair = SAMPLE / "lr.hdr", SAMPLE / "hr.tif"
    pifnet.fuse(*pair, tmp_path / "fused.tif", method="regression", report=page, point=[(10, 20)])
    assert "row 10, column 20" in page.read_text(encoding="utf-8")


def test_a_dry_run_writes_nothing(tmp_path):
    planned = pifnet.fuse(SAMPLE / "lr.hdr", SAMPLE / "hr.tif", tmp_path / "fused.tif", dry_run=True)
    assert planned.record["bytes uncompressed"] == 2 * 80 * 162 * 162
    assert not list(tmp_path.iterdir())


def test_facts_of_a_file_have_names():
    scene = pifnet.info(SAMPLE / "lr.hdr")
    assert (scene.bands, scene.dtype) == (80, "int16")
    assert "  dtype: int16" in repr(scene).splitlines()
    with pytest.raises(AttributeError, match="nothing is known of 'bandz'"):
        scene.bandz  # noqa: B018 - the look-up is what is tested


def test_methods_are_listed_with_what_to_cite():
    listed = {method.name: method for method in pifnet.methods()}
    assert listed["pifnet"].parameters > 10**6
    assert listed["kriging"].parameters == 0
    assert listed["glp"].bibtex[0].startswith("@article{")


def test_progress_is_told(tmp_path):
    stages = []
    pifnet.simulate(SAMPLE / "reference.tif", tmp_path / "pair", ratio=3, progress=lambda *step: stages.append(step))
    assert stages[-1][0] == "degrading"
    assert stages[-1][1] == stages[-1][2]


def test_warnings_go_to_the_log_and_not_to_stdout(tmp_path, capsys, caplog):
    with caplog.at_level(logging.WARNING, "pifnet_cli"):
        pifnet.fuse(SAMPLE / "lr.hdr", SAMPLE / "hr.tif", tmp_path / "f.tif", method="regression", shift=(3.0, -1.0))
    assert "LR pixels down" in caplog.text
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pifnet.fuse(SAMPLE / "lr.hdr", SAMPLE / "hr.tif"), "output: a path was expected"),
        (lambda: pifnet.fuse(SAMPLE / "lr.hdr", SAMPLE / "hr.tif", "f.tif", ratio=3), "are for arrays"),
        (lambda: pifnet.fuse(SAMPLE / "lr.hdr", SAMPLE / "hr.tif", "f.tif", align="both"), "--align both: one of none"),
        (lambda: pifnet.fuse(SAMPLE / "lr.hdr", SAMPLE / "hr.tif", "f.tif", tile_size=3), "--tile-size 3"),
        (lambda: pifnet.fuse(SAMPLE / "lr.hdr", 5, "f.tif"), "int were given; two paths"),
        (lambda: pifnet.simulate(SAMPLE / "reference.tif", "pair", protocol="wald"), "--protocol wald: one of paper"),
        (lambda: pifnet.train("pair", "model", method="gsa"), "--method gsa"),
        (lambda: pifnet.estimate(SAMPLE / "lr.hdr", SAMPLE / "hr.tif", align="none"), "--align none"),
        (lambda: pifnet.score(SAMPLE / "lr.hdr", lr=SAMPLE / "lr.hdr"), "--lr and --hr"),
        (lambda: pifnet.methods(ratio=0), "--ratio 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(call, message):
    with pytest.raises(SettingsError, match=message):
        call()


def test_what_cannot_be_read_is_refused(tmp_path):
    with pytest.raises(PifnetError, match="no such file"):
        pifnet.info(tmp_path / "none.tif")


def test_results_say_what_they_hold():
    for name in ("Fused", "Simulated", "Trained", "Estimated", "Scored", "Described", "MethodEntry"):
        assert "Attributes:" in getattr(results, name).__doc__
