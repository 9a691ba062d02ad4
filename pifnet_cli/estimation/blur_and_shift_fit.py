"""Blur and misregistration of a scene pair, found from the pair itself (docs/design.md 5.1).

The LR-HSI is regressed on the HR-MSI as a Gaussian of some width, displaced by some shift, would sample it; the width
and shift that leave the least are taken. The likelihood has the residual's whole covariance: what decides are those
combinations of LR-HSI bands that the HR-MSI explains best, its own bands as the LR-HSI sees them, in which nothing but
noise and misplacement can differ. Bands that lie elsewhere, and differ for reasons of the ground, hardly count.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from pifnet_cli.degrade.psf import Psf, gaussian_from_mtf, mtf_from_sigma, sigma_from_mtf
from pifnet_cli.degrade.sampling import PsfSampler, clear_of_holes, mended
from pifnet_cli.scene import Pixels, Positions
from pifnet_models.kriging.noise import NOISE_FLOOR, noise_about_neighbours

Floats = NDArray[np.float64]
Cost = Callable[[Floats], float]

COMPONENTS = 24  # of the LR-HSI
PIXELS_PER_COMPONENT = 6  # with fewer, less of them are used
SHIFT_LIMIT = 2.0  # LR pixels that are searched on either side
COARSE_STEP = 1.0  # LR pixels between the shifts that are tried first
MTF_LIMITS = 0.02, 0.98  # at the LR Nyquist frequency
START_MTF = 0.1  # wide: the likelihood then has one broad hill
LIVE = 0.5  # of the fullest band's pixels; a band with fewer would take its pixels away from all
SPARED = 0.5  # of the LR pixels that must be left without those near a hole; else thin holes are closed first
MINIMUM_PIXELS = 50  # LR pixels, below which nothing is estimated
LARGEST_ERROR = 0.1  # of the MTF, or LR pixels: standard error from which on an estimate is none
FINEST_NOISE = 1e-4  # of a band's root mean square (80 dB): what is told below it is arithmetic, not the ground
SIGNIFICANT = 12.0  # gain of log-likelihood over the scene as delivered, below which that is kept


class SampleWindow(NamedTuple):
    """A window of a pair that blur and shift are found from.

    Attributes:
        lr_hsi: (C, h, w); NaN where invalid.
        hr_msi: (M, H, W), with all that any blur and shift that are tried reach; NaN where invalid.
        lr_in_hr: The LR pixels' centres in the HR window, as delivered.
        origin: The HR window's first row and column in the HR-MSI.
    """

    lr_hsi: Pixels
    hr_msi: Pixels
    lr_in_hr: Positions
    origin: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class BlurAndShift:
    """A blur and a shift that may be those of the LR-HSI.

    Attributes:
        sigma: Standard deviations of the PSF along HR rows and columns, HR pixels.
        shift: (rows down, columns right) in HR pixels; an LR pixel that claims to lie at c shows what is at c + shift.
    """

    sigma: tuple[float, float]
    shift: tuple[float, float]

    @property
    def psf(self) -> Psf:
        """The blur as a PSF."""
        return Psf(sigma_rows=self.sigma[0], sigma_columns=self.sigma[1])


@dataclass(frozen=True, slots=True)
class FittedBlurAndShift:
    """The most likely blur and shift with their standard errors, and what they are worth.

    Attributes:
        best: The most likely ones.
        sigma_error: Of both standard deviations, HR pixels.
        shift_error: Of both shifts, HR pixels.
        explained: Share of the LR-HSI's variance, bands weighed by their noise, that the HR-MSI explains through it.
        explained_before: Likewise as delivered.
        gain: Log-likelihood over the pair as delivered.
        pixels: LR pixels that it was found from.
    """

    best: BlurAndShift
    sigma_error: tuple[float, float]
    shift_error: tuple[float, float]
    explained: float
    explained_before: float
    gain: float
    pixels: int

    def is_reliable(self, ratio: tuple[float, float]) -> bool:
        """Whether the pair tells blur and shift at all: it does not where nothing in it is sharp.

        The blur is judged by its frequency response: of a very sharp one the width hardly matters.
        """
        mtf_errors = [
            (mtf_from_sigma(max(width - error, 0.0), side) - mtf_from_sigma(width + error, side)) / 2
            for width, error, side in zip(self.best.sigma, self.sigma_error, ratio, strict=True)
        ]
        shift_errors = [error / side for error, side in zip(self.shift_error, ratio, strict=True)]
        return max(*mtf_errors, *shift_errors) < LARGEST_ERROR

    @property
    def is_significant(self) -> bool:
        """Whether the gain over the pair as delivered is more than chance."""
        return self.gain > SIGNIFICANT


class BlurAndShiftFit:
    """The likelihood of blurs and shifts, given windows of a pair.

    Attributes:
        samples: Windows of one pair.
        ratio: Sides of an LR pixel in HR pixels, rows and columns.
        scores: (K, h, w) of every window, the LR-HSI's components in units of their noise.
        usable: (h, w) of every window, the LR pixels that are compared, whatever the blur and the shift: valid, and far
            enough from invalid HR pixels that none is seen.
        floor: (K,), the least variance that a component's residual is believed to have.
    """

    def __init__(self, samples: Sequence[SampleWindow], *, ratio: tuple[float, float]) -> None:
        """Project the LR-HSI on its components.

        Args:
            samples: Windows of one pair.
            ratio: Sides of an LR pixel in HR pixels, rows and columns.

        Raises:
            ValueError: Too few LR pixels are valid.
        """
        self.samples, self.ratio = list(samples), ratio
        self.scores, self.floor = component_scores([sample.lr_hsi for sample in samples])
        self.usable = self._usable()
        if self.pixels < SPARED * self._inside:  # scattered pixels are missing; all of the scene is near to one
            self.samples = [sample._replace(hr_msi=_without_thin_holes(sample.hr_msi)) for sample in samples]
            self.usable = self._usable()

    def log_likelihood(self, candidate: BlurAndShift) -> float:
        """Log-likelihood of a candidate, up to a constant that is the same for all."""
        residual, _ = self._covariances(candidate)
        return float(-0.5 * self.pixels * np.linalg.slogdet(residual).logabsdet)

    def explained(self, candidate: BlurAndShift) -> float:
        """Share of the LR-HSI's variance, in units of noise, that the HR-MSI explains through a candidate."""
        residual, total = self._covariances(candidate)
        return float(1 - np.trace(residual) / np.trace(total))

    @property
    def pixels(self) -> int:
        """How many LR pixels are compared."""
        return int(sum(flags.sum() for flags in self.usable))

    @property
    def _inside(self) -> int:
        """How many LR pixels would be compared if the HR-MSI were valid everywhere."""
        valid = zip(self.samples, self.scores, strict=True)
        return int(sum(_inside(sample, scores, self.ratio).sum() for sample, scores in valid))

    def _usable(self) -> list[NDArray[np.bool_]]:
        """(h, w) of every window: LR pixels that no blur and no shift bring to see an invalid HR pixel.

        One that saw some would be a mean of what is left, which is wrong by more than noise.
        """
        margin, radius = shift_margin(self.ratio), widest_psf(self.ratio).radius
        reach = (int(np.ceil(margin[0])) + radius, int(np.ceil(margin[1])) + radius)
        return [
            _inside(sample, scores, self.ratio) & clear_of_holes(sample.hr_msi, sample.lr_in_hr, reach=reach)
            for sample, scores in zip(self.samples, self.scores, strict=True)
        ]

    def _covariances(self, candidate: BlurAndShift) -> tuple[Floats, Floats]:
        """(K, K) of what the regression leaves and of all there is."""
        require_pixels(self.pixels)
        seen = [degraded(sample, candidate) for sample in self.samples]
        design = np.concatenate([part[:, flags] for part, flags in zip(seen, self.usable, strict=True)], axis=1)
        target = np.concatenate([part[:, flags] for part, flags in zip(self.scores, self.usable, strict=True)], axis=1)
        target = target - target.mean(axis=1, keepdims=True)
        basis = orthonormal(design.T.astype(np.float64))
        left = target - target @ basis @ basis.T
        floor = np.diag(self.floor)
        return left @ left.T / self.pixels + floor, target @ target.T / self.pixels + floor


def orthonormal(design: Floats) -> Floats:
    """(P, M) -> (P, M): a basis of what its columns span, each less its mean."""
    centred = design - design.mean(axis=0)
    return np.asarray(np.linalg.qr(centred / np.maximum(centred.std(axis=0), 1e-30))[0])


def require_pixels(count: int) -> None:
    """Raise `ValueError` where too few LR pixels are left."""
    if count < MINIMUM_PIXELS:
        raise ValueError(f"only {count} LR pixels are valid in both scenes")


def estimate_blur_and_shift(
    fit: BlurAndShiftFit, *, delivered: BlurAndShift, sigma: tuple[float, float] | None = None
) -> FittedBlurAndShift:
    """Find blur and shift.

    Args:
        fit: Of windows of one pair.
        delivered: What would be assumed without an estimate.
        sigma: The blur where it is known; only the shift is looked for.

    Raises:
        ValueError: Too few LR pixels are valid.
    """
    ratio = fit.ratio
    known = None if sigma is None else Psf(*sigma).mtf_at_nyquist(ratio)

    def candidate_at(point: Floats) -> BlurAndShift:
        mtf = known if known is not None else tuple(_bounded(point[2 + axis % (len(point) - 2)]) for axis in (0, 1))
        return BlurAndShift(_sigma_of(mtf, ratio), (float(point[0] * ratio[0]), float(point[1] * ratio[1])))

    def cost(point: Floats) -> float:
        if np.abs(point[:2]).max() > SHIFT_LIMIT:
            return np.inf
        return -fit.log_likelihood(candidate_at(point))

    free = 0 if known is not None else 1
    start = _coarse_start(cost, free)
    best = _refined(cost, start)
    if known is None:
        best = _refined(cost, np.array([*best, best[2]]))
    found = candidate_at(best)
    error = _standard_errors(cost, best)
    sigma_error = _sigma_errors(best, error, ratio) if known is None else (0.0, 0.0)
    return FittedBlurAndShift(
        best=found,
        sigma_error=sigma_error,
        shift_error=(float(error[0] * ratio[0]), float(error[1] * ratio[1])),
        explained=fit.explained(found),
        explained_before=fit.explained(delivered),
        gain=fit.log_likelihood(found) - fit.log_likelihood(delivered),
        pixels=fit.pixels,
    )


def degraded(sample: SampleWindow, candidate: BlurAndShift) -> Pixels:
    """(M, h, w): the HR-MSI as the LR-HSI would show it; what has invalid HR pixels near it is no number, or wrong."""
    rows, columns = candidate.shift
    at = sample.lr_in_hr.moved(-rows, -columns)
    height, width = sample.hr_msi.shape[1:]
    if at.is_separable:
        return PsfSampler(at, candidate.psf, height=height, width=width)(sample.hr_msi)
    return _blurred_at(np.where(np.isfinite(sample.hr_msi), sample.hr_msi, np.float32(0)), at, candidate)


def _blurred_at(image: Pixels, at: Positions, candidate: BlurAndShift) -> Pixels:
    """(M, H, W) -> (M, h, w) at any positions: blurred as a whole, then interpolated; many times cheaper than exact."""
    blurred = ndimage.gaussian_filter(image, (0, *candidate.sigma), mode="mirror")
    return np.stack([ndimage.map_coordinates(plane, (at.rows, at.columns), mode="mirror") for plane in blurred])


def within(positions: Positions, height: int, width: int, margin: tuple[float, float]) -> NDArray[np.bool_]:
    """(h, w): at least `margin` pixels inside of the border of an image of `height` x `width`."""
    rows = (positions.rows >= margin[0]) & (positions.rows <= height - 1 - margin[0])
    columns = (positions.columns >= margin[1]) & (positions.columns <= width - 1 - margin[1])
    return rows[:, None] & columns[None] if positions.is_separable else rows & columns


def shift_margin(ratio: tuple[float, float]) -> tuple[float, float]:
    """HR pixels from the border within which an LR pixel's centre may be moved out of the window."""
    return SHIFT_LIMIT * ratio[0], SHIFT_LIMIT * ratio[1]


def widest_psf(ratio: tuple[float, float]) -> Psf:
    """The widest blur that is tried, HR pixels."""
    return gaussian_from_mtf(MTF_LIMITS[0], ratio_rows=ratio[0], ratio_columns=ratio[1])


def _inside(sample: SampleWindow, scores: Floats, ratio: tuple[float, float]) -> NDArray[np.bool_]:
    """(h, w): valid LR pixels that no shift moves out of the HR window."""
    height, width = sample.hr_msi.shape[1:]
    return np.asarray(within(sample.lr_in_hr, height, width, shift_margin(ratio)) & np.isfinite(scores).all(axis=0))


def _without_thin_holes(image: Pixels) -> Pixels:
    """(M, H, W): holes of a single pixel or line closed by the mean of their neighbours, wider ones left."""
    is_wide = ndimage.binary_opening(~np.isfinite(image).all(axis=0), structure=np.ones((2, 2)))
    return np.where(ndimage.binary_dilation(is_wide, structure=np.ones((3, 3))), np.float32(np.nan), mended(image))


def component_scores(images: Sequence[Pixels]) -> tuple[list[Floats], Floats]:
    """(K, h, w) each: noise-whitened principal components of the LR-HSI over all windows; (K,): their least noise."""
    flat = np.concatenate([image.reshape(len(image), -1) for image in images], axis=1).astype(np.float64)
    counts = np.isfinite(flat).sum(axis=1)
    live = counts > LIVE * counts.max()
    usable = np.isfinite(flat[live]).all(axis=0) & live.any()
    if usable.sum() < MINIMUM_PIXELS:
        raise ValueError(f"only {int(usable.sum())} LR pixels are valid in every band")
    known = flat[live][:, usable]
    mean = known.mean(axis=1, keepdims=True)
    scale = np.maximum(_whitening_scale(known - mean), 1e-12 * max(float(np.abs(known).max()), 1e-30))[:, None]
    left, _, _ = np.linalg.svd((known - mean) / scale @ ((known - mean) / scale).T)
    components = min(COMPONENTS, max(known.shape[1] // PIXELS_PER_COMPONENT, 1))
    analysis = (left[:, :components] / scale).T
    least = np.maximum(FINEST_NOISE**2 * np.square(known).mean(axis=1), 1e-30)
    scores = [
        (analysis @ (image[live].reshape(int(live.sum()), -1) - mean)).reshape(-1, *image.shape[1:]) for image in images
    ]
    return scores, np.square(analysis) @ least


def _whitening_scale(centred: Floats) -> Floats:
    """(C,): noise of each band about its neighbours, its deviation where it has none; none is far below the others."""
    bands, pixels = centred.shape
    found = noise_about_neighbours(centred @ centred.T / pixels, live=np.full(bands, fill_value=True), pixels=pixels)
    std = np.where(np.isnan(found), centred.std(axis=1), found)
    return np.asarray(np.maximum(std, NOISE_FLOOR * np.median(std)))


def _coarse_start(cost: Cost, free: int) -> Floats:
    """The likeliest of a lattice of shifts, at the blur that the search starts from."""
    steps = np.arange(-SHIFT_LIMIT, SHIFT_LIMIT + 1e-9, COARSE_STEP)
    blur = [_unbounded(START_MTF)] * free
    points = [np.array([row, column, *blur]) for row in steps for column in steps]
    return min(points, key=cost)


def _refined(cost: Cost, start: Floats) -> Floats:
    simplex = np.vstack([start, *(start + step for step in np.diag([0.2, 0.2, 0.5, 0.5][: len(start)]))])
    options = {"initial_simplex": simplex, "xatol": 1e-3, "fatol": 0.05, "maxiter": 200}
    return np.asarray(optimize.minimize(cost, start, method="Nelder-Mead", options=options).x)


def _standard_errors(cost: Cost, best: Floats) -> Floats:
    """Each parameter's standard error, from the curvature of the likelihood along it; infinite where it is flat."""
    middle, errors = cost(best), np.full(len(best), np.inf)
    for index, step in enumerate([0.05, 0.05, 0.2, 0.2][: len(best)]):
        beside = [best + sign * step * np.eye(len(best))[index] for sign in (-1, 1)]
        curvature = (cost(beside[0]) + cost(beside[1]) - 2 * middle) / step**2
        if np.isfinite(curvature) and curvature > 0:
            errors[index] = 1 / np.sqrt(curvature)
    return errors


def _bounded(value: float) -> float:
    """Map any number to an MTF within its limits."""
    low, high = MTF_LIMITS
    return float(low + (high - low) / (1 + np.exp(-value)))


def _unbounded(mtf: float) -> float:
    low, high = MTF_LIMITS
    share = (mtf - low) / (high - low)
    return float(np.log(share / (1 - share)))


def _sigma_of(mtf: Sequence[float], ratio: tuple[float, float]) -> tuple[float, float]:
    return sigma_from_mtf(mtf[0], ratio[0]), sigma_from_mtf(mtf[1], ratio[1])


def _sigma_errors(best: Floats, error: Floats, ratio: tuple[float, float]) -> tuple[float, float]:
    widths = [
        _sigma_of([_bounded(best[2 + axis] + sign * min(error[2 + axis], 5.0)) for axis in (0, 1)], ratio)
        for sign in (-1, 1)
    ]
    rows, columns = (abs(low - high) / 2 for low, high in zip(*widths, strict=True))
    return rows, columns
