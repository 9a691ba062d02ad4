"""Windows of a pair that are enough to find its operator, and what is made of the answer."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pifnet_cli.align import Alignment
from pifnet_cli.degrade.psf import gaussian_from_mtf
from pifnet_cli.estimation.operator import (
    MTF_LIMITS,
    SHIFT_LIMIT,
    Estimate,
    Operator,
    Sample,
    estimate_operator,
    mtf_at_nyquist,
)
from pifnet_cli.scene import Pixels, Window, spread_windows

WINDOW = 48  # LR pixels along the side of a window
WINDOWS = 3  # along either side of the scene, at most
NOTICEABLE = 0.03  # LR pixels; a smaller shift is left as it is
WORRYING = 0.3  # LR pixels, from which the user is told

ReadWindow = Callable[[Window], Pixels]


@dataclass(frozen=True, slots=True)
class PairEstimate:
    """What was found out about a pair's operator.

    Attributes:
        estimate: As the likelihood has it.
        ratio: Sides of an LR pixel in HR pixels, rows and columns.
    """

    estimate: Estimate
    ratio: tuple[float, float]

    @property
    def shift(self) -> tuple[float, float]:
        """(rows, columns) in HR pixels by which to correct; nothing where it is small or may be chance."""
        found = self.estimate
        is_worth_it = self.is_reliable and found.is_significant and max(map(abs, self.shift_lr)) >= NOTICEABLE
        return found.operator.shift if is_worth_it else (0.0, 0.0)

    @property
    def is_reliable(self) -> bool:
        """Whether the pair tells blur and shift."""
        return self.estimate.is_reliable(self.ratio)

    @property
    def shift_lr(self) -> tuple[float, float]:
        """(rows, columns) as found, in LR pixels."""
        rows, columns = (shift / side for shift, side in zip(self.estimate.operator.shift, self.ratio, strict=True))
        return rows, columns

    @property
    def mtf_at_nyquist(self) -> tuple[float, float]:
        """Along rows and columns."""
        return mtf_at_nyquist(self.estimate.operator.sigma, self.ratio)

    @property
    def is_worrying(self) -> bool:
        """Whether the scenes lie so far from each other that the user should know."""
        return self.is_reliable and self.estimate.is_significant and max(map(abs, self.shift_lr)) > WORRYING

    def record(self) -> dict[str, object]:
        """As JSON values."""
        found = self.estimate
        errors = [error / side for error, side in zip(found.shift_error, self.ratio, strict=True)]
        return {
            "mtf_at_nyquist": [round(value, 4) for value in self.mtf_at_nyquist],
            "sigma_hr_pixels": [round(value, 4) for value in found.operator.sigma],
            "sigma_error_hr_pixels": [round(value, 4) for value in found.sigma_error],
            "shift_lr_pixels": [round(value, 4) for value in self.shift_lr],
            "shift_error_lr_pixels": [round(value, 4) for value in errors],
            "shift_hr_pixels": [round(value, 4) for value in found.operator.shift],
            "explained": round(found.explained, 5),
            "explained_as_delivered": round(found.explained_before, 5),
            "log_likelihood_gain": round(found.gain, 1),
            "is_reliable": self.is_reliable,
            "is_significant": found.is_significant,
            "lr_pixels": found.pixels,
        }


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
    ratio = alignment.ratio_rows, alignment.ratio_columns
    samples = [_sample(window, read_lr, read_hr, alignment) for window in sample_windows(alignment)]
    usual = gaussian_from_mtf(default_mtf, ratio_rows=ratio[0], ratio_columns=ratio[1])
    delivered = Operator(sigma or (usual.sigma_rows, usual.sigma_columns), (0.0, 0.0))
    return PairEstimate(estimate_operator(samples, ratio=ratio, delivered=delivered, sigma=sigma), ratio)


def sample_windows(alignment: Alignment) -> list[Window]:
    """LR windows, evenly spread over the output; all of it where it is small."""
    return spread_windows(alignment.lr_window(alignment.output, 0), side=WINDOW, most=WINDOWS)


def _sample(window: Window, read_lr: ReadWindow, read_hr: ReadWindow, alignment: Alignment) -> Sample:
    ratio = max(alignment.ratio_rows, alignment.ratio_columns)
    widest = gaussian_from_mtf(MTF_LIMITS[0], ratio_rows=ratio, ratio_columns=ratio)
    hr = alignment.hr_window(window, int(np.ceil(SHIFT_LIMIT * ratio)) + widest.radius)
    return Sample(read_lr(window), read_hr(hr), alignment.hr_positions(window).moved(hr.row, hr.column))
