from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from pages import Parsed, fetched, parsed
from pifnet_cli.choices import Overwrite
from pifnet_cli.errors import SceneWriteError, SettingsError
from pifnet_cli.pages.metrics_page import require_metrics_page, write_metrics_page
from pifnet_cli.pages.page import Section, facts_table
from pifnet_cli.pages.provenance import RunFacts, ScoredFiles
from pifnet_cli.settings import MetricsSettings, ReportSettings
from pifnet_cli.workflows.metrics import assess_scene
from scenes import NORTH_UP, write_scene

WAVELENGTHS = (460.0, 550.0, 640.0, 700.0, 800.0, 1600.0, 2200.0)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A fused scene that begins 3 rows below and 5 columns right of its reference; one half is wrong."""
    folder = tmp_path_factory.mktemp("pair")
    reference = np.random.default_rng(0).uniform(1, 2, (7, 70, 101)).astype(np.float32)
    fused = reference[:, 3:63, 5:95].copy()
    fused[:3, :, 45:] += 0.5
    fused[:, 7, 9] = np.nan
    return (
        write_scene(folder / "fused <b>.tif", fused, transform=NORTH_UP @ Affine.translation(5, 3),
                    wavelengths=WAVELENGTHS),
        write_scene(folder / "reference.hdr", reference, wavelengths=WAVELENGTHS),
    )  # fmt: skip


def report(pair: tuple[Path, Path], page: Path, settings: MetricsSettings, **given: object) -> Parsed:
    scores = assess_scene(*pair, None, settings)
    write_metrics_page(ReportSettings(page, given.pop("points", ())), scores, ScoredFiles(*pair), settings, **given)
    return parsed(page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(pair: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Parsed:
    return report(
        pair,
        tmp_path_factory.mktemp("page") / "r.html",
        MetricsSettings(ratio=4),
        run=RunFacts("pifnet metrics", ("a note",)),
        sections=[Section("More", (facts_table([("x", 1)]),))],
    )


def test_both_scenes_and_both_maps_are_shown(page: Parsed) -> None:
    assert [picture.alt for picture in page.pictures] == [
        "pseudo-colour picture: fused, whole scene",
        "pseudo-colour picture: reference, whole scene",
        "pseudo-colour picture: fused, detail",
        "pseudo-colour picture: reference, detail",
        "map: root mean square error over the bands",
        "map: spectral angle",
    ]
    assert [picture.pixels.shape[1:] for picture in page.pictures] == [(60, 90)] * 2 + [(32, 32)] * 2 + [(60, 90)] * 2
    assert fetched(page) == []


def test_the_reference_lies_on_the_pixels_of_the_fused_scene(page: Parsed) -> None:
    fused, reference = page.pictures[0].pixels, page.pictures[1].pixels
    is_valid = fused[3, :, :45] == 255
    assert is_valid.sum() == 60 * 45 - 1
    np.testing.assert_array_equal(fused[:3, :, :45][:, is_valid], reference[:3, :, :45][:, is_valid])
    assert (fused[:3, :, 45:] != reference[:3, :, 45:]).any()


def test_errors_are_bright_where_the_fused_scene_is_wrong(page: Parsed) -> None:
    for picture in page.pictures[-2:]:
        brightness = picture.pixels[:3].astype(int).sum(axis=0)
        assert brightness[:, 45:].min() > brightness[:, :45].max()
        assert picture.pixels[3, 7, 9] == 0


def test_scores_are_told_with_their_units(page: Parsed) -> None:
    assert "SAM" in page.text
    assert "degrees" in page.text
    assert "scored against reference.hdr: 5399 pixels, 7 bands" in page.text


def test_bands_points_and_further_sections_are_there(page: Parsed) -> None:
    assert page.tags.count("svg") == 3 + 6
    assert page.text.index("Band by band") < page.text.index("Spectra") < page.text.index("More")
    assert "a note" in page.text
    assert "fused <b>.tif" in page.text


def test_a_border_is_left_out_of_the_maps_but_not_of_the_pictures(pair: tuple[Path, Path], tmp_path: Path) -> None:
    settings = MetricsSettings(ratio=4, border=6, rgb_bands=(7, 6, 5))
    found = report(pair, tmp_path / "r.html", settings, points=((0, 0), (30, 40)))
    assert found.pictures[0].pixels.shape[1:] == (60, 90)
    reference = found.pictures[1].pixels
    assert (reference[3] == 255).sum() == (60 - 12) * (90 - 12)
    assert found.pictures[4].pixels.shape[1:] == (60 - 12, 90 - 12)
    assert "bands 7, 6, 5 (2200, 1600, 800 nm)" in found.text
    assert found.tags.count("svg") == 3 + 2


def test_scenes_without_wavelengths_have_a_page(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).uniform(1, 2, (5, 40, 50)).astype(np.float32)
    pair = write_scene(tmp_path / "a.tif", pixels), write_scene(tmp_path / "b.tif", pixels)
    found = report(pair, tmp_path / "r.html", MetricsSettings())
    assert "bands 5, 3, 1" in found.text
    assert "infinite dB" in found.text


def test_bands_are_those_of_the_file_that_knows_their_wavelengths(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).uniform(1, 2, (7, 40, 50)).astype(np.float32)
    bare, told = (
        write_scene(tmp_path / "a.tif", pixels),
        write_scene(tmp_path / "b.hdr", pixels, wavelengths=WAVELENGTHS),
    )
    found = report((bare, told), tmp_path / "r.html", MetricsSettings())
    assert "bands 3, 2, 1 (640, 550, 460 nm)" in found.text
    listed = found.text[found.text.index("All 7 bands") :]
    assert "band wavelength, nm" in listed
    assert "7 2200" in listed


def test_scores_without_their_files_have_no_page(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).uniform(1, 2, (5, 40, 50)).astype(np.float32)
    path = write_scene(tmp_path / "a.tif", pixels)
    found = assess_scene(path, path, None, MetricsSettings())
    with pytest.raises(SettingsError, match="neither a reference nor a pair is here"):
        write_metrics_page(ReportSettings(tmp_path / "r.html"), found, ScoredFiles(path), MetricsSettings())
    assert [path.name for path in tmp_path.iterdir()] == ["a.tif"]


def test_a_page_over_an_input_or_another_output_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    for path in (*pair, pair[1].with_suffix(".img")):
        with pytest.raises(SceneWriteError, match="is also an input"):
            require_metrics_page(ReportSettings(path, (), Overwrite.REPLACE), ScoredFiles(*pair))
    page = ReportSettings(tmp_path / "r.csv", (), Overwrite.REPLACE)
    with pytest.raises(SceneWriteError, match="two outputs have this name"):
        require_metrics_page(page, ScoredFiles(*pair), others=[tmp_path / "r.csv"])


def test_a_point_outside_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--point 60,0: the scene has rows 0 to 59"):
        require_metrics_page(ReportSettings(tmp_path / "r.html", ((60, 0),)), ScoredFiles(*pair))
