"""One analytic ground, seen by two sensors of which one lies elsewhere than it says: an affine away."""

import math

import numpy as np
from affine import Affine

from pifnet_cli.estimation.blur_and_shift_fit import BlurAndShiftFit, SampleWindow
from pifnet_cli.estimation.registration.displacement import DisplacementFit
from pifnet_cli.scene import Positions
from waves import GSD, NORTH_UP, Texture, noisy, responses

BANDS, MSI, RATIO, MTF = 10, 3, 4, 0.3
SIDE = 160  # HR pixels
SIGMA = RATIO / math.pi * math.sqrt(-2 * math.log(MTF))  # HR pixels
MIDDLE = Affine.translation(SIDE / 2, SIDE / 2)
TURNED = MIDDLE @ Affine.rotation(0.5) @ Affine.scale(1.01) @ Affine.translation(1.5, -0.9) @ ~MIDDLE
STRETCHED = MIDDLE @ Affine.scale(1.01, 0.995) @ ~MIDDLE
SHEARED = MIDDLE @ Affine.shear(0.6, 0) @ ~MIDDLE
MOVED = Affine.translation(1.5, -0.9)


def fitted(correction, *, seed=0, spoil=None, snr_db=(35, 40)):
    """One window whose LR pixels lie where `correction` says, not where they claim."""
    ground, rng = Texture(BANDS, seed=seed), np.random.default_rng(seed)
    hr_msi = np.einsum("mc,chw->mhw", responses(BANDS, MSI), ground.seen(NORTH_UP, SIDE, SIDE)).astype(np.float32)
    size = SIDE // RATIO
    lr_hsi = ground.seen(NORTH_UP @ correction @ Affine.scale(RATIO), size, size, sigma=GSD * SIGMA)
    lr_hsi, hr_msi = noisy(lr_hsi, snr_db[0], rng), noisy(hr_msi, snr_db[1], rng)
    if spoil is not None:
        spoil(lr_hsi, hr_msi)
    axis = RATIO * (np.arange(size) + 0.5) - 0.5
    fit = BlurAndShiftFit([SampleWindow(lr_hsi, hr_msi, Positions(axis, axis))], ratio=(RATIO, RATIO))
    return DisplacementFit(fit, sigma=(SIGMA, SIGMA))
