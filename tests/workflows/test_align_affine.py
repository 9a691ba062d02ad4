"""`--align affine` from files to files."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine

from pifnet_cli.catalog import Method
from pifnet_cli.choices import Align, Extent, Phase
from pifnet_cli.errors import GridError, SettingsError
from pifnet_cli.settings import FuseSettings
from pifnet_cli.workflows.estimate import estimate_scene_pair
from pifnet_cli.workflows.fuse import fuse_scene, preview_fusion
from waves import NORTH_UP, Texture, write_pair

SIZE = 133, 149
TURNED = (
    Affine.translation(75, 66) @ Affine.rotation(0.8) @ Affine.scale(1.01) @ Affine.translation(2, -1)
    @ Affine.translation(-75, -66)
)  # fmt: skip
BARE = {"is_bare": True, "lr_transform": NORTH_UP @ Affine.translation(50, 8) @ Affine.rotation(20) @ Affine.scale(4.2),
        "lr_size": (22, 18)}  # fmt: skip
REGRESSION = FuseSettings(method=Method.REGRESSION, align=Align.AFFINE)


def _pair(folder, **pair):
    return write_pair(folder, ground=Texture(7), hr_size=SIZE, snr_db=(35, 40), **pair)


def _error(path, truth):
    """Root mean square over pixels that are valid, of what is a part of the truth."""
    with rasterio.open(path) as dataset:
        fused, t = dataset.read(masked=True).filled(np.nan), dataset.transform
    at = ~NORTH_UP if t.a == 10 else Affine.identity()
    column, row = map(round, at @ (t.c, t.f))
    part = truth[:, row : row + fused.shape[1], column : column + fused.shape[2]]
    valid = np.isfinite(fused).all(axis=0)
    assert valid.mean() > 0.4
    return float(np.sqrt(np.square(fused - part)[:, valid].mean()))


def test_a_turned_pair_is_fused_as_if_it_were_none(tmp_path):
    errors = {}
    for name, correction in (("straight", Affine.identity()), ("turned", TURNED)):
        lr, hr, truth = _pair(tmp_path / name, misplaced=correction)
        for align in (Align.SHIFT, Align.AFFINE):
            fused = tmp_path / f"{name}_{align}.tif"
            fuse_scene(lr, hr, fused, FuseSettings(method=Method.REGRESSION, align=align))
            errors[name, align] = _error(fused, truth)
    assert errors["turned", Align.AFFINE] < 1.1 * errors["straight", Align.SHIFT]
    assert errors["turned", Align.AFFINE] < 0.8 * errors["turned", Align.SHIFT]
    assert errors["straight", Align.AFFINE] == pytest.approx(errors["straight", Align.SHIFT], rel=1e-3)


def test_what_was_corrected_is_told(tmp_path):
    lr, hr, _ = _pair(tmp_path, misplaced=TURNED)
    record = preview_fusion(lr, hr, tmp_path / "fused.tif", REGRESSION).record()
    assert record["rotation corrected"] == pytest.approx(0.8, abs=0.05)
    assert record["scale corrected"] == pytest.approx([1.01, 1.01], abs=2e-3)
    assert record["shift corrected"] == pytest.approx([-0.25, 0.5], abs=0.1)
    assert record["ratio"] == pytest.approx(4.04, abs=0.01)


def test_a_pair_that_is_moved_alone_tells_of_no_rotation(tmp_path):
    lr, hr, _ = _pair(tmp_path, displaced=(0.4, -0.25))
    record = preview_fusion(lr, hr, tmp_path / "fused.tif", REGRESSION).record()
    assert "rotation corrected" not in record
    assert record["shift corrected"] == pytest.approx([0.4, -0.25], abs=0.05)


def test_an_uneven_shift_is_told_and_the_remedy_named(tmp_path, caplog):
    middle = Affine.translation(75, 66)
    lr, hr, _ = _pair(tmp_path, misplaced=middle @ Affine.rotation(2.2) @ ~middle)
    preview_fusion(lr, hr, tmp_path / "fused.tif", FuseSettings(method=Method.REGRESSION))
    assert "its shift varies by 0." in caplog.text
    assert "--align affine corrects rotation and scale" in caplog.text
    caplog.clear()
    preview_fusion(lr, hr, tmp_path / "fused.tif", REGRESSION)
    assert "varies" not in caplog.text


def test_scenes_without_georeferencing_are_brought_together(tmp_path):
    lr, hr, truth = _pair(tmp_path, **BARE)
    with pytest.raises(GridError, match="let --align affine find how they lie"):
        fuse_scene(lr, hr, tmp_path / "fused.tif", FuseSettings())
    fused = tmp_path / "fused.tif"
    fuse_scene(lr, hr, fused, REGRESSION)
    assert _error(fused, truth) < 0.015  # of 0.08 by which it varies
    with rasterio.open(fused) as dataset:
        assert dataset.crs is None
        assert (dataset.height, dataset.width) < SIZE


def test_all_of_the_hr_msi_may_be_kept(tmp_path):
    lr, hr, _ = _pair(tmp_path, **BARE)
    settings = FuseSettings(method=Method.REGRESSION, align=Align.AFFINE, extent=Extent.HR)
    record = preview_fusion(lr, hr, tmp_path / "fused.tif", settings).record()
    assert (record["height"], record["width"]) == SIZE


def test_a_told_blur_is_kept(tmp_path):
    lr, hr, _ = _pair(tmp_path, misplaced=TURNED)
    settings = FuseSettings(method=Method.REGRESSION, align=Align.AFFINE, mtf_at_nyquist=0.35)
    assert preview_fusion(lr, hr, tmp_path / "fused.tif", settings).record()["mtf"] == pytest.approx(
        [0.35, 0.35], abs=1e-3
    )


def test_naive_phase_and_affine_exclude_each_other(tmp_path):
    lr, hr, _ = _pair(tmp_path)
    with pytest.raises(SettingsError, match="--align affine: --phase naive"):
        preview_fusion(lr, hr, tmp_path / "fused.tif", FuseSettings(align=Align.AFFINE, phase=Phase.NAIVE))


def test_the_estimate_prints_the_correction_and_its_errors(tmp_path):
    record = estimate_scene_pair(*_pair(tmp_path, misplaced=TURNED)[:2], Align.AFFINE).record()
    affine = record["affine"]
    assert affine["rotation_deg"] == pytest.approx(0.8, abs=5 * affine["rotation_error_deg"])
    assert affine["scale"] == pytest.approx([1.01, 1.01], abs=5 * max(affine["scale_error"]))
    assert affine["place_error_lr_pixels"] < 0.05
    assert json.loads(json.dumps(record)) == record


def test_there_is_nothing_to_estimate_of_none(tmp_path):
    with pytest.raises(SettingsError, match="--align none"):
        estimate_scene_pair(tmp_path / "lr.tif", tmp_path / "hr.tif", Align.NONE)


def test_a_pair_that_does_not_tell_is_one_line_and_leaves_nothing(pifnet, tmp_path):
    def flatten(lr_hsi, hr_msi):
        lr_hsi[:], hr_msi[:] = (np.random.default_rng(0).uniform(size=image.shape) for image in (lr_hsi, hr_msi))

    lr, hr, _ = _pair(tmp_path, spoil=flatten)
    run = pifnet("fuse", lr, hr, "-o", tmp_path / "fused.tif", "--align", "affine", "-q")
    assert (run.code, run.out, run.err.count("\n")) == (1, "", 1)
    assert "its place on" in run.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["hr.tif", "lr.tif"]


def test_the_command_prints_it(pifnet, tmp_path):
    lr, hr, _ = _pair(tmp_path, misplaced=TURNED)
    run = pifnet("estimate", lr, hr, "--align", "affine")
    assert run.code == 0
    assert "  rotation deg: 0." in run.out
    assert "rotation +0." in run.err
