import json
import logging
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from pifnet_cli.choices import Compat, Overwrite
from pifnet_cli.errors import BandsError, GridError, SceneReadError, SceneWriteError, SettingsError
from pifnet_cli.metrics.with_reference import Scores, scores
from pifnet_cli.scoring.with_reference import ReportFiles, score_scene
from pifnet_cli.settings import MetricsSettings
from scenes import NORTH_UP, write_scene

SHAPE = (7, 70, 101)
WAVELENGTHS = (460.5, 551.25, 642.0, 700.0, 800.0, 1600.0, 2200.0)
NAMES = ("psnr", "psnr_bands", "ssim", "sam", "ergas", "rmse", "uiqi", "q2n", "cc", "missing", "peak")
FOUR = MetricsSettings(ratio=4, block_size=32)


def arrays(shape: tuple[int, int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    reference = (100 + rng.random(shape)).astype(np.float32)
    return (reference + 0.05 * rng.standard_normal(shape)).astype(np.float32), reference


def write_pair(folder: Path, fused: np.ndarray, reference: np.ndarray) -> tuple[Path, Path]:
    return (
        write_scene(folder / "fused.tif", fused, wavelengths=WAVELENGTHS, nodata=-1.0),
        write_scene(folder / "reference.hdr", reference, wavelengths=WAVELENGTHS, nodata=-1.0),
    )


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return write_pair(tmp_path, *arrays())


def same_scores(one: Scores, other: Scores) -> None:
    for name in NAMES:
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9), name


def read_png(path: Path) -> np.ndarray:
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(path) as dataset:
        return dataset.read()


@pytest.mark.parametrize("block_size", [32, 50, 256])
def test_files_score_like_their_arrays(pair: tuple[Path, Path], block_size: int) -> None:
    result = score_scene(*pair, MetricsSettings(ratio=4, block_size=block_size))
    same_scores(result, scores(*arrays(), ratio=4))


def test_scenes_with_more_bands_are_read_in_smaller_blocks(tmp_path: Path) -> None:
    stages = []
    fused, reference = write_pair(tmp_path, *arrays())
    settings = MetricsSettings(ratio=4, block_bytes=7 * 4 * 45 * 45)  # 35 pixels: one block of 32
    result = score_scene(fused, reference, settings, progress=lambda *step: stages.append(step))
    assert stages[-1] == ("scoring", 12, 12)
    same_scores(result, scores(*arrays(), ratio=4))


def test_progress_tells_both_passes(pair: tuple[Path, Path]) -> None:
    stages = []
    score_scene(*pair, FOUR, progress=lambda *step: stages.append(step))
    assert stages == [(stage, done, 12) for stage in ("surveying", "scoring") for done in range(1, 13)]


def test_a_border_is_cut(pair: tuple[Path, Path]) -> None:
    fused, reference = arrays()
    expected = scores(fused[:, 5:-5, 5:-5], reference[:, 5:-5, 5:-5], ratio=4)
    same_scores(score_scene(*pair, MetricsSettings(ratio=4, border=5, block_size=32)), expected)


def test_a_fused_crop_is_scored_on_its_place(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fused, reference = arrays()
    path = write_scene(tmp_path / "f.tif", fused[:, 3:60, 6:95], transform=NORTH_UP @ Affine.translation(6, 3))
    truth = write_scene(tmp_path / "r.tif", reference)
    same_scores(score_scene(path, truth, FOUR), scores(fused[:, 3:60, 6:95], reference[:, 3:60, 6:95], ratio=4))
    assert "share 57 x 89 pixels; only these are scored" in caplog.text


def test_scale_factors_are_applied(tmp_path: Path) -> None:
    reference = np.arange(7 * 24 * 40, dtype=np.int16).reshape(7, 24, 40)
    scaled = write_scene(tmp_path / "r.tif", reference, scales=[0.01] * 7, offsets=[1.0] * 7)
    fused = write_scene(tmp_path / "f.tif", (reference * 0.01 + 1.5).astype(np.float32))
    assert score_scene(fused, scaled, FOUR).rmse == pytest.approx(0.5, rel=1e-5)  # float32 pixels


def test_nodata_is_left_out_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fused, reference = arrays()
    fused[4], fused[:, :7] = np.nan, np.nan
    stored = [np.where(np.isnan(image), -1.0, image).astype(np.float32) for image in (fused, reference)]
    with caplog.at_level(logging.INFO):
        result = score_scene(*write_pair(tmp_path, *stored), FOUR)
    same_scores(result, scores(fused, reference, ratio=4))
    assert result.excluded_bands == (5,)
    assert "not scored, without data: bands 5 (800 nm)" in caplog.text
    assert "no data for 22.9 % of the reference's valid values" in caplog.text  # 1 - 6/7 * 0.9
    assert "707 of 7070 pixels without data were left out" in caplog.text


def test_scores_are_computed_the_paper_s_way_on_demand(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fused, reference = ((image - 100) / 1.001 for image in arrays())  # the result leaves [0, 1] on either side
    settings = MetricsSettings(ratio=8, compat=Compat.PAPER, block_size=32)
    result = score_scene(*write_pair(tmp_path, fused, reference), settings)
    same_scores(result, scores(np.clip(fused, 0, 1), reference, ratio=4, compat=Compat.PAPER))
    assert "[0, 1]" not in caplog.text


def test_scenes_that_the_paper_s_evaluation_was_not_made_for_are_named(
    pair: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    score_scene(*pair, MetricsSettings(ratio=4, compat=Compat.PAPER))
    assert "reference.hdr: its values reach 101, but PIF-Net's own evaluation takes scenes within [0, 1]" in caplog.text
    caplog.clear()
    score_scene(*pair, FOUR)
    assert "[0, 1]" not in caplog.text


def test_scenes_without_georeference_of_one_size_are_scored(tmp_path: Path) -> None:
    paths = [
        write_scene(tmp_path / name, image, transform=None, crs=None)
        for name, image in zip(("f.tif", "r.tif"), arrays(), strict=True)
    ]
    same_scores(score_scene(*paths, FOUR), scores(*arrays(), ratio=4))


def test_one_crs_in_two_spellings_is_one(tmp_path: Path) -> None:
    fused, reference = arrays()
    paths = write_scene(tmp_path / "f.tif", fused), write_scene(tmp_path / "r.hdr", reference)
    assert score_scene(*paths, FOUR).pixels == 7070


# The ratio


def test_without_a_ratio_ergas_is_undefined_and_says_so(
    pair: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    assert np.isnan(score_scene(*pair, MetricsSettings()).ergas)
    assert "so ERGAS is not; give --ratio" in caplog.text


def test_the_record_of_the_simulation_gives_the_ratio(pair: tuple[Path, Path]) -> None:
    (pair[1].parent / "simulation.json").write_text(json.dumps({"sensor": {"ratio": 8}}), encoding="utf-8")
    assert score_scene(*pair, MetricsSettings()).ratio == 8


def test_the_fused_file_s_own_ratio_comes_before_the_record(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "simulation.json").write_text(json.dumps({"sensor": {"ratio": 8}}), encoding="utf-8")
    fused = write_scene(tmp_path / "noted.hdr", arrays()[0], fields={"pifnet ratio": "5.34"})
    assert score_scene(fused, pair[1], MetricsSettings()).ratio == 5.34


@pytest.mark.parametrize("value", ["four", "0", "nan"])
def test_a_field_that_is_no_ratio_is_passed_over(pair: tuple[Path, Path], tmp_path: Path, value: str) -> None:
    (tmp_path / "simulation.json").write_text(json.dumps({"sensor": {"ratio": 8}}), encoding="utf-8")
    fused = write_scene(tmp_path / "noted.hdr", arrays()[0], fields={"pifnet ratio": value})
    assert score_scene(fused, pair[1], MetricsSettings()).ratio == 8


def test_a_given_ratio_comes_first(pair: tuple[Path, Path]) -> None:
    (pair[1].parent / "simulation.json").write_text(json.dumps({"sensor": {"ratio": 8}}), encoding="utf-8")
    assert score_scene(*pair, MetricsSettings(ratio=2)).ratio == 2


# Reports


def test_all_reports_are_written(pair: tuple[Path, Path], tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    files = ReportFiles(
        csv=folder / "s.csv",
        bands_csv=folder / "b.csv",
        sam_map=folder / "sam.png",
        error_map=folder / "e.png",
        quicklook=folder / "q.png",
    )
    result = score_scene(*pair, FOUR, files=files)
    assert sorted(path.name for path in folder.iterdir()) == ["b.csv", "e.png", "q.png", "s.csv", "sam.png"]
    assert str(result.sam) in (folder / "s.csv").read_text()
    assert "\n3,,642," in (folder / "b.csv").read_text()
    assert read_png(folder / "sam.png").shape == read_png(folder / "e.png").shape == (4, 70, 101)
    assert read_png(folder / "q.png").shape == (4, 70, 210)


def test_the_quicklook_shows_red_green_and_blue(
    pair: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        score_scene(*pair, FOUR, files=ReportFiles(quicklook=tmp_path / "q.png"))
    assert "bands 3, 2, 1" in caplog.text


def test_quicklook_bands_can_be_chosen(
    pair: tuple[Path, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        settings = MetricsSettings(ratio=4, rgb_bands=(7, 6, 5))
        score_scene(*pair, settings, files=ReportFiles(quicklook=tmp_path / "q.png"))
    assert "bands 7, 6, 5" in caplog.text


# Refusals


def refused(paths: tuple[Path, Path], error: type[Exception], match: str, *, files: ReportFiles | None = None) -> None:
    before = {path: path.read_bytes() for path in paths[0].parent.iterdir() if path.is_file()}
    with pytest.raises(error, match=match):
        score_scene(*paths, FOUR, files=files)
    assert {path: path.read_bytes() for path in paths[0].parent.iterdir() if path.is_file()} == before


def test_band_counts_that_differ_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    reference = write_scene(tmp_path / "r6.tif", arrays()[1][:6])
    refused((pair[0], reference), BandsError, r"fused\.tif: 7 bands, but .*r6\.tif has 6")


def test_wavelengths_that_differ_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    shifted = (*WAVELENGTHS[:4], 800.6, *WAVELENGTHS[5:])
    reference = write_scene(tmp_path / "r.tif", arrays()[1], wavelengths=shifted)
    refused((pair[0], reference), BandsError, r"fused\.tif: band 5 lies at 800 nm, but at 800\.6 nm in .*r\.tif")


def test_wavelengths_half_a_nanometre_apart_are_the_same(pair: tuple[Path, Path], tmp_path: Path) -> None:
    shifted = [value + 0.4 for value in WAVELENGTHS]
    reference = write_scene(tmp_path / "r.tif", arrays()[1], wavelengths=shifted)
    assert score_scene(pair[0], reference, FOUR).bands == 7


def test_a_crs_on_one_scene_alone_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    reference = write_scene(tmp_path / "r.tif", arrays()[1], crs=None)
    refused((pair[0], reference), GridError, r"r\.tif: has no CRS, but .*fused\.tif has one.*gdal_edit\.py -a_srs")


def test_two_crs_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    reference = write_scene(tmp_path / "r.tif", arrays()[1], crs="EPSG:32632")
    refused((pair[0], reference), GridError, r"fused\.tif: its CRS \(32633\) is not that of .*r\.tif \(32632\)")


def test_shifted_grids_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    reference = write_scene(tmp_path / "r.tif", arrays()[1], transform=NORTH_UP @ Affine.translation(0.5, 0))
    refused((pair[0], reference), GridError, r"fused\.tif: its pixels do not coincide with those of .*gdalwarp")


def test_a_scene_without_data_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    fused = write_scene(tmp_path / "f.tif", np.full(SHAPE, -1.0, dtype=np.float32), nodata=-1.0)
    files = ReportFiles(csv=tmp_path / "s.csv", sam_map=tmp_path / "sam.png")
    refused((fused, pair[1]), SceneReadError, r"f\.tif: no pixel is valid both here and in .*reference", files=files)


def test_bands_never_valid_together_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    image = arrays()[0]
    image[0, :35], image[1, 35:] = -1, -1
    fused = write_scene(tmp_path / "f.tif", image, nodata=-1.0)
    files = ReportFiles(csv=tmp_path / "s.csv", sam_map=tmp_path / "sam.png")
    refused((fused, pair[1]), SceneReadError, r"f\.tif: no pixel has all 7 bands valid", files=files)


def test_an_existing_report_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("old")
    refused(pair, SceneWriteError, r"s\.csv: exists; give --overwrite", files=ReportFiles(csv=tmp_path / "s.csv"))
    score_scene(*pair, MetricsSettings(overwrite=Overwrite.REPLACE), files=ReportFiles(csv=tmp_path / "s.csv"))
    assert (tmp_path / "s.csv").read_text().startswith("fused,")


@pytest.mark.parametrize("name", ["reference.hdr", "reference.img", "fused.tif"])
def test_a_report_never_replaces_an_input(pair: tuple[Path, Path], tmp_path: Path, name: str) -> None:
    settings = MetricsSettings(overwrite=Overwrite.REPLACE)
    before = (tmp_path / name).read_bytes()
    with pytest.raises(SceneWriteError, match=f"{name}: is also an input"):
        score_scene(*pair, settings, files=ReportFiles(csv=tmp_path / name))
    assert (tmp_path / name).read_bytes() == before


def test_a_quicklook_without_wavelengths_needs_named_bands(tmp_path: Path) -> None:
    paths = [write_scene(tmp_path / name, image) for name, image in zip(("f.tif", "r.tif"), arrays(), strict=True)]
    files = ReportFiles(quicklook=tmp_path / "q.png")
    refused((paths[0], paths[1]), BandsError, r"r\.tif: no wavelengths.*--rgb-bands", files=files)


def test_quicklook_bands_beyond_the_last_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(BandsError, match=r"has 7 bands; --rgb-bands asks for 8"):
        score_scene(*pair, MetricsSettings(rgb_bands=(8, 2, 1)), files=ReportFiles(quicklook=tmp_path / "q.png"))


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"ratio": 0.5}, "--ratio 0.5: 1 or more"),
        ({"ratio": float("nan")}, "--ratio nan: 1 or more"),
        ({"border": -1}, "--border -1: 0 or more"),
        ({"block_size": 31}, "--block-size 31: at least 32"),
        ({"rgb_bands": (0, 1, 2)}, "--rgb-bands"),
    ],
)
def test_settings_out_of_range_are_refused(arguments: dict, match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        MetricsSettings(**arguments)


def test_a_real_scene_scores_perfectly_against_itself(real_data: Path) -> None:
    (scene,) = (real_data / "enmap_potsdam").glob("*.tif")
    result = score_scene(scene, scene, FOUR)
    assert result.is_identical
    assert result.excluded_bands == (130, 131, 132, 133, 134, 135)
    assert result.ssim == pytest.approx(1)
    assert result.q2n == pytest.approx(1)
