"""The angle between two spectra, per pixel."""

import numpy as np
from numpy.typing import NDArray

PAPER_EPSILON = 1e-10  # what the authors add to the product of the norms


def spectral_angle_deg(fused: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angle between spectra, in degrees, 0 to 180.

    Twice the arc tangent of |u - v| / |u + v| for the unit vectors u and v: exact for small angles, where the arc
    cosine of their product loses half its digits. Two zero spectra are 0 apart, a zero one and another 90.

    Args:
        fused: (C, ...) spectra along the first axis, all finite.
        reference: The same shape.

    Returns:
        (...), one angle per pixel.
    """
    fused_norm = np.linalg.norm(fused, axis=0)
    reference_norm = np.linalg.norm(reference, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        u, v = fused / fused_norm, reference / reference_norm
    angle = np.degrees(2.0 * np.arctan2(np.linalg.norm(u - v, axis=0), np.linalg.norm(u + v, axis=0)))
    is_zero = (fused_norm == 0).astype(np.float64) + (reference_norm == 0)
    return np.where(is_zero == 0, angle, np.where(is_zero == 1, 90.0, 0.0))


def paper_spectral_angle_deg(fused: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same angle as PIF-Net's evaluation has it: arc cosine with 1e-10 added; a zero spectrum counts 90 degrees."""
    product = np.linalg.norm(fused, axis=0) * np.linalg.norm(reference, axis=0)
    cosine = np.sum(fused * reference, axis=0) / (product + PAPER_EPSILON)
    return np.asarray(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
