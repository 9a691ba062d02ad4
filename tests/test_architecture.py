"""docs/architecture.md is true: the way of a fusion stops where the page says, in that order, no stop more often."""

import importlib
import re
import sys
from functools import cached_property, reduce
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
ROWS = re.findall(r"^\| `(pifnet_cli\.[\w.]+)` \| .* \| (once[\w ]*) \|$", PAGE, flags=re.MULTILINE)
TIMES = {"once": 1, "once a scene": 2, "once a tile": 4}


def _code(dotted):
    """The code object behind a dotted name."""
    parts = dotted.split(".")
    for length in range(len(parts) - 1, 0, -1):
        try:
            module = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        found = reduce(lambda owner, name: vars(owner)[name], parts[length:], module)
        found = found.func if isinstance(found, cached_property) else found
        return getattr(found, "__wrapped__", found).__code__
    raise AssertionError(dotted)


def test_a_fusion_stops_where_the_page_says_and_no_stop_is_passed_again(pifnet, tmp_path):
    stops = {_code(dotted): dotted for dotted, _ in ROWS}
    passed = []

    def watch(frame, event, _argument):
        if event == "call" and frame.f_code in stops:
            passed.append(stops[frame.f_code])

    pair = ROOT / "sample_data" / "lr.hdr", ROOT / "sample_data" / "hr.tif"
    before = sys.getprofile()
    sys.setprofile(watch)
    try:
        run = pifnet("fuse", *pair, "-o", tmp_path / "fused.tif", "--tile-size", 128, "--overlap", 32)
    finally:
        sys.setprofile(before)
    assert run.code == 0, run.err
    assert len(ROWS) >= 20
    in_thread = "pifnet_cli.raster.writer.SceneWriter.write"  # the writer works behind, where no profile is set
    counted = {dotted: passed.count(dotted) for dotted, _ in ROWS if dotted != in_thread}
    assert counted == {dotted: TIMES[often] for dotted, often in ROWS if dotted != in_thread}
    assert list(dict.fromkeys(passed)) == [dotted for dotted, _ in ROWS if dotted != in_thread]
