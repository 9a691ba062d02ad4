"""`--report` and `--point` of `pifnet fuse` and `pifnet metrics`."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from pages import parsed
from scenes import write_scene

LR, HR = Affine(40, 0, 365000, 0, -40, 5807000), Affine(10, 0, 365000, 0, -10, 5807000)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    rng = np.random.default_rng(0)
    msi = rng.uniform(0.1, 0.6, (3, 48, 60)).astype(np.float32)
    low = msi.reshape(3, 12, 4, 15, 4).mean(axis=(2, 4))
    lr = write_scene(tmp_path / "lr.hdr", np.concatenate([low, low * 2]), transform=LR, crs=None)
    return lr, write_scene(tmp_path / "hr.tif", msi, transform=HR, crs=None)


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_fusion_is_told_on_a_page(pifnet, pair, tmp_path):
    page = tmp_path / "r.html"
    run = pifnet("fuse", *pair, "-o", tmp_path / "o.tif", "--report", page, "--point", "4,5", "--point", "40,50", "-q")
    assert (run.code, run.err) == (0, "")
    found = parsed(page.read_text())
    assert len(found.pictures) == 6 + 3
    assert "A 4 5" in found.text
    assert f"pifnet fuse {pair[0]}" in found.text
    assert "neither file has a CRS" in found.text  # a notice, though --quiet hides it from the log


def test_scores_are_told_on_a_page_and_on_stdout(pifnet, pair, tmp_path):
    assert pifnet("fuse", *pair, "-o", tmp_path / "o.tif", "-q").code == 0
    page = tmp_path / "r.html"
    run = pifnet("metrics", tmp_path / "o.tif", tmp_path / "o.tif", "--report", page, "--json", "-q")
    assert run.code == 0
    assert '"identical": true' in run.out
    assert "infinite dB" in parsed(page.read_text()).text


def test_agreement_with_the_pair_is_told_on_a_page(pifnet, pair, tmp_path):
    fused, page = tmp_path / "o.tif", tmp_path / "r.html"
    assert pifnet("fuse", *pair, "-o", fused, "-q").code == 0
    words = ("metrics", fused, "--lr", pair[0], "--hr", pair[1], "--point", "4,5", "-q", "--report")
    assert pifnet(*words, page).code == 0
    found = parsed(page.read_text())
    assert len(found.pictures) == 6 + 3
    assert "A 4 5" in found.text
    for title in ("Before and after", "Agreement with the pair", "How well it can work here", "QNR"):
        assert title in found.text
    again = pifnet(*words, page)
    assert (again.code, again.err.count("\n")) == (1, 1)
    assert pifnet(*words[:7], "40,500", "-q", "--report", tmp_path / "b.html").code == 2


def test_with_a_reference_and_the_pair_the_page_tells_of_both(pifnet, pair, tmp_path):
    fused, page = tmp_path / "o.tif", tmp_path / "r.html"
    assert pifnet("fuse", *pair, "-o", fused, "-q").code == 0
    run = pifnet("metrics", fused, fused, "--lr", pair[0], "--hr", pair[1], "--report", page, "-q")
    assert run.code == 0
    text = parsed(page.read_text()).text
    assert text.index("infinite dB") < text.index("Agreement with the pair") < text.index("How well it can work here")


def test_a_page_is_not_replaced_unasked_and_nothing_is_fused(pifnet, pair, tmp_path):
    (tmp_path / "r.html").write_text("mine")
    before = left(tmp_path)
    words = ("fuse", *pair, "-o", tmp_path / "o.tif", "--report", tmp_path / "r.html")
    run = pifnet(*words)
    assert (run.code, run.out) == (1, "")
    assert run.err == f"pifnet: {tmp_path}/r.html: exists; give --overwrite to replace it\n"
    assert left(tmp_path) == before
    assert pifnet(*words, "--overwrite").code == 0
    assert (tmp_path / "r.html").read_text() != "mine"


def test_a_dry_run_checks_the_page_and_leaves_nothing(pifnet, pair, tmp_path):
    before = left(tmp_path)
    words = ("fuse", *pair, "-o", tmp_path / "o.tif", "--dry-run", "--report")
    assert pifnet(*words, tmp_path / "r.html").code == 0
    assert pifnet(*words, tmp_path / "no" / "r.html").code == 1
    assert left(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--point", "1,2"], "--point: belongs to --report"),
        (
            ["--report", "r.html", "--point", "12"],
            "--point 12: two whole numbers were expected, such as --point 120,45",
        ),
        (["--report", "r.html", "--point", "a,b"], "--point a,b: two whole numbers were expected"),
        (["--report", "r.html", "--point=-1,2"], "--point -1,2: rows and columns count from 0"),
        (["--report", "r.html", "--point", "48,0"], "--point 48,0: the scene has rows 0 to 47 and columns 0 to 59"),
        (
            ["--report", "r.html", *["--point", "1,1"] * 27],
            "--point: 27 were given; at most 26 can be marked by letters",
        ),
    ],
)
def test_a_bad_point_is_exit_2_before_anything_is_fused(pifnet, pair, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    before = left(tmp_path)
    run = pifnet("fuse", *pair, "-o", "o.tif", *words)
    assert run.code == 2
    assert run.err.startswith(f"pifnet: {message}")
    assert run.err.count("\n") == 1
    assert left(tmp_path) == before


def test_a_page_of_scores_never_loads_torch(pair, tmp_path):
    program = (
        "import sys; from pifnet_cli.app import app\n"
        f"try: app(['metrics', {str(pair[1])!r}, {str(pair[1])!r}, '--report', {str(tmp_path / 'r.html')!r}, '-q'])\n"
        "except SystemExit as end: assert not end.code, end.code\n"
        "assert 'torch' not in sys.modules and 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "r.html").exists()
