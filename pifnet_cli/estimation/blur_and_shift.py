"""Blur and shift of a pair, found from a few of its windows, and the correction that follows from them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from affine import Affine

from pifnet_cli.degrade.psf import Psf, gaussian_from_mtf
from pifnet_cli.errors import GridError
from pifnet_cli.estimation.blur_and_shift_fit import (
    SHIFT_LIMIT,
    BlurAndShift,
    BlurAndShiftFit,
    FittedBlurAndShift,
    SampleWindow,
    estimate_blur_and_shift,
    widest_psf,
)
from pifnet_cli.estimation.local_shift import LocalShift, is_uneven, local_shifts, shift_spread
from pifnet_cli.estimation.registration.affine import NOTICEABLE, AffineEstimate
from pifnet_cli.estimation.registration.displacement import DisplacementFit
from pifnet_cli.pair.alignment import Alignment
from pifnet_cli.scene import Pixels, Scene, Window, spread_windows

WINDOW = 48  # LR pixels along the side of a window
WINDOWS = 3  # along either side of the scene, at most
WORRYING = 0.3  # LR pixels, from which the user is told

ReadWindow = Callable[[Window], Pixels]


@dataclass(frozen=True, slots=True)
class PairEstimate:
    """The blur and the misregistration of a pair as it tells them itself.

    Attributes:
        fitted: Blur and shift as the likelihood has them.
        ratio: Sides of an LR pixel in HR pixels, rows and columns.
        local: The shift of every part of the scene; none where they cannot be told.
        affine: The correction, where more than a shift was found; blur and local shifts are then those that it leaves.
    """

    fitted: FittedBlurAndShift
    ratio: tuple[float, float]
    local: tuple[LocalShift, ...] = ()
    affine: AffineEstimate | None = None

    @property
    def shift(self) -> tuple[float, float]:
        """The correction, (rows, columns) in HR pixels; zeros where the shift is small or may be chance."""
        is_borne_out = self.is_reliable and self.fitted.is_significant
        is_worth_it = self.affine is not None or (is_borne_out and max(map(abs, self.shift_lr)) >= NOTICEABLE)
        rows, columns = (shift * side for shift, side in zip(self.shift_lr, self.ratio, strict=True))
        return (rows, columns) if is_worth_it else (0.0, 0.0)

    @property
    def correction(self) -> Affine:
        """The correction as `pifnet_cli.pair.alignment.Alignment` takes it."""
        return Affine.translation(self.shift[1], self.shift[0]) if self.affine is None else self.affine.correction

    @property
    def shift_spread_lr(self) -> float:
        """LR pixels by which the shift, or what an affine correction leaves of it, varies over the scene."""
        return shift_spread(self.local)

    @property
    def is_uneven(self) -> bool:
        """Whether the shift varies over the scene by more than chance, and by enough to matter."""
        return self.is_reliable and is_uneven(self.local)

    @property
    def is_reliable(self) -> bool:
        """Whether blur and shift are known well enough to be used."""
        return self.fitted.is_reliable(self.ratio)

    @property
    def shift_lr(self) -> tuple[float, float]:
        """The shift as found, (rows, columns) in LR pixels; that of an affine correction is taken amid the scene."""
        if self.affine is not None:
            return self.affine.shift_lr
        rows, columns = (shift / side for shift, side in zip(self.fitted.best.shift, self.ratio, strict=True))
        return rows, columns

    @property
    def psf(self) -> Psf:
        """The blur as found, HR pixels."""
        return self.fitted.best.psf

    @property
    def mtf_at_nyquist(self) -> tuple[float, float]:
        """The MTF of the blur at the LR Nyquist frequency, along rows and columns."""
        return self.psf.mtf_at_nyquist(self.ratio)

    @property
    def is_worrying(self) -> bool:
        """Whether the scenes lie so far from each other, by a shift alone, that the user should know."""
        is_found = self.affine is None and self.is_reliable and self.fitted.is_significant
        return is_found and max(map(abs, self.shift_lr)) > WORRYING

    def record(self) -> dict[str, object]:
        """The estimate as JSON values."""
        found = self.fitted
        errors = [error / side for error, side in zip(found.shift_error, self.ratio, strict=True)]
        errors = errors if self.affine is None else list(self.affine.shift_error_lr)
        return {
            "mtf_at_nyquist": [round(value, 4) for value in self.mtf_at_nyquist],
            "sigma_hr_pixels": [round(value, 4) for value in found.best.sigma],
            "sigma_error_hr_pixels": [round(value, 4) for value in found.sigma_error],
            "shift_lr_pixels": [round(value, 4) for value in self.shift_lr],
            "shift_error_lr_pixels": [round(value, 4) for value in errors],
            "shift_hr_pixels": [round(shift * side, 4) for shift, side in zip(self.shift_lr, self.ratio, strict=True)],
            "shift_spread_lr_pixels": round(self.shift_spread_lr, 4),
            "is_uneven": self.is_uneven,
            "local_shifts": [local.record() for local in self.local],
            "explained": round(found.explained, 5),
            "explained_as_delivered": round(found.explained_before, 5),
            "log_likelihood_gain": round(found.gain, 1),
            "is_reliable": self.is_reliable,
            "is_significant": found.is_significant,
            "lr_pixels": found.pixels,
        } | ({} if self.affine is None else {"affine": self.affine.record()})


def estimate_pair(
    read_lr: ReadWindow,
    read_hr: ReadWindow,
    *,
    alignment: Alignment,
    default_mtf: float,
    sigma: tuple[float, float] | None = None,
) -> PairEstimate:
    """Find blur and shift of a pair from a few of its windows.

    Args:
        read_lr: LR window -> (C, h, w).
        read_hr: HR window -> (M, H, W).
        alignment: As delivered.
        default_mtf: At the LR Nyquist frequency, what the estimate is compared with.
        sigma: The blur in HR pixels, where it is known.

    Raises:
        ValueError: Too few LR pixels are valid in both scenes.
    """
    return estimate_fit(pair_fit(read_lr, read_hr, alignment), default_mtf=default_mtf, sigma=sigma)


def untold(lr: Scene, hr: Scene, error: ValueError) -> GridError:
    """The error to raise where blur and shift cannot be found."""
    return GridError(f"{lr.path}: {error} ({hr.path}); blur and shift cannot be found")


def estimate_fit(fit: BlurAndShiftFit, *, default_mtf: float, sigma: tuple[float, float] | None = None) -> PairEstimate:
    """Find what `estimate_pair` finds, from windows that are read already."""
    usual = gaussian_from_mtf(default_mtf, ratio_rows=fit.ratio[0], ratio_columns=fit.ratio[1])
    delivered = BlurAndShift(sigma or usual.sigma, (0.0, 0.0))
    found = estimate_blur_and_shift(fit, delivered=delivered, sigma=sigma)
    try:
        local = local_shifts(DisplacementFit(fit, sigma=found.best.sigma), found.best.shift)
    except ValueError:  # too few pixels stay valid wherever they are moved
        local = []
    return PairEstimate(found, fit.ratio, tuple(local))


def pair_fit(read_lr: ReadWindow, read_hr: ReadWindow, alignment: Alignment) -> BlurAndShiftFit:
    """Read a few windows of a pair for the likelihood of its blur and shift."""
    samples = [_sample(window, read_lr, read_hr, alignment) for window in sample_windows(alignment)]
    return BlurAndShiftFit(samples, ratio=(alignment.ratio_rows, alignment.ratio_columns))


def sample_windows(alignment: Alignment) -> list[Window]:
    """LR windows, evenly spread over the output; all of it where it is small."""
    return spread_windows(alignment.lr_window(alignment.output, 0), side=WINDOW, most=WINDOWS)


def _sample(window: Window, read_lr: ReadWindow, read_hr: ReadWindow, alignment: Alignment) -> SampleWindow:
    ratio = max(alignment.ratio_rows, alignment.ratio_columns)
    hr = alignment.hr_window(window, int(np.ceil(SHIFT_LIMIT * ratio)) + widest_psf((ratio, ratio)).radius)
    positions = alignment.hr_positions(window).moved(hr.row, hr.column)
    return SampleWindow(read_lr(window), read_hr(hr), positions, (hr.row, hr.column))
