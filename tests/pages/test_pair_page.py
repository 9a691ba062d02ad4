import logging
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from pages import Parsed, fetched, parsed
from pifnet_cli.pages.metrics_page import write_metrics_page
from pifnet_cli.pages.page import Section, facts_table
from pifnet_cli.pages.provenance import RunFacts, ScoredFiles
from pifnet_cli.settings import MetricsSettings, ReportSettings
from pifnet_cli.workflows.metrics import assess_scene
from scenes import write_scene

LR, HR = Affine(40, 0, 365000, 0, -40, 5807000), Affine(10, 0, 365000, 0, -10, 5807000)
WAVELENGTHS = (460.0, 550.0, 640.0, 700.0, 800.0, 1600.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> ScoredFiles:
    """A pair of the ground's upper left corner, and a fused scene that lies within it."""
    folder = tmp_path_factory.mktemp("scored")
    truth = np.random.default_rng(0).uniform(0.1, 0.6, (6, 96, 120)).astype(np.float32)
    low = truth.reshape(6, 24, 4, 30, 4).mean(axis=(2, 4))
    lr = write_scene(folder / "lr.hdr", low, transform=LR, wavelengths=WAVELENGTHS)
    hr = write_scene(folder / "hr.tif", truth[:3] * 10000, transform=HR, wavelengths=WAVELENGTHS[:3])
    within = HR @ Affine.translation(12, 8)
    fused = write_scene(folder / "f <i>.tif", truth[:, 8:80, 12:92], transform=within, wavelengths=WAVELENGTHS)
    return ScoredFiles(fused, None, (lr, hr))


def report(files: ScoredFiles, page: Path, settings: MetricsSettings, **given: object) -> Parsed:
    found = assess_scene(files.fused, files.reference, files.pair, settings)
    write_metrics_page(ReportSettings(page, given.pop("points", ())), found, files, settings, **given)
    return parsed(page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(files: ScoredFiles, tmp_path_factory: pytest.TempPathFactory) -> Parsed:
    return report(
        files,
        tmp_path_factory.mktemp("page") / "r.html",
        MetricsSettings(),
        points=((20, 31), (71, 79)),
        run=RunFacts("pifnet metrics", ("a note",)),
        sections=[Section("More", (facts_table([("x", 1)]),))],
    )


def test_all_scenes_and_the_maps_of_agreement_are_shown(page: Parsed) -> None:
    names = [picture.alt.removeprefix("pseudo-colour picture: ") for picture in page.pictures[:6]]
    assert names == [
        "LR-HSI, whole scene", "fused, whole scene", "HR-MSI, whole scene", "LR-HSI, detail", "HR-MSI, detail",
        "fused, detail",
    ]  # fmt: skip
    assert [picture.pixels.shape[1:] for picture in page.pictures[:6]] == [(72, 80)] * 3 + [(36, 36)] * 3
    assert len(page.pictures) == 6 + 3
    assert fetched(page) == []


def test_the_hr_msi_lies_on_the_pixels_of_the_fused_scene(page: Parsed) -> None:
    fused, hr_msi = page.pictures[1].pixels, page.pictures[2].pixels
    np.testing.assert_allclose(hr_msi[:3].astype(int), fused[:3].astype(int), atol=1)


def test_everything_has_its_section(page: Parsed) -> None:
    titles = (
        "Before and after",
        "At full resolution",
        "Spectra",
        "Agreement with the pair",
        "Blur and misregistration",
        "How well it can work here",
        "Spectral response of the HR-MSI",
        "More",
        "Parameters",
    )
    positions = [page.text.index(title) for title in titles]
    assert positions == sorted(positions)
    assert "scored by lr.hdr and hr.tif: " in page.text
    assert "a note" in page.text


def test_all_three_spectra_are_shown_at_the_points_that_are_asked_for(page: Parsed) -> None:
    assert page.tags.count("svg") == 2 + 1 + 2 + 2 + 1  # points; agreement; blur; bands; response
    assert "A 20 31 365435, 5806715 asked for" in page.text
    assert "HR-MSI x 0.0001" in page.text


def test_all_files_are_listed(files: ScoredFiles, page: Parsed) -> None:
    listed = page.text[page.text.index("changed (UTC)") :]
    for path in (files.fused, *(files.pair or ())):
        assert str(path) in listed


def test_the_blur_is_estimated_once_for_scores_and_page(files: ScoredFiles, tmp_path: Path, caplog) -> None:
    with caplog.at_level(logging.INFO, logger="pifnet_cli"):
        found = report(files, tmp_path / "r.html", MetricsSettings())
    assert sum(message.startswith("found from the pair") for message in caplog.messages) == 1
    assert "was found from the pair itself" in found.text
    assert "shift found, LR pixels" in found.text


def test_a_blur_that_is_given_is_told_as_such(files: ScoredFiles, tmp_path: Path) -> None:
    found = report(files, tmp_path / "r.html", MetricsSettings(mtf_at_nyquist=0.25))
    assert "was given by the options" in found.text
    assert "MTF at the LR Nyquist frequency 0.250 0.250" in found.text


def test_a_fused_scene_that_reaches_beyond_the_hr_msi_has_a_page(files: ScoredFiles, tmp_path: Path) -> None:
    around = np.random.default_rng(1).uniform(0.1, 0.6, (6, 104, 128)).astype(np.float32)
    fused = write_scene(tmp_path / "f.tif", around, transform=HR @ Affine.translation(-4, -4), wavelengths=WAVELENGTHS)
    found = report(ScoredFiles(fused, None, files.pair), tmp_path / "r.html", MetricsSettings(), points=((0, 0),))
    hr_msi = found.pictures[2].pixels
    assert hr_msi.shape == (4, 104, 128)
    assert (hr_msi[3] == 255).sum() == 96 * 120
    assert hr_msi[3, :4].max() == 0
    assert "A 0 0 364965, 5807035 asked for" in found.text


def test_with_a_reference_too_the_page_is_about_both(files: ScoredFiles, tmp_path: Path, caplog) -> None:
    both = ScoredFiles(files.fused, files.fused, files.pair)
    with caplog.at_level(logging.INFO, logger="pifnet_cli"):
        found = report(both, tmp_path / "r.html", MetricsSettings())
    assert sum(message.startswith("found from the pair") for message in caplog.messages) == 1
    titles = ("Fused and reference", "Errors", "Agreement with the pair", "How well it can work here", "Parameters")
    positions = [found.text.index(title) for title in titles]
    assert positions == sorted(positions)
