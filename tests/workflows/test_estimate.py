import pytest
from affine import Affine

from pifnet_cli.errors import GridError
from pifnet_cli.workflows.estimate import estimate_scene_pair
from waves import GSD, NODATA, NORTH_UP, SOUTH_UP, Texture, write_pair

DISPLACED = 0.4, -0.25  # LR pixels down and right


def _record(folder, **pair):
    lr, hr, _ = write_pair(folder, ground=Texture(7), hr_size=(133, 149), snr_db=(35, 40), **pair)
    return estimate_scene_pair(lr, hr).record()


@pytest.mark.parametrize("hr_transform", [NORTH_UP, SOUTH_UP, NORTH_UP @ Affine.rotation(30)])
def test_blur_and_shift_are_read_off_the_files(hr_transform, tmp_path):
    record = _record(tmp_path, displaced=DISPLACED, mtf=0.2, hr_transform=hr_transform)
    assert record["shift_lr_pixels"] == pytest.approx(DISPLACED, abs=0.05)
    assert record["mtf_at_nyquist"] == pytest.approx([0.2, 0.2], abs=0.05)
    assert record["is_reliable"]
    assert record["is_significant"]


def test_the_shift_in_map_units_is_in_those_of_the_grid(tmp_path):
    record = _record(tmp_path, displaced=DISPLACED)
    expected = [4 * GSD * shift for shift in record["shift_lr_pixels"]]
    assert record["shift_map_units"] == pytest.approx(expected, abs=0.01)


def test_files_are_left_as_they_are(tmp_path):
    lr, hr, _ = write_pair(tmp_path, ground=Texture(7), hr_size=(133, 149))
    before = lr.read_bytes(), hr.read_bytes()
    estimate_scene_pair(lr, hr)
    assert (lr.read_bytes(), hr.read_bytes()) == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_pair_of_too_few_common_pixels_is_refused(tmp_path):
    def empty(_lr_hsi, hr_msi):
        hr_msi[:, 20:] = NODATA

    with pytest.raises(GridError, match=r"lr.tif: only \d+ LR pixels are valid .*hr.tif.*cannot be found"):
        _record(tmp_path, spoil=empty)
