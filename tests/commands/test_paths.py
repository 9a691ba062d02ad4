"""Paths that no command can use: told in one line before any work, whichever argument or option names them."""

import os
import subprocess
import sys

import numpy as np
import pytest

from odd_pairs import BANDS, LR, REGRESSION, write_odd_pair
from scenes import write_scene
from unprivileged import unprivileged

WAVELENGTHS = [450.0 + 50 * band for band in range(BANDS)]
NAMED = [
    ("fuse", "lr"), ("fuse", "hr"), ("fuse", "-o"), ("fuse", "--uncertainty"), ("fuse", "--report"),
    ("fuse", "--checkpoint"), ("metrics", "--csv"), ("metrics", "--quicklook"), ("metrics", "--lr"),
    ("estimate", "lr"), ("estimate", "--srf-csv"), ("simulate", "lr"), ("simulate", "-o"), ("simulate", "--srf"),
    ("train", "lr"), ("train", "-o"), ("train", "--validation"), ("train", "--srf"), ("info", "lr"),
]  # fmt: skip


@pytest.fixture
def pair(tmp_path):
    return write_odd_pair(tmp_path, lr={"wavelengths": WAVELENGTHS})


def words(command, place, path, pair, folder):
    """The words of a command whose argument or option `place` is `path`."""
    lr, hr = pair
    named = {"lr": lr, "hr": hr} | {place: path}
    arguments = {
        "fuse": [named["lr"], named["hr"]], "metrics": [lr, lr], "estimate": [named["lr"], named["hr"]],
        "simulate": [named["lr"]], "train": [named["lr"]], "info": [named["lr"]],
    }[command]  # fmt: skip
    if command in ("fuse", "simulate", "train") and place != "-o":
        arguments += ["-o", folder / ("new.tif" if command == "fuse" else "new")]
    if place == "--lr":
        arguments += ["--hr", hr]
    return [command, *arguments, *([place, path] if place.startswith("-") else [])]


def refused(pifnet, told, *command):
    run = pifnet(*command)
    assert run.code in (1, 2)
    assert run.err.count("\n") == 1, run.err
    assert told in run.err


@pytest.mark.parametrize(("command", "place"), NAMED)
def test_a_pipe_is_refused_at_once(pifnet, pair, tmp_path, command, place):
    os.mkfifo(tmp_path / "pipe.csv")
    refused(
        pifnet, "pipe.csv: is neither file nor folder", *words(command, place, tmp_path / "pipe.csv", pair, tmp_path)
    )


@pytest.mark.parametrize(("command", "place"), NAMED)
def test_a_link_to_nowhere_is_refused_and_not_written_through(pifnet, pair, tmp_path, command, place):
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "nowhere.csv")
    overwrite = [] if command in ("info",) else ["--overwrite"]
    refused(pifnet, "which does not exist; remove the link", *words(command, place, link, pair, tmp_path), *overwrite)
    assert not (tmp_path / "nowhere.csv").exists()


@pytest.mark.parametrize(("command", "place"), NAMED)
def test_a_name_that_is_too_long_is_refused(pifnet, pair, tmp_path, command, place):
    for path in (tmp_path / ("n" * 252 + ".csv"), tmp_path.joinpath(*["n" * 200] * 21, "x.csv")):
        refused(pifnet, "cannot be reached (File name too long)", *words(command, place, path, pair, tmp_path))


@pytest.mark.parametrize(("command", "place"), NAMED)
def test_a_name_that_is_not_utf_8_is_refused(pifnet, pair, tmp_path, command, place):
    path = tmp_path / os.fsdecode(b"gr\xfcn.csv")
    refused(pifnet, "n.csv: its name is not UTF-8", *words(command, place, path, pair, tmp_path))


@pytest.mark.parametrize(("command", "place"), NAMED)
def test_a_folder_that_may_not_be_entered_is_told(pifnet, pair, tmp_path, command, place):
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o600)
    pifnet(*words(command, place, tmp_path / "absent" / "x.csv", pair, tmp_path))  # loads what nobody else may read
    with unprivileged():
        refused(
            pifnet, "cannot be reached (Permission denied)", *words(command, place, closed / "x.csv", pair, tmp_path)
        )


def test_a_working_directory_that_was_deleted_is_told(pair, tmp_path):
    (tmp_path / "gone").mkdir()
    program = (
        "import os, sys; os.chdir(sys.argv.pop(1)); os.rmdir(os.getcwd()); from pifnet_cli.app import main; main()"
    )
    command = [sys.executable, "-c", program, tmp_path / "gone", "fuse", *pair, *REGRESSION, "-o"]
    run = subprocess.run([*map(str, command), "o.tif"], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr.count("\n")) == (1, 1), run.stderr
    assert "o.tif: the working directory is gone" in run.stderr


@pytest.mark.parametrize("length", [215, 240, 247])
def test_a_name_as_long_as_the_system_takes_is_written(pifnet, pair, tmp_path, length):
    output = tmp_path / ("ü" * (length // 2) + ".tif")
    assert pifnet("fuse", *pair, *REGRESSION, "-o", output).code == 0
    assert pifnet("metrics", output, output, "--csv", output.with_suffix(".csv")).code == 0
    scene = write_scene(tmp_path / "s.tif", np.repeat(np.repeat(LR, 4, 1), 4, 2))
    assert pifnet("simulate", scene, "-o", tmp_path / output.stem, "--srf", "boxes:3", "--ratio", "2").code == 0
