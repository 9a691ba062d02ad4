"""What nobody declared: fill and saturation are told, values absurdly far from all others spoil little."""

import numpy as np

from odd_pairs import HR, KRIGING, LR, REGRESSION, fused, is_well_beside, spoiled, write_odd_pair

COUNTS = np.rint((HR + 0.1) / 1e-4).astype(np.uint16)


def test_undeclared_fill_is_told_with_the_command_that_declares_it(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, hr={"pixels": spoiled(HR, ..., slice(50, None), value=0)})
    result = fused(pifnet, *pair, *REGRESSION)
    assert result.is_valid.all()
    words = "% of its pixels are 0 in all bands, its lowest number; if that is fill or saturation, declare it: "
    assert f"{words}gdal_edit.py -a_nodata 0 " in result.told


def test_undeclared_fill_of_an_envi_file_is_told_with_the_line_that_declares_it(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, lr={"name": "lr.hdr", "pixels": spoiled(LR, ..., slice(12, None), value=-9999)})
    result = fused(pifnet, *pair, *REGRESSION)
    assert result.is_valid.all()
    assert "declare it: data ignore value = -9999 in its header" in result.told


def test_saturation_is_told(pifnet, tmp_path):
    pair = write_odd_pair(tmp_path, hr={"pixels": spoiled(COUNTS, ..., slice(20, 28), slice(20, 28), value=65535)})
    result = fused(pifnet, *pair, *REGRESSION)
    assert result.is_valid.all()
    assert "are 65535 in all bands, its highest number" in result.told


def test_a_stray_lr_pixel_is_told_and_spoils_its_surroundings_alone(pifnet, tmp_path):
    result = fused(pifnet, *write_odd_pair(tmp_path, lr={"pixels": spoiled(LR, ..., 5, 5, value=-9999)}), *KRIGING)
    assert is_well_beside(result, slice(None), slice(12, 32))
    assert "7 values lie absurdly far from all others" in result.told


def test_a_stray_hr_pixel_is_told_and_spoils_its_surroundings_alone(pifnet, tmp_path):
    result = fused(pifnet, *write_odd_pair(tmp_path, hr={"pixels": spoiled(HR, ..., 20, 20, value=65535)}), *KRIGING)
    assert is_well_beside(result, slice(None), slice(8, 32))
    assert "3 values lie absurdly far from all others" in result.told
