"""Coupled non-negative matrix factorisation: both scenes unmixed in turn, their spectra and abundances exchanged.

Yokoya, Yairi and Iwasaki, "Coupled nonnegative matrix factorization unmixing for hyperspectral and multispectral data
fusion", IEEE TGRS 50, 2012. The spectra W_h come from the LR-HSI, the abundances H_m from the HR-MSI; the result is
their product. Numbers of updates and endmembers and the sum-to-one weight are those of the toolbox of Yokoya,
Grohnfeldt and Chanussot ("Hyperspectral and multispectral data fusion", IEEE GRSM 5, 2017); updates end sooner where
they settle.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pifnet_models.classical.endmembers import extreme_spectra, virtual_dimensionality
from pifnet_models.classical.moments import SceneMoments
from pifnet_models.classical.unmixing import UnmixingResponse, peak_level
from pifnet_models.sampling import SamplingOperator

Floats = NDArray[np.floating]
Floats32 = NDArray[np.float32]

ENDMEMBERS = 30  # at least, where the sensor has as many bands
ROUNDS = 3  # exchanges between the two scenes; the authors use 1 to 3, and the third still gains 0.2 dB on average
FIRST_UPDATES = 600  # of the LR-HSI's abundances, whose start knows nothing
UPDATES = 200  # at most, of everything else
CHECKED_EVERY = 10  # updates
STEADY = 1e-3  # updates end when the cost falls by less than this share from check to check
FEW_MSI_BANDS = 3  # up to here the HR-MSI cannot improve spectra, nor the LR-HSI abundances
TYPICAL_MEAN = 0.7455  # with the sum-to-one weight of the authors' code
DAMPING = 1e-12  # keeps 0 / 0 at 1; on both sides of the quotient it shortens a step and costs no monotony
FLOOR = 1e-12  # of both factors: entries that die out would end as denormal numbers, ten times slower
SEED = 0


class Turn(Enum):
    """What `unmix` updates."""

    ABUNDANCES = auto()
    SPECTRA = auto()
    BOTH = auto()


class Unmixing(NamedTuple):
    """V = W H.

    Attributes:
        spectra: W, (bands, p).
        abundances: H, (p, pixels).
        costs: Of the start, then after every `CHECKED_EVERY` updates, then of the result; it never rises.
    """

    spectra: Floats
    abundances: Floats
    costs: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class CNMF:
    """CNMF of one scene pair, block by block.

    The factors are not negative, so the scenes must not be: pixels below zero (atmospheric correction makes them) count
    as zero, and so does what the HR-MSI shows below its offset. A band without a valid pixel stays NaN.

    Spectral response, offset, scale, number of endmembers and weight of the sum-to-one row are the scene's; endmembers
    and factors are the block's own, so neighbours differ where they meet, whatever the halo: at ratio 4, RMS, by a
    third (AVIRIS) to a half (EnMAP) of what the whole scene's result is wrong by there. Scores stay within 0.3 dB.

    Attributes:
        response: (M, C) weights over all bands, and the offset.
        live: (C,), False for bands without data.
        peak: What pixels are divided by.
        endmembers: Spectra to look for; a block with fewer LR pixels has fewer.
        total_weight: Of the sum-to-one row, delta.
    """

    response: UnmixingResponse
    live: NDArray[np.bool_]
    peak: float
    endmembers: int
    total_weight: float

    halo: ClassVar[int] = 4

    @classmethod
    def from_moments(cls, moments: SceneMoments) -> "CNMF":
        """The response by non-negative least squares; max(min(30, C), virtual dimensionality) endmembers."""
        bands = int(moments.hsi_live.sum())
        peak = peak_level(moments)
        mean = max(float(moments.msi_mean.mean()) / peak, 0.0)
        return cls(
            response=UnmixingResponse.from_moments(moments),
            live=moments.hsi_live,
            peak=peak,
            endmembers=max(min(ENDMEMBERS, bands), virtual_dimensionality(moments)),
            total_weight=2 * float(np.sqrt(mean / TYPICAL_MEAN)) / len(moments.msi_mean) ** 3,
        )

    def fuse_block(self, lr_hsi: Floats32, hr_msi: Floats32, operator: SamplingOperator) -> Floats32:
        """One block, (C, H, W); NaN in bands without data.

        Args:
            lr_hsi: (C, h, w), finite in live bands.
            hr_msi: (M, H, W), finite.
            operator: How the LR-HSI samples the block.
        """
        hsi, msi = self._prepared(lr_hsi, hr_msi)
        spectra, abundances = self._factors(hsi, msi, operator)
        fused = np.full((len(lr_hsi), *hr_msi.shape[1:]), np.nan, dtype=np.float32)
        fused[self.live] = (np.float32(self.peak) * spectra @ abundances).reshape(-1, *hr_msi.shape[1:])
        return fused

    def _prepared(self, lr_hsi: Floats32, hr_msi: Floats32) -> tuple[Floats32, Floats32]:
        """(live, h w) and (M, H W), scaled, without offset, not negative."""
        hsi = lr_hsi[self.live].reshape(int(self.live.sum()), -1) / np.float32(self.peak)
        msi = hr_msi.reshape(len(hr_msi), -1) - self.response.offset.astype(np.float32)[:, None]
        return np.maximum(hsi, 0), np.maximum(msi / np.float32(self.peak), 0)

    def _factors(self, hsi: Floats, msi: Floats, operator: SamplingOperator) -> tuple[Floats, Floats]:
        """W_h (live, p) and H_m (p, H W)."""
        count = min(self.endmembers, hsi.shape[1])
        total = self.total_weight if count > 1 else 0.0  # a single endmember must be free to vary in brightness
        then = (Turn.BOTH,) if len(msi) > FEW_MSI_BANDS else ()
        response = self.response.weights[:, self.live].astype(np.float32)
        spectra: Floats = hsi[:, extreme_spectra(hsi, count, np.random.default_rng(SEED))]
        coarse: Floats = np.full((count, hsi.shape[1]), 1 / count, dtype=np.float32)
        coarse = unmix(hsi, spectra, coarse, turn=Turn.ABUNDANCES, total=total, limit=FIRST_UPDATES).abundances
        spectra, coarse = _unmixed_in(hsi, spectra, coarse, turns=(Turn.BOTH,), total=total)
        fine: Floats = _resampled(operator.up, coarse, operator.lr_shape)
        for _ in range(ROUNDS):
            fine = _unmixed_in(msi, response @ spectra, fine, turns=(Turn.ABUNDANCES, *then), total=total)[1]
            coarse = _resampled(operator.down, fine, operator.hr_shape)
            spectra = _unmixed_in(hsi, spectra, coarse, turns=(Turn.SPECTRA, *then), total=total)[0]
        return spectra, fine


def unmix(mixed: Floats, spectra: Floats, abundances: Floats, *, turn: Turn, total: float, limit: int) -> Unmixing:
    """Lower |V - W H|^2 / 2 + total^2 |1 - sum H|^2 / 2 by multiplicative updates (Lee and Seung, Nature 401, 1999).

    The second term is the sum-to-one row that the toolbox adds to V and W, W's part of it fixed. The cost never rises,
    to rounding.

    Args:
        mixed: V, (bands, pixels), not negative; its type is that of the computation.
        spectra: W, (bands, p), not negative.
        abundances: H, (p, pixels), not negative.
        turn: What is updated; BOTH updates W, then H, over and over.
        total: Weight of the sum-to-one row.
        limit: Updates at most.
    """
    spectra, abundances = np.maximum(spectra, FLOOR), np.maximum(abundances, FLOOR)
    of_spectra, of_abundances = _spectra_terms(mixed, abundances), _abundance_terms(mixed, spectra, total)
    costs = [_cost(mixed, spectra, abundances, total)]
    for update in range(1, limit + 1):
        if turn is Turn.BOTH:
            of_spectra = _spectra_terms(mixed, abundances)
        if turn is not Turn.ABUNDANCES:
            _multiply(spectra.T, *of_spectra)
        if turn is Turn.BOTH:
            of_abundances = _abundance_terms(mixed, spectra, total)
        if turn is not Turn.SPECTRA:
            _multiply(abundances, *of_abundances)
        if update % CHECKED_EVERY == 0 or update == limit:
            costs.append(_cost(mixed, spectra, abundances, total))
            if costs[-2] - costs[-1] <= STEADY * costs[-2]:
                break
    return Unmixing(spectra, abundances, tuple(costs))


def _unmixed_in(
    mixed: Floats, spectra: Floats, abundances: Floats, *, turns: tuple[Turn, ...], total: float
) -> tuple[Floats, Floats]:
    for turn in turns:
        spectra, abundances, _ = unmix(mixed, spectra, abundances, turn=turn, total=total, limit=UPDATES)
    return spectra, abundances


def _spectra_terms(mixed: Floats, abundances: Floats) -> tuple[Floats, Floats]:
    """H V' (p, bands) and H H'; the sum-to-one row of W is not updated, so it takes no part."""
    return abundances @ mixed.T + DAMPING, abundances @ abundances.T


def _abundance_terms(mixed: Floats, spectra: Floats, total: float) -> tuple[Floats, Floats]:
    """W' V (p, pixels) and W' W, the sum-to-one row included."""
    return spectra.T @ mixed + (total**2 + DAMPING), spectra.T @ spectra + total**2


def _multiply(factor: Floats, target: Floats, gram: Floats) -> None:
    """Factor (p, n) times target / (gram factor), in place."""
    product = gram @ factor
    product += DAMPING
    np.divide(target, product, out=product)
    factor *= product
    np.maximum(factor, FLOOR, out=factor)


def _cost(mixed: Floats, spectra: Floats, abundances: Floats, total: float) -> float:
    misfit = np.square(mixed - spectra @ abundances).sum(dtype=np.float64)
    excess = np.square(1 - abundances.sum(axis=0)).sum(dtype=np.float64)
    return float(misfit + total**2 * excess) / 2


def _resampled(resample: Callable[[Floats32], Floats32], abundances: Floats, size: tuple[int, int]) -> Floats:
    """Abundances (p, pixels) brought to the other grid, clipped at zero."""
    image = resample(abundances.astype(np.float32).reshape(-1, *size))
    return np.maximum(image.reshape(len(image), -1), 0)
