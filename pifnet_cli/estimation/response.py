"""Spectral response of the multispectral sensor, found from the pair: non-negative, smooth over wavelength.

Every band of the degraded HR-MSI is a weighted sum of the bands of the LR-HSI, up to gain, offset and noise. Bands of
an HSI look so much alike that least squares alone tells little of the weights. So each response is first taken for a
box, whose centre and width the pair tells well; round that box it is then refined under a penalty on its second
differences and the bound at zero (HySure, Simoes et al. 2015, doi 10.1109/TGRS.2014.2375320, section IV-C, has first
differences, all wavelengths, and no bound). How smooth it is, is decided by pixels that were held back.

Where only what the weights add up to is looked at, least squares under the bound alone do (`response_weights`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from pifnet_models.classical.moments import SceneMoments

Floats = NDArray[np.float64]

WIDTHS = np.geomspace(1, 64, 19)  # of the boxes that are tried, in median spacings of bands
SUPPORT = 0.5  # widths of the box beyond either edge that the response may reach
SMOOTHNESS = np.geomspace(1e-7, 1e-1, 7)  # of the second differences, relative to the bands' mean variance
RIDGE = 1e-9  # of the bands' mean variance: keeps the equations solvable
WIDEST_GAP = 3.0  # median spacings of bands, beyond which neighbours are none
RELATIVE_CUTOFF = 1e-9  # eigenvalues of the hyperspectral covariance below this share of the largest are ignored
ITERATIONS = 30  # per band, at most; the usual three do not always do where bands tell nearly the same
FOLDS = 2
BLOCK = 64  # pixels in a row that belong to the same fold: neighbours share their noise's surroundings
FEWEST_PIXELS = 100


@dataclass(frozen=True, slots=True, eq=False)
class SpectralResponse:
    """How the HR-MSI's bands follow from the LR-HSI's: Y = weights X + offset.

    Attributes:
        weights: (M, C), none below zero; zero for bands without data. In units of HR-MSI per LR-HSI.
        offset: (M,).
        explained: (M,), share of each MSI band's variance, on pixels held back.
    """

    weights: Floats
    offset: Floats
    explained: Floats

    @property
    def relative(self) -> Floats:
        """(M, C), every row's sum is one; zero where a row is nothing."""
        total = self.weights.sum(axis=1, keepdims=True)
        relative: Floats = np.divide(self.weights, total, out=np.zeros_like(self.weights), where=total > 0)
        return relative

    def centres(self, wavelengths: Floats) -> Floats:
        """(M,), mean wavelength of each response, in the unit of `wavelengths` (C,)."""
        centres: Floats = self.relative @ wavelengths
        return centres

    def widths(self, wavelengths: Floats) -> Floats:
        """(M,), full width of the box of equal standard deviation, in the unit of `wavelengths` (C,)."""
        distance = wavelengths[None] - self.centres(wavelengths)[:, None]
        widths: Floats = np.sqrt(12 * (self.relative * np.square(distance)).sum(axis=1))
        return widths


def estimate_response(
    lr_hsi: NDArray[np.floating], msi_low: NDArray[np.floating], *, noise: Floats, wavelengths: Floats | None = None
) -> SpectralResponse:
    """Find the responses.

    Args:
        lr_hsi: (C, P), NaN where invalid.
        msi_low: (M, P), the HR-MSI as the hyperspectral sensor would sample it, on the same pixels.
        noise: (C,), standard deviations of the LR-HSI's noise. Weights that average it would else seem the best.
        wavelengths: (C,), any unit, any order; None takes bands as equally spaced.

    Raises:
        ValueError: Too few pixels are valid in both.
    """
    live = np.isfinite(lr_hsi).any(axis=1)
    usable = np.isfinite(lr_hsi[live]).all(axis=0) & np.isfinite(msi_low).all(axis=0)
    if usable.sum() < FEWEST_PIXELS:
        raise ValueError(f"only {int(usable.sum())} LR pixels are valid in both scenes")
    hsi, msi = lr_hsi[live][:, usable].astype(np.float64), msi_low[:, usable].astype(np.float64)
    places = np.arange(len(lr_hsi), dtype=np.float64) if wavelengths is None else wavelengths
    axis = _Axis(places[live])
    held_back = np.arange(hsi.shape[1]) // BLOCK % FOLDS == 0
    whole, part = _Predictors(hsi, noise[live]), _Predictors(hsi[:, ~held_back], noise[live])
    weights, explained = np.zeros((len(msi), len(lr_hsi))), np.zeros(len(msi))
    for number, band in enumerate(msi):
        cross = whole.covariance_with(band)
        support = axis.around(*_best_box(whole.between, cross, axis))
        cross_of_part = part.covariance_with(band[~held_back])
        fits = [_fit(part.between, cross_of_part, axis.penalty(smoothness), support) for smoothness in SMOOTHNESS]
        left = [float((band - fit @ hsi)[held_back].var()) for fit in fits]
        best = int(np.argmin(left))
        weights[number, live] = _fit(whole.between, cross, axis.penalty(SMOOTHNESS[best]), support)
        explained[number] = 1 - left[best] / max(float(band[held_back].var()), np.finfo(np.float64).tiny)
    offset = msi.mean(axis=1) - weights[:, live] @ hsi.mean(axis=1)
    return SpectralResponse(weights, offset, np.clip(explained, 0.0, 1.0))


def response_weights(moments: SceneMoments) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Weights and offsets that predict the HR-MSI's bands, by non-negative least squares: Y = weights X + offset.

    Args:
        moments: All bands live.

    Returns:
        (M, C) and (M,). Many bands share what they tell: sums over the weights mean something, single ones little.
    """
    values, vectors = np.linalg.eigh(moments.hsi_covariance)
    kept = values > RELATIVE_CUTOFF * max(float(values[-1]), 0.0)
    # |A w - b|^2 is the residual's variance, up to a constant, with A'A the covariance and A'b that with the MSI band.
    roots = np.sqrt(values[kept])[:, None]
    design = roots * vectors[:, kept].T
    targets = (vectors[:, kept].T @ moments.cross_covariance) / roots
    if not kept.any():
        weights = np.zeros((len(moments.msi_mean), len(moments.hsi_mean)))
    else:
        weights = np.stack([optimize.nnls(design, target, maxiter=ITERATIONS * len(values))[0] for target in targets.T])
    return weights, moments.msi_mean - weights @ moments.hsi_mean


class _Axis:
    """Where bands lie along the wavelength.

    Attributes:
        places: (C,).
        spacing: The median one.
    """

    def __init__(self, places: Floats) -> None:
        order = np.argsort(places, kind="stable")
        gaps = np.diff(places[order])
        self.places = places
        self.spacing = max(float(np.median(gaps)), np.finfo(np.float64).tiny) if len(places) > 1 else 1.0
        near = gaps <= WIDEST_GAP * self.spacing
        rows = np.flatnonzero(near[:-1] & near[1:])
        differences = np.zeros((len(rows), len(places)))
        for row, first in enumerate(rows):
            differences[row, order[first : first + 3]] = (1.0, -2.0, 1.0)
        self._roughness = differences.T @ differences

    def penalty(self, smoothness: float) -> Floats:
        """(C, C): of second differences, none across a gap, where the mean variance of bands is one."""
        penalty: Floats = smoothness * self._roughness + RIDGE * np.eye(len(self.places))
        return penalty

    def box(self, centre: float, width: float) -> Floats:
        """(C,): one inside, nought outside, with edges as steep as bands are close."""
        inside = width / 2 - np.abs(self.places - centre)
        return np.asarray(np.clip(inside / self.spacing + 0.5, 0.0, 1.0))

    def around(self, centre: float, width: float) -> NDArray[np.bool_]:
        """(C,): within reach of a box; three bands at least."""
        distance = np.abs(self.places - centre)
        reach = max(width * (0.5 + SUPPORT) + self.spacing, float(np.sort(distance)[:3].max()))
        return np.asarray(distance <= reach)


class _Predictors:
    """The bands that are weighted. `between` is their covariance, (C, C), less their noise."""

    def __init__(self, hsi: Floats, noise: Floats) -> None:
        self._centred = hsi - hsi.mean(axis=1, keepdims=True)
        values, vectors = np.linalg.eigh(self._centred @ self._centred.T / hsi.shape[1] - np.diag(np.square(noise)))
        self.between: Floats = (vectors * np.maximum(values, 0.0)) @ vectors.T  # no covariance is negative

    def covariance_with(self, band: Floats) -> Floats:
        """(C,)."""
        covariance: Floats = self._centred @ (band - band.mean()) / len(band)
        return covariance


def _best_box(between: Floats, cross: Floats, axis: _Axis) -> tuple[float, float]:
    """Centre and width of the box that makes up the band best."""

    def unexplained(point: Floats) -> float:
        box = axis.box(float(point[0]), float(np.exp(point[1])))
        variance = float(box @ between @ box)
        along = max(float(box @ cross), 0.0)  # a response is positive
        return -(along**2) / variance if variance > 0 else 0.0

    starts = [np.array([place, np.log(width * axis.spacing)]) for place in axis.places for width in WIDTHS]
    start = min(starts, key=unexplained)
    simplex = np.stack([start, start + np.array([axis.spacing, 0.0]), start + np.array([0.0, 0.3])])
    best = optimize.minimize(unexplained, start, method="Nelder-Mead", options={"initial_simplex": simplex}).x
    return float(best[0]), float(np.exp(best[1]))


def _fit(between: Floats, cross: Floats, penalty: Floats, support: NDArray[np.bool_]) -> Floats:
    """(C,): min w' S w - 2 s' w + mean variance w' P w over w >= 0 that is nought outside the support."""
    level = max(float(np.trace(between)) / len(between), np.finfo(np.float64).tiny)
    upper = linalg.cholesky((between + level * penalty)[np.ix_(support, support)])
    target = linalg.solve_triangular(upper, cross[support], trans="T")
    weights = np.zeros(len(support))
    weights[support] = optimize.nnls(upper, target)[0]
    return weights
