import numpy as np
import pytest

from pifnet_cli.choices import Protocol
from pifnet_cli.degrade.blocks import BlockDegrader
from pifnet_cli.degrade.sensor_model import SensorModel, degrade_patch

BANDS, HEIGHT, WIDTH, RATIO = 7, 105, 170, 5
REFERENCE = np.random.default_rng(0).random((BANDS, HEIGHT, WIDTH), dtype=np.float32)
SRF = np.array([[0.5, 0.5, 0, 0, 0, 0, 0], [0, 0, 0, 0.2, 0.8, 0, 0]])


def degrader(block_size=80, *, ratio=RATIO, **fields):
    sensor = SensorModel(protocol=Protocol.MTF, ratio=ratio, mtf_at_nyquist=0.3, srf=SRF, **fields)
    return BlockDegrader(
        lambda window: REFERENCE[:, *window.slices], sensor, height=HEIGHT, width=WIDTH, block_size=block_size
    )


@pytest.mark.parametrize(("ratio", "lr_size"), [(RATIO, (21, 34)), (5.4, (19, 31))])
def test_blocks_cover_both_images_once(ratio, lr_size):
    lr, hr = np.zeros(lr_size), np.zeros((HEIGHT, WIDTH))

    by_block = degrader(ratio=ratio)
    blocks = list(by_block)
    for block in blocks:
        lr[block.lr.slices] += 1
        hr[block.hr.slices] += 1

    assert len(blocks) == len(by_block) == (6 if ratio == RATIO else 4)
    assert {edge % by_block.hr_side for block in blocks for edge in (block.hr.row, block.hr.column)} == {0}
    assert (lr == 1).all()
    assert (hr == 1).all()


@pytest.mark.parametrize("shift", [(0.0, 0.0), (60.0, -45.0)])
def test_blocks_hold_what_the_whole_holds(shift):
    by_block = degrader(shift=shift)
    lr_hsi, hr_msi = degrade_patch(REFERENCE, by_block.sensor, rng=None)

    for block in by_block:
        images = by_block.degraded(block)
        np.testing.assert_array_equal(images.lr_hsi, lr_hsi[:, *block.lr.slices])
        np.testing.assert_array_equal(images.hr_msi, hr_msi[:, *block.hr.slices])
        np.testing.assert_array_equal(images.reference, REFERENCE[:, *block.hr.slices])


def test_noise_is_measured_on_the_degraded_signal():
    by_block = degrader(hsi_snr_db=20.0, msi_snr_db=40.0)
    lr_hsi, hr_msi = degrade_patch(REFERENCE, by_block.sensor, rng=None)

    noise = by_block.noise(0, lambda _done, _total: None)

    np.testing.assert_allclose(noise.hsi_std, np.sqrt((lr_hsi**2).mean(axis=(1, 2))) * 0.1, rtol=1e-5)
    np.testing.assert_allclose(noise.msi_std, np.sqrt((hr_msi**2).mean(axis=(1, 2))) * 0.01, rtol=1e-5)


def test_reference_is_not_read_for_noise_that_nobody_asked_for():
    calls = []

    noise = degrader().noise(0, lambda done, _total: calls.append(done))

    assert calls == []
    assert not noise.hsi_std.any()
