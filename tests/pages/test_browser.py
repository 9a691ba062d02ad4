"""Reports in a browser: what a reader sees, and what the page asks for."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from browser import Tab, chromium, open_tab
from pifnet_cli.catalog import Method
from pifnet_cli.pages.fusion_page import write_fusion_page
from pifnet_cli.pages.metrics_page import write_metrics_page
from pifnet_cli.pages.provenance import FusionFiles, RunFacts, ScoredFiles
from pifnet_cli.settings import FuseSettings, MetricsSettings, ReportSettings
from pifnet_cli.workflows.fuse import fuse_scene
from pifnet_cli.workflows.metrics import assess_scene
from scenes import write_scene

LR, HR = Affine(40, 0, 365000, 0, -40, 5807000), Affine(10, 0, 365000, 0, -10, 5807000)
WAVELENGTHS = (460.0, 550.0, 640.0, 700.0, 800.0, 1600.0)
HOSTILE = '<img src="http:x"> $&.tif'  # in names of files, which no page may take for its own words
PICTURES = "[...document.images].map(image => image.complete && image.naturalWidth > 0)"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    truth = np.random.default_rng(0).uniform(0.1, 0.6, (6, 96, 120)).astype(np.float32)
    lr = write_scene(folder / "lr.hdr", truth.reshape(6, 24, 4, 30, 4).mean(axis=(2, 4)), transform=LR,
                     wavelengths=WAVELENGTHS)  # fmt: skip
    hr = write_scene(folder / "hr.tif", truth[:3], transform=HR, wavelengths=WAVELENGTHS[:3])
    reference = write_scene(folder / "reference.tif", truth, transform=HR, wavelengths=WAVELENGTHS)
    settings = FuseSettings(method=Method.REGRESSION)
    files = FusionFiles(lr, hr, folder / HOSTILE)
    run = RunFacts(f"pifnet fuse '{HOSTILE}'", (HOSTILE,))
    fused = fuse_scene(lr, hr, files.output, settings)
    write_fusion_page(ReportSettings(folder / "fusion.html"), fused, files, settings, run=run)
    for name, truth_of, pair, points in (("scores", reference, None, ()), ("agreement", None, (lr, hr), ((20, 31),))):
        scored = MetricsSettings(ratio=4)
        found = assess_scene(files.output, truth_of, pair, scored)
        scenes, page = ScoredFiles(files.output, truth_of, pair), ReportSettings(folder / f"{name}.html", points)
        write_metrics_page(page, found, scenes, scored, run=run)
    return {name: folder / f"{name}.html" for name in ("fusion", "scores", "agreement")}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    program = chromium()
    if program is None:
        pytest.skip("neither chromium-headless-shell nor chromium is installed")
    with open_tab(program, tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def tab(browser: Tab) -> Tab:
    browser.requests.clear()
    browser.complaints.clear()
    return browser


@pytest.mark.parametrize(("name", "pictures"), [("fusion", 9), ("scores", 6), ("agreement", 9)])
def test_every_picture_loads_and_nothing_is_asked_for_or_complained_of(tab: Tab, pages, name: str, pictures) -> None:
    tab.show(pages[name])
    assert tab.value(PICTURES) == [True] * pictures
    assert tab.value("document.querySelectorAll('svg.chart').length") >= 7
    assert tab.requests == [pages[name].as_uri()]
    assert tab.complaints == []


def test_the_browser_would_tell_of_a_request_and_of_a_complaint(tab: Tab, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<img src='absent.png'><script>console.error('no')</script>")
    tab.show(tmp_path / "bad.html")
    assert tab.value(PICTURES) == [False]
    assert tab.requests[1:] == [(tmp_path / "absent.png").as_uri()]
    assert any('"no"' in complaint for complaint in tab.complaints)


@pytest.mark.parametrize("name", ["fusion", "scores"])
def test_a_phone_need_not_scroll_sideways(tab: Tab, pages, name: str) -> None:
    tab.show(pages[name], width=360)
    assert tab.value("document.documentElement.scrollWidth") == 360


def test_the_page_is_dark_where_the_reader_wants_it_so(tab: Tab, pages) -> None:
    colours = []
    for scheme in ("light", "dark"):
        tab.show(pages["fusion"], scheme=scheme)
        colours.append(tab.value("getComputedStyle(document.body).backgroundColor"))
        axis = "getComputedStyle(document.querySelector('svg.chart text')).fill"
        assert tab.value(axis) == tab.value("getComputedStyle(document.body).color")
    assert colours == ["rgb(252, 251, 249)", "rgb(21, 24, 27)"]


def test_the_slider_shows_more_or_less_of_the_first_picture(tab: Tab, pages) -> None:
    tab.show(pages["fusion"])
    shown = "getComputedStyle(document.querySelector('.before img')).clipPath"
    assert tab.value(shown) == "inset(0px 50% 0px 0px)"
    tab.value(
        "(input => { input.value = 20; input.dispatchEvent(new Event('input')) })(document.querySelector('input'))"
    )
    assert tab.value(shown) == "inset(0px 80% 0px 0px)"
    places = "[...document.querySelectorAll('.images img')].map(image => Math.round(image.getBoundingClientRect().top))"
    assert len(set(tab.value(places))) == 1


def test_without_scripts_both_pictures_are_seen_side_by_side(tab: Tab, pages) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        tab.show(pages["fusion"])
        assert tab.value("getComputedStyle(document.querySelector('.before img')).clipPath") == "none"
        places = "[...document.querySelectorAll('.images img')].map(image => image.getBoundingClientRect().left)"
        left, right = tab.value(places)
        assert left < right
    finally:
        tab.call("Emulation.setScriptExecutionDisabled", value=False)


def test_a_detail_has_whole_screen_pixels(tab: Tab, pages) -> None:
    tab.show(pages["fusion"])
    widths = "[...document.querySelectorAll('.exact img')].map(image => image.getBoundingClientRect().width)"
    assert tab.value(widths) == [48 * 6] * 3
    drawn = "getComputedStyle(document.querySelector('.exact img')).imageRendering"
    assert tab.value(drawn) == "pixelated"
