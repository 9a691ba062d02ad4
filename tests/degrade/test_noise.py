import numpy as np
import pytest

from pifnet_cli.degrade.noise import NoiseStream, noise_std_at_snr, window_noise, with_noise
from pifnet_cli.scene import Window


def drawn(window, *, seed=0, stream=NoiseStream.LR_HSI):
    return window_noise(window, bands=5, seed=seed, stream=stream)


def test_std_is_the_rms_lowered_by_the_snr():
    np.testing.assert_allclose(noise_std_at_snr(np.array([4.0, 0.0, np.nan]), 20.0), [0.2, 0, 0], rtol=1e-6)


def test_no_snr_means_no_noise():
    assert not noise_std_at_snr(np.ones(3), None).any()


def test_noise_of_an_image_has_the_requested_snr():
    image = np.linspace(0.1, 0.9, 7, dtype=np.float32)[:, None, None] * np.ones((7, 120, 90), dtype=np.float32)

    noise = with_noise(image, 30.0, np.random.default_rng(0)) - image

    snr_db = 20 * np.log10(image[:, 0, 0] / noise.std(axis=(1, 2)))
    assert snr_db == pytest.approx([30.0] * 7, abs=0.3)  # 10,800 pixels: std of the estimate 0.06 dB


def test_snr_is_measured_on_valid_pixels():
    image = np.ones((1, 100, 100), dtype=np.float32)
    image[:, 50:] = np.nan

    noisy = with_noise(image, 20.0, np.random.default_rng(0))

    assert np.isnan(noisy[:, 50:]).all()
    assert noisy[:, :50].std() == pytest.approx(0.1, rel=0.05)


def test_noise_of_a_window_is_cut_from_that_of_the_scene():
    whole = drawn(Window(0, 0, 70, 100))

    for window in (Window(0, 0, 16, 16), Window(31, 33, 2, 64), Window(69, 99, 1, 1), Window(5, 0, 65, 100)):
        np.testing.assert_array_equal(drawn(window), whole[:, *window.slices])


def test_noise_is_standard_normal_and_white():
    noise = drawn(Window(0, 0, 256, 256)).astype(np.float64)

    assert noise.mean() == pytest.approx(0, abs=0.01)
    assert noise.std() == pytest.approx(1, abs=0.01)
    for lag in (1, 32):  # neighbours, and pixels at the same place of neighbouring cells
        assert (noise[..., lag:] * noise[..., :-lag]).mean() == pytest.approx(0, abs=0.01)
        assert (noise[:, lag:] * noise[:, :-lag]).mean() == pytest.approx(0, abs=0.01)
    assert np.corrcoef(noise.reshape(5, -1)) == pytest.approx(np.eye(5), abs=0.02)


def test_streams_and_seeds_are_independent():
    window = Window(0, 0, 128, 128)
    base = drawn(window).ravel()

    for other in (drawn(window, seed=1), drawn(window, stream=NoiseStream.HR_MSI)):
        assert abs(np.corrcoef(base, other.ravel())[0, 1]) < 0.02
