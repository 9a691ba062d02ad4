"""Pairs of scenes of one analytic ground, on any two grids: what both sensors see, in closed form, not resampled."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from scenes import UTM_33N, write_scene

GSD = 10.0  # metres, of an HR pixel
NORTH_UP = Affine(GSD, 0.0, 365000.0, 0.0, -GSD, 5807000.0)
SOUTH_UP = Affine(GSD, 0.0, 365000.0, 0.0, GSD, 5807000.0)
NODATA = -9999.0
NOWHERE_ELSE = Affine.identity()


class Ground:
    """Waves of many lengths and directions that all bands share, each a little in its own way; values 0.1 to 0.9.

    A Gaussian blur only lowers a wave, so a sensor's pixel is the lowered waves at its centre.
    """

    def __init__(self, bands: int, *, seed: int = 0, waves: int = 16) -> None:
        rng = np.random.default_rng(seed)
        lengths = GSD * np.geomspace(5, 90, waves)
        directions = rng.uniform(0, 2 * np.pi, waves)
        self._numbers = 2 * np.pi / lengths * np.stack([np.cos(directions), np.sin(directions)])  # (2, K), per metre
        self._phases = rng.uniform(0, 2 * np.pi, waves)
        heights = lengths**0.5 * rng.uniform(0.6, 1.4, waves)
        strength = 0.6 + 0.4 * np.sin(np.linspace(0.3, 3.0, bands))[:, None]
        own = 0.12 * np.sin(np.linspace(0, 3, bands)[:, None] * rng.uniform(0.5, 1.5, waves) + self._phases)
        amplitudes = heights * strength * (1 + own)
        self._amplitudes = 0.3 * amplitudes / amplitudes.sum(axis=1).max()
        self._mean = 0.4 + 0.1 * np.cos(np.linspace(0, 4, bands))

    def seen(self, transform: Affine, height: int, width: int, *, sigma: float = 0.0) -> NDArray[np.float32]:
        """(C, height, width): samples at pixel centres, blurred by a Gaussian of `sigma` metres."""
        columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
        x, y = transform @ (columns, rows)
        angles = np.tensordot(np.stack([x - 365000, y - 5807000]), self._numbers, (0, 0)) + self._phases
        lowered = self._amplitudes * np.exp(-0.5 * sigma**2 * np.square(self._numbers).sum(axis=0))
        image = np.moveaxis(np.cos(angles) @ lowered.T, -1, 0)
        return (self._mean[:, None, None] + image).astype(np.float32)


class Texture(Ground):
    """As sharp and as varied as land is: hundreds of waves, each of a few materials at random; values about 0.4."""

    def __init__(self, bands: int, *, seed: int = 0, waves: int = 240, materials: int = 4) -> None:
        rng = np.random.default_rng(seed)
        lengths = GSD * np.geomspace(4, 120, waves)
        directions = rng.uniform(0, 2 * np.pi, waves)
        self._numbers = 2 * np.pi / lengths * np.stack([np.cos(directions), np.sin(directions)])
        self._phases = rng.uniform(0, 2 * np.pi, waves)
        place = np.linspace(0, 1, bands)[:, None]
        spectra = 0.2 + np.exp(-np.square((place - rng.uniform(0, 1, materials)) / 0.3))  # (C, materials)
        amplitudes = spectra @ rng.normal(size=(materials, waves)) * np.sqrt(lengths)
        self._amplitudes = 0.08 * amplitudes / np.sqrt(np.square(amplitudes).sum(axis=1) / 2).max()
        self._mean = 0.4 + 0.1 * np.cos(np.linspace(0, 4, bands))


def noisy(image: NDArray[np.float32], snr_db: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """White noise in every band, so many decibels below its mean square."""
    strength = np.sqrt(np.square(image).mean(axis=(1, 2), keepdims=True)) * 10 ** (-snr_db / 20)
    return (image + strength * rng.normal(size=image.shape)).astype(np.float32)


def responses(bands: int, msi: int) -> NDArray[np.float64]:
    """(M, C), rows sum to one: overlapping boxes of neighbouring bands."""
    centres, width = np.linspace(0, bands - 1, msi), max(bands / msi, 1.0)
    weights = (np.abs(np.arange(bands) - centres[:, None]) <= width).astype(np.float64)
    return weights / weights.sum(axis=1, keepdims=True)


def write_pair(
    folder: Path,
    *,
    bands: int = 7,
    msi: int = 3,
    hr_size: tuple[int, int] = (61, 83),
    hr_transform: Affine = NORTH_UP,
    lr_transform: Affine | None = None,
    lr_size: tuple[int, int] | None = None,
    ratio: float = 4.0,
    mtf: float = 0.3,
    ground: Ground | None = None,
    displaced: tuple[float, float] = (0.0, 0.0),
    misplaced: Affine = NOWHERE_ELSE,
    is_bare: bool = False,
    snr_db: tuple[float, float] | None = None,
    wavelengths: Sequence[float] | None = None,
    spoil=None,
) -> tuple[Path, Path, NDArray[np.float32]]:
    """Write `lr.tif` and `hr.tif` and return their paths with the truth (C, H, W) on the HR grid.

    Args:
        lr_transform: Where the LR-HSI lies; by default it shares the HR-MSI's corner.
        lr_size: By default what covers the HR-MSI.
        ratio: GSD of LR-HSI over that of HR-MSI, which the blur follows.
        ground: By default a few waves.
        displaced: LR pixels (down, right) by which the LR-HSI shows what lies beyond where it says.
        misplaced: Where LR pixels lie, given where they say, (column, row) in HR pixels.
        is_bare: Neither file tells where it lies.
        snr_db: Of the LR-HSI and the HR-MSI; by default they have no noise.
        wavelengths: Of the LR-HSI, nanometres.
        spoil: Called with the LR-HSI and the HR-MSI, to be written over with `NODATA` in places.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ground = ground or Ground(bands)
    truth = ground.seen(hr_transform, *hr_size)
    hr_msi = np.einsum("mc,chw->mhw", responses(bands, msi), truth).astype(np.float32)
    sigma = GSD * ratio / math.pi * math.sqrt(-2 * math.log(mtf))
    size = lr_size or tuple(math.ceil(side / ratio) for side in hr_size)
    there = lr_transform or hr_transform @ Affine.scale(ratio)
    seen_from = hr_transform @ misplaced @ ~hr_transform @ there
    lr_hsi = ground.seen(seen_from @ Affine.translation(displaced[1], displaced[0]), *size, sigma=sigma)
    if snr_db is not None:
        rng = np.random.default_rng(1)
        lr_hsi, hr_msi = noisy(lr_hsi, snr_db[0], rng), noisy(hr_msi, snr_db[1], rng)
    if spoil is not None:
        spoil(lr_hsi, hr_msi)
    nodata = {"nodata": NODATA, "crs": None if is_bare else UTM_33N}
    lr = write_scene(folder / "lr.tif", lr_hsi, transform=None if is_bare else there, wavelengths=wavelengths, **nodata)
    hr = write_scene(folder / "hr.tif", hr_msi, transform=None if is_bare else hr_transform, **nodata)
    return lr, hr, truth
