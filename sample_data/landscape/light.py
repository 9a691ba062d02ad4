"""Sun and sky: cast shadows, shading by slope, and the blue light of the sky."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from landscape.absorption import Curve
from landscape.texture import Field


@dataclass(frozen=True)
class Sun:
    """Where the sun stands (radians; azimuth clockwise from north), and the share of sky light at 500 nm."""

    azimuth: float
    elevation: float
    sky_at_500_nm: float

    def sky_share(self, wavelengths_nm: Curve) -> Curve:
        """Share of the light on flat ground that comes from the sky, and at all wavelengths from around, (C,)."""
        return (0.05 + (self.sky_at_500_nm - 0.05) * (wavelengths_nm / 500) ** -2).astype(np.float32)


def draw_sun(rng: Generator) -> Sun:
    """A late morning somewhere in the northern mid-latitudes."""
    return Sun(
        azimuth=float(np.radians(rng.uniform(115, 185))),
        elevation=float(np.radians(rng.uniform(32, 64))),
        sky_at_500_nm=float(rng.uniform(0.12, 0.26)),
    )


def direct_light(sun: Sun, surface_m: Field, *, slopes: tuple[Field, Field], spacing_m: float) -> Field:
    """Direct sunlight per flat, unshaded ground, (H, W): 0 in shadow, 1 on the flat.

    Args:
        sun: Where the light comes from.
        surface_m: Height of everything, for cast shadows.
        slopes: Rise towards increasing columns and rows, metre per metre, for shading.
        spacing_m: Distance between cells.
    """
    (slope_x, slope_y), (east, south, up) = slopes, _towards(sun)
    facing = (up - slope_x * east - slope_y * south) / np.sqrt(1 + slope_x**2 + slope_y**2)
    return (np.maximum(facing, 0) / up * _lit(sun, surface_m, spacing_m=spacing_m)).astype(np.float32)


def _towards(sun: Sun) -> tuple[float, float, float]:
    """Unit vector to the sun: east (columns), south (rows), up."""
    flat = np.cos(sun.elevation)
    return flat * np.sin(sun.azimuth), -flat * np.cos(sun.azimuth), np.sin(sun.elevation)


def _lit(sun: Sun, surface_m: Field, *, spacing_m: float) -> Field:
    """1 where the sun is seen, 0 in cast shadow, by walking towards the sun."""
    lit = np.ones(surface_m.shape, np.float32)
    reach = min(float(np.ptp(surface_m)), 45.0) / np.tan(sun.elevation)
    height, width = surface_m.shape
    for step in range(1, int(reach / spacing_m) + 1):
        row, column = round(-step * np.cos(sun.azimuth)), round(step * np.sin(sun.azimuth))
        here = slice(max(0, -row), height - max(0, row)), slice(max(0, -column), width - max(0, column))
        there = slice(max(0, row), height - max(0, -row)), slice(max(0, column), width - max(0, -column))
        ray = surface_m[here] + np.float32(step * spacing_m * np.tan(sun.elevation))
        lit[here] *= surface_m[there] <= ray
    return lit
