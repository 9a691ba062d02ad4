"""Pairs as they come: each is fused to a result that is asserted, or refused in one line that is asserted."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC
from rasterio.warp import transform as project

from pifnet_cli.metrics.spectral_angle import spectral_angle_deg
from pifnet_cli.raster.gdal import gdal_session
from scenes import ROTATED, UTM_33N, write_scene
from waves import GSD, NODATA, NORTH_UP, Ground, responses

RATIO, SIZE = 4, (48, 60)
LR_AT = NORTH_UP @ Affine.scale(RATIO)
SIGMA = GSD * RATIO / np.pi * np.sqrt(-2 * np.log(0.3))  # metres, of a PSF of MTF 0.3
GROUND = Ground(7)
TRUTH = GROUND.seen(NORTH_UP, *SIZE)
HR = np.einsum("mc,chw->mhw", responses(7, 3), TRUTH).astype(np.float32)
LR = GROUND.seen(LR_AT, 12, 15, sigma=SIGMA)
WELL = 0.005  # root mean square error of a pair that is fused well, in values of 0.1 to 0.9; interpolation: 0.013
TOLD = ("--mtf", "0.3", "--align", "none")  # such small scenes tell neither blur nor shift
REGRESSION, KRIGING, GSA, CNMF, BICUBIC = (
    (*TOLD, "--method", method) for method in ("regression", "kriging", "gsa", "cnmf", "bicubic")
)


def lr_file(folder: Path, pixels=LR, *, name="lr.tif", transform=LR_AT, **how) -> Path:
    return write_scene(folder / name, pixels, transform=transform, **how)


def hr_file(folder: Path, pixels=HR, *, name="hr.tif", transform=NORTH_UP, **how) -> Path:
    return write_scene(folder / name, pixels, transform=transform, **how)


def pair(*, lr=None, hr=None):
    """A maker of a pair of which one scene or both are written otherwise."""
    return lambda folder: (lr_file(folder, **(lr or {})), hr_file(folder, **(hr or {})))


def spoiled(image, *index, value=NODATA):
    """A copy with one value at the index."""
    copy = image.copy()
    copy[index] = value
    return copy


# ----------------------------------------------------------------------------------------------------------- refused


@dataclass(frozen=True)
class Bad:
    """A pair, the essential words of its refusal, and the exit code."""

    make: Callable[[Path], Sequence[Path]]
    words: str
    options: tuple[str, ...] = ()
    code: int = 1


def swapped(folder):
    return hr_file(folder), lr_file(folder)


def placed_by_control_points(folder):
    hr = hr_file(folder, transform=None, crs=None)
    points = [GroundControlPoint(row, column, column * 10.0, row * 10.0) for row in (0, 40) for column in (0, 50)]
    with gdal_session(), rasterio.open(hr, "r+") as dataset:
        dataset.gcps = (points, rasterio.CRS.from_user_input(UTM_33N))
    return lr_file(folder), hr


def placed_by_rpcs(folder):
    hr = hr_file(folder, transform=None, crs=None)
    ones = [1.0] + [0.0] * 19
    names = ("height_off", "height_scale", "lat_off", "lat_scale", "line_off", "line_scale", "long_off", "long_scale")
    rpc = RPC(
        **dict.fromkeys((*names, "samp_off", "samp_scale"), 1.0),
        line_den_coeff=ones, line_num_coeff=ones, samp_den_coeff=ones, samp_num_coeff=ones,
    )  # fmt: skip
    with gdal_session(), rasterio.open(hr, "r+") as dataset:
        dataset.rpcs = rpc
    return lr_file(folder), hr


def placed_by_geolocation_arrays(folder):
    lr = lr_file(folder, transform=None, crs=None)
    with gdal_session(), rasterio.open(lr, "r+") as dataset:
        dataset.update_tags(ns="GEOLOCATION", X_DATASET="lon.tif", Y_DATASET="lat.tif", X_BAND="1", Y_BAND="1",
                            LINE_OFFSET="0", LINE_STEP="1", PIXEL_OFFSET="0", PIXEL_STEP="1")  # fmt: skip
    return lr, hr_file(folder)


def truncated(folder):
    lr = lr_file(folder, name="lr.img")
    lr.write_bytes(lr.read_bytes()[:-100])
    return lr, hr_file(folder)


def without_data_file(folder):
    lr = lr_file(folder, name="lr.hdr")
    lr.with_suffix(".img").unlink()
    return lr, hr_file(folder)


def missing(folder):
    return folder / "absent.hdr", hr_file(folder)


def a_folder(folder):
    (folder / "folder.tif").mkdir()
    return lr_file(folder), folder / "folder.tif"


def text(folder):
    (folder / "notes.tif").write_text("not a raster")
    return lr_file(folder), folder / "notes.tif"


def envi(**fields):
    """An ENVI LR-HSI with some fields of its header replaced."""
    return pair(lr={"name": "lr.hdr", "fields": fields})


def counts(dtype, **how):
    """The LR-HSI in ten thousandths."""
    return {"pixels": np.rint(LR * 1e4).astype(dtype), **how}


NINE = "{" + ", ".join(["450.5"] * 9) + "}"
EITHER_OR_NONE = spoiled(LR, ..., slice(0, 6), slice(None)), spoiled(HR, ..., slice(20, 48), slice(None))
BAD = {
    "swapped": Bad(swapped, "its pixels are as large as 4 x 4 LR-HSI pixels; the HR-MSI must be the finer one"),
    "HR-MSI a little coarser": Bad(
        pair(hr={"pixels": HR[:, :12, :15], "transform": LR_AT @ Affine.scale(1.1)}), "were the two inputs swapped?"
    ),
    "finer along rows only": Bad(
        pair(hr={"transform": NORTH_UP @ Affine.scale(0.5, 5)}), "as large as 1.25 x 0.125 LR-HSI pixels"
    ),
    "elsewhere": Bad(
        pair(hr={"transform": NORTH_UP @ Affine.translation(900, 0)}),
        "by 48 x 0 HR pixels, less than one LR pixel; two scenes of the same ground were expected",
    ),
    "overlap of half an LR pixel": Bad(
        pair(lr={"transform": LR_AT @ Affine.translation(14.5, 0)}), "by 48 x 2 HR pixels, less than one LR pixel"
    ),
    "LR-HSI without CRS": Bad(pair(lr={"crs": None}), "lr.tif: has no CRS, but"),
    "HR-MSI without CRS": Bad(pair(hr={"crs": None}), "hr.tif: has no CRS, but"),
    "CRS of the moon": Bad(
        pair(lr={"crs": "+proj=longlat +R=1737400", "transform": Affine(0.01, 0, 13, 0, -0.01, 52)}),
        "lr.tif: PROJ cannot bring it to the CRS of the other scene (unknown to WGS 84 / UTM zone 33N)",
    ),
    "beyond the pole": Bad(
        pair(lr={"crs": "EPSG:4326", "transform": Affine(0.5, 0, 13, 0, -0.5, 95)}),
        "lr.tif: PROJ cannot bring it to the CRS of the other scene (",
    ),
    "control points": Bad(
        placed_by_control_points,
        "control points only; a geotransform was expected; rectify it first: gdalwarp -t_srs "
        "EPSG:32633 -tps {hr} OUT.tif",
    ),
    "RPCs": Bad(placed_by_rpcs, "by RPCs only; a geotransform was expected; orthorectify it first: gdalwarp -rpc"),
    "geolocation arrays": Bad(
        placed_by_geolocation_arrays,
        "arrays only; a geotransform was expected; rectify it first: gdalwarp -geoloc -t_srs EPSG:CODE {lr} OUT.tif",
    ),
    "CRS without geotransform": Bad(pair(lr={"transform": None}), "lr.tif: has a CRS but no geotransform"),
    "geotransform without area": Bad(pair(hr={"transform": Affine(1, 2, 3, 2, 4, 5)}), "maps pixels to no area"),
    "garbage for a position": Bad(
        envi(**{"map info": "{UTM, 1, 1, hello, 0, 40, 40, 33, North, WGS-84}"}), "x in 'map info' is hello"
    ),
    "sizes of no common ratio": Bad(
        pair(lr={"crs": None, "transform": None}, hr={"crs": None, "transform": None, "pixels": HR[..., :40]}),
        "their sizes give different ratios along rows (4.000) and columns (2.667)",
    ),
    "truncated": Bad(truncated, "lr.img"),
    "no such file": Bad(missing, "absent.hdr"),
    "no data file": Bad(without_data_file, "lr.hdr"),
    "a folder": Bad(a_folder, "folder.tif"),
    "a text": Bad(text, "notes.tif"),
    "complex pixels": Bad(pair(hr={"pixels": HR.astype("complex64")}), "its pixels are complex"),
    "wavelengths of other bands": Bad(envi(wavelength=NINE), "'wavelength' has 9 entries; one for each of the 7 bands"),
    "words for wavelengths": Bad(envi(wavelength="{a, b, c, d, e, f, g}"), "'wavelength' holds 'a'; numbers were"),
    "wavelength of zero": Bad(envi(wavelength="{0, 1, 2, 3, 4, 5, 6}"), "wavelength of band 1 is 0; a positive number"),
    "nodata that cannot occur": Bad(
        pair(lr=counts("int16", name="lr.hdr", nodata=-99999)), "the nodata value -99999 cannot occur in int16 pixels"
    ),
    "scale factor and gains disagree": Bad(
        pair(lr=counts("int16", name="lr.hdr", scales=[0.01] * 7, fields={"reflectance scale factor": "10000"})),
        "has both gains (such as 0.01) and a reflectance scale factor of 10000, and they disagree",
    ),
    "a gain of zero": Bad(pair(lr=counts("int16", scales=[0.0] * 7)), "a band's gain is 0 or no number"),
    "negative scale factor": Bad(
        envi(**{"reflectance scale factor": "-1"}), "reflectance scale factor is -1; a positive"
    ),
    "bad-band list of other bands": Bad(envi(bbl="{1, 0}"), "'bbl' has 2 entries; one for each of the 7 bands"),
    "nothing but bad bands": Bad(
        pair(lr={"good": [0] * 7}),
        "its bad-band list marks all 7 bands; --bands good leaves nothing",
        ("--bands", "good"),
    ),
    "HR-MSI all nodata": Bad(
        pair(hr={"pixels": np.full_like(HR, NODATA), "nodata": NODATA}), "no LR pixel is valid in both scenes ("
    ),
    "LR-HSI all nodata": Bad(
        pair(lr={"pixels": np.full_like(LR, NODATA), "nodata": NODATA}), "no LR pixel is valid in both scenes ("
    ),
    "valid in different places": Bad(
        pair(lr={"pixels": EITHER_OR_NONE[0], "nodata": NODATA}, hr={"pixels": EITHER_OR_NONE[1], "nodata": NODATA}),
        "both hold nodata where the other has pixels; check nodata values with: pifnet info FILE",
    ),
    "whole numbers of nothing": Bad(pair(), "say what one stored unit is worth, e.g. --scale", ("--dtype", "int16"), 2),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_pair_is_one_line_and_no_output(pifnet, tmp_path, name):
    bad = BAD[name]
    lr, hr = bad.make(tmp_path)
    before = sorted(tmp_path.iterdir())
    run = pifnet("fuse", lr, hr, "-o", tmp_path / "out.tif", "-q", *bad.options)
    assert bad.words.format(lr=lr, hr=hr) in run.err
    assert (run.code, run.err.count("\n"), run.out) == (bad.code, 1, "")
    assert sorted(tmp_path.iterdir()) == before


# ------------------------------------------------------------------------------------------------------------- fused


@dataclass(frozen=True)
class Result:
    """What was written: (C, H, W) in physical units, NaN where nodata; and what was told."""

    image: np.ndarray
    transform: Affine
    profile: dict
    stored: np.ndarray
    tags: list
    told: str

    @property
    def is_valid(self):
        return np.isfinite(self.image)


@dataclass(frozen=True)
class Odd:
    """A pair, what must be true of its result, options, and words that are told."""

    make: Callable[[Path], Sequence[Path]]
    holds: Callable[[Result], bool]
    options: tuple[str, ...] = REGRESSION
    words: str = ""


@dataclass(frozen=True)
class Like:
    """A pair whose result is that of a plain pair, which is fused by options of its own where they are given."""

    make: Callable[[Path], Sequence[Path]]
    options: tuple[str, ...] = REGRESSION
    plain_options: tuple[str, ...] | None = None


def error(image, truth=TRUTH):
    """Root mean square over valid pixels."""
    return float(np.sqrt(np.nanmean(np.square(image - truth))))


def is_well_beside(*index):
    """Whole, and near to the truth in all that is not there, along one axis."""
    axis, places = next((axis, place) for axis, place in enumerate(index) if place != slice(None))

    def holds(result):
        rest = (np.delete(image, places, axis=axis) for image in (result.image, TRUTH))
        return bool(result.is_valid.all()) and error(*rest) < WELL

    return holds


def is_well(result):
    """Whole, and near to the truth."""
    return bool(result.is_valid.all()) and error(result.image) < WELL


def is_well_but(*index):
    """Nodata there and nowhere else, and near to the truth."""

    def holds(result):
        expected = np.ones(TRUTH.shape, dtype=bool)
        expected[index] = False
        return np.array_equal(result.is_valid, expected) and error(result.image) < WELL

    return holds


# Linear ramps of map coordinates, half explained by the HR-MSI: a grid that is read a tenth of an HR pixel off shows.
SLOPES = np.array([[3e-4, 0], [0, 3e-4], [2e-4, -2e-4], [-1e-4, 3e-4]])
GEOGRAPHIC = "EPSG:4326"
LONGITUDE, LATITUDE = (axis[0] for axis in project(UTM_33N, GEOGRAPHIC, [365500.0], [5806500.0]))


def ramps(transform, height, width, crs=UTM_33N):
    columns, rows = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    x, y = transform @ (columns, rows)
    if crs != UTM_33N:
        x, y = (np.reshape(axis, x.shape) for axis in project(crs, UTM_33N, x.ravel(), y.ravel()))
    return np.stack([a * (x - 365000) + b * (y - 5807000) + 10 for a, b in SLOPES]).astype(np.float32)


def ramp_pair(lr_at, hr_at, *, lr_crs=UTM_33N, hr_crs=UTM_33N, lr_size=(50, 50), hr_size=(72, 80)):
    def make(folder):
        fine = ramps(hr_at, *hr_size, hr_crs).mean(axis=0, keepdims=True)
        coarse = ramps(lr_at, *lr_size, lr_crs)
        return (
            lr_file(folder, coarse, transform=lr_at, crs=lr_crs),
            hr_file(folder, fine, transform=hr_at, crs=hr_crs),
        )

    return make


def in_place(crs=UTM_33N, *, cut=16, step=GSD):
    """No ramp is displaced by a fiftieth of an HR pixel, borders cut."""

    def holds(result):
        expected = ramps(result.transform, *result.image.shape[1:], crs)
        off = np.abs(result.image - expected)[:, cut:-cut, cut:-cut].max(axis=(1, 2))
        return float((off / (np.hypot(*SLOPES.T) * step)).max()) < 0.02

    return holds


def at_points(folder):
    """Both files say that their coordinates are those of pixel centres; what GDAL then writes is half a pixel off."""
    files = lr_file(folder), hr_file(folder)
    for path in files:
        before = path.read_bytes()
        with gdal_session(), rasterio.open(path) as dataset:
            profile, pixels = dataset.profile, dataset.read()
        with gdal_session(), rasterio.open(path, "w", **profile) as dataset:
            dataset.update_tags(AREA_OR_POINT="Point")
            dataset.write(pixels)
        corner, centre = np.array([365000.0, 5807000.0]), profile["transform"] @ (0.5, 0.5)
        assert corner.tobytes() in before
        assert corner.tobytes() not in path.read_bytes()
        assert np.array(centre).tobytes() in path.read_bytes()
    return files


def same_file(folder):
    path = hr_file(folder)
    return path, path


def random_gaps(image, share=0.1, seed=0):
    return spoiled(image, slice(None), np.random.default_rng(seed).random(image.shape[1:]) < share)


def scattered_gaps(image, share=0.1, seed=0):
    return spoiled(image, np.random.default_rng(seed).random(image.shape) < share)


def cloud(image, row, column, radius):
    rows, columns = np.mgrid[: image.shape[1], : image.shape[2]]
    return spoiled(image, slice(None), (rows - row) ** 2 + (columns - column) ** 2 < radius**2)


def is_missing_as(lr, hr, most=WELL):
    """Nodata where the LR pixel or the HR pixel is, finite elsewhere, near to the truth."""

    def holds(result):
        absent = np.kron(lr == NODATA, np.ones((RATIO, RATIO), dtype=bool)) | (hr == NODATA).any(axis=0)
        return np.array_equal(result.is_valid, ~absent) and error(result.image) < most

    return holds


def only(band, row, column):
    """An LR-HSI with one valid pixel in that band."""
    image = spoiled(LR, band)
    image[band, row, column] = LR[band, row, column]
    return image


LR_GAPS, LR_SCATTERED = random_gaps(LR), scattered_gaps(LR)
LR_CLOUD, HR_CLOUD = cloud(LR, 4, 5, 2.5), cloud(HR, 30, 40, 6)
DARK = 1e-7
RUBBISH = np.random.default_rng(0).normal(0, 50, LR.shape[1:])
SCALE, OFFSET = 1e-4, -0.1
SENTINEL = np.rint((HR - OFFSET) / SCALE).astype(np.uint16)
GAINS, SHIFTS = [1e-4 * (band + 1) for band in range(7)], [-0.01 * band for band in range(7)]
CODED = np.rint((LR - np.array(SHIFTS)[:, None, None]) / np.array(GAINS)[:, None, None]).astype(np.int16)
SHUFFLED = [700.5, 500.5, 600.5, 900.5, 800.5, 550.5, 450.5]
ODD = {
    # Grids
    "geographic LR-HSI": Odd(
        ramp_pair(
            Affine(6e-4, 0, LONGITUDE - 25 * 6e-4, 0, -3.6e-4, LATITUDE + 25 * 3.6e-4),
            NORTH_UP @ Affine.translation(10, 10),
            lr_crs=GEOGRAPHIC,
        ),
        in_place(),
    ),
    "geographic HR-MSI": Odd(
        ramp_pair(
            LR_AT @ Affine.translation(-10, -10),
            Affine(1.5e-4, 0, LONGITUDE - 6e-3, 0, -0.9e-4, LATITUDE + 3e-3),
            hr_crs=GEOGRAPHIC,
        ),
        in_place(GEOGRAPHIC),
    ),
    "other side lengths": Odd(ramp_pair(NORTH_UP @ Affine.scale(5.5, 2), NORTH_UP), in_place(cut=20)),
    "ratio of 1.25": Odd(ramp_pair(NORTH_UP @ Affine.scale(1.25), NORTH_UP), in_place()),
    "half of it": Odd(
        pair(lr={"transform": LR_AT @ Affine.translation(8, 6), "pixels": LR}),
        lambda result: result.transform == NORTH_UP @ Affine.translation(30, 22) and result.image.shape == (7, 26, 30),
    ),
    "all of the HR-MSI asked for": Odd(
        pair(lr={"transform": LR_AT @ Affine.translation(8, 6), "pixels": LR}),
        lambda result: (
            result.transform == NORTH_UP
            and result.is_valid[:, 22:, 30:].all()
            and not result.is_valid[:, :22].any()
            and not result.is_valid[..., :30].any()
        ),
        (*REGRESSION, "--extent", "hr"),
    ),
    "no CRS": Odd(pair(lr={"crs": None}, hr={"crs": None}), is_well, words="their transforms are taken to share one"),
    "no georeferencing": Odd(
        pair(lr={"crs": None, "transform": None}, hr={"crs": None, "transform": None}),
        is_well,
        words="the same upper-left corner and a ratio of 4 are assumed",
    ),
    "rotated without CRS": Odd(
        pair(lr={"crs": None, "transform": ROTATED @ Affine.scale(4)}, hr={"crs": None, "transform": ROTATED}),
        is_well,
    ),
    "ratio of 1": Odd(
        pair(lr={"pixels": TRUTH, "transform": NORTH_UP}),
        lambda result: error(result.image) < 0.02,
        TOLD,
    ),
    "one file twice": Odd(same_file, lambda result: error(result.image, HR) < 0.02, REGRESSION),
    "ratio of 40": Odd(
        pair(lr={"pixels": LR[:, :3, :3], "transform": NORTH_UP @ Affine.scale(40)}),
        lambda result: result.is_valid.all() and result.image.shape == TRUTH.shape,
        KRIGING,
    ),
    "an LR-HSI of one pixel": Odd(
        pair(lr={"pixels": LR[:, :1, :1]}, hr={"pixels": HR[:, :4, :4]}),
        lambda result: np.allclose(result.image, np.broadcast_to(LR[:, :1, :1], (7, 4, 4)), atol=1e-6),
    ),
    "one pixel each": Odd(
        pair(lr={"pixels": LR[:, :1, :1], "transform": NORTH_UP}, hr={"pixels": HR[:, :1, :1]}),
        lambda result: np.allclose(result.image, LR[:, :1, :1], atol=1e-6),
        TOLD,
    ),
    "an LR-HSI of one row": Odd(
        pair(lr={"pixels": LR[:, :1]}, hr={"pixels": HR[:, :4]}),
        lambda result: error(result.image, TRUTH[:, :4]) < 0.02,
        KRIGING,
    ),
    "one band each": Odd(
        pair(lr={"pixels": LR[3:4]}, hr={"pixels": HR[1:2]}),
        lambda result: error(result.image, TRUTH[3:4]) < 0.01,
        KRIGING,
    ),
    # Numbers
    "whole numbers with a scale factor": Odd(
        pair(lr=counts("int16", name="lr.hdr", fields={"reflectance scale factor": "10000"})),
        lambda result: is_well(result) and result.profile["dtype"] == "int16" and result.stored.max() > 5000,
    ),
    "a gain and an offset for each band": Odd(
        pair(lr={"pixels": CODED, "scales": GAINS, "offsets": SHIFTS}),
        lambda result: is_well(result) and result.profile["dtype"] == "int16",
    ),
    "negative values": Odd(
        pair(lr={"pixels": np.rint((LR - 0.5) * 1e4).astype(np.int16)}),
        lambda result: result.image.min() < -1000 and error(result.image / 1e4 + 0.5) < WELL,
    ),
    "more than the output type holds": Odd(
        pair(),
        lambda result: result.profile["dtype"] == "uint8" and result.stored.max() == 254 and result.is_valid.all(),
        (*REGRESSION, "--dtype", "uint8", "--scale", "0.002"),
        "values beyond the range of uint8 were clipped",
    ),
    "bands in no order": Odd(
        pair(lr={"wavelengths": SHUFFLED}),
        lambda result: is_well(result) and [float(tags["wavelength"]) for tags in result.tags] == SHUFFLED,
    ),
    "bands marked bad": Odd(
        pair(lr={"good": [1, 1, 0, 1, 1, 0, 1]}),
        lambda result: is_well(result) and [tags["bbl"] for tags in result.tags] == list("1101101"),
    ),
    "bands marked bad left out": Odd(
        pair(lr={"good": [1, 1, 0, 1, 1, 0, 1], "wavelengths": SHUFFLED}),
        lambda result: (
            error(result.image, TRUTH[[0, 1, 3, 4, 6]]) < WELL
            and [float(tags["wavelength"]) for tags in result.tags] == [SHUFFLED[band] for band in (0, 1, 3, 4, 6)]
        ),
        (*REGRESSION, "--bands", "good"),
    ),
    "rubbish in a band marked bad": Odd(
        pair(lr={"pixels": spoiled(LR, 2, value=RUBBISH), "good": [1, 1, 0, 1, 1, 1, 1]}),
        is_well_beside(2),
        CNMF,
    ),
    "a band without data": Odd(
        pair(lr={"pixels": spoiled(LR, 2), "nodata": NODATA}),
        lambda result: is_well_but(2)(result) and [tags["bbl"] for tags in result.tags] == list("1101111"),
        KRIGING,
    ),
    "a band of one number": Odd(
        pair(lr={"pixels": spoiled(LR, 2, value=0.25)}),
        lambda result: np.allclose(result.image[2], 0.25, atol=1e-5) and is_well_beside(2)(result),
        KRIGING,
    ),
    "dark water": Odd(
        pair(lr={"pixels": LR * DARK}, hr={"pixels": HR * DARK}),
        lambda result: (
            np.isfinite(spectral_angle_deg(result.image.astype(float), TRUTH)).all()
            and error(result.image / DARK) < WELL
        ),
        KRIGING,
    ),
    "nothing but zeros": Odd(
        pair(lr={"pixels": LR * 0}), lambda result: not result.image.any() and result.is_valid.all(), KRIGING
    ),
    # Holes
    "not a number": Odd(
        pair(hr={"pixels": spoiled(HR, 1, slice(14, 18), 20, value=np.nan)}),
        is_well_but(slice(None), slice(14, 18), 20),
    ),
    "infinity": Odd(pair(hr={"pixels": spoiled(HR, 0, 9, 9, value=np.inf)}), is_well_but(slice(None), 9, 9)),
    "a tenth of the LR pixels missing": Odd(pair(lr={"pixels": LR_GAPS, "nodata": NODATA}), is_missing_as(LR_GAPS, HR)),
    "a tenth missing, by kriging": Odd(
        pair(lr={"pixels": LR_GAPS, "nodata": NODATA}), is_missing_as(LR_GAPS, HR), KRIGING
    ),
    "a tenth of every band missing": Odd(
        pair(lr={"pixels": LR_SCATTERED, "nodata": NODATA}), is_missing_as(LR_SCATTERED, HR), KRIGING
    ),
    "a tenth of every band, by GSA": Odd(
        pair(lr={"pixels": LR_SCATTERED, "nodata": NODATA}), is_missing_as(LR_SCATTERED, HR), GSA
    ),
    "clouds in both": Odd(
        pair(lr={"pixels": LR_CLOUD, "nodata": NODATA}, hr={"pixels": HR_CLOUD, "nodata": NODATA}),
        is_missing_as(LR_CLOUD, HR_CLOUD),
        KRIGING,
    ),
    "a band of one pixel": Odd(
        pair(lr={"pixels": only(3, 5, 5), "nodata": NODATA}),
        is_missing_as(only(3, 5, 5), HR),
        GSA,
    ),
    "little but nodata": Odd(
        pair(hr={"pixels": spoiled(HR, ..., slice(12, None)), "nodata": NODATA}),
        lambda result: result.is_valid[..., :12].all() and not result.is_valid[..., 12:].any(),
        KRIGING,
    ),
    # What nobody declared
    "fill": Odd(
        pair(hr={"pixels": spoiled(HR, ..., slice(50, None), value=0)}),
        lambda result: result.is_valid.all(),
        words="% of its pixels are 0 in all bands, its lowest number; if that is fill or saturation, declare it: "
        "gdal_edit.py -a_nodata 0 ",
    ),
    "fill of the LR-HSI": Odd(
        pair(lr={"name": "lr.hdr", "pixels": spoiled(LR, ..., slice(12, None), value=-9999)}),
        lambda result: result.is_valid.all(),
        words="declare it: data ignore value = -9999 in its header",
    ),
    "saturation": Odd(
        pair(hr={"pixels": spoiled(SENTINEL, ..., slice(20, 28), slice(20, 28), value=65535)}),
        lambda result: result.is_valid.all(),
        words="are 65535 in all bands, its highest number",
    ),
    "a stray LR pixel": Odd(
        pair(lr={"pixels": spoiled(LR, ..., 5, 5, value=-9999)}),
        is_well_beside(slice(None), slice(12, 32)),
        KRIGING,
        "7 values lie absurdly far from all others",
    ),
    "a stray HR pixel": Odd(
        pair(hr={"pixels": spoiled(HR, ..., 20, 20, value=65535)}),
        is_well_beside(slice(None), slice(8, 32)),
        KRIGING,
        "3 values lie absurdly far from all others",
    ),
}


LIKE = {
    "US feet": Like(pair(lr={"crs": "EPSG:2263"}, hr={"crs": "EPSG:2263"})),
    "coordinates of pixel centres": Like(at_points),
    "big-endian lines after a header": Like(
        pair(lr={"name": "lr.hdr", "interleave": "bil", "byte_order": 1, "header_offset": 77})
    ),
    "Sentinel-2's offset, declared": Like(
        pair(hr={"pixels": SENTINEL, "scales": [SCALE] * 3, "offsets": [OFFSET] * 3}), KRIGING
    ),
    "Sentinel-2's offset, undeclared": Like(pair(hr={"pixels": SENTINEL}), KRIGING),
    "an HR-MSI band of zeros": Like(pair(hr={"pixels": np.concatenate([HR, np.zeros_like(HR[:1])])}), KRIGING),
    "an HR-MSI that shows nothing": Like(pair(hr={"pixels": np.full_like(HR, 7)}), REGRESSION, BICUBIC),
}


@pytest.fixture
def fused(pifnet, tmp_path):
    """Fuse a pair in a folder of that name, and read what was written."""

    def fuse(name, make, options):
        folder = tmp_path / name
        folder.mkdir()
        run = pifnet("fuse", *make(folder), "-o", folder / "out.tif", *options)
        assert run.code == 0, run.err
        return _written(run, folder / "out.tif")

    return fuse


def _written(run, path):
    with gdal_session(), rasterio.open(path) as dataset:
        stored = dataset.read()
        scales, offsets = (np.array(numbers)[:, None, None] for numbers in (dataset.scales, dataset.offsets))
        image = np.where(np.isnan(stored) | (stored == dataset.nodata), np.nan, stored * scales + offsets)
        tags = [dataset.tags(band) for band in dataset.indexes]
        return Result(image, dataset.transform, dict(dataset.profile), stored, tags, run.err)


@pytest.mark.parametrize("name", ODD)
def test_an_odd_pair_has_the_result_it_should(fused, name):
    odd = ODD[name]
    result = fused("odd", odd.make, odd.options)
    assert odd.holds(result)
    assert odd.words in " ".join(result.told.split())


@pytest.mark.parametrize("name", LIKE)
def test_an_odd_pair_has_the_result_of_a_plain_one(fused, name):
    like = LIKE[name]
    result, plain = fused("odd", like.make, like.options), fused("plain", pair(), like.plain_options or like.options)
    assert result.is_valid.all()
    assert error(result.image, plain.image) < 1e-4


def test_interpolation_alone_is_no_good_result(fused):
    assert error(fused("plain", pair(), BICUBIC).image) > 2 * WELL
