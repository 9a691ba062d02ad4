"""First and second moments of a scene pair at LR, gathered in one pass; what training-free methods are solved from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]
Array64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SceneMoments:
    """Statistics of X, the LR-HSI, and of down(Y), the HR-MSI as the hyperspectral sensor samples it.

    They are taken over the LR pixels that are valid in all MSI bands and in all live hyperspectral bands.

    Attributes:
        hsi_mean: (C,); NaN for dead bands.
        msi_mean: (M,).
        covariance: (C + M, C + M), hyperspectral bands first, divided by `pixels`; zero for dead bands.
        hsi_minimum: (C,); NaN for dead bands.
        msi_minimum: (M,).
        hsi_live: (C,), False for a band without a valid pixel.
        pixels: LR pixels that were used, at least one.
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


class MomentSums:
    """Moments over blocks of LR pixels that may come in any order.

    Every block is centred on its own mean before it is squared and blocks are merged by their means (Chan, Golub and
    LeVeque, "Algorithms for computing the sample variance", The American Statistician 37, 1983): a large offset costs
    no digits. A band counts as live from its first valid pixel on; blocks seen before, which then turn out to lack it,
    are dropped, so that the outcome does not depend on the order.
    """

    def __init__(self, *, hsi_bands: int, msi_bands: int) -> None:
        self._hsi_bands, self._msi_bands = hsi_bands, msi_bands
        self._live = np.zeros(hsi_bands, dtype=np.bool_)
        self._forget()

    def add(self, lr_hsi: Floats, msi_low: Floats) -> None:
        """Take in a block: (C, P) and (M, P), NaN where invalid."""
        is_shared = np.isfinite(msi_low).all(axis=0)
        is_finite = np.isfinite(lr_hsi) & is_shared
        live = is_finite.any(axis=1)
        if (live & ~self._live).any():
            self._live |= live
            self._forget()
        is_used = is_finite[self._live].all(axis=0) & is_shared & self._live.any()
        if not is_used.any():
            return
        values = np.zeros((self._hsi_bands + self._msi_bands, int(is_used.sum())))
        values[: self._hsi_bands][self._live] = lr_hsi[self._live][:, is_used]
        values[self._hsi_bands :] = msi_low[:, is_used]
        self._merge(values)

    @property
    def pixels(self) -> int:
        """LR pixels taken in so far that count."""
        return self._count

    def solve(self) -> SceneMoments:
        """The moments of all that was added.

        Raises:
            ValueError: No LR pixel was valid in both scenes (in every band that is valid anywhere).
        """
        if self._count == 0:
            raise ValueError("no LR pixel is valid in both scenes")
        bands = self._hsi_bands
        return SceneMoments(
            hsi_mean=np.where(self._live, self._mean[:bands], np.nan),
            msi_mean=self._mean[bands:].copy(),
            covariance=self._scatter / self._count,
            hsi_minimum=np.where(self._live, self._minimum[:bands], np.nan),
            msi_minimum=self._minimum[bands:].copy(),
            hsi_live=self._live.copy(),
            pixels=self._count,
        )

    def _forget(self) -> None:
        size = self._hsi_bands + self._msi_bands
        self._count = 0
        self._mean = np.zeros(size)
        self._scatter = np.zeros((size, size))
        self._minimum = np.full(size, np.inf)

    def _merge(self, values: Array64) -> None:
        """Take in (C + M, P), P at least one, zero for dead bands; `values` is overwritten."""
        count = values.shape[1]
        self._minimum = np.minimum(self._minimum, values.min(axis=1))
        mean = values.mean(axis=1)
        values -= mean[:, None]
        difference = mean - self._mean
        total = self._count + count
        self._scatter += values @ values.T
        self._scatter += np.outer(difference, difference) * (self._count * count / total)
        self._mean += difference * (count / total)
        self._count = total
