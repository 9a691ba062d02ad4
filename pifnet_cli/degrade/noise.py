"""Noise at a stated SNR: drawn from a given generator, or addressed by position so that blocks do not matter."""

from enum import IntEnum

import numpy as np
from numpy.random import Generator, Philox, SeedSequence
from numpy.typing import NDArray

from pifnet_cli.scene import Pixels, Window

CELL = 32  # pixels; the noise of a cell is drawn at once, whichever blocks it falls into


class NoiseStream(IntEnum):
    """Which image a noise belongs to; streams of one seed are independent."""

    LR_HSI = 0
    HR_MSI = 1


def noise_std_at_snr(mean_squares: NDArray[np.float64], snr_db: float | None) -> NDArray[np.float32]:
    """Standard deviation that puts noise `snr_db` below the signal's RMS, per band.

    Args:
        mean_squares: (C,) of the noise-free signal over its valid pixels; NaN for bands without any.
        snr_db: 20 log10(RMS of signal / RMS of noise); None for no noise.

    Returns:
        (C,); 0 where there is no noise, no valid pixel or no signal.
    """
    if snr_db is None:
        return np.zeros(len(mean_squares), dtype=np.float32)
    std = np.sqrt(np.nan_to_num(mean_squares)) * 10 ** (-snr_db / 20)
    return std.astype(np.float32)


def with_noise(image: Pixels, snr_db: float | None, rng: Generator) -> Pixels:
    """A copy of the whole image (C, H, W) with noise; its own RMS, per band, is the signal. NaN stays NaN."""
    if snr_db is None:
        return image
    valid = ~np.isnan(image)
    power = np.where(valid, image, 0).astype(np.float64) ** 2
    mean_squares = power.sum(axis=(1, 2)) / np.maximum(valid.sum(axis=(1, 2)), 1)
    return with_noise_of(image, noise_std_at_snr(mean_squares, snr_db), rng)


def with_noise_of(image: Pixels, std: NDArray[np.float32], rng: Generator) -> Pixels:
    """The image (C, H, W) with noise of these standard deviations (C,); itself where all are 0. NaN stays NaN."""
    if not std.any():
        return image
    return image + std[:, None, None] * rng.standard_normal(image.shape, dtype=np.float32)


def window_noise(window: Window, *, bands: int, seed: int, stream: NoiseStream) -> Pixels:
    """Standard normal noise of a window; every pixel's value depends on its position, `seed` and `stream` alone.

    Args:
        window: Pixels of the image that the noise is for; inside it.
        bands: All bands of that image.
        seed: 0 or more.
        stream: Which image.

    Returns:
        (bands, height, width).
    """
    noise = np.empty((bands, window.height, window.width), dtype=np.float32)
    row, column = window.row // CELL * CELL, window.column // CELL * CELL
    for cell in Window.between(row, column, window.bottom, window.right).blocks(CELL):
        drawn = _cell_noise(cell, bands=bands, seed=seed, stream=stream)
        shared = cell.intersection(window)
        noise[:, *shared.relative_to(window).slices] = drawn[:, *shared.relative_to(cell).slices]
    return noise


def _cell_noise(cell: Window, *, bands: int, seed: int, stream: NoiseStream) -> Pixels:
    key = SeedSequence(seed, spawn_key=(int(stream), cell.row // CELL, cell.column // CELL))
    return Generator(Philox(key)).standard_normal((bands, CELL, CELL), dtype=np.float32)
