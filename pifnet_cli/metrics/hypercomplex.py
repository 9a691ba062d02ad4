"""2^n-ons: the numbers in which Q2n multiplies spectra, one component per band."""

from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def product_signs(size: int) -> NDArray[np.float64]:
    """Signs of the products of units: e_i e_j = signs[i, j] e_(i xor j).

    Built by Cayley-Dickson doubling, (a, b)(c, d) = (ac - d*b, da + bc*), the order of factors that the published
    Q2n code amounts to.

    Args:
        size: Number of components, a power of two.

    Returns:
        (size, size) of +1 and -1, read-only.
    """
    if size == 1:
        signs = np.ones((1, 1))
    else:
        half = product_signs(size // 2)
        conjugate = conjugation(size // 2)
        signs = np.block([[half, half.T], [half * conjugate, -half.T * conjugate]])
    signs.flags.writeable = False
    return signs


def conjugation(size: int) -> NDArray[np.float64]:
    """Signs that conjugate a number: +1 for the real part, -1 for the others, (size,)."""
    signs = -np.ones(size)
    signs[0] = 1.0
    return signs


def padded_size(bands: int) -> int:
    """The next power of two: the number of components that hold `bands` bands."""
    return 1 << (bands - 1).bit_length()


@cache
def _conjugate_products(size: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Where each component k of sum_ij m_ij e_i e_j* finds its terms: flat indices (k, i) of m, and their signs."""
    units = np.arange(size)
    partners = units[None, :] ^ units[:, None]  # (k, i): e_i e_partner gives e_k
    signs = (product_signs(size) * conjugation(size))[units[None, :], partners]
    indices = units[None, :] * size + partners
    return indices, signs


def hypercomplex_modulus(cross: NDArray[np.float64]) -> float:
    """Modulus of sum_ij cross[i, j] e_i e_j*: what a covariance of two 2^n-ons comes to.

    Args:
        cross: (C, C) covariance of band i of one image with band j of the other; padded with zeros here.
    """
    size = padded_size(cross.shape[0])
    padded = np.zeros((size, size))
    padded[: cross.shape[0], : cross.shape[1]] = cross
    indices, signs = _conjugate_products(size)
    components = (padded.ravel()[indices] * signs).sum(axis=1)
    return float(np.linalg.norm(components))
