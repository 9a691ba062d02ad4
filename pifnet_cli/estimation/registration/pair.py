"""A pair's affine registration: from its georeferencing, or from nothing, to a fraction of an LR pixel."""

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from affine import Affine

from pifnet_cli.degrade.psf import DEFAULT_MTF, gaussian_from_mtf
from pifnet_cli.errors import GridError
from pifnet_cli.estimation.blur_and_shift import WINDOW, PairEstimate, estimate_fit, estimate_pair, pair_fit, untold
from pifnet_cli.estimation.blur_and_shift_fit import COARSE_STEP, SHIFT_LIMIT, START_MTF, BlurAndShift, BlurAndShiftFit
from pifnet_cli.estimation.local_shift import shift_spread
from pifnet_cli.estimation.registration.affine import CORRELATED, AffineEstimate, AffineFit
from pifnet_cli.estimation.registration.coarse_scene import WindowedScene
from pifnet_cli.estimation.registration.displacement import DisplacementFit, Places
from pifnet_cli.estimation.registration.search import best_places
from pifnet_cli.pair.alignment import AS_DELIVERED, Alignment, align, on_one_plane, share_a_map
from pifnet_cli.scene import OpenScene, Window

log = logging.getLogger(__name__)

ROUNDS = 3  # of blur and places, each given the other
SETTLED = 0.05  # LR pixels by which the last round moves no corner
COARSE_RATIO = 4  # HR pixels along an LR pixel that are left where both scenes are made small
LEAST_RATIO = 2  # likewise, at the least ratio that is tried
SEARCHED_LR = 26  # pixels of the LR-HSI along its mean side that are compared where nothing is known of its place
SEARCHED_HR = 512  # pixels along the longer side of the HR-MSI, likewise
RATIOS = 1 / 3, 2.0  # of the ratio of the sizes, which it would be if both showed the same ground
CANDIDATES = 6

SigmaOf = Callable[[Alignment], tuple[float, float] | None]


def register_pair(
    lr: WindowedScene, hr: WindowedScene, *, default_mtf: float, sigma_of: SigmaOf = lambda _: None
) -> PairEstimate:
    """Find the affine correction of where LR pixels lie, and the blur.

    Scenes that share no map are first looked for on each other, at every rotation and at all likely ratios.

    Args:
        lr: The LR-HSI.
        hr: The HR-MSI.
        default_mtf: At the LR Nyquist frequency, what the estimate is compared with.
        sigma_of: The blur in HR pixels, given how the scenes lie, where it is known.

    Raises:
        GridError: The pair does not tell, or the scenes do not overlap.
        ValueError: Too few LR pixels are valid in both scenes.
    """
    is_mapped = share_a_map(lr.scene, hr.scene)
    lr = replace(lr, scene=on_one_plane(lr.scene, hr.scene))
    start = _placed(lr, hr, AS_DELIVERED if is_mapped else _searched(lr, hr), is_mapped=is_mapped)
    near = _approached(lr, hr, start)
    for _ in range(ROUNDS):
        placed = _placed(lr, hr, near, is_mapped=is_mapped)
        fit, sigma = pair_fit(lr.read, hr.read, placed), sigma_of(placed)
        estimate = estimate_fit(fit, default_mtf=default_mtf, sigma=sigma)
        affine = _affine(fit, placed, estimate.fitted.best)
        near = affine.correction
        if corner_distance(placed, _placed(lr, hr, near, is_mapped=is_mapped)) < SETTLED:
            break
    _require_reliable(estimate, affine, lr, hr, is_mapped=is_mapped)
    if is_mapped and affine.is_shift:
        delivered = align(lr.scene, hr.scene)
        return estimate_pair(lr.read, hr.read, alignment=delivered, default_mtf=default_mtf, sigma=sigma)
    return replace(estimate, affine=affine)


def register_scenes(lr: OpenScene, hr: OpenScene, *, sigma_of: SigmaOf = lambda _: None) -> PairEstimate:
    """Find the affine correction of two open scenes by `register_pair`, with the default MTF, and log it.

    Raises:
        GridError: The pair does not tell.
    """
    scenes = WindowedScene(lr.scene, lr.read), WindowedScene(hr.scene, hr.read)
    try:
        found = register_pair(*scenes, default_mtf=DEFAULT_MTF, sigma_of=sigma_of)
    except ValueError as error:
        raise untold(lr.scene, hr.scene, error) from error
    if found.affine is None:
        log.info("found from the pair: no rotation, scale or shear beside a shift")
    else:
        log.info(
            "found from the pair: rotation %+.3f degrees, scale %.4f, %.4f (rows, columns), to %.3f LR pixels",
            found.affine.rotation_deg,
            *found.affine.scale,
            found.affine.place_error,
        )
    return found


def corner_distance(first: Alignment, second: Alignment) -> float:
    """LR pixels by which two placements of one LR-HSI lie apart at its corners, at most."""
    height, width = first.lr_grid.height, first.lr_grid.width
    corners = [Window(row, column, 1, 1) for row in (0, height - 1) for column in (0, width - 1)]
    apart = [
        np.hypot(before.rows.flat[0] - after.rows.flat[0], before.columns.flat[0] - after.columns.flat[0])
        for before, after in ((first.hr_positions(corner), second.hr_positions(corner)) for corner in corners)
    ]
    return float(max(apart) / first.ratio)


def _placed(lr: WindowedScene, hr: WindowedScene, correction: Affine, *, is_mapped: bool) -> Alignment:
    try:
        return align(lr.scene, hr.scene, correction=correction)
    except GridError as error:
        if is_mapped:
            raise
        raise GridError(_refusal(lr, hr, "no place stands out")) from error


def _affine(fit: BlurAndShiftFit, placed: Alignment, found: BlurAndShift) -> AffineEstimate:
    blurred = DisplacementFit(fit, sigma=found.sigma)
    return AffineFit(blurred, placed_by=placed.correction, shift=found.shift).estimate()


def _searched(lr: WindowedScene, hr: WindowedScene) -> Affine:
    """A correction, of scenes whose place on each other nobody knows; both are made small and compared whole."""
    mean_side = int(np.sqrt(lr.scene.grid.height * lr.scene.grid.width))
    factor, ratio = _factor(mean_side, SEARCHED_LR), align(lr.scene, hr.scene, correction=AS_DELIVERED).ratio
    fine = max(_factor(max(hr.scene.grid.height, hr.scene.grid.width), SEARCHED_HR),
               int(factor * RATIOS[0] * ratio / LEAST_RATIO))  # fmt: skip
    low, high = lr.coarse(factor), hr.coarse(fine)
    onto_hr = ~high.scene.grid.transform @ low.scene.grid.transform
    ratios = max(RATIOS[0] * ratio, 1.0) * factor / fine, RATIOS[1] * ratio * factor / fine
    places = best_places(low.pixels(), high.pixels(), ratios=ratios, count=CANDIDATES)
    starts = [AS_DELIVERED, *(place.lr_to_hr @ ~onto_hr for place in places)]
    found = [likely for start in starts if (likely := _likely(low, high, start)) is not None]
    best = max(found, key=lambda likely: likely.evidence, default=None)
    if best is None or best.correlation < CORRELATED:
        raise GridError(_refusal(lr, hr, "no place stands out"))
    return _at_finer(best.correction, fine)


def _approached(lr: WindowedScene, hr: WindowedScene, start: Alignment) -> Affine:
    """A correction to a fraction of an LR pixel; of large scenes in two steps, the first of all of both, made small."""
    near, factor = start.correction, _factor(max(start.lr_grid.height, start.lr_grid.width), 2 * WINDOW)
    fine = max(int(factor * start.ratio / COARSE_RATIO), 1)
    if factor > 1:
        coarse = _likely(lr.coarse(factor), hr.coarse(fine), _at_coarser(near, fine))
        near = _at_finer(coarse.correction, fine) if coarse is not None and coarse.is_reliable else near
    found = _likely(lr, hr, near)
    return found.correction if found is not None and found.is_reliable else near


def _likely(lr: WindowedScene, hr: WindowedScene, near: Affine) -> AffineEstimate | None:
    """The affine correction near one, the blur being a wide one; None where the scenes do not overlap so."""
    try:
        placed = align(lr.scene, hr.scene, correction=near)
        fit = pair_fit(lr.read, hr.read, placed)
        blur = gaussian_from_mtf(START_MTF, ratio_rows=fit.ratio[0], ratio_columns=fit.ratio[1])
        blurred = DisplacementFit(fit, sigma=blur.sigma)
        found = AffineFit(blurred, placed_by=near, shift=_likely_shift(blurred)).estimate()
    except (GridError, ValueError, np.linalg.LinAlgError):
        return None
    return found if found.correction.determinant > 0 else None


def _likely_shift(fit: DisplacementFit) -> tuple[float, float]:
    """The likeliest of a lattice of shifts, HR pixels."""
    steps = np.arange(-SHIFT_LIMIT, SHIFT_LIMIT + 1e-9, COARSE_STEP)
    shifts = [(float(down * fit.ratio[0]), float(right * fit.ratio[1])) for down in steps for right in steps]
    at = fit.places
    return max(shifts, key=lambda shift: fit.log_likelihood(Places(at.rows + shift[0], at.columns + shift[1])))


def _factor(side: int, largest: int) -> int:
    return -(-side // largest)


def _at_finer(correction: Affine, factor: int) -> Affine:
    """The correction in pixels of which `factor` make one of those that it is given in."""
    return Affine.scale(factor) @ correction @ Affine.scale(1 / factor)


def _at_coarser(correction: Affine, factor: int) -> Affine:
    return Affine.scale(1 / factor) @ correction @ Affine.scale(factor)


def _require_reliable(
    estimate: PairEstimate, affine: AffineEstimate, lr: WindowedScene, hr: WindowedScene, *, is_mapped: bool
) -> None:
    """Raise `GridError` where the LR-HSI would be placed by chance."""
    if affine.correlation < CORRELATED:
        raise GridError(_refusal(lr, hr, f"their correlation is {affine.correlation:.2f} at best, below {CORRELATED}"))
    if not (estimate.is_reliable and affine.is_reliable):
        raise GridError(_refusal(lr, hr, f"places are uncertain by {affine.place_error:.2f} LR pixels"))
    if not is_mapped and estimate.is_uneven:
        raise GridError(
            _refusal(lr, hr, f"parts of it contradict each other by {shift_spread(estimate.local):.2f} LR pixels")
        )


def _refusal(lr: WindowedScene, hr: WindowedScene, reason: str) -> str:
    return (
        f"{lr.scene.path}: its place on {hr.scene.path} cannot be found: {reason}; do both show the same ground? "
        f"georeference both and use --align shift"
    )
