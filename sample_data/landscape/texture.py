"""Random fields and partitions: fractal noise, jittered intervals, warped cells."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.fft import irfft2, next_fast_len, rfft2
from scipy.spatial import cKDTree

Field = NDArray[np.float32]


def fractal_field(rng: Generator, shape: tuple[int, int], *, slope: float, finest: float = 0.0) -> Field:
    """Gaussian noise whose amplitude falls as frequency ** -slope; mean 0, standard deviation 1.

    Args:
        rng: Consumed: one normal number per pixel of a grid a quarter larger.
        shape: Height and width.
        slope: 0 is white; 1 clouds; 2 smooth hills.
        finest: Standard deviation of an additional Gaussian blur, in pixels.

    Returns:
        (H, W), not periodic.
    """
    height, width = (next_fast_len(int(1.25 * side) + 8, real=True) for side in shape)
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None]
    squared = (rows**2 + columns**2).astype(np.float32)
    squared[0, 0] = np.inf
    gain = squared ** np.float32(-slope / 2) * np.exp(-2 * np.float32((np.pi * finest) ** 2) * np.minimum(squared, 1))
    noise = irfft2(rfft2(rng.standard_normal((height, width), dtype=np.float32)) * gain, s=(height, width))
    field = noise[: shape[0], : shape[1]]
    spread = field.std()
    return ((field - field.mean()) / (spread if spread > 0 else 1.0)).astype(np.float32)


def intervals(
    rng: Generator, positions: Field, *, mean: float, spread: float
) -> tuple[NDArray[np.int64], Field, Field]:
    """Cut a line into pieces of log-normal length.

    Args:
        rng: Consumed: one number per piece.
        positions: Any shape, in metres along the line.
        mean: Median length of a piece, in metres.
        spread: Standard deviation of its logarithm.

    Returns:
        For every position: number of its piece, distance from the lower end, length of the piece.
    """
    low, high = float(positions.min()), float(positions.max())
    lengths = mean * np.exp(spread * rng.standard_normal(int(2 * (high - low) / mean) + 8))
    edges = low - mean * rng.random() + np.concatenate([[0.0], np.cumsum(lengths)])
    while edges[-1] <= high:  # an unlucky draw of short pieces
        edges = np.append(edges, edges[-1] + mean)
    index = np.searchsorted(edges, positions, side="right") - 1
    index = np.clip(index, 0, len(edges) - 2)
    lower = edges[index]
    return index, (positions - lower).astype(np.float32), (edges[index + 1] - lower).astype(np.float32)


def nearest_seed(rng: Generator, place: tuple[Field, Field], *, size: float) -> NDArray[np.int64]:
    """Voronoi cells of about `size` metres across.

    Args:
        rng: Consumed: two numbers per cell.
        place: Coordinates x and y, (H, W) each, in metres.
        size: Side of a square of the mean area of a cell.

    Returns:
        (H, W), the number of the nearest seed.
    """
    x, y = place
    west, east, north, south = float(x.min()), float(x.max()), float(y.min()), float(y.max())
    count = max(2, int((east - west) * (south - north) / size**2) + 1)
    seeds = np.stack([rng.uniform(west, east, count), rng.uniform(north, south, count)], axis=1)
    nearest: NDArray[np.int64] = cKDTree(seeds).query(np.stack(place, axis=-1))[1].astype(np.int64)
    return nearest
