"""Means and centred sums of two images, band by band; sums of parts merge into the sums of the whole."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.metrics.hypercomplex import hypercomplex_modulus

Vector = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Moments:
    """What is kept of `count` pixels of a fused and a reference image; arrays are (C,).

    Scatters are sums of products of deviations from the means: covariance times count.
    """

    count: int
    fused_mean: Vector
    reference_mean: Vector
    fused_scatter: Vector
    reference_scatter: Vector
    cross_scatter: Vector
    squared_error: Vector

    @classmethod
    def none(cls, bands: int) -> "Moments":
        """The moments of no pixel."""
        return cls(0, *(np.zeros(bands) for _ in range(6)))

    def merged(self, other: "Moments") -> "Moments":
        """The moments of both sets of pixels together (Chan, Golub and LeVeque 1983)."""
        count = self.count + other.count
        if other.count == 0 or self.count == 0:
            return self if other.count == 0 else other
        share = other.count / count
        fused_step = other.fused_mean - self.fused_mean
        reference_step = other.reference_mean - self.reference_mean
        between = self.count * share
        return Moments(
            count=count,
            fused_mean=self.fused_mean + share * fused_step,
            reference_mean=self.reference_mean + share * reference_step,
            fused_scatter=self.fused_scatter + other.fused_scatter + between * fused_step**2,
            reference_scatter=self.reference_scatter + other.reference_scatter + between * reference_step**2,
            cross_scatter=self.cross_scatter + other.cross_scatter + between * fused_step * reference_step,
            squared_error=self.squared_error + other.squared_error,
        )

    @property
    def quality(self) -> Vector:
        """UIQI of each band (Wang and Bovik 2002), (C,), -1 to 1.

        A factor whose denominator is zero is 1: both images are flat, or both have mean zero, and so agree in it.
        """
        scatters = self.fused_scatter + self.reference_scatter
        return ratio_or_one(2 * self.cross_scatter, scatters) * ratio_or_one(
            2 * self.fused_mean * self.reference_mean, self.fused_mean**2 + self.reference_mean**2
        )

    @property
    def correlation(self) -> Vector:
        """Pearson's coefficient of each band, (C,): NaN where the reference is flat, 0 where only the fused one is."""
        scale = np.sqrt(self.fused_scatter) * np.sqrt(self.reference_scatter)
        safe = np.where(scale == 0, 1.0, scale)
        return np.where(self.reference_scatter == 0, np.nan, self.cross_scatter / safe)


def pixel_moments(fused: Vector, reference: Vector) -> Moments:
    """Moments of (C, P) pixels of both images: finite, float64."""
    fused_mean, reference_mean = fused.mean(axis=1), reference.mean(axis=1)
    fused_part, reference_part = fused - fused_mean[:, None], reference - reference_mean[:, None]
    return Moments(
        count=fused.shape[1],
        fused_mean=fused_mean,
        reference_mean=reference_mean,
        fused_scatter=np.einsum("cp,cp->c", fused_part, fused_part),
        reference_scatter=np.einsum("cp,cp->c", reference_part, reference_part),
        cross_scatter=np.einsum("cp,cp->c", fused_part, reference_part),
        squared_error=np.einsum("cp,cp->c", fused - reference, fused - reference),
    )


def block_moments(fused: Vector, reference: Vector) -> tuple[Moments, float]:
    """Moments of the pixels of one block, and its Q2n (Garzelli and Nencini 2009).

    Q2n is UIQI with a spectrum as one 2^n-on: moduli for means, variances and covariance. As in the paper the bands
    enter as they are; the authors' later code first standardises each band of each block, and so differs.

    Args:
        fused: (C, P), finite, float64.
        reference: The same shape.
    """
    moments = pixel_moments(fused, reference)
    fused_part, reference_part = fused - moments.fused_mean[:, None], reference - moments.reference_mean[:, None]
    cross = fused_part @ reference_part.T  # (C, C)
    scatters = np.array([moments.fused_scatter.sum() + moments.reference_scatter.sum()])
    fused_energy, reference_energy = np.sum(moments.fused_mean**2), np.sum(moments.reference_mean**2)
    means = ratio_or_one(
        np.array([2 * np.sqrt(fused_energy * reference_energy)]), np.array([fused_energy + reference_energy])
    )
    return moments, float((ratio_or_one(np.array([2 * hypercomplex_modulus(cross)]), scatters) * means)[0])


def ratio_or_one(numerator: Vector, denominator: Vector) -> Vector:
    """Quotients, element by element; 1 where the denominator is zero."""
    return np.where(denominator == 0, 1.0, numerator / np.where(denominator == 0, 1.0, denominator))
