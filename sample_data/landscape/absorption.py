"""Absorption of what landscapes are made of, as functions of wavelength.

Curves are our own sums of Gaussians placed at well-known absorption features; only liquid water is a (coarse) table.
"""

import numpy as np
from numpy.typing import NDArray

Curve = NDArray[np.float32]

# Liquid water, absorption in 1/cm at wavelengths in nm; rounded physical constants, interpolated in the logarithm.
_WATER = (
    (350, 1.1e-4), (400, 6.6e-5), (450, 9.2e-5), (500, 2.0e-4), (550, 5.7e-4), (600, 2.2e-3), (650, 3.4e-3),
    (700, 6.2e-3), (740, 0.025), (800, 0.020), (850, 0.043), (900, 0.068), (930, 0.16), (960, 0.43), (975, 0.45),
    (1000, 0.38), (1030, 0.22), (1070, 0.13), (1100, 0.17), (1140, 0.55), (1170, 1.1), (1200, 1.26), (1230, 1.15),
    (1265, 0.97), (1300, 1.2), (1350, 3.2), (1400, 13.0), (1425, 24.0), (1450, 31.0), (1480, 26.0), (1520, 16.0),
    (1560, 10.0), (1600, 7.0), (1650, 5.4), (1690, 5.2), (1730, 6.4), (1780, 8.0), (1830, 9.5), (1880, 30.0),
    (1930, 125.0), (1960, 105.0), (2000, 67.0), (2050, 42.0), (2100, 26.0), (2150, 19.0), (2200, 16.5), (2250, 18.5),
    (2300, 23.0), (2350, 32.0), (2400, 44.0), (2450, 62.0), (2500, 85.0), (2600, 130.0),
)  # fmt: skip


def bump(wavelengths_nm: Curve, *, centre_nm: float, width_nm: float) -> Curve:
    """A Gaussian of height 1 and standard deviation `width_nm`, (C,)."""
    return np.exp(-0.5 * ((wavelengths_nm - centre_nm) / width_nm) ** 2).astype(np.float32)


def bumps(wavelengths_nm: Curve, *features: tuple[float, float, float]) -> Curve:
    """Sum of Gaussians given as (height, centre_nm, width_nm), (C,)."""
    shapes = [height * bump(wavelengths_nm, centre_nm=centre, width_nm=width) for height, centre, width in features]
    return np.sum(shapes, axis=0, dtype=np.float32)


def liquid_water(wavelengths_nm: Curve) -> Curve:
    """Absorption of pure water in 1/cm, (C,)."""
    at, values = np.array(_WATER).T
    return np.exp(np.interp(wavelengths_nm, at, np.log(values))).astype(np.float32)


def chlorophyll(wavelengths_nm: Curve) -> Curve:
    """Chlorophyll a and b in a leaf, per microgram/cm2, (C,): blue and red bands joined by a green shoulder."""
    return bumps(
        wavelengths_nm, (0.055, 432, 20), (0.045, 466, 22), (0.022, 520, 40), (0.026, 588, 30), (0.022, 632, 18),
        (0.052, 674, 17), (0.010, 703, 13),
    )  # fmt: skip


def carotenoids(wavelengths_nm: Curve) -> Curve:
    """Carotenoids, per microgram/cm2, (C,)."""
    return bumps(wavelengths_nm, (0.07, 428, 20), (0.09, 452, 16), (0.08, 482, 15))


def anthocyanins(wavelengths_nm: Curve) -> Curve:
    """Anthocyanins, per microgram/cm2, (C,)."""
    return bumps(wavelengths_nm, (0.06, 545, 32), (0.02, 500, 40))


def brown_pigments(wavelengths_nm: Curve) -> Curve:
    """Polyphenols of dying leaves, per arbitrary unit, (C,)."""
    return (1.5 * np.exp(-(wavelengths_nm - 400) / 190)).astype(np.float32)


def dry_matter(wavelengths_nm: Curve) -> Curve:
    """Cellulose, lignin and protein, per g/cm2, (C,)."""
    return 3 + bumps(
        wavelengths_nm, (5, 1200, 45), (6, 1480, 70), (8, 1580, 60), (12, 1690, 22), (16, 1730, 24), (14, 1780, 30),
        (20, 1930, 60), (17, 2060, 30), (32, 2105, 42), (12, 2180, 25), (20, 2275, 24), (26, 2315, 20), (22, 2350, 22),
        (45, 2500, 80),
    )  # fmt: skip


def iron_oxides(wavelengths_nm: Curve) -> Curve:
    """Haematite and goethite: charge transfer below 550 nm, crystal field near 670 and 890 nm, (C,)."""
    edge = 1 / (1 + np.exp((wavelengths_nm - 545) / 28))
    return (1.2 * edge).astype(np.float32) + bumps(wavelengths_nm, (0.35, 490, 30), (0.16, 655, 40), (0.30, 890, 75))


def clay(wavelengths_nm: Curve) -> Curve:
    """Hydroxyl and bound water of clay minerals: 1400, 1910 and the doublet at 2165 and 2207 nm, (C,)."""
    return bumps(wavelengths_nm, (0.5, 1412, 22), (0.9, 1912, 32), (0.35, 2165, 18), (1.0, 2207, 17), (0.3, 2345, 22))


def carbonate(wavelengths_nm: Curve) -> Curve:
    """Calcite: 2340 nm, with weaker overtones, (C,)."""
    return bumps(wavelengths_nm, (0.12, 1875, 25), (0.2, 1995, 28), (0.3, 2155, 25), (1.0, 2338, 28))


def hydrocarbon(wavelengths_nm: Curve) -> Curve:
    """C-H bonds of bitumen, plastics and paint binders, (C,)."""
    return bumps(
        wavelengths_nm, (0.25, 1195, 20), (0.3, 1410, 25), (0.9, 1728, 20), (0.4, 1765, 16), (0.6, 2150, 25),
        (1.0, 2310, 22), (0.8, 2350, 18),
    )  # fmt: skip
