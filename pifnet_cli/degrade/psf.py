"""Point spread functions: Gaussians and their MTF, and the operators that blur and decimate on the fine grid.

HR coordinates count pixels from the centre of the first one: pixel p covers p - 0.5 to p + 0.5.
"""

from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import scipy.sparse
from numpy.typing import ArrayLike, NDArray

from pifnet_cli.choices import Protocol

Number = TypeVar("Number", bound=np.floating[Any])

DEFAULT_MTF = 0.3  # at the LR Nyquist frequency, where nobody says more
PAPER_SIGMA = 0.5
PAPER_TAPS = 3
MINIMUM_VALID = 0.95
"""Share of a PSF's weight that must fall on valid pixels, else the sample is invalid."""

FULLY_VALID = 1 - 1e-5  # float32 weights of a PSF over valid pixels alone sum to one within a few 1e-7
BANDS_AT_ONCE = 32  # bounds the transposed copies, whatever the number of bands


@dataclass(frozen=True, slots=True)
class Psf:
    """A separable Gaussian; standard deviations in HR pixels.

    `taps` is the fixed number of taps of a kernel that is sampled on whole pixels; None means that the kernel
    reaches as far as its Gaussian matters.
    """

    sigma_rows: float
    sigma_columns: float
    taps: int | None = None

    @property
    def sigma(self) -> tuple[float, float]:
        """Standard deviations along rows and columns."""
        return self.sigma_rows, self.sigma_columns

    def mtf_at_nyquist(self, ratio: tuple[float, float]) -> tuple[float, float]:
        """Frequency response at the LR Nyquist frequency, along rows and columns.

        Args:
            ratio: Sides of an LR pixel in HR pixels, rows and columns.
        """
        return mtf_from_sigma(self.sigma_rows, ratio[0]), mtf_from_sigma(self.sigma_columns, ratio[1])

    @property
    def noise_gain(self) -> float:
        """Variance that is left of white noise of variance one, where samples lie on pixel centres."""
        side = 4 * self.radius + 1
        axes = (axis_sampling_matrix(side, [side // 2], sigma=sigma, radius=self.radius)
                for sigma in self.sigma)  # fmt: skip
        rows, columns = (float(np.square(axis.toarray()).sum()) for axis in axes)
        return rows * columns

    @property
    def radius(self) -> int:
        """HR pixels needed on either side of a centre."""
        if self.taps is not None:
            return self.taps // 2
        return int(np.ceil(4 * max(self.sigma))) + 1


def psf_of(protocol: Protocol, mtf_at_nyquist: float, *, ratio_rows: float, ratio_columns: float) -> Psf:
    """The blur of a sensor model.

    Args:
        protocol: `paper` has a kernel of its own.
        mtf_at_nyquist: Above 0, below 1; unused by `paper`.
        ratio_rows: LR pixel height in HR pixels.
        ratio_columns: LR pixel width in HR pixels.
    """
    match protocol:
        case Protocol.PAPER:
            return paper_psf()
        case Protocol.MTF:
            return gaussian_from_mtf(mtf_at_nyquist, ratio_rows=ratio_rows, ratio_columns=ratio_columns)


def paper_psf() -> Psf:
    """The 3 x 3 Gaussian of the PIF-Net protocol: weights 0.1065, 0.7870, 0.1065 along each axis."""
    return Psf(sigma_rows=PAPER_SIGMA, sigma_columns=PAPER_SIGMA, taps=PAPER_TAPS)


def gaussian_from_mtf(mtf_at_nyquist: float, *, ratio_rows: float, ratio_columns: float) -> Psf:
    """The Gaussian whose frequency response at the LR Nyquist frequency is `mtf_at_nyquist` along both axes.

    Args:
        mtf_at_nyquist: Above 0, below 1.
        ratio_rows: LR pixel height in HR pixels.
        ratio_columns: LR pixel width in HR pixels.
    """
    return Psf(sigma_from_mtf(mtf_at_nyquist, ratio_rows), sigma_from_mtf(mtf_at_nyquist, ratio_columns))


def sigma_from_mtf(mtf_at_nyquist: float, side: float) -> float:
    """Standard deviation of the Gaussian with a given response at the Nyquist frequency of LR pixels.

    `gaussian_mtf` at 1 / (2 side) cycles per HR pixel, solved for sigma: side / pi sqrt(-2 ln mtf).

    Args:
        mtf_at_nyquist: Above 0, below 1.
        side: Of an LR pixel, in HR pixels, along the same axis.

    Returns:
        HR pixels.
    """
    return float(np.sqrt(-2 * np.log(mtf_at_nyquist)) / np.pi) * side


def mtf_from_sigma(sigma: float, side: float) -> float:
    """Response of a Gaussian at the Nyquist frequency of LR pixels: the inverse of `sigma_from_mtf`.

    Args:
        sigma: Standard deviation, HR pixels, 0 or more.
        side: Of an LR pixel, in HR pixels, along the same axis.
    """
    return float(np.exp(-0.5 * np.square(np.pi * sigma / side)))


def gaussian_mtf(frequency: NDArray[np.float64], sigma: float) -> NDArray[np.float64]:
    """Frequency response of a Gaussian, exp(-2 (pi sigma f)^2), in the shape of `frequency`.

    Args:
        frequency: Cycles per pixel.
        sigma: Standard deviation in the same pixels.
    """
    return np.asarray(np.exp(-2 * np.square(np.pi * sigma * frequency)))


def axis_sampling_matrix(count: int, centres: ArrayLike, *, sigma: float, radius: int) -> scipy.sparse.csr_array:
    """The operator that blurs an axis and samples it at real positions.

    The Gaussian is evaluated at the distance of every pixel from the centre, up to `radius` + 0.5, and tilted so that
    its centroid is the centre itself: a ramp is sampled at its exact position however narrow the Gaussian is. (The
    tilt is zero on whole and half pixels, and at most a few 1e-9 for sigma of one pixel.)

    Args:
        count: Pixels along the axis.
        centres: (n,) HR coordinates; may lie outside the axis.
        sigma: Standard deviation, HR pixels, above 0.
        radius: HR pixels on either side of a centre.

    Returns:
        (n, count), float64; rows sum to 1. The axis goes on as its mirror image, without repeating the border pixel.
    """
    at = np.asarray(centres, dtype=np.float64)
    pixels = np.floor(at + 0.5)[:, None] + np.arange(-radius - 1, radius + 1)  # (n, T)
    distances = pixels - at[:, None]
    squares = distances**2
    weights = np.exp(-0.5 * (squares - squares.min(axis=1, keepdims=True)) / sigma**2)
    weights[np.abs(distances) > radius + 0.5] = 0
    spread = (weights * squares).sum(axis=1, keepdims=True)
    offset = (weights * distances).sum(axis=1, keepdims=True)
    weights *= 1 - distances * np.divide(offset, spread, out=np.zeros_like(offset), where=spread > 0)
    weights /= weights.sum(axis=1, keepdims=True)
    row, tap = np.nonzero(weights)
    column = _mirrored(pixels[row, tap].astype(np.int64), count)
    # Duplicates (mirrored taps) are summed, columns sorted: a fixed order, so results do not depend on blocks.
    return scipy.sparse.csr_array(
        scipy.sparse.coo_array((weights[row, tap], (row, column)), shape=(len(at), count)), dtype=np.float64
    )


def trimmed(matrix: scipy.sparse.csr_array) -> tuple[scipy.sparse.csr_array, slice]:
    """The operator on the pixels it uses alone, and the slice of the axis that holds them.

    Raises:
        ValueError: The operator has no samples.
    """
    span = slice(int(matrix.indices.min()), int(matrix.indices.max()) + 1)
    return matrix[:, span], span


def degrade_separable(
    image: NDArray[Number],
    rows: scipy.sparse.csr_array,
    columns: scipy.sparse.csr_array,
    *,
    minimum_valid: float = MINIMUM_VALID,
) -> NDArray[Number]:
    """Blur and sample along both axes; NaN pixels count as absent.

    Args:
        image: (B, H, W), invalid pixels NaN, band by band.
        rows: (h, H), from `axis_sampling_matrix`.
        columns: (w, W), likewise.
        minimum_valid: Share of the PSF's weight that must fall on valid pixels.

    Returns:
        (B, h, w) in the type of `image`: the weighted mean of the valid pixels, NaN where they are too few.
    """
    rows, columns = rows.astype(image.dtype), columns.astype(image.dtype)
    sampled = np.empty((image.shape[0], rows.shape[0], columns.shape[0]), dtype=image.dtype)
    for first in range(0, image.shape[0], BANDS_AT_ONCE):
        part = slice(first, first + BANDS_AT_ONCE)
        sampled[part] = _sampled_valid(image[part], rows, columns, minimum_valid)
    return sampled


def _sampled_valid(
    image: NDArray[Number], rows: scipy.sparse.csr_array, columns: scipy.sparse.csr_array, minimum_valid: float
) -> NDArray[Number]:
    invalid = np.isnan(image)
    if not invalid.any():
        return _sampled(image, rows, columns)
    total = _sampled(np.where(invalid, image.dtype.type(0), image), rows, columns)
    weight = _sampled((~invalid).astype(image.dtype), rows, columns)
    # Samples without an invalid pixel are left as they are: they must not depend on what else the block holds.
    partial = weight < FULLY_VALID
    total[partial] /= np.maximum(weight[partial], minimum_valid)
    total[weight < minimum_valid] = np.nan
    return total


def _sampled(image: NDArray[Number], rows: scipy.sparse.csr_array, columns: scipy.sparse.csr_array) -> NDArray[Number]:
    bands, height, width = image.shape
    (h, w) = rows.shape[0], columns.shape[0]
    stacked = rows @ image.transpose(1, 0, 2).reshape(height, bands * width)  # (h, B W)
    turned = stacked.reshape(h, bands, width).transpose(2, 0, 1).reshape(width, h * bands)
    sampled = columns @ turned  # (w, h B)
    return np.ascontiguousarray(sampled.reshape(w, h, bands).transpose(2, 1, 0))


def _mirrored(pixels: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    if count == 1:
        return np.zeros_like(pixels)
    period = 2 * (count - 1)
    position = np.abs(pixels) % period
    return np.where(position < count, position, period - position)
