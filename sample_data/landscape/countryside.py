"""Fields, woods, heath, roads and water."""

import numpy as np
from numpy.random import Generator
from scipy.ndimage import distance_transform_edt

from landscape.canvas import Canvas, Mask, mixture, turned
from landscape.surfaces import Surface
from landscape.texture import Field, fractal_field, intervals, nearest_seed


def draw_fields(canvas: Canvas, where: Mask, *, rng: Generator) -> None:
    """Strips of rectangular parcels with tracks, grass margins, hedges and the pattern of machines."""
    u, v = turned(canvas.bent(rng, reach_m=rng.uniform(0, 15)), rng.uniform(0, np.pi))
    size = rng.uniform(70, 220)
    strip, across, strip_width = intervals(rng, u, mean=size, spread=0.35)
    count = int(strip.max()) + 1
    stretched = v * np.exp(rng.normal(0, 0.3, count)).astype(np.float32)[strip]
    stretched = stretched + rng.uniform(0, 3000, count).astype(np.float32)[strip]
    parcel, along, parcel_length = intervals(rng, stretched, mean=size * rng.uniform(1, 2.5), spread=0.5)
    crops = rng.dirichlet([3.0, 1.2, 1.2, 1.2])
    kinds = dict(zip((Surface.CROP, Surface.STUBBLE, Surface.GRASS, Surface.SOIL), crops, strict=True))
    canvas.lay_many(where, strip * 100_000 + parcel, choose=mixture(rng, kinds))
    period = rng.uniform(9, 36)
    turn = (strip * 31 + parcel) % 2  # every other parcel is worked crosswise
    phase = np.where(turn == 0, across, along) * np.float32(2 * np.pi / period)
    canvas.stripe[where] = (np.sin(phase) + 0.5 * np.sin(2 * phase + 1))[where]

    edge = np.minimum(along, parcel_length - along)
    margin = where & (edge < rng.uniform(0.5, 4))
    canvas.lay_many(margin, strip * 100_000 + parcel, choose=mixture(rng, {Surface.GRASS: 1.0}))
    track = where & (across < rng.uniform(2, 5))
    canvas.lay_many(track, strip, choose=mixture(rng, {Surface.GRAVEL: 2.0, Surface.ASPHALT: 1.0, Surface.GRASS: 1.0}))
    hedged = np.isin(strip, np.flatnonzero(rng.random(count) < rng.uniform(0, 0.4)))
    hedge = where & hedged & (strip_width - across < rng.uniform(3, 8))
    canvas.lay_many(hedge, strip, choose=mixture(rng, {Surface.BROADLEAF: 2.0, Surface.SHRUB: 1.0}), height_m=5.0)


def draw_woods(canvas: Canvas, where: Mask, *, rng: Generator) -> None:
    """Stands of broadleaf and conifer trees with uneven crowns and a few clearings."""
    stand = nearest_seed(rng, canvas.bent(rng, reach_m=40), size=rng.uniform(80, 250))
    conifer = rng.uniform(0, 1)
    kinds = {Surface.CONIFER: conifer, Surface.BROADLEAF: 1.05 - conifer, Surface.SHRUB: 0.12, Surface.GRASS: 0.06}
    canvas.lay_many(where, stand, choose=mixture(rng, kinds))
    surfaces = np.array(canvas.surfaces, dtype=np.int64)[np.maximum(canvas.patch, 0)]
    tall = where & np.isin(surfaces, (Surface.CONIFER, Surface.BROADLEAF))
    crown = rng.uniform(3, 7) / canvas.spacing_m
    relief = fractal_field(rng, canvas.shape, slope=0.3, finest=0.35 * crown)
    heights = rng.uniform(10, 26) + rng.uniform(1.0, 3.5) * relief
    canvas.height_m[tall] = np.maximum(heights, 2)[tall]


def draw_heath(canvas: Canvas, where: Mask, *, rng: Generator) -> None:
    """Grass, shrubs and bare ground in soft-edged patches."""
    cell = nearest_seed(rng, canvas.bent(rng, reach_m=80), size=rng.uniform(40, 120))
    shares = rng.dirichlet([2.0, 1.5, 0.8, 0.4])
    kinds = dict(zip((Surface.GRASS, Surface.SHRUB, Surface.SOIL, Surface.SAND), shares, strict=True))
    canvas.lay_many(where, cell, choose=mixture(rng, kinds))
    thicket = fractal_field(rng, canvas.shape, slope=1.1) > rng.uniform(0.6, 1.6)
    canvas.lay(where & thicket, Surface.SHRUB, height_m=2.5)


def draw_road(canvas: Canvas, rng: Generator) -> None:
    """A main road across the scene with verges and, sometimes, a row of trees."""
    across, _ = _winding(canvas, rng, swing=0.06)
    width = rng.uniform(6, 18)
    canvas.lay(np.abs(across) < width / 2 + rng.uniform(2, 5), Surface.GRASS)
    if rng.random() < 0.4:
        trees = (np.abs(across - width / 2 - 5) < 2.5) & (fractal_field(rng, canvas.shape, slope=0.3, finest=1) > 0)
        canvas.lay(trees, Surface.BROADLEAF, height_m=9.0)
    canvas.lay(np.abs(across) < width / 2, Surface.ASPHALT if rng.random() < 0.8 else Surface.CONCRETE)


def draw_river(canvas: Canvas, rng: Generator) -> None:
    """A river of varying width."""
    across, along = _winding(canvas, rng, swing=0.15)
    half = rng.uniform(12, 60) * (1 + 0.25 * np.sin(along * np.float32(2 * np.pi / rng.uniform(400, 900))))
    _flood(canvas, half - np.abs(across), rng=rng)


def draw_lake(canvas: Canvas, rng: Generator) -> None:
    """A lake with a smooth, indented shore."""
    x, y = canvas.bent(rng, reach_m=rng.uniform(40, 160))
    extent = max(float(canvas.x.max()), float(canvas.y.max()))
    radius = extent * rng.uniform(0.06, 0.2)
    centre = rng.uniform(0, 1, 2) * (float(canvas.x.max()), float(canvas.y.max()))
    flat = rng.uniform(0.5, 1)
    _flood(canvas, radius - np.hypot((x - centre[0]) * flat, (y - centre[1]) / flat), rng=rng)


def plant_trees(canvas: Canvas, rng: Generator) -> None:
    """Single trees on open ground."""
    low = canvas.height_m < 0.5
    area = canvas.patch.size * canvas.spacing_m**2
    for _ in range(min(int(area / 1e4 * rng.uniform(0.05, 0.8)), 1500)):
        row, column = (int(rng.integers(side)) for side in canvas.shape)
        radius, conifer = rng.uniform(1.5, 5.5), rng.random() < 0.3
        on_water_or_road = canvas.surfaces[canvas.patch[row, column]] in (Surface.WATER, Surface.ASPHALT)
        if on_water_or_road or not low[row, column]:
            continue
        reach = int(radius / canvas.spacing_m) + 1
        part = canvas.view(
            slice(max(row - reach, 0), row + reach + 1), slice(max(column - reach, 0), column + reach + 1)
        )
        crown = np.hypot(part.x - canvas.x[0, column], part.y - canvas.y[row, 0]) < radius
        part.lay(crown, Surface.CONIFER if conifer else Surface.BROADLEAF, height_m=2.2 * radius)


def _flood(canvas: Canvas, inside_m: Field, *, rng: Generator) -> None:
    """Water where `inside_m` is positive, with a beach, and reeds or trees in places."""
    wet = inside_m > 0
    if not wet.any():
        return
    dry = ~wet & (canvas.shore_m <= 0)  # nor in older water
    distance = (distance_transform_edt(wet) - distance_transform_edt(~wet)) * canvas.spacing_m
    bank = distance + 3 * fractal_field(rng, canvas.shape, slope=1.0)
    canvas.lay((bank > -rng.uniform(6, 20)) & dry, rng.choice([Surface.SHRUB, Surface.GRASS, Surface.BROADLEAF]))
    canvas.lay((bank > -rng.uniform(0, 8)) & dry, Surface.SAND if rng.random() < 0.6 else Surface.GRAVEL)
    canvas.lay(wet, Surface.WATER)
    np.maximum(canvas.shore_m, distance, out=canvas.shore_m)


def _winding(canvas: Canvas, rng: Generator, *, swing: float) -> tuple[Field, Field]:
    """Distances across and along a gently bending line through the scene, in metres."""
    along, across = turned((canvas.x, canvas.y), rng.uniform(0, np.pi))
    extent = max(float(np.ptp(along)), 1.0)
    offset = across.mean() + rng.uniform(-0.35, 0.35) * extent
    for octave in (1, 2, 3):
        wave = np.sin(along * np.float32(2 * np.pi * octave / extent * rng.uniform(0.6, 1.4)) + rng.uniform(0, 6.3))
        offset = offset + wave * np.float32(swing * extent / octave * rng.normal())
    return (across - offset).astype(np.float32), along
