"""Where the LR-HSI lies on the HR-MSI when nothing is known: every rotation and scale, and every place at once.

For each rotation and scale the LR-HSI's leading components are regressed on the HR-MSI's, at all places by Fourier
transforms of masked sums (as in Padfield, "Masked object registration in the Fourier domain", IEEE TIP 21, 2012).
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from scipy import fft, ndimage

from pifnet_cli.estimation.blur_and_shift_fit import Floats, component_scores
from pifnet_cli.scene import Pixels

Transformed = NDArray[np.complexfloating]

LEADING = 3  # components of either scene
STEP = 2.0  # LR pixels by which the LR-HSI's corners move from one rotation or scale to the next
BLUR = 1.0  # LR pixels, standard deviation: so that the steps do not miss a peak
OVERLAP = 0.4  # share of the smaller scene that must lie on the other
CERTAIN = 1e-4  # share of variance that is left at least
FLAT = 1e-3  # variance, of one over all of a scene, below which there is nothing to compare


class Place(NamedTuple):
    """A place of the LR-HSI on the HR-MSI, and how likely it is.

    Attributes:
        lr_to_hr: (column, row) in LR pixels -> in HR pixels, both from the upper left corner.
        score: Log-likelihood over scenes that have nothing to do with each other.
    """

    lr_to_hr: Affine
    score: float


class _Planes(NamedTuple):
    """Components (K, H, W), zero where invalid, and a mask (H, W), one where valid."""

    values: Pixels
    valid: Pixels


def best_places(lr_hsi: Pixels, hr_msi: Pixels, *, ratios: tuple[float, float], count: int) -> list[Place]:
    """The likeliest places at different rotations and scales, best first.

    Args:
        lr_hsi: (C, h, w), NaN where invalid; some tens of pixels along a side.
        hr_msi: (M, H, W), likewise.
        ratios: The least and the largest side of an LR pixel in HR pixels that is tried.
        count: How many.

    Raises:
        ValueError: Too few LR pixels are valid.
    """
    lr = _leading(lr_hsi)
    hr = _leading(hr_msi)
    reach = float(np.hypot(*lr_hsi.shape[1:])) / 2  # LR pixels from the middle to a corner
    angles = np.linspace(-180, 180, int(np.ceil(2 * np.pi * reach / STEP)), endpoint=False)
    scales = np.geomspace(*ratios, int(np.ceil(np.log(ratios[1] / ratios[0]) * reach / STEP)) + 1)
    turned = [_turned(lr, float(angle)) for angle in angles]
    found = [place for scale in scales for place in _places_at(turned, angles, hr, float(scale), lr_hsi.shape[1:])]
    return sorted(found, key=lambda place: -place.score)[:count]


def _leading(image: Pixels) -> _Planes:
    (scores,), _ = component_scores([image])
    is_valid = np.isfinite(scores).all(axis=0)
    planes = np.where(is_valid, scores[:LEADING], 0.0)
    scale = np.maximum(planes.std(axis=(1, 2), keepdims=True), 1e-30)
    return _Planes(np.asarray(planes / scale, dtype=np.float32), np.asarray(is_valid, dtype=np.float32))


def _turned(lr: _Planes, angle: float) -> _Planes:
    """The LR-HSI on a square, turned about its middle from columns towards rows."""
    height, width = lr.valid.shape
    side = int(np.ceil(np.hypot(height, width))) + 2
    middle = (
        Affine.translation(width / 2, height / 2) @ Affine.rotation(-angle) @ Affine.translation(-side / 2, -side / 2)
    )
    columns, rows = middle @ tuple(np.meshgrid(np.arange(side) + 0.5, np.arange(side) + 0.5))
    return _sampled(lr, rows - 0.5, columns - 0.5, BLUR)


def _sampled(planes: _Planes, rows: Floats, columns: Floats, sigma: float) -> _Planes:
    """Blurred over the valid pixels, then interpolated."""
    share = ndimage.gaussian_filter(planes.valid, sigma, mode="nearest")
    blurred = [
        ndimage.gaussian_filter(plane, sigma, mode="nearest") / np.maximum(share, 1e-6) for plane in planes.values
    ]
    linear = {"order": 1, "mode": "constant", "cval": 0.0}
    is_valid = ndimage.map_coordinates(planes.valid, (rows, columns), **linear) > 0.5
    values = np.stack([ndimage.map_coordinates(plane, (rows, columns), **linear) for plane in blurred])
    return _Planes((values * is_valid).astype(np.float32), is_valid.astype(np.float32))


def _places_at(
    turned: list[_Planes], angles: Floats, hr: _Planes, scale: float, lr_size: tuple[int, ...]
) -> Iterator[Place]:
    """The best place for every rotation, at one scale."""
    height, width = (int(side / scale) for side in hr.valid.shape)
    if min(height, width) < 2:
        return
    rows, columns = np.meshgrid(
        (np.arange(height) + 0.5) * scale - 0.5, (np.arange(width) + 0.5) * scale - 0.5, indexing="ij"
    )
    coarse = _sampled(hr, rows, columns, scale * np.hypot(BLUR, 0.5))
    side = turned[0].valid.shape[0]
    size = fft.next_fast_len(height + side, real=True), fft.next_fast_len(width + side, real=True)
    pairs = [(i, j) for i in range(LEADING) for j in range(i + 1) if i < len(coarse.values)]
    theirs = fft.rfft2(
        np.stack([coarse.valid, *coarse.values, *(coarse.values[i] * coarse.values[j] for i, j in pairs)]), size
    )
    for angle, ours in zip(angles, turned, strict=True):
        score, (row, column) = _best_shift(ours, theirs, len(coarse.values), size, float(coarse.valid.sum()))
        row, column = row - size[0] if row >= height else row, column - size[1] if column >= width else column
        onto = Affine.translation(column + side / 2, row + side / 2) @ Affine.rotation(float(angle))
        lr_to_hr = Affine.scale(scale) @ onto @ Affine.translation(-lr_size[1] / 2, -lr_size[0] / 2)
        yield Place(lr_to_hr, score)


def _best_shift(
    ours: _Planes, theirs: Transformed, count: int, size: tuple[int, int], pixels: float
) -> tuple[float, tuple[int, int]]:
    """The likeliest place of one image on another, rows down and columns right, by sums over what overlaps."""
    planes = fft.rfft2(np.stack([ours.valid, *ours.values, *np.square(ours.values)]), size).conj()
    kept, bands = len(ours.values), slice(1, 1 + count)
    number = fft.irfft2(planes[0] * theirs[0], size)
    where = np.nonzero(number >= OVERLAP * min(ours.valid.sum(), pixels))
    if not len(where[0]):
        return 0.0, (0, 0)
    number = number[where]

    def sums(left: Transformed, right: Transformed) -> Floats:
        return np.asarray(fft.irfft2(left * right, size)[..., where[0], where[1]] / number)

    mean_x, mean_y = sums(planes[1 : 1 + kept], theirs[0]), sums(planes[0], theirs[bands])
    spread_x = sums(planes[1 + kept :], theirs[0]) - np.square(mean_x)
    both = np.stack([sums(plane, theirs[bands]) for plane in planes[1 : 1 + kept]]) - mean_x[:, None] * mean_y
    products = sums(planes[0], theirs[1 + count :])
    explained = _explained(products, mean_y, both)
    left = np.clip(1 - explained / np.maximum(spread_x, FLAT), CERTAIN, 1)
    score = -0.5 * number * np.log(left).sum(axis=0)
    best = int(np.argmax(score))
    return float(score[best]), (int(where[0][best]), int(where[1][best]))


def _explained(products: Floats, means: Floats, both: Floats) -> Floats:
    """(K, T): variance that a regression explains, by Cholesky factors of all T places at once.

    Args:
        products: (M (M + 1) / 2, T), mean products of the explaining bands, row by row of a lower triangle.
        means: (M, T) of them.
        both: (K, M, T), covariances.
    """
    count = len(means)
    lower: dict[tuple[int, int], Floats] = {}
    solved: list[Floats] = []
    for i in range(count):
        left = both[:, i]
        for j in range(i + 1):
            value = products[i * (i + 1) // 2 + j] - means[i] * means[j]
            value = value - sum((lower[i, k] * lower[j, k] for k in range(j)), np.zeros_like(value))
            lower[i, j] = np.sqrt(np.maximum(value, FLAT)) if i == j else value / lower[j, j]
        for k in range(i):
            left = left - lower[i, k] * solved[k]
        solved.append(left / lower[i, i])
    return np.asarray(np.square(np.stack(solved)).sum(axis=0))
