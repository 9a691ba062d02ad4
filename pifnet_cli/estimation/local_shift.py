"""How the misregistration varies over a scene: a shift for each of its parts."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.estimation.blur_and_shift_fit import LARGEST_ERROR, Floats
from pifnet_cli.estimation.registration.displacement import DisplacementFit, Field, Places

PART = 10  # LR pixels along the side of a part, at least
PARTS = 3  # along either side of a window that is all of a scene, or one of few
FEW = 4  # windows, from which on each is a part
QUARTILE = 0.75  # parts that are trusted to agree; the rest may have clouds, shadows or lean
ERRORS = 3.0  # standard errors that are still chance
UNEVEN = 0.3  # LR pixels that the shift may vary without a word


@dataclass(frozen=True, slots=True)
class LocalShift:
    """The shift of one part of a scene, rows down and columns right.

    Attributes:
        place: The middle of the part, HR pixels from the HR-MSI's upper left corner.
        shift: LR pixels.
        error: Its standard error, LR pixels.
    """

    place: tuple[float, float]
    shift: tuple[float, float]
    error: tuple[float, float]

    @property
    def is_reliable(self) -> bool:
        """Whether the part has detail enough to tell."""
        return max(self.error) < LARGEST_ERROR

    def record(self) -> dict[str, list[float]]:
        """The shift as JSON values."""
        return {
            "at_hr_pixels": [round(value, 1) for value in self.place],
            "shift_lr_pixels": [round(value, 4) for value in self.shift],
            "error_lr_pixels": [round(value, 4) for value in self.error],
        }


def local_shifts(fit: DisplacementFit, shift: tuple[float, float] = (0.0, 0.0)) -> list[LocalShift]:
    """Find the shift of every part; blur and regression are the same for all.

    Args:
        fit: Of the scene's sample windows.
        shift: Of all of them, to start from, HR pixels.
    """
    parts = _parts(fit)
    count, (down, right) = int(parts.max()) + 1, fit.ratio
    belongs = (parts[:, None] == np.arange(count)).astype(np.float64)
    none = np.zeros_like(belongs)
    fixed = Places(fit.places.rows + shift[0], fit.places.columns + shift[1])
    field = Field(fixed, np.hstack([down * belongs, none]), np.hstack([none, right * belongs]))
    found = fit.solved(field, np.zeros(2 * count))
    moved, errors = found.parameters.reshape(2, count), np.sqrt(np.diag(found.covariance)).reshape(2, count)
    return [
        LocalShift(
            place=(float(fit.places.rows[parts == part].mean()), float(fit.places.columns[parts == part].mean())),
            shift=(shift[0] / down + float(moved[0, part]), shift[1] / right + float(moved[1, part])),
            error=(float(errors[0, part]), float(errors[1, part])),
        )
        for part in range(count)
    ]


def shift_spread(shifts: Sequence[LocalShift]) -> float:
    """Distance from their median within which three quarters of the shifts lie, LR pixels.

    Parts that are not reliable do not count; 0 where fewer than two are.
    """
    known = np.array([local.shift for local in shifts if local.is_reliable])
    if len(known) < 2:
        return 0.0
    distances = np.sort(np.linalg.norm(known - np.median(known, axis=0), axis=1))
    return float(distances[int(QUARTILE * (len(known) - 1))])


def is_uneven(shifts: Sequence[LocalShift]) -> bool:
    """Whether the shift varies by more than chance, and by enough to matter."""
    errors = [float(np.hypot(*local.error)) for local in shifts if local.is_reliable]
    return bool(errors and shift_spread(shifts) > np.hypot(UNEVEN, ERRORS * float(np.median(errors))))


def _parts(fit: DisplacementFit) -> NDArray[np.intp]:
    """(P,): the part of every pixel, counted from 0; empty ones are left out."""
    windows, places = fit.windows, fit.places
    labels = np.zeros(len(windows), dtype=np.intp)
    most = PARTS if windows.max() + 1 < FEW else 1
    for window in np.unique(windows):
        here = windows == window
        rows = _cut(places.rows[here], least=PART * fit.ratio[0], most=most)
        columns = _cut(places.columns[here], least=PART * fit.ratio[1], most=most)
        labels[here] = (window * PARTS + rows) * PARTS + columns
    return np.asarray(np.unique(labels, return_inverse=True)[1])


def _cut(values: Floats, *, least: float, most: int) -> NDArray[np.intp]:
    """(p,): the number, from 0, of the stretch that a value lies in; `most` at most, each `least` long at least."""
    low, length = values.min(), np.ptp(values)
    count = int(np.clip(length // least, 1, most))
    return np.asarray(np.clip((values - low) / max(length, 1e-9) * count, 0, count - 1).astype(np.intp))
