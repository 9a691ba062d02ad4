import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from pages import Parsed, fetched, parsed
from pifnet_cli.catalog import Method
from pifnet_cli.choices import BandChoice, Overwrite
from pifnet_cli.errors import SceneWriteError, SettingsError
from pifnet_cli.fusion.run import FusedScene
from pifnet_cli.pages.fusion_page import require_fusion_page, write_fusion_page
from pifnet_cli.pages.page import Section, facts_table
from pifnet_cli.pages.provenance import FusionFiles, RunFacts
from pifnet_cli.settings import FuseSettings, ReportSettings
from pifnet_cli.workflows.fuse import fuse_scene
from scenes import write_scene

LR, HR = Affine(40, 0, 365000, 0, -40, 5807000), Affine(10, 0, 365000, 0, -10, 5807000)
WAVELENGTHS = (460.0, 550.0, 640.0, 800.0, 850.0, 1600.0, 1650.0)
SETTINGS = FuseSettings(method=Method.REGRESSION, overwrite=Overwrite.REPLACE)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> FusionFiles:
    folder = tmp_path_factory.mktemp("fusion")
    rng = np.random.default_rng(0)
    msi = rng.uniform(0.1, 0.6, (3, 96, 120)).astype(np.float32)
    msi[:, :8, :8] = -1
    low = msi.reshape(3, 24, 4, 30, 4).mean(axis=(2, 4))
    lr = np.concatenate([low, low[:1] * 2, low[1:2] * 0.5, low[2:] + 0.1, low[:1]]).astype(np.float32)
    lr[4] = -1  # a band without data
    bad = (1, 1, 1, 1, 1, 0, 1)
    found = FusionFiles(
        write_scene(folder / "l$r <i>.hdr", lr, transform=LR, wavelengths=WAVELENGTHS, nodata=-1, good=bad),
        write_scene(folder / "hr.tif", msi * 10000, transform=HR, wavelengths=(460.0, 550.0, 640.0), nodata=-10000),
        folder / 'out "&" <b>.tif',
    )
    fuse_scene(found.lr_hsi, found.hr_msi, found.output, SETTINGS)
    return found


@pytest.fixture(scope="module")
def fused(files: FusionFiles) -> FusedScene:
    return fuse_scene(files.lr_hsi, files.hr_msi, files.output, SETTINGS)


def report(files: FusionFiles, fused: FusedScene, page: Path, **given: object) -> Parsed:
    points = given.pop("points", ())
    write_fusion_page(ReportSettings(page, points), fused, files, SETTINGS, **given)
    return parsed(page.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def page(files: FusionFiles, fused: FusedScene, tmp_path_factory: pytest.TempPathFactory) -> Parsed:
    return report(
        files,
        fused,
        tmp_path_factory.mktemp("page") / "r.html",
        run=RunFacts("pifnet fuse 'a b'", ("beware of <dogs>",)),
        sections=[Section("Consistency", (facts_table([("D_s", 0.5)]),))],
    )


PAIR_CHARTS = 2 + 1 + 1  # explained, noise and error; response; agreement


def test_all_scenes_are_shown_whole_and_in_detail(page: Parsed) -> None:
    scenes = page.pictures[:6]
    assert [picture.alt.removeprefix("pseudo-colour picture: ") for picture in scenes] == [
        f"{name}, {where}"
        for where, names in (("whole scene", ("LR-HSI", "fused", "HR-MSI")), ("detail", ("LR-HSI", "HR-MSI", "fused")))
        for name in names
    ]
    assert [picture.pixels.shape[1:] for picture in scenes] == [(96, 120)] * 3 + [(48, 48)] * 3


def test_agreement_with_the_pair_is_mapped(page: Parsed) -> None:
    maps = page.pictures[6:]
    assert [picture.alt.split()[1:4] for picture in maps] == [
        ["RMSE", "to", "the"],
        ["spectral", "angle", "to"],
        ["RMSE", "to", "the"],
    ]
    assert [picture.pixels.shape[1:] for picture in maps] == [(24, 30), (24, 30), (96, 120)]


def test_nothing_is_fetched(page: Parsed) -> None:
    assert fetched(page) == []


def test_the_lr_hsi_is_shown_in_its_own_pixels(page: Parsed) -> None:
    picture = page.pictures[0].pixels[:3, 8:]
    np.testing.assert_array_equal(picture, picture[:, ::4, ::4].repeat(4, axis=1).repeat(4, axis=2))


def test_what_is_no_data_is_transparent(page: Parsed) -> None:
    assert page.pictures[1].pixels[3, 0, 0] == 0
    assert page.pictures[2].pixels[3, 7, 7] == 0
    assert page.pictures[2].pixels[3, 8, 8] == 255


def test_everything_has_its_section(page: Parsed) -> None:
    titles = (
        "Before and after",
        "At full resolution",
        "Spectra",
        "Blur and misregistration",
        "How well it can work here",
        "Spectral response of the HR-MSI",
        "Agreement with the pair",
        "Parameters",
    )
    assert [title for title in titles if title not in page.text] == []
    assert page.text.index("Blur") < page.text.index("Consistency") < page.text.index("Parameters")


def test_names_command_and_notices_are_told_word_for_word(page: Parsed) -> None:
    for words in ("l$r <i>.hdr", 'out "&" <b>.tif', "pifnet fuse 'a b'", "beware of <dogs>"):
        assert words in page.text
    assert not {"i", "b", "dogs"} & set(page.tags)


def test_every_point_has_a_chart_beside_those_of_the_blur(page: Parsed) -> None:
    assert page.tags.count("svg") == 6 + 2 + PAIR_CHARTS
    assert "A typical" in page.text


def test_the_hr_msi_is_brought_to_the_numbers_of_the_fused_scene(page: Parsed) -> None:
    assert "HR-MSI x 0.0001" in page.text


def test_points_that_are_asked_for_are_shown_and_no_others(files, fused, tmp_path: Path) -> None:
    found = report(files, fused, tmp_path / "r.html", points=((20, 31), (95, 119)))
    assert found.tags.count("svg") == 2 + 2 + PAIR_CHARTS
    assert "A 20 31 365315, 5806795 asked for" in found.text
    assert "B 95 119 366195, 5806045 asked for" in found.text


def test_an_uncertainty_is_mapped_and_surrounds_the_spectra(files: FusionFiles, fused, tmp_path: Path) -> None:
    sigma = np.broadcast_to(np.linspace(0, 1, 120, dtype=np.float32), (7, 96, 120)).copy()
    sigma[:, :, -1] = -1
    path = write_scene(tmp_path / "sigma.tif", sigma, transform=HR, wavelengths=WAVELENGTHS, nodata=-1)
    given = FusionFiles(files.lr_hsi, files.hr_msi, files.output, uncertainty=path)
    found = report(given, fused, tmp_path / "r.html")
    assert "fused, ± 1 standard deviation" in found.text
    assert found.pictures[-1].alt == "map: standard deviation, mean over bands"
    picture = found.pictures[-1].pixels
    assert picture[3].mean(axis=0).tolist() == [255] * 119 + [0]
    assert (np.diff(picture[:3, 0, :-1].astype(int).sum(axis=0)) >= 0).all()
    assert found.tags.count("svg") == 6 + 2 + PAIR_CHARTS + 1


def test_bands_that_were_left_out_are_left_out_of_the_page(files: FusionFiles, tmp_path: Path) -> None:
    settings = replace(SETTINGS, bands=BandChoice.GOOD)
    of_good = replace(files, output=tmp_path / "good.tif")
    fused = fuse_scene(of_good.lr_hsi, of_good.hr_msi, of_good.output, settings)
    write_fusion_page(ReportSettings(tmp_path / "r.html"), fused, of_good, settings)
    found = parsed((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "How well it can work here" in found.text
    assert "Agreement with the pair" not in found.text


def test_the_page_estimates_nothing_that_the_fusion_knows_already(files: FusionFiles, tmp_path: Path, caplog) -> None:
    given = replace(files, output=tmp_path / "o.tif")
    with caplog.at_level(logging.INFO, logger="pifnet_cli"):
        fused = fuse_scene(given.lr_hsi, given.hr_msi, given.output, SETTINGS)
        told = list(caplog.messages)
        found = report(given, fused, tmp_path / "r.html")
    assert sum(message.startswith("found from the pair") for message in told) == 1
    assert caplog.messages == told
    assert "was found from the pair itself" in found.text


def test_a_blur_that_is_given_is_told_as_such(files: FusionFiles, tmp_path: Path) -> None:
    given, settings = replace(files, output=tmp_path / "o.tif"), replace(SETTINGS, mtf_at_nyquist=0.25)
    fused = fuse_scene(given.lr_hsi, given.hr_msi, given.output, settings)
    write_fusion_page(ReportSettings(tmp_path / "r.html"), fused, given, settings)
    text = parsed((tmp_path / "r.html").read_text(encoding="utf-8")).text
    assert "was given by the options" in text
    assert "MTF at the LR Nyquist frequency 0.250 0.250" in text


def test_a_point_outside_is_told_by_the_report_too(files: FusionFiles, fused, tmp_path: Path) -> None:
    with pytest.raises(SceneWriteError, match=r"--point 20,120: the scene has .*no report was written, but"):
        report(files, fused, tmp_path / "r.html", points=((20, 120),))
    assert list(tmp_path.iterdir()) == []


def test_scenes_that_do_not_fit_are_left_to_the_fusion_to_refuse(files: FusionFiles, tmp_path: Path) -> None:
    bare = write_scene(tmp_path / "bare.tif", np.ones((3, 96, 120), dtype=np.float32), transform=HR, crs=None)
    given = FusionFiles(files.lr_hsi, bare, tmp_path / "o.tif")
    require_fusion_page(ReportSettings(tmp_path / "r.html", ((1, 1),)), given, SETTINGS)


def test_a_failure_says_that_the_fused_scene_is_complete(files: FusionFiles, fused, tmp_path: Path) -> None:
    (tmp_path / "sigma.tif").write_text("no raster")
    given = FusionFiles(files.lr_hsi, files.hr_msi, files.output, uncertainty=tmp_path / "sigma.tif")
    with pytest.raises(SceneWriteError, match=r"sigma\.tif.*no report was written, but .*out.* is complete"):
        report(given, fused, tmp_path / "r.html")
    assert [path.name for path in tmp_path.iterdir()] == ["sigma.tif"]
    assert files.output.exists()


@pytest.mark.parametrize("which", ["lr_hsi", "hr_msi"])
def test_a_page_over_an_input_is_refused(files: FusionFiles, which: str) -> None:
    with pytest.raises(SceneWriteError, match="is also an input"):
        require_fusion_page(ReportSettings(getattr(files, which), (), Overwrite.REPLACE), files, SETTINGS)


def test_a_page_over_the_data_file_of_the_lr_hsi_is_refused(files: FusionFiles) -> None:
    page = files.lr_hsi.with_suffix(".img")
    with pytest.raises(SceneWriteError, match="is also an input"):
        require_fusion_page(ReportSettings(page, (), Overwrite.REPLACE), files, SETTINGS)


@pytest.mark.parametrize("name", ["new.hdr", "new.img"])
def test_a_page_over_the_output_is_refused_before_either_exists(files: FusionFiles, tmp_path: Path, name: str) -> None:
    given = FusionFiles(files.lr_hsi, files.hr_msi, tmp_path / "new.hdr")
    with pytest.raises(SceneWriteError, match="two outputs have this name"):
        require_fusion_page(ReportSettings(tmp_path / name, (), Overwrite.REPLACE), given, SETTINGS)


def test_a_page_that_exists_is_refused(files: FusionFiles, tmp_path: Path) -> None:
    (tmp_path / "r.html").touch()
    with pytest.raises(SceneWriteError, match="exists; give --overwrite"):
        require_fusion_page(ReportSettings(tmp_path / "r.html"), files, SETTINGS)


def test_a_point_outside_is_refused_before_anything_is_fused(files: FusionFiles, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--point 96,0: the scene has rows 0 to 95 and columns 0 to 119"):
        require_fusion_page(ReportSettings(tmp_path / "r.html", ((96, 0),)), files, SETTINGS)
