import numpy as np
import pytest

from pifnet_cli.choices import Compat
from pifnet_cli.metrics.running import HALO, RunningSurvey, RunningTotals
from pifnet_cli.metrics.with_reference import Scores, running_totals, scores, scores_from
from pifnet_cli.scene import Window

NAMES = ("psnr", "psnr_bands", "ssim", "sam", "ergas", "rmse", "uiqi", "q2n", "cc", "missing", "peak")


def pair(height: int, width: int, *, bands: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """A noisy pair with holes, a band without data, and a mean that sums would drown in."""
    rng = np.random.default_rng(height * width)
    reference = (1000 + rng.standard_normal((bands, height, width))).astype(np.float32)
    fused = (reference + 0.3 * rng.standard_normal(reference.shape)).astype(np.float32)
    reference[:, height // 3, : width // 2] = np.nan
    fused[1, -3, -4] = np.nan
    fused[4] = np.nan
    return fused, reference


def streamed(fused: np.ndarray, reference: np.ndarray, *, side: int, compat: Compat = Compat.NONE) -> Scores:
    _, height, width = fused.shape
    cores = [
        Window(row, column, min(side, height - row), min(side, width - column))
        for row in range(0, height, side)
        for column in range(0, width, side)
    ]
    np.random.default_rng(0).shuffle(cores)
    survey = RunningSurvey(len(fused))
    for core in cores:
        survey.add(fused[:, *core.slices], reference[:, *core.slices])
    totals = running_totals(survey, compat=compat)
    for core in cores:
        around = core.grown(HALO).clipped(height, width)
        totals.add(fused[:, *around.slices], reference[:, *around.slices], core=core.relative_to(around))
    return scores_from(totals.totals(), ratio=4, compat=compat)


@pytest.mark.parametrize("side", [32, 64, 96])
@pytest.mark.parametrize(("height", "width"), [(24, 40), (70, 101), (129, 33), (64, 96)])
def test_blocks_in_any_order_score_like_the_whole(height: int, width: int, side: int) -> None:
    fused, reference = pair(height, width)
    blocks, whole = streamed(fused, reference, side=side), scores(fused, reference, ratio=4)
    for name in NAMES:
        assert getattr(blocks, name) == pytest.approx(getattr(whole, name), rel=1e-9), name
    assert (blocks.pixels, blocks.excluded_pixels) == (whole.pixels, whole.excluded_pixels)
    assert blocks.excluded_bands == whole.excluded_bands == (5,)


def test_bands_score_alike_by_blocks() -> None:
    fused, reference = pair(70, 101)
    blocks, whole = streamed(fused, reference, side=32), scores(fused, reference, ratio=4)
    for one, other in zip(blocks.per_band, whole.per_band, strict=True):
        for name in ("band", "psnr", "ssim", "rmse", "uiqi", "cc", "mean"):
            assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9), name


def test_the_paper_s_angle_is_streamed_too() -> None:
    fused, reference = pair(70, 40)
    fused[:, :10], reference[:, :10] = 0, 0
    blocks = streamed(fused, reference, side=32, compat=Compat.PAPER)
    assert blocks.sam == pytest.approx(scores(fused, reference, ratio=4, compat=Compat.PAPER).sam, rel=1e-9)


def test_the_paper_s_cut_is_streamed_too() -> None:
    fused, reference = ((image - 998) / 4 for image in pair(70, 101))  # about 0.5, deviation 0.25
    blocks = streamed(fused, reference, side=32, compat=Compat.PAPER)
    whole = scores(fused, reference, ratio=4, compat=Compat.PAPER)
    for name in NAMES:
        assert getattr(blocks, name) == pytest.approx(getattr(whole, name), rel=1e-9), name
    assert whole.rmse != pytest.approx(scores(fused, reference, ratio=4).rmse, rel=1e-3)


@pytest.mark.parametrize("holes", [0, 3])
def test_each_ssim_window_counts_once(holes: int) -> None:
    fused, reference = np.ones((2, 3, 50, 70), dtype=np.float32)
    fused[0, 20, 20 : 20 + holes] = np.nan
    survey = RunningSurvey(3)
    survey.add(fused, reference)
    totals = RunningTotals(survey.survey())
    for core in (Window(0, 0, 32, 32), Window(0, 32, 32, 38), Window(32, 0, 18, 32), Window(32, 32, 18, 38)):
        around = core.grown(HALO).clipped(50, 70)
        totals.add(fused[:, *around.slices], reference[:, *around.slices], core=core.relative_to(around))
    spoiled = 11 * (10 + holes) if holes else 0
    assert totals.totals().ssim_windows == 40 * 60 - spoiled


def test_full_blocks_weigh_alike_and_cut_ones_by_their_pixels() -> None:
    rng = np.random.default_rng(5)
    reference = rng.random((1, 40, 32)).astype(np.float32)
    fused = reference.copy()
    fused[:, 32:] = rng.random((1, 8, 32))
    upper, lower = (scores(fused[:, part], reference[:, part], ratio=4).uiqi for part in (slice(32), slice(32, 40)))
    assert upper == pytest.approx(1)
    assert scores(fused, reference, ratio=4).uiqi == pytest.approx((32 * upper + 8 * lower) / 40, rel=1e-12)


def test_a_survey_finds_peaks_over_all_blocks() -> None:
    fused, reference = np.zeros((2, 3, 8, 8), dtype=np.float32)
    survey = RunningSurvey(3)
    for peak in (1.0, 5.0, 2.0):
        reference = reference.copy()
        reference[1, 2, 2] = peak
        survey.add(fused, reference)
    assert survey.survey().peaks.tolist() == [0, 5, 0]


def test_a_survey_of_nothing_is_empty() -> None:
    survey = RunningSurvey(3).survey()
    assert (survey.bands, survey.excluded, survey.missing) == ((), (0, 1, 2), 0)
    assert np.isnan(survey.peak)


def test_compat_chooses_the_angle() -> None:
    """Two dark pixels that are equal: 0 apart, but 90 degrees each by the paper."""
    fused = np.ones((3, 4, 5), dtype=np.float32)
    fused[:, 0, :2] = 0
    survey = RunningSurvey(3)
    survey.add(fused, fused)
    for compat, expected in ((Compat.PAPER, 180.0), (Compat.NONE, 0.0)):
        totals = running_totals(survey, compat=compat)
        totals.add(fused, fused, core=Window(0, 0, 4, 5))
        assert totals.totals().angle_sum == pytest.approx(expected, abs=0.02)  # 1e-10 added: a few 1e-4 a pixel
