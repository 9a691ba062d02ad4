"""Reflectance of soil, vegetation, water and built surfaces from a few physical quantities.

Every quantity is a column (n, 1), one row per sample; every result is (n, C), float32. The models are short analytic
stand-ins for the ones in use (leaf plate model, Kubelka-Munk canopy, semi-analytic water), written for variety.
"""

import numpy as np
from numpy.typing import NDArray

from landscape import absorption
from landscape.absorption import Curve, bumps

Column = NDArray[np.float32]
Spectra = NDArray[np.float32]


def soil(
    wavelengths_nm: Curve,
    *,
    brightness: Column,
    organic: Column,
    iron: Column,
    clay: Column,
    carbonate: Column,
    moisture: Column,
) -> Spectra:
    """Bare soil, sand, gravel or fired clay.

    Args:
        wavelengths_nm: Band centres, (C,).
        brightness: Reflectance of the dry mineral plateau, 0.15 to 0.7.
        organic: Darkening by humus, strongest in the visible; 0 to 2.
        iron: Strength of the iron oxide bands, 0 to 2.
        clay: Depth (log) of the 2207 nm band, 0 to 0.4.
        carbonate: Depth (log) of the 2338 nm band, 0 to 0.3.
        moisture: 0 dry to 1 saturated.
    """
    rise = 1 - 0.75 * np.exp(-(wavelengths_nm - 350) / 420)
    humus = np.exp(-(wavelengths_nm - 400) / 700)
    water = np.minimum(absorption.liquid_water(wavelengths_nm), 60.0)
    depth = organic * humus + iron * absorption.iron_oxides(wavelengths_nm)
    depth = depth + clay * absorption.clay(wavelengths_nm) + carbonate * absorption.carbonate(wavelengths_nm)
    depth = depth + moisture * (0.65 + 0.05 * water)  # darkening of wet grains, then absorption in the film
    return (brightness * rise * np.exp(-depth)).astype(np.float32)


def leaf_albedo(
    wavelengths_nm: Curve,
    *,
    chlorophyll: Column,
    carotenoids: Column,
    anthocyanins: Column,
    brown: Column,
    water: Column,
    dry_matter: Column,
) -> Spectra:
    """Share of light a leaf scatters (reflectance + transmittance).

    Pigments in microgram/cm2, `water` in cm, `dry_matter` in g/cm2, `brown` without unit.
    """
    depth = chlorophyll * absorption.chlorophyll(wavelengths_nm) + carotenoids * absorption.carotenoids(wavelengths_nm)
    depth = depth + anthocyanins * absorption.anthocyanins(wavelengths_nm)
    depth = depth + brown * absorption.brown_pigments(wavelengths_nm)
    path = 2.2  # light crosses a scattering leaf more than once
    depth = depth + path * water * absorption.liquid_water(wavelengths_nm)
    depth = depth + path * dry_matter * absorption.dry_matter(wavelengths_nm)
    return (0.03 + 0.95 * np.exp(-depth)).astype(np.float32)


def canopy(leaf: Spectra, ground: Spectra, *, leaf_area: Column, clumping: Column) -> Spectra:
    """Leaves above ground, multiple scattering included (Kubelka-Munk).

    Args:
        leaf: Leaf albedo, (n, C).
        ground: Reflectance below, (n, C).
        leaf_area: Leaf area per ground area.
        clumping: Share of light lost between crowns, 0 to 0.6.
    """
    albedo = leaf * (1 - clumping)
    absorbed = np.sqrt(np.maximum(1 - albedo, 1e-4))
    infinite = (1 - absorbed) / (1 + absorbed)  # reflectance of an infinitely deep canopy
    way_back = np.exp(-np.minimum(1.5 * leaf_area * absorbed, 40.0))
    return (
        (infinite + way_back * (ground - infinite) / (1 - infinite * ground))
        / (1 + way_back * infinite * (ground - infinite) / (1 - infinite * ground))
    ).astype(np.float32)


def water_body(
    wavelengths_nm: Curve,
    bottom: Spectra,
    *,
    depth_m: Column,
    chlorophyll: Column,
    sediment: Column,
    dissolved: Column,
    glint: Column,
) -> Spectra:
    """Water of finite depth over a bottom.

    Args:
        wavelengths_nm: Band centres, (C,).
        bottom: Reflectance of the ground below, (n, C).
        depth_m: Depth in metres.
        chlorophyll: Phytoplankton in mg/m3.
        sediment: Suspended matter in g/m3.
        dissolved: Absorption by yellow substance at 440 nm, in 1/m.
        glint: Sunlight mirrored by the surface, the same at all wavelengths.
    """
    plankton = bumps(wavelengths_nm, (1.0, 440, 38), (0.55, 675, 14), (0.2, 620, 25))
    absorbed = 100 * absorption.liquid_water(wavelengths_nm) + 0.035 * chlorophyll**0.7 * plankton
    absorbed = absorbed + dissolved * np.exp(-0.015 * (wavelengths_nm - 440))
    scattered = 0.0008 * (wavelengths_nm / 500) ** -4.3 + 0.012 * sediment * (wavelengths_nm / 550) ** -0.8
    share = scattered / (absorbed + scattered)
    deep = 0.33 * share * (1 + 0.6 * share)
    seen = np.exp(-np.minimum(2.2 * (absorbed + scattered) * depth_m, 40.0))
    return (deep * (1 - seen) + 0.55 * bottom * seen + glint).astype(np.float32)


def asphalt(wavelengths_nm: Curve, *, age: Column, binder: Column) -> Spectra:
    """Road surface: dark with bitumen bands when new, brighter and mineral with age (0 to 1)."""
    rise = 1 - np.exp(-(wavelengths_nm - 300) / 520)
    fresh = 0.045 + 0.035 * (wavelengths_nm / 2450)
    worn = 0.07 + 0.16 * rise * np.exp(-0.08 * absorption.iron_oxides(wavelengths_nm))
    plain = fresh + age * (worn - fresh)
    return (plain * np.exp(-binder * (1 - 0.6 * age) * absorption.hydrocarbon(wavelengths_nm))).astype(np.float32)


def concrete(wavelengths_nm: Curve, *, brightness: Column, lime: Column, stain: Column) -> Spectra:
    """Concrete and light paving; `lime` is a band depth (log), `stain` darkens the visible."""
    rise = 1 - 0.55 * np.exp(-(wavelengths_nm - 380) / 170)
    depth = lime * (absorption.carbonate(wavelengths_nm) + 0.5 * absorption.clay(wavelengths_nm))
    depth = depth + stain * np.exp(-(wavelengths_nm - 400) / 450) + 0.1 * absorption.iron_oxides(wavelengths_nm)
    return (brightness * rise * np.exp(-depth)).astype(np.float32)


def metal(wavelengths_nm: Curve, *, brightness: Column, oxide: Column, tilt: Column) -> Spectra:
    """Sheet metal: flat, a zinc band near 1020 nm, `tilt` of the continuum per micrometre."""
    zinc = bumps(wavelengths_nm, (0.25, 1020, 110))
    bent = np.exp(tilt * (wavelengths_nm - 1200) / 1000)
    depth = zinc + oxide * (np.exp(-(wavelengths_nm - 400) / 300) + absorption.iron_oxides(wavelengths_nm))
    return (brightness * bent * np.exp(-depth)).astype(np.float32)


def painted(
    wavelengths_nm: Curve,
    *,
    brightness: Column,
    dye_nm: tuple[Column, Column],
    dye_depth: tuple[Column, Column],
    binder: Column,
) -> Spectra:
    """Paint, plastic or membrane: a white filler, two dyes, and the C-H bands of the binder."""
    depth = binder * absorption.hydrocarbon(wavelengths_nm) + 2.5 / (
        1 + np.exp(np.minimum((wavelengths_nm - 395) / 9, 50.0))
    )
    for centre, strength in zip(dye_nm, dye_depth, strict=True):
        depth = depth + strength * np.exp(-0.5 * ((wavelengths_nm - centre) / (0.13 * centre)) ** 2)
    fall = 1 - 0.00016 * np.maximum(wavelengths_nm - 900, 0)
    return (brightness * fall * np.exp(-depth)).astype(np.float32)
