"""What covers the ground, and how its physical quantities vary within a scene, a patch and from pixel to pixel."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from landscape import materials
from landscape.absorption import Curve
from landscape.materials import Column, Spectra

TRAITS = 8  # numbers that tell one patch from another of the same surface
SOILS = 3  # parent materials that mix in a scene


class Surface(IntEnum):
    """Kinds of ground cover."""

    CROP = 0
    STUBBLE = 1
    GRASS = 2
    SHRUB = 3
    BROADLEAF = 4
    CONIFER = 5
    SOIL = 6
    SAND = 7
    GRAVEL = 8
    ASPHALT = 9
    CONCRETE = 10
    TILE = 11
    BITUMEN = 12
    METAL = 13
    PAINT = 14
    WATER = 15


@dataclass(frozen=True)
class Samples:
    """Pieces of ground of one surface; each field is a column (n, 1), mostly standard normal scores.

    `traits` belong to the patch; the others vary within it. `stripe` is the pattern of machines and rows, `shore_m`
    the distance to the bank.
    """

    traits: tuple[Column, ...]
    vigour: Column
    pigment: Column
    wetness: Column
    parent: Column
    humus: Column
    weathering: Column
    grain: Column
    stripe: Column
    shore_m: Column

    @property
    def scores(self) -> NDArray[np.float32]:
        """All traits, then the seven fields, (n, TRAITS + 7)."""
        fields = (self.vigour, self.pigment, self.wetness, self.parent, self.humus, self.weathering, self.grain)
        return np.concatenate([*self.traits, *fields], axis=1)


@dataclass(frozen=True)
class Region:
    """What one scene has in common: its soils, its water, its vegetation season."""

    soil_brightness: NDArray[np.float32]
    soil_iron: NDArray[np.float32]
    soil_clay: NDArray[np.float32]
    soil_carbonate: NDArray[np.float32]
    organic: float
    moisture: float
    season: float
    chlorophyll: float
    sediment: float
    dissolved: float
    bed_slope: float


def draw_region(rng: Generator) -> Region:
    """A region at random."""
    return Region(
        soil_brightness=rng.uniform(0.28, 0.58, SOILS).astype(np.float32),
        soil_iron=rng.uniform(0.1, 1.1, SOILS).astype(np.float32),
        soil_clay=rng.uniform(0.03, 0.28, SOILS).astype(np.float32),
        soil_carbonate=(rng.uniform(0, 0.25, SOILS) * (rng.random(SOILS) < 0.6)).astype(np.float32),
        organic=float(rng.uniform(0.1, 0.9)),
        moisture=float(rng.uniform(0.05, 0.5)),
        season=float(rng.normal()),
        chlorophyll=float(np.exp(rng.uniform(0, 4))),
        sediment=float(np.exp(rng.uniform(-0.7, 3.2))),
        dissolved=float(np.exp(rng.uniform(-2.5, 0.7))),
        bed_slope=float(rng.uniform(0.01, 0.15)),
    )


def reflectance(surface: Surface, samples: Samples, *, region: Region, wavelengths_nm: Curve) -> Spectra:
    """Reflectance of pieces of one surface under flat, full light, (n, C)."""
    match surface:
        case Surface.CROP | Surface.STUBBLE | Surface.GRASS | Surface.SHRUB | Surface.BROADLEAF | Surface.CONIFER:
            return _vegetation(_PLANTS[surface], samples, region=region, wavelengths_nm=wavelengths_nm)
        case Surface.SOIL:
            return _soil(samples, region=region, wavelengths_nm=wavelengths_nm)
        case Surface.SAND | Surface.GRAVEL | Surface.TILE:
            return _minerals(surface, samples, wavelengths_nm=wavelengths_nm)
        case Surface.WATER:
            return _water(samples, region=region, wavelengths_nm=wavelengths_nm)
        case Surface.METAL | Surface.PAINT:
            return _coating(surface, samples, wavelengths_nm=wavelengths_nm)
        case _:
            return _paving(surface, samples, region=region, wavelengths_nm=wavelengths_nm)


@dataclass(frozen=True)
class _Plant:
    """Medians of a vegetation type, and how much its leaf area varies (standard deviation of the logarithm)."""

    leaf_area: float
    leaf_area_spread: float
    clumping: float
    chlorophyll: float
    water_cm: float
    dry_matter: float
    brown: float


_PLANTS = {
    Surface.CROP: _Plant(2.6, 0.6, 0.10, 42, 0.013, 0.0045, 0.05),
    Surface.STUBBLE: _Plant(1.0, 0.5, 0.12, 4, 0.001, 0.0090, 0.55),
    Surface.GRASS: _Plant(2.0, 0.5, 0.13, 32, 0.010, 0.0055, 0.15),
    Surface.SHRUB: _Plant(1.6, 0.6, 0.28, 34, 0.011, 0.0100, 0.20),
    Surface.BROADLEAF: _Plant(4.5, 0.3, 0.26, 46, 0.012, 0.0070, 0.06),
    Surface.CONIFER: _Plant(4.0, 0.3, 0.45, 50, 0.018, 0.0150, 0.12),
}


def _around(median: float, spread: float, score: Column) -> Column:
    """A positive quantity: median x exp(spread x score), scores held within three standard deviations."""
    return (median * np.exp(spread * np.clip(score, -3, 3))).astype(np.float32)


def _share(score: Column) -> Column:
    """A score as a number between 0 and 1."""
    return (1 / (1 + np.exp(-score))).astype(np.float32)


def _vegetation(plant: _Plant, s: Samples, *, region: Region, wavelengths_nm: Curve) -> Spectra:
    t = s.traits
    chlorophyll = _around(plant.chlorophyll, 0.30, t[1] + 0.4 * s.pigment + 0.3 * region.season)
    leaf = materials.leaf_albedo(
        wavelengths_nm,
        chlorophyll=chlorophyll,
        carotenoids=chlorophyll * _around(0.20, 0.25, t[2] + 0.3 * s.pigment),
        anthocyanins=_around(1.2, 0.7, t[3] - 0.4 * s.pigment + 0.3 * s.grain),
        brown=_around(plant.brown, 0.7, t[4] - 0.5 * s.vigour - 0.5 * region.season + 0.2 * s.grain),
        water=_around(plant.water_cm, 0.30, t[5] + 0.5 * s.wetness + 0.2 * s.vigour),
        dry_matter=_around(plant.dry_matter, 0.28, t[6] - 0.4 * s.weathering + 0.2 * s.grain),
    )
    vigour = t[0] + 0.45 * s.vigour + 0.35 * s.stripe + 0.25 * s.grain
    leaf_area = _around(plant.leaf_area, plant.leaf_area_spread, vigour)
    clumping = np.clip(plant.clumping + 0.035 * t[7] + 0.02 * s.grain + 0.015 * s.stripe, 0.02, 0.7)
    ground = _soil(s, region=region, wavelengths_nm=wavelengths_nm)
    return materials.canopy(leaf, ground, leaf_area=leaf_area, clumping=clumping)


def _soil(s: Samples, *, region: Region, wavelengths_nm: Curve) -> Spectra:
    # Parent materials follow each other along one smooth gradient of the scene.
    place = np.clip(0.5 + 0.25 * s.parent, 0, 1) * (SOILS - 1)
    weights = np.maximum(1 - np.abs(place - np.arange(SOILS, dtype=np.float32)), 0)  # (n, SOILS)
    t = s.traits

    def blend(values: NDArray[np.float32]) -> Column:
        return (weights @ values)[:, None]

    return materials.soil(
        wavelengths_nm,
        brightness=blend(region.soil_brightness) * _around(1, 0.10, 0.5 * t[0] + 0.35 * s.grain + 0.4 * s.stripe),
        organic=_around(region.organic, 0.35, 0.6 * t[2] + 0.5 * s.humus),
        iron=blend(region.soil_iron) * _around(1, 0.2, 0.6 * t[3] + 0.7 * s.weathering),
        clay=blend(region.soil_clay) * _around(1, 0.3, 0.6 * t[4] + 0.6 * s.parent + 0.5 * s.weathering),
        carbonate=blend(region.soil_carbonate) * _around(1, 0.3, 0.6 * t[5] - s.humus),
        moisture=_around(region.moisture, 0.5, 0.8 * t[1] + 0.6 * s.wetness + 0.25 * s.stripe),
    )


def _minerals(surface: Surface, s: Samples, *, wavelengths_nm: Curve) -> Spectra:
    t = s.traits
    brightness, organic, iron, moisture = {
        Surface.SAND: (0.52, 0.12, 0.25, 0.12),
        Surface.GRAVEL: (0.34, 0.20, 0.20, 0.08),
        Surface.TILE: (0.42, 0.10, 1.30, 0.03),
    }[surface]
    near_water = 1.5 * np.exp(-np.abs(s.shore_m) / 8)
    return materials.soil(
        wavelengths_nm,
        brightness=_around(brightness, 0.16, t[0] + 0.5 * s.grain),
        organic=_around(organic, 0.7, t[1] + 0.4 * s.weathering),  # on roofs: lichen and soot
        iron=_around(iron, 0.3, t[2] + 0.4 * s.parent),
        clay=_around(0.09, 0.5, t[3] + 0.4 * s.parent),
        carbonate=_around(0.05, 0.8, t[4]),
        moisture=_around(moisture, 0.4, t[5] + 0.4 * s.wetness + near_water),
    )


def _water(s: Samples, *, region: Region, wavelengths_nm: Curve) -> Spectra:
    t = s.traits
    bottom = _soil(s, region=region, wavelengths_nm=wavelengths_nm)
    slope = _around(region.bed_slope, 0.4, t[0])
    depth = 0.05 + slope * np.maximum(s.shore_m, 0) * _around(1, 0.15, s.humus)
    return materials.water_body(
        wavelengths_nm,
        bottom,
        depth_m=np.minimum(depth, 12.0),
        chlorophyll=_around(region.chlorophyll, 0.5, t[1] + 0.2 * s.pigment),
        sediment=_around(region.sediment, 0.5, t[2] + 0.2 * s.vigour - 0.2 * np.sqrt(np.maximum(s.shore_m, 0) / 30)),
        dissolved=_around(region.dissolved, 0.4, t[3]),
        glint=_around(0.004, 0.5, t[4] + 0.2 * s.grain),
    )


def _coating(surface: Surface, s: Samples, *, wavelengths_nm: Curve) -> Spectra:
    t = s.traits
    dirt = 0.25 * s.grain + 0.25 * s.weathering
    if surface is Surface.METAL:
        return materials.metal(
            wavelengths_nm,
            brightness=_around(0.34, 0.30, t[0] + 0.4 * dirt),
            oxide=_around(0.10, 0.9, t[1] + dirt),
            tilt=0.10 * t[2] + 0.02 * dirt,
        )
    return materials.painted(
        wavelengths_nm,
        brightness=_around(0.42, 0.30, t[0] + 0.4 * dirt),
        dye_nm=(480 + 110 * _share(2 * t[1]), 560 + 330 * _share(2 * t[2])),
        dye_depth=(_around(0.35, 1.0, t[3] - 0.3 * dirt), _around(0.25, 1.0, t[4] - 0.3 * dirt)),
        binder=_around(0.12, 0.7, t[5] - 0.3 * dirt),
    )


def _paving(surface: Surface, s: Samples, *, region: Region, wavelengths_nm: Curve) -> Spectra:
    t = s.traits
    if surface is Surface.CONCRETE:
        plain = materials.concrete(
            wavelengths_nm,
            brightness=_around(0.34, 0.22, t[0] + 0.35 * s.grain),
            lime=_around(0.08, 0.5, t[1] + 0.4 * s.weathering),
            stain=_around(0.12, 0.8, t[2] + 0.5 * s.weathering),
        )
    else:
        fresh = -1.8 if surface is Surface.BITUMEN else 0.6
        age = _share(fresh + t[0] + 0.5 * s.weathering + 0.3 * s.grain)
        plain = materials.asphalt(wavelengths_nm, age=age, binder=_around(0.20, 0.4, t[1]))
    dust = 0.12 * _share(-1 + t[3] + 0.5 * s.weathering + 0.5 * s.grain)
    return plain + dust * (_soil(s, region=region, wavelengths_nm=wavelengths_nm) - plain)
