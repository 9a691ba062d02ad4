"""Settlements and industry: streets, lots, oriented roofs, yards."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from landscape.canvas import Canvas, Keys, Mask, mixture, turned
from landscape.surfaces import Surface
from landscape.texture import Field, intervals

_YARDS = {Surface.CONCRETE: 1.5, Surface.ASPHALT: 2.0, Surface.GRAVEL: 1.0, Surface.GRASS: 1.0, Surface.SOIL: 0.5}


@dataclass(frozen=True)
class _Buildings:
    """A kind of building: median half sides in metres, slope of its roof, and what covers it."""

    half_sides_m: tuple[float, float]
    pitch: float
    roofs: dict[Surface, float]


def draw_settlement(canvas: Canvas, where: Mask, *, rng: Generator) -> None:
    """Blocks of lots, each with a garden and a gabled house, between streets."""
    angle = rng.uniform(0, np.pi)
    u, v = turned(canvas.bent(rng, reach_m=rng.uniform(0, 30)), angle)
    column, across, width = intervals(rng, u, mean=rng.uniform(55, 110), spread=0.3)
    lot, along, length = intervals(rng, v, mean=rng.uniform(16, 36), spread=0.35)
    side = (across > width / 2).astype(np.int64)
    key = (column * 2 + side) * 100_000 + lot
    gardens = mixture(rng, {Surface.GRASS: 4.0, Surface.SHRUB: 0.6, Surface.SOIL: 0.5})
    canvas.lay_many(where, key, choose=gardens)
    from_street = np.where(side == 0, across, width - across)
    houses = _Buildings(
        (rng.uniform(3.5, 6), rng.uniform(4, 8)),
        pitch=0.6,
        roofs={Surface.TILE: 5, Surface.BITUMEN: 2, Surface.METAL: 1, Surface.PAINT: 1.5, Surface.CONCRETE: 0.7},
    )
    place = (from_street - np.float32(rng.uniform(11, 18)), along - length / 2)
    _draw_buildings(canvas, where, keys=key, place=place, angle=angle, kind=houses, rng=rng)
    drive = where & (from_street < 12) & (np.abs(along - length / 2 - 3) < 1.5)
    paving = mixture(rng, {Surface.CONCRETE: 2.0, Surface.ASPHALT: 1.0, Surface.GRAVEL: 1.0})
    canvas.lay_many(drive, key, choose=paving)
    block, from_crossing, _ = intervals(rng, v, mean=rng.uniform(90, 220), spread=0.2)
    half = rng.uniform(3, 5)
    pavement = (from_street < half + 1.5) | (from_crossing < 2 * half)
    canvas.lay(where & pavement, Surface.CONCRETE)
    street = (from_street < half) | (from_crossing < 2 * half - 1.5)
    number = np.where(from_street < half, column + side, 10_000 + block)
    canvas.lay_many(where & street, number, choose=mixture(rng, {Surface.ASPHALT: 1.0}))


def draw_industry(canvas: Canvas, where: Mask, *, rng: Generator) -> None:
    """Large flat halls on paved yards."""
    angle = rng.uniform(0, np.pi)
    u, v = turned((canvas.x, canvas.y), angle)
    column, across, width = intervals(rng, u, mean=rng.uniform(70, 130), spread=0.3)
    row, along, length = intervals(rng, v, mean=rng.uniform(60, 120), spread=0.3)
    key = column * 100_000 + row
    canvas.lay_many(where, key, choose=mixture(rng, _YARDS))
    halls = _Buildings(
        (rng.uniform(18, 35), rng.uniform(16, 32)),
        pitch=0.02,
        roofs={Surface.METAL: 2.5, Surface.BITUMEN: 2, Surface.PAINT: 2.5, Surface.GRAVEL: 1.5, Surface.CONCRETE: 1},
    )
    place = (across - width / 2, along - length / 2)
    _draw_buildings(canvas, where, keys=key, place=place, angle=angle, kind=halls, rng=rng)
    road = rng.uniform(6, 12)
    canvas.lay(where & ((across < road) | (along < road)), Surface.ASPHALT)


def _draw_buildings(
    canvas: Canvas,
    where: Mask,
    *,
    keys: Keys,
    place: tuple[Field, Field],
    angle: float,
    kind: _Buildings,
    rng: Generator,
) -> None:
    """One building for most keys: a rectangle around `place` = 0, in axes turned by `angle`, with a gabled roof."""
    values, inverse = np.unique(keys, return_inverse=True)
    inverse = inverse.reshape(keys.shape)
    draw = rng.standard_normal((5, len(values)), dtype=np.float32)
    p, q = place[0] + (1.5 * draw[0])[inverse], place[1] + draw[1][inverse]
    half_p, half_q = (
        half * np.exp(0.2 * each)[inverse] for half, each in zip(kind.half_sides_m, draw[2:4], strict=True)
    )
    built = (rng.random(len(values)) < rng.uniform(0.7, 0.97))[inverse]
    roof = where & built & (np.abs(p) < half_p) & (np.abs(q) < half_q)
    canvas.lay_many(roof, keys, choose=mixture(rng, kind.roofs))
    eaves = np.clip(rng.uniform(4, 9) * np.exp(0.25 * draw[4]), 2.5, 25)[inverse]
    ridge_along_q = (draw[4] + draw[0] > 0)[inverse]
    away = np.where(ridge_along_q, p, q)  # distance from the ridge, signed
    canvas.height_m[roof] = (eaves + kind.pitch * (np.where(ridge_along_q, half_p, half_q) - np.abs(away)))[roof]
    fall = -kind.pitch * np.sign(away)
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    canvas.slope_x[roof] = (fall * np.where(ridge_along_q, cosine, -sine))[roof]
    canvas.slope_y[roof] = (fall * np.where(ridge_along_q, sine, cosine))[roof]
