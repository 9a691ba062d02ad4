"""`--shift ROWS COLUMNS`: what one command takes, another one finds, corrects and prints, in the same order."""

import json
import re

import pytest

import pifnet_cli
from scenes import write_scene
from waves import GSD, NORTH_UP, Texture

ROWS, COLUMNS = 1.6, -1.0  # HR pixels
IN_LR_PIXELS = [0.4, -0.25]
IN_METRES = [GSD * ROWS, GSD * COLUMNS]


@pytest.fixture
def pair(pifnet, tmp_path):
    """A scene degraded with a shift; its LR-HSI and its HR-MSI."""
    scene = write_scene(tmp_path / "scene.tif", Texture(7).seen(NORTH_UP, 132, 148), transform=NORTH_UP)
    options = ("--srf", "boxes:3", "--hsi-snr", 35, "--msi-snr", 40, "--shift", ROWS, COLUMNS, "-q")
    assert pifnet("simulate", scene, "-o", tmp_path / "pair", *options).code == 0
    return tmp_path / "pair" / "lr_hsi.tif", tmp_path / "pair" / "hr_msi.tif"


def test_estimate_finds_what_simulate_was_told(pifnet, pair):
    record = json.loads(pifnet("estimate", *pair, "--json", "-q").out)
    assert record["shift_hr_pixels"] == pytest.approx([ROWS, COLUMNS], abs=0.1)
    assert record["shift_lr_pixels"] == pytest.approx(IN_LR_PIXELS, abs=0.025)
    assert record["shift_map_units"] == pytest.approx(IN_METRES, abs=1)


def test_fuse_finds_what_simulate_was_told(pifnet, pair, tmp_path):
    run = pifnet("fuse", *pair, "-o", tmp_path / "fused.tif", "--dry-run", "--json")
    assert json.loads(run.out)["shift corrected"] == pytest.approx(IN_LR_PIXELS, abs=0.025)
    assert re.search(r"shift \+0\.4\d+, -0\.2\d+ LR pixels", run.err)
    assert re.search(r"lies \+0\.4\d LR pixels down and -0\.2\d right", run.err)


def test_fuse_corrects_what_it_is_told(pifnet, pair, tmp_path):
    run = pifnet("fuse", *pair, "-o", tmp_path / "fused.tif", "--shift", ROWS, COLUMNS, "--dry-run", "--json", "-q")
    assert json.loads(run.out)["shift corrected"] == IN_LR_PIXELS


def test_a_shift_that_is_told_rightly_leaves_nothing_to_warn_of(pifnet, pair, tmp_path):
    words = ("fuse", *pair, "-o", tmp_path / "fused.tif", "--dry-run", "--shift")
    assert "of where --shift puts it" not in pifnet(*words, ROWS, COLUMNS).err
    assert "of where --shift puts it" in pifnet(*words, COLUMNS, ROWS).err


def test_metrics_tell_the_shift_in_the_same_order(pifnet, pair, tmp_path):
    words = ("metrics", tmp_path / "pair" / "reference.tif", "--lr", pair[0], "--hr", pair[1])
    record = json.loads(pifnet(*words, "--json", "-q").out)
    assert record["operator"]["shift_lr_pixels"] == pytest.approx(IN_LR_PIXELS, abs=0.025)
    printed = pifnet(*words, "-q").out.split("shift:")[1]
    assert [float(number) for number in printed.replace(",", " ").split()[:2]] == pytest.approx(IN_LR_PIXELS, abs=0.025)


@pytest.mark.parametrize("command", ["simulate", "train", "fuse"])
def test_help_names_the_order(pifnet, command):
    assert "--shift" in pifnet(command, "--help").out
    assert "ROWS COLUMNS" in " ".join(pifnet(command, "--help").out.split())


def test_from_python_the_order_is_the_same(pair, tmp_path):
    simulated = pifnet_cli.simulate(tmp_path / "scene.tif", tmp_path / "again", srf="boxes:3", shift=(ROWS, COLUMNS))
    assert pifnet_cli.estimate(simulated.lr_hsi, simulated.hr_msi).shift == pytest.approx(IN_LR_PIXELS, abs=0.025)
    told = pifnet_cli.fuse(*pair, tmp_path / "fused.tif", shift=(ROWS, COLUMNS), dry_run=True)
    assert told.shift == pytest.approx(IN_LR_PIXELS)
