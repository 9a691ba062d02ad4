"""First and second moments of a scene pair at LR, gathered in one pass; what training-free methods are solved from."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pifnet_models.units import unit_factor

Floats = NDArray[np.floating]
Array64 = NDArray[np.float64]

FEW = 0.1  # of the fullest band's pixels, below which a band's few say nothing of how it varies


@dataclass(frozen=True, slots=True, eq=False)
class SceneMoments:
    """Statistics of X, the LR-HSI, and of down(Y), the HR-MSI as the hyperspectral sensor samples it.

    They are taken over the LR pixels that are valid in all MSI bands, those of two hyperspectral bands over the pixels
    that are valid in both. A band with less than a tenth of the fullest band's pixels counts as flat.

    Attributes:
        hsi_mean: (C,); NaN for dead bands.
        msi_mean: (M,).
        covariance: (C + M, C + M), hyperspectral bands first; no eigenvalue is negative. Zero for dead and flat bands.
        hsi_minimum: (C,); NaN for dead bands.
        msi_minimum: (M,).
        hsi_live: (C,), False for a band without a valid pixel.
        pixels: LR pixels of the fullest hyperspectral band, at least one.
    """

    hsi_mean: Array64
    msi_mean: Array64
    covariance: Array64
    hsi_minimum: Array64
    msi_minimum: Array64
    hsi_live: NDArray[np.bool_]
    pixels: int

    @property
    def hsi_covariance(self) -> Array64:
        """(C, C)."""
        bands = len(self.hsi_mean)
        return self.covariance[:bands, :bands]

    @property
    def msi_covariance(self) -> Array64:
        """(M, M)."""
        bands = len(self.hsi_mean)
        return self.covariance[bands:, bands:]

    @property
    def cross_covariance(self) -> Array64:
        """(C, M), of every hyperspectral band with every multispectral one."""
        bands = len(self.hsi_mean)
        return self.covariance[:bands, bands:]

    def of_bands(self, bands: NDArray[np.bool_]) -> "SceneMoments":
        """Those of some hyperspectral bands, a mask (C,)."""
        kept = np.r_[bands, np.ones(len(self.msi_mean), dtype=np.bool_)]
        return replace(
            self,
            hsi_mean=self.hsi_mean[bands],
            covariance=self.covariance[np.ix_(kept, kept)],
            hsi_minimum=self.hsi_minimum[bands],
            hsi_live=self.hsi_live[bands],
        )

    def with_msi_times(self, factor: float) -> "SceneMoments":
        """Those of a pair whose HR-MSI is in another unit."""
        scale = np.r_[np.ones(len(self.hsi_mean)), np.full(len(self.msi_mean), factor)]
        return replace(
            self,
            msi_mean=self.msi_mean * factor,
            covariance=self.covariance * np.outer(scale, scale),
            msi_minimum=self.msi_minimum * factor,
        )

    @property
    def unit_factor(self) -> float:
        """What brings an HR-MSI in another unit near the LR-HSI's values; see `pifnet_models.units`."""
        live = self.hsi_live
        return unit_factor(
            hsi_rms=_rms(self.hsi_mean[live], self.hsi_covariance.diagonal()[live]),
            msi_rms=_rms(self.msi_mean, self.msi_covariance.diagonal()),
        )


def _rms(mean: Array64, variance: Array64) -> float:
    return float(np.sqrt(np.mean(np.square(mean) + variance)))


class MomentSums:
    """Moments over blocks of LR pixels that may come in any order.

    Sums are of differences to the mean that a band had in the first block that showed it: a large offset costs no
    digits.
    """

    def __init__(self, *, hsi_bands: int, msi_bands: int) -> None:
        size = hsi_bands + msi_bands
        self._hsi_bands = hsi_bands
        self._origin = np.full(size, np.nan)
        self._minimum = np.full(size, np.inf)
        self._count = np.zeros((size, size))  # pixels where both bands are valid
        self._total = np.zeros((size, size))  # of the first band, where the second is valid as well
        self._product = np.zeros((size, size))

    def add(self, lr_hsi: Floats, msi_low: Floats) -> None:
        """Take in a block: (C, P) and (M, P), NaN where invalid."""
        is_used = np.isfinite(msi_low).all(axis=0) & np.isfinite(lr_hsi).any(axis=0)
        if not is_used.any():
            return
        values = np.concatenate([lr_hsi[:, is_used], msi_low[:, is_used]]).astype(np.float64)
        known = np.isfinite(values)
        live = known.any(axis=1)
        self._minimum = np.minimum(self._minimum, np.where(known, values, np.inf).min(axis=1))
        values[~known] = 0.0
        is_new = live & np.isnan(self._origin)
        self._origin[is_new] = values[is_new].sum(axis=1) / known[is_new].sum(axis=1)
        values[live] -= self._origin[live, None]
        if known[live].all():
            self._count[np.ix_(live, live)] += values.shape[1]
            self._total += np.outer(values.sum(axis=1), live)
        else:
            values[~known] = 0.0
            mask = known.astype(np.float64)
            self._count += mask @ mask.T
            self._total += values @ mask.T
        self._product += values @ values.T

    @property
    def pixels(self) -> int:
        """LR pixels taken in so far, in the band that has most."""
        return int(self._count.diagonal()[: self._hsi_bands].max(initial=0.0))

    def solve(self) -> SceneMoments:
        """The moments of all that was added.

        Raises:
            ValueError: No LR pixel was valid in both scenes.
        """
        if self.pixels == 0:
            raise ValueError("no LR pixel is valid in both scenes")
        counts, bands = self._count.diagonal(), self._hsi_bands
        is_live = counts > 0
        mean = self._origin + self._total.diagonal() / np.maximum(counts, 1)
        return SceneMoments(
            hsi_mean=mean[:bands],
            msi_mean=mean[bands:],
            covariance=self._covariance(),
            hsi_minimum=np.where(is_live, self._minimum, np.nan)[:bands],
            msi_minimum=self._minimum[bands:].copy(),
            hsi_live=is_live[:bands],
            pixels=self.pixels,
        )

    def _covariance(self) -> Array64:
        pairs, counts = np.maximum(self._count, 1), self._count.diagonal()
        mean = self._total / pairs
        covariance = self._product / pairs - mean * mean.T
        index = np.arange(len(covariance))
        covariance[index, index] = np.maximum(covariance.diagonal(), 0.0)
        is_full = counts >= FEW * counts.max()
        covariance[~is_full], covariance[:, ~is_full] = 0.0, 0.0
        return covariance if (self._count[np.ix_(is_full, is_full)] == counts.max()).all() else _nearest(covariance)


def _nearest(covariance: Array64) -> Array64:
    """Without the negative eigenvalues that come of pairs of bands having different pixels; variances are kept."""
    scale = np.sqrt(covariance.diagonal())
    scale[scale == 0] = 1.0
    values, vectors = np.linalg.eigh(covariance / np.outer(scale, scale))
    correlation = (vectors * np.maximum(values, 0.0)) @ vectors.T
    scale /= np.sqrt(np.where(correlation.diagonal() > 0, correlation.diagonal(), 1.0))
    return np.asarray(correlation * np.outer(scale, scale))
