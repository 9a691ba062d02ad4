import numpy as np
import pytest
from scipy.optimize import nnls

from lr_scenes import linked_pixels, moments_of, tile_planes
from pifnet_models.classical.brovey import Brovey


def _brute_force(hsi, low, upsampled, hr_msi, *, haze_corrected):
    """Group by group from full LR arrays, float64."""
    hsi, low, upsampled, hr_msi = (array.astype(np.float64) for array in (hsi, low, upsampled, hr_msi))
    choice = [int(np.argmax([np.corrcoef(band, other)[0, 1] for other in low])) for band in hsi]
    haze = hsi.min(axis=1) if haze_corrected else np.zeros(len(hsi))
    fused = np.empty(upsampled.shape)
    for msi_band in set(choice):
        members = [band for band in range(len(hsi)) if choice[band] == msi_band]
        centred = np.column_stack([hsi[band] - hsi[band].mean() for band in members])
        weights = nnls(centred, low[msi_band] - low[msi_band].mean())[0]
        low_intensity = sum(w * (hsi[band] - haze[band]) for w, band in zip(weights, members, strict=True))
        intensity = sum(w * (upsampled[band] - haze[band]) for w, band in zip(weights, members, strict=True))
        matched = (hr_msi[msi_band] - low[msi_band].mean()) * low_intensity.std() / low[msi_band].std()
        ratio = (matched + low_intensity.mean()) / np.maximum(intensity, 1e-3 * low_intensity.mean())
        for band in members:
            fused[band] = (upsampled[band] - haze[band]) * np.clip(ratio, 0, 10) + haze[band]
    return fused


@pytest.mark.parametrize("haze_corrected", [True, False])
@pytest.mark.parametrize(("bands", "msi"), [(7, 3), (7, 1), (1, 1), (3, 12), (240, 4)])
def test_brovey_agrees_with_brute_force(bands, msi, haze_corrected):
    rng = np.random.default_rng(bands + msi)
    hsi, low = linked_pixels(rng, bands=bands, msi=msi)
    planes = tile_planes(rng, bands=bands, msi=msi)
    planes[0][:] += 0.3  # clear of the haze: a ratio of two small numbers would multiply the rounding of float32
    fused = Brovey.from_moments(moments_of(hsi, low), haze_corrected=haze_corrected).apply(*planes)
    assert fused.dtype == np.float32
    expected = _brute_force(hsi, low, planes[0], planes[1], haze_corrected=haze_corrected)
    np.testing.assert_allclose(fused, expected, atol=1e-6 * np.abs(expected).max())


def test_dark_pixels_are_bounded():
    rng = np.random.default_rng(0)
    hsi, low = linked_pixels(rng)
    upsampled, sharp, smooth = tile_planes(rng)
    minimum = hsi.min(axis=1)[:, None, None]
    upsampled = np.maximum(upsampled, minimum)
    upsampled[:, :4], sharp[:, 2:8] = minimum, -5.0
    fused = Brovey.from_moments(moments_of(hsi, low)).apply(upsampled, sharp, smooth)
    assert (fused >= minimum - 1e-6).all()
    assert (fused <= minimum + 10 * (upsampled - minimum) + 1e-5).all()
    np.testing.assert_allclose(fused[:, :4], np.broadcast_to(minimum, fused[:, :4].shape), atol=1e-6)


def test_values_below_the_haze_are_not_taken_further_down():
    rng = np.random.default_rng(4)
    hsi, low = linked_pixels(rng)
    upsampled, sharp, smooth = tile_planes(rng)
    minimum = hsi.min(axis=1)[:, None, None]
    upsampled[:, :4], sharp[:] = minimum - 0.02, 5.0
    fused = Brovey.from_moments(moments_of(hsi, low)).apply(upsampled, sharp, smooth)
    np.testing.assert_allclose(fused[:, :4], upsampled[:, :4], atol=1e-6)
    assert (fused[:, 4:] > upsampled[:, 4:]).mean() > 0.9


def test_groups_without_variance_are_interpolated():
    rng = np.random.default_rng(1)
    hsi, low = linked_pixels(rng)
    planes = tile_planes(rng)
    for moments in (moments_of(np.ones_like(hsi), low), moments_of(hsi, np.ones_like(low))):
        np.testing.assert_allclose(Brovey.from_moments(moments).apply(*planes), planes[0], atol=1e-6)


def test_a_group_that_runs_against_its_msi_band_is_averaged():
    rng = np.random.default_rng(2)
    hsi, _low = linked_pixels(rng)
    against = 3 - hsi[:2].mean(axis=0, keepdims=True)
    brovey = Brovey.from_moments(moments_of(hsi[:2], against))
    np.testing.assert_allclose(brovey.intensity, [[0.5, 0.5]])


def test_an_invalid_band_stays_invalid_and_leaves_the_others_valid():
    rng = np.random.default_rng(3)
    hsi, low = linked_pixels(rng)
    upsampled, sharp, smooth = tile_planes(rng)
    brovey = Brovey.from_moments(moments_of(hsi, low))
    upsampled[2, 5, 6] = np.nan
    assert np.argwhere(np.isnan(brovey.apply(upsampled, sharp, smooth))).tolist() == [[2, 5, 6]]
