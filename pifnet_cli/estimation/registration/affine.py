"""The affine correction of where LR pixels lie in the HR-MSI, with as few parameters as explain the pair."""

from dataclasses import dataclass, replace

import numpy as np
from affine import Affine

from pifnet_cli.estimation.blur_and_shift_fit import SHIFT_LIMIT, SIGNIFICANT, Floats
from pifnet_cli.estimation.registration.displacement import DisplacementFit, Field, Places, Solution
from pifnet_cli.pair.alignment import AS_DELIVERED, displacement

LARGEST_PLACE_ERROR = 0.25  # LR pixels, of the worst place of a scene: standard error from which on it is not told
CORRELATED = 0.8  # the least correlation of two scenes that show the same ground
NOTICEABLE = 0.03  # LR pixels; what moves no pixel further is left out

# The six parameters are LR pixels amid the scene, or at its end: down, down by rows, down by columns, right, right by
# columns, right by rows. Fewer keep separable grids separable.
SHIFT, STRETCH, AFFINE = [0, 3], [0, 1, 3, 4], [0, 1, 2, 3, 4, 5]


@dataclass(frozen=True, slots=True)
class AffineEstimate:
    """An affine correction and its standard errors.

    Attributes:
        correction: (column, row) as delivered -> as found, HR pixels from the HR-MSI's upper left corner.
        linear_error: Standard errors of its a, b, d, e.
        shift_lr: (rows, columns) by which it moves what lies amid the scene, LR pixels.
        shift_error_lr: Of both.
        place_error: Of the place of the LR pixel that is placed worst, LR pixels.
        gain: Log-likelihood over the best shift alone.
        evidence: Log-likelihood over scenes that have nothing to do with each other.
        correlation: Of what the HR-MSI tells best of the LR-HSI, with the LR-HSI.
    """

    correction: Affine
    linear_error: tuple[float, float, float, float]
    shift_lr: tuple[float, float]
    shift_error_lr: tuple[float, float]
    place_error: float
    gain: float
    evidence: float
    correlation: float

    @property
    def is_shift(self) -> bool:
        """Whether the correction is a shift alone."""
        a, b, d, e = _linear(self.correction)
        return (a, b, d, e) == (1.0, 0.0, 0.0, 1.0)

    @property
    def is_reliable(self) -> bool:
        """Whether the scenes show the same ground, and every LR pixel's place is known well enough."""
        return self.correlation > CORRELATED and self.place_error < LARGEST_PLACE_ERROR

    @property
    def rotation_deg(self) -> float:
        """Rotation of the LR grid against the HR grid, from columns towards rows: clockwise as images are shown."""
        a, b, d, e = _linear(self.correction)
        return float(np.degrees(np.arctan2(d - b, a + e)))

    @property
    def scale(self) -> tuple[float, float]:
        """Scale along rows and columns."""
        a, b, d, e = _linear(self.correction)
        return float(np.hypot(b, e)), float(np.hypot(a, d))

    def record(self) -> dict[str, object]:
        """The correction as JSON values."""
        a, b, d, e = _linear(self.correction)
        errors = self.linear_error
        shear = np.arctan2(d, a) - np.arctan2(-b, e)
        return {
            "rotation_deg": round(self.rotation_deg, 5),
            "rotation_error_deg": round(float(np.degrees(np.hypot(errors[1], errors[2]) / 2)), 5),
            "scale": [round(value, 6) for value in self.scale],
            "scale_error": [round(errors[3], 6), round(errors[0], 6)],
            "shear_deg": round(float(np.degrees(shear)), 5),
            "shear_error_deg": round(float(np.degrees(np.hypot(errors[1], errors[2]))), 5),
            "matrix_hr_pixels": [[round(value, 8) for value in row] for row in ((a, b, self.correction.c),
                                                                              (d, e, self.correction.f))],
            "place_error_lr_pixels": round(self.place_error, 4),
            "gain_over_shift": round(self.gain, 1),
            "correlation": round(self.correlation, 4),
        }  # fmt: skip


class AffineFit:
    """Affine corrections of a pair whose blur is known, near one that is known to an LR pixel or two."""

    def __init__(
        self, fit: DisplacementFit, *, placed_by: Affine = AS_DELIVERED, shift: tuple[float, float] = (0.0, 0.0)
    ) -> None:
        """Lay the parameters' origin amid the scene.

        Args:
            fit: Of sample windows.
            placed_by: The correction that their LR pixels have already.
            shift: To be added to it to start from, rows down and columns right, HR pixels.
        """
        self._fit, self._near = fit, Affine.translation(shift[1], shift[0]) @ placed_by
        columns, rows = ~placed_by @ (fit.places.columns, fit.places.rows)
        self._delivered = Places(rows, columns)
        self._middle = float(rows.min() + rows.max()) / 2, float(columns.min() + columns.max()) / 2
        self._reach = float(max(np.ptp(rows), np.ptp(columns), 1.0)) / 2
        self._basis = self._terms(self._delivered)
        ends = np.array([[i, j] for i in (rows.min(), rows.max()) for j in (columns.min(), columns.max())])
        self._corners = self._terms(Places(ends[:, 0], ends[:, 1]))

    def estimate(self) -> AffineEstimate:
        """Find the correction with the fewest parameters that does as well as all six."""
        whole = self._solved(AFFINE)
        fewer = [(free, self._solved(free)) for free in (SHIFT, STRETCH) if self._is_near(free)]
        enough = (found for found in fewer if self._is_enough(found[1], whole))
        free, chosen = next(enough, (AFFINE, whole))
        errors = np.zeros(len(AFFINE))
        errors[free] = np.sqrt(np.diag(chosen.covariance))
        down, right = (side / self._reach for side in self._fit.ratio)
        return AffineEstimate(
            correction=self._correction(chosen.parameters),
            linear_error=(float(errors[4] * right), float(errors[5] * right),
                          float(errors[2] * down), float(errors[1] * down)),
            shift_lr=(float(chosen.parameters[0]), float(chosen.parameters[3])),
            shift_error_lr=(float(errors[0]), float(errors[3])),
            place_error=self._place_error(chosen, free),
            gain=whole.log_likelihood - self._fit.log_likelihood(self._places(self._start(SHIFT))),
            evidence=self._fit.evidence(self._places(chosen.parameters)),
            correlation=self._fit.correlation(self._places(chosen.parameters)),
        )  # fmt: skip

    def _solved(self, free: list[int]) -> Solution:
        """All six parameters, those not free at zero; the covariance is of the free ones."""
        field = Field(self._delivered, *(terms[:, free] for terms in self._basis))
        found = self._fit.solved(field, self._start(free)[free])
        parameters = np.zeros(len(AFFINE))
        parameters[free] = found.parameters
        return replace(found, parameters=parameters)

    def _start(self, free: list[int]) -> Floats:
        """(6,): the correction known roughly, as far as the free parameters go."""
        a, b, _, d, e, _ = self._near[:6]
        shift = displacement(self._near, *self._middle)
        (down, right), reach = self._fit.ratio, self._reach
        by_rows, by_columns = reach / down, reach / right
        parameters = np.array([shift[0] / down, (e - 1) * by_rows, d * by_rows,
                               shift[1] / right, (a - 1) * by_columns, b * by_columns])  # fmt: skip
        return np.where(np.isin(np.arange(len(AFFINE)), free), parameters, 0.0)

    def _is_near(self, free: list[int]) -> bool:
        return self._furthest(self._start(free) - self._start(AFFINE)) < SHIFT_LIMIT

    def _is_enough(self, fewer: Solution, whole: Solution) -> bool:
        is_as_likely = whole.log_likelihood - fewer.log_likelihood < SIGNIFICANT
        return is_as_likely or self._furthest(whole.parameters - fewer.parameters) < NOTICEABLE

    def _furthest(self, parameters: Floats) -> float:
        """LR pixels by which they move any LR pixel of the scene, along an axis."""
        return float(max(np.abs(terms @ parameters).max() / side
                         for terms, side in zip(self._corners, self._fit.ratio, strict=True)))  # fmt: skip

    def _place_error(self, found: Solution, free: list[int]) -> float:
        worst = [
            np.einsum("pj,jk,pk->p", terms[:, free], found.covariance, terms[:, free]).max() / side**2
            for terms, side in zip(self._corners, self._fit.ratio, strict=True)
        ]
        return float(np.sqrt(max(worst)))

    def _places(self, parameters: Floats) -> Places:
        return Field(self._delivered, *self._basis).at(parameters)

    def _terms(self, places: Places) -> tuple[Floats, Floats]:
        """(P, 6) each: HR pixels that a parameter of one moves a place down and right."""
        rows, columns = ((axis - middle) / self._reach for axis, middle in zip(places, self._middle, strict=True))
        one, none = np.ones_like(rows), np.zeros_like(rows)
        down, right = self._fit.ratio
        return (
            down * np.stack([one, rows, columns, none, none, none], axis=1),
            right * np.stack([none, none, none, one, columns, rows], axis=1),
        )

    def _correction(self, parameters: Floats) -> Affine:
        (down, right), (row, column) = self._fit.ratio, self._middle
        d, e = (down / self._reach * parameters[index] for index in (2, 1))
        a, b = (right / self._reach * parameters[index] for index in (4, 5))
        return Affine(1 + a, b, right * parameters[3] - a * column - b * row,
                      d, 1 + e, down * parameters[0] - d * column - e * row)  # fmt: skip


def _linear(correction: Affine) -> tuple[float, float, float, float]:
    return correction.a, correction.b, correction.d, correction.e
