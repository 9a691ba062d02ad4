"""Where LR pixels lie, by a few numbers: displacements that leave the least of a regression, the blur being known.

The likelihood is that of `estimation.blur_and_shift_fit`; its maximum is found by Gauss-Newton steps with the
regression projected out (variable projection: Golub and Pereyra, Inverse Problems 19, 2003; Kaufman's approximation),
so that a displacement of every part of a scene, or an affine one of all of it, costs a handful of evaluations.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pifnet_cli.degrade.psf import MINIMUM_VALID
from pifnet_cli.estimation.blur_and_shift_fit import (
    BlurAndShiftFit,
    Floats,
    SampleWindow,
    orthonormal,
    require_pixels,
)

STEPS = 15  # at most
CONVERGED = 2e-3  # LR pixels by which the last step moves
LARGEST_STEP = 1.0  # LR pixels; beyond it the gradients tell nothing
DAMPING = 4.0  # LR pixels: what has no detail stays where it was
HALVINGS = 4
NEGLIGIBLE = 0.01  # share of what all components tell, below which one is passed over


class Places(NamedTuple):
    """Pixels in the HR-MSI, in HR pixels from its upper left corner; (P,) each."""

    rows: Floats
    columns: Floats


class Field(NamedTuple):
    """Places as linear functions of J parameters: `fixed + rows @ parameters`, likewise columns; both are (P, J)."""

    fixed: Places
    rows: Floats
    columns: Floats

    def at(self, parameters: Floats) -> Places:
        """The places at some parameters."""
        return Places(self.fixed.rows + self.rows @ parameters, self.fixed.columns + self.columns @ parameters)


@dataclass(frozen=True, slots=True)
class Solution:
    """The most likely parameters of a field.

    Attributes:
        parameters: (J,).
        covariance: (J, J), of their errors.
        log_likelihood: Up to a constant that all fields of one fit share.
    """

    parameters: Floats
    covariance: Floats
    log_likelihood: float


class DisplacementFit:
    """The likelihood of places of LR pixels, given samples of a pair and its blur.

    Attributes:
        places: The usable LR pixels as the samples have them, window after window.
        windows: (P,), the sample that each is from.
    """

    def __init__(self, fit: BlurAndShiftFit, *, sigma: tuple[float, float]) -> None:
        """Blur the samples.

        Args:
            fit: The samples, their LR-HSI projected on its components.
            sigma: Standard deviations of the PSF along HR rows and columns, HR pixels.

        Raises:
            ValueError: Too few LR pixels are valid.
        """
        self.ratio = fit.ratio
        require_pixels(fit.pixels)
        usable = fit.usable
        self._images = [_Blurred(sample, sigma) for sample in fit.samples]
        self._floor = fit.floor
        self._scores = np.concatenate(
            [scores[:, flags] for scores, flags in zip(fit.scores, usable, strict=True)], axis=1
        ).T  # (P, K)
        self._scores = self._scores - self._scores.mean(axis=0)
        self._counts = [int(flags.sum()) for flags in usable]
        self.windows: NDArray[np.intp] = np.repeat(np.arange(len(usable)), self._counts)
        places = [_places(sample, flags) for sample, flags in zip(fit.samples, usable, strict=True)]
        self.places = Places(*(np.concatenate(axis) for axis in zip(*places, strict=True)))

    def solved(self, field: Field, start: Floats) -> Solution:
        """Find the likeliest parameters by Gauss-Newton steps from `start`; they are of the size of LR pixels."""
        parameters = np.array(start, dtype=np.float64)
        best = self._explained(field.at(parameters))
        damping = np.eye(len(parameters)) / DAMPING**2
        for _ in range(STEPS):
            gradients, normal = self._normal_equations(field, parameters, best)
            step = np.linalg.solve(normal + damping, gradients.sum(axis=0))
            step *= min(1.0, LARGEST_STEP / max(np.abs(step).max(), 1e-30))
            for _ in range(HALVINGS):
                found = self._explained(field.at(parameters + step))
                if found.log_likelihood > best.log_likelihood:
                    break
                step = step / 2
            else:
                break
            parameters, best = parameters + step, found
            if np.abs(step).max() < CONVERGED:
                break
        gradients, normal = self._normal_equations(field, parameters, best)
        inverse = np.asarray(np.linalg.inv(normal + damping))
        covariance = inverse @ (gradients.T @ gradients + damping) @ inverse  # true whatever the noise of each pixel
        return Solution(parameters, covariance, best.log_likelihood)

    def log_likelihood(self, places: Places) -> float:
        """Log-likelihood of places, up to a constant that is the same for all."""
        return self._explained(places).log_likelihood

    def evidence(self, places: Places) -> float:
        """Log-likelihood over scenes that have nothing to do with each other."""
        unrelated = self._scores.T @ self._scores / len(self._scores) + np.diag(self._floor)
        return self.log_likelihood(places) + float(0.5 * len(self._scores) * np.linalg.slogdet(unrelated).logabsdet)

    def correlation(self, places: Places) -> float:
        """The first canonical correlation of the LR-HSI with the HR-MSI as it is seen at some places, 0 to 1."""
        return float(np.linalg.norm(self._explained(places).basis.T @ orthonormal(self._scores), 2))

    def _explained(self, places: Places) -> "_Explained":
        seen = np.concatenate([image.values(part) for image, part in self._by_window(places)], axis=1).T
        basis = orthonormal(seen)
        scores = basis.T @ self._scores
        left = self._scores - basis @ scores
        variances, turn = np.linalg.eigh(left.T @ left / len(left) + np.diag(self._floor))
        variances = np.maximum(variances, self._floor.min())  # rounding
        return _Explained(seen - seen.mean(axis=0), basis, turn, scores @ turn, variances,
                          float(-0.5 * len(left) * np.log(variances).sum()))  # fmt: skip

    def _normal_equations(self, field: Field, parameters: Floats, found: "_Explained") -> tuple[Floats, Floats]:
        """(P, J), the gradient of the log-likelihood of each pixel, and (J, J), the expected curvature."""
        seen, basis, turn, scores, variances, _ = found
        residual = self._scores @ turn - basis @ scores
        weights = np.linalg.lstsq(seen.T @ seen, seen.T @ (basis @ scores), rcond=None)[0]  # (M, K)
        slopes = [image.slopes(part) for image, part in self._by_window(field.at(parameters))]
        down, right = (np.concatenate(axis, axis=1).T for axis in zip(*slopes, strict=True))  # (P, M) each
        gradients, normal = np.zeros_like(field.rows), np.zeros((len(parameters),) * 2)
        for component in _telling(scores, variances):
            slope, variance = weights[:, component], variances[component]
            change = (down @ slope)[:, None] * field.rows + (right @ slope)[:, None] * field.columns
            change -= change.mean(axis=0)
            change -= basis @ (basis.T @ change)
            gradients += change * (residual[:, component] / variance)[:, None]
            normal += change.T @ change / variance
        return gradients, normal

    def _by_window(self, places: Places) -> list[tuple["_Blurred", Places]]:
        ends = np.cumsum(self._counts)[:-1]
        parts = zip(*(np.split(axis, ends) for axis in places), strict=True)
        return [(image, Places(*part)) for image, part in zip(self._images, parts, strict=True)]


class _Explained(NamedTuple):
    """What the HR-MSI, seen at some places, explains of the LR-HSI.

    Attributes:
        seen: (P, M), centred.
        basis: (P, M), orthonormal, of the same span.
        turn: (K, K), orthonormal: columns are combinations of components whose residuals are uncorrelated.
        scores: (M, K), the LR-HSI's combinations in the basis.
        variances: (K,) of what is left of them.
        log_likelihood: Up to a constant.
    """

    seen: Floats
    basis: Floats
    turn: Floats
    scores: Floats
    variances: Floats
    log_likelihood: float


class _Blurred:
    """A window of the HR-MSI as the hyperspectral sensor sees it, ready to be interpolated."""

    def __init__(self, sample: SampleWindow, sigma: tuple[float, float]) -> None:
        is_valid = np.asarray(np.isfinite(sample.hr_msi).all(axis=0))
        share = ndimage.gaussian_filter(is_valid.astype(np.float32), sigma, mode="mirror")
        self._origin = sample.origin
        self._splines, self._slopes = [], []
        for plane in sample.hr_msi:
            blurred = ndimage.gaussian_filter(np.where(is_valid, plane, np.float32(0)), sigma, mode="mirror")
            blurred = np.where(share >= MINIMUM_VALID, blurred / np.maximum(share, MINIMUM_VALID), np.float32(0))
            self._splines.append(ndimage.spline_filter(blurred, mode="mirror", output=np.float32))
            self._slopes.append(np.gradient(blurred))

    def values(self, places: Places) -> Floats:
        """(M, p): the blurred HR-MSI at some places."""
        at = self._within(places)
        cubic = {"output": np.float64, "mode": "mirror", "prefilter": False}
        return np.stack([ndimage.map_coordinates(spline, at, **cubic) for spline in self._splines])

    def slopes(self, places: Places) -> tuple[Floats, Floats]:
        """Slopes of the blurred HR-MSI at some places, (M, p) each, per HR pixel down and right."""
        at, linear = self._within(places), {"output": np.float64, "mode": "mirror", "order": 1}
        down, right = (
            np.stack([ndimage.map_coordinates(slope[axis], at, **linear) for slope in self._slopes]) for axis in (0, 1)
        )
        return down, right

    def _within(self, places: Places) -> tuple[Floats, Floats]:
        return places.rows - 0.5 - self._origin[0], places.columns - 0.5 - self._origin[1]


def _telling(explained: Floats, variances: Floats) -> NDArray[np.intp]:
    """The components whose explained share tells of places, most of all that is told."""
    told = np.square(explained).sum(axis=0) / variances
    return np.flatnonzero(told > NEGLIGIBLE * told.sum())


def _full(sample: SampleWindow) -> Places:
    """(h, w) each, counted from the centre of the window's first pixel."""
    at = sample.lr_in_hr
    if at.is_separable:
        return Places(*np.broadcast_arrays(at.rows[:, None], at.columns[None]))
    return Places(at.rows, at.columns)


def _places(sample: SampleWindow, usable: NDArray[np.bool_]) -> Places:
    rows, columns = _full(sample)
    return Places(rows[usable] + sample.origin[0] + 0.5, columns[usable] + sample.origin[1] + 0.5)
