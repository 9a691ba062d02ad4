"""A whole scene: land use, light, and the mixing of several surfaces within one pixel."""

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse import csr_array

from landscape import countryside, town
from landscape.absorption import Curve, bump
from landscape.canvas import Canvas, window_of
from landscape.light import Sun, direct_light, draw_sun
from landscape.surfaces import TRAITS, Samples, Surface, draw_region, reflectance
from landscape.texture import Field, fractal_field, nearest_seed

OVERSAMPLING = 4
_OPTICS_PIXELS = 0.4  # standard deviation of the blur by the optics of the sensor that took the reference
_SUBTLE = 16  # smooth shapes of what the material models leave out
_FIELD_SLOPES = {
    "vigour": 1.2,
    "pigment": 1.3,
    "wetness": 1.5,
    "parent": 1.8,
    "humus": 1.4,
    "weathering": 1.0,
    "grain": 0.1,
}


def generate_scene(
    rng: Generator,
    *,
    height: int,
    width: int,
    wavelengths_nm: ArrayLike,
    gsd_m: float = 10.0,
) -> NDArray[np.float32]:
    """Draw a landscape and look at it through square pixels.

    Layout, spectra, proportions and light all follow from `rng`: other seeds give other scenes. Spectra are sampled at
    the band centres (bands of a few tens of nanometres at most are meant) and are free of noise.

    Args:
        rng: Consumed.
        height: Rows, 16 or more.
        width: Columns, 16 or more.
        wavelengths_nm: Band centres, (C,), within 380 to 2600 nm, in any order.
        gsd_m: Side of a pixel, 1 to 60 m.

    Returns:
        Reflectance between 0 and 1, (C, H, W).
    """
    bands = np.asarray(wavelengths_nm, dtype=np.float32)
    canvas = Canvas.blank(height * OVERSAMPLING, width * OVERSAMPLING, spacing_m=gsd_m / OVERSAMPLING)
    _draw_land(canvas, rng)
    terrain = _terrain(canvas, rng)
    sun = draw_sun(rng)
    slope_y, slope_x = np.gradient(terrain, canvas.spacing_m)
    surface_m, slopes = terrain + canvas.height_m, (slope_x + canvas.slope_x, slope_y + canvas.slope_y)
    direct = direct_light(sun, surface_m, slopes=slopes, spacing_m=canvas.spacing_m)
    pieces = _pieces(canvas, direct)
    spectra = _spectra(pieces, canvas, rng, bands=bands, fields=_fields(rng, (height, width), terrain), sun=sun)
    share = csr_array(
        (pieces.share, pieces.pixel, np.arange(len(pieces.pixel) + 1)), shape=(len(spectra), height * width)
    )
    image = (share.T.tocsr() @ spectra).T.reshape(len(bands), height, width)
    seen = gaussian_filter(image, (0, _OPTICS_PIXELS, _OPTICS_PIXELS), mode="mirror")
    return np.clip(seen, 0, 1, out=np.empty_like(seen, dtype=np.float32))


@dataclass(frozen=True)
class _Pieces:
    """What is seen of one patch in one pixel; all (n,). The shares of a pixel sum to 1."""

    pixel: NDArray[np.int64]
    patch: NDArray[np.int64]
    share: NDArray[np.float32]
    direct: NDArray[np.float32]
    stripe: NDArray[np.float32]
    shore_m: NDArray[np.float32]


def _draw_land(canvas: Canvas, rng: Generator) -> None:
    """Zones of land use, then what crosses them."""
    extent = canvas.spacing_m * max(canvas.shape)
    zone = nearest_seed(rng, canvas.bent(rng, reach_m=0.04 * extent), size=extent * rng.uniform(0.18, 0.42))
    uses = (
        countryside.draw_fields,
        countryside.draw_woods,
        countryside.draw_heath,
        town.draw_settlement,
        town.draw_industry,
    )
    odds = rng.dirichlet([3.0, 1.4, 0.9, 1.0, 0.6])
    for number in np.unique(zone):
        window = window_of(zone == number)
        use = uses[int(rng.choice(len(uses), p=odds))]
        use(canvas.view(*window), zone[window] == number, rng=rng)
    for _ in range(rng.integers(0, 3)):
        countryside.draw_road(canvas, rng)
    for _ in range(rng.integers(0, 3)):
        countryside.draw_lake(canvas, rng)
    if rng.random() < 0.5:
        countryside.draw_river(canvas, rng)
    if rng.random() < 0.5:
        countryside.draw_road(canvas, rng)
    countryside.plant_trees(canvas, rng)


def _terrain(canvas: Canvas, rng: Generator) -> Field:
    """Height of the ground in metres, flat on water, (H, W) fine cells."""
    shape = fractal_field(rng, canvas.shape, slope=2.3, finest=3)
    steepness = np.hypot(*np.gradient(shape, canvas.spacing_m)).mean()
    relief = shape * np.float32(np.exp(rng.uniform(-4.6, -2.0)) / max(float(steepness), 1e-9))
    return relief * np.clip(-canvas.shore_m / 30, 0, 1)


def _fields(rng: Generator, shape: tuple[int, int], terrain: Field) -> dict[str, Field]:
    """What varies from pixel to pixel within patches: scores of about unit spread, (H, W) each."""
    rough = np.float32(rng.uniform(0.3, 0.7))
    fields = {}
    for name, slope in _FIELD_SLOPES.items():
        smooth, fine = (fractal_field(rng, shape, slope=each) for each in (slope, 0.5))
        fields[name] = np.sqrt(1 - rough**2) * smooth + rough * fine
    ground = terrain.reshape(shape[0], OVERSAMPLING, shape[1], OVERSAMPLING).mean(axis=(1, 3))
    hollow = (ground.mean() - ground) / max(float(ground.std()), 1e-9)  # water gathers low
    fields["wetness"] = 0.75 * fields["wetness"] + 0.65 * hollow
    return fields


def _pieces(canvas: Canvas, direct: Field) -> _Pieces:
    """Gather the fine cells of every pixel by patch."""
    side = OVERSAMPLING
    height, width = (count // side for count in canvas.shape)

    def by_pixel(raster: NDArray) -> NDArray:
        return raster.reshape(height, side, width, side).transpose(0, 2, 1, 3).reshape(height * width, side * side)

    patch = by_pixel(canvas.patch)
    order = np.argsort(patch, axis=1, kind="stable")
    patch = np.take_along_axis(patch, order, axis=1)
    first = np.ones(patch.shape, bool)
    first[:, 1:] = patch[:, 1:] != patch[:, :-1]
    start = np.flatnonzero(first)
    count = np.diff(start, append=patch.size).astype(np.float32)

    def mean(raster: Field) -> NDArray[np.float32]:
        return np.add.reduceat(np.take_along_axis(by_pixel(raster), order, axis=1).ravel(), start) / count

    return _Pieces(
        pixel=start // side**2,
        patch=patch.ravel()[start].astype(np.int64),
        share=count / side**2,
        direct=mean(direct),
        stripe=mean(canvas.stripe),
        shore_m=mean(canvas.shore_m),
    )


def _spectra(
    pieces: _Pieces, canvas: Canvas, rng: Generator, *, bands: Curve, fields: dict[str, Field], sun: Sun
) -> NDArray[np.float32]:
    """What every piece reflects under its own light, (n, C)."""
    region = draw_region(rng)
    surfaces = np.array(canvas.surfaces, dtype=np.int64)
    traits = _traits(rng, surfaces)
    subtle = _subtle(rng, bands)
    sky = sun.sky_share(bands)
    kinds = surfaces[pieces.patch]
    spectra = np.empty((len(kinds), len(bands)), np.float32)
    for kind in np.unique(kinds):
        rows = np.flatnonzero(kinds == kind)
        samples = _samples(pieces, rows, traits=traits, fields=fields)
        plain = reflectance(Surface(int(kind)), samples, region=region, wavelengths_nm=bands)
        spectra[rows] = plain * np.exp(samples.scores @ subtle) * (sky + (1 - sky) * pieces.direct[rows, None])
    return spectra


def _traits(rng: Generator, surfaces: NDArray[np.int64]) -> NDArray[np.float32]:
    """Scores of every patch, (patches, TRAITS): partly shared by all patches of a surface."""
    shared = rng.standard_normal((len(Surface), TRAITS))[surfaces]
    return (0.6 * shared + 0.8 * rng.standard_normal((len(surfaces), TRAITS))).astype(np.float32)


def _subtle(rng: Generator, bands: Curve) -> NDArray[np.float32]:
    """Weak smooth variations that the materials do not explain, in log reflectance: (scores, C)."""
    centres, widths = rng.uniform(400, 2450, _SUBTLE), np.exp(rng.uniform(np.log(30), np.log(400), _SUBTLE))
    shapes = np.stack([bump(bands, centre_nm=at, width_nm=wide) for at, wide in zip(centres, widths, strict=True)])
    scores = TRAITS + len(_FIELD_SLOPES)
    return (0.018 / np.sqrt(scores) * rng.standard_normal((scores, _SUBTLE)) @ shapes).astype(np.float32)


def _samples(
    pieces: _Pieces, rows: NDArray[np.int64], *, traits: NDArray[np.float32], fields: dict[str, Field]
) -> Samples:
    own = traits[pieces.patch[rows]]
    at = {name: values.ravel()[pieces.pixel[rows], None] for name, values in fields.items()}
    return Samples(
        traits=tuple(own[:, [i]] for i in range(TRAITS)),
        stripe=pieces.stripe[rows, None],
        shore_m=pieces.shore_m[rows, None],
        **at,
    )
