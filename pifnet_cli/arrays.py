"""Arrays as open scenes, and results as arrays: NumPy with a ratio or transforms, xarray by rioxarray's conventions."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from pifnet_cli.errors import BandsError, DependencyError, GridError, SceneReadError, SettingsError
from pifnet_cli.raster.bands import BandFields, parse_bands
from pifnet_cli.raster.stored_numbers import BandCoding, exact_nodata, to_physical, told_nodata
from pifnet_cli.scene import Bands, Grid, Pixels, Scene, Window
from pifnet_cli.settings import Nodata

if TYPE_CHECKING:
    from xarray import DataArray

log = logging.getLogger(__name__)

WAVELENGTHS, WIDTHS, GOOD = ("wavelength", "wavelengths"), ("fwhm",), ("good", "good_wavelengths", "bbl")
STORAGE = {  # attributes of the file or the numbers that an array was read from
    "scale_factor", "add_offset", "_FillValue", "missing_value", "samples", "lines", "bands", "header_offset",
    "file_type", "data_type", "interleave", "byte_order", "data_ignore_value", "data_gain_values",
    "data_offset_values", "reflectance_scale_factor", "map_info", "coordinate_system_string",
}  # fmt: skip
ONE_PLANE = 'LOCAL_CS["the plane that both arrays lie on",UNIT["pixel",1]]'
STALE = 1e-3  # pixels by which the coordinates may leave the transform that is noted beside them


@dataclass(frozen=True, eq=False)
class ArrayScene:
    """A scene in memory, or lazily loaded from wherever its array is.

    Attributes:
        scene: Grid, bands and coding.
        values: (C, H, W) of stored numbers, anything that is cut by slices and becomes a NumPy array.
    """

    scene: Scene
    values: Any

    def read(self, window: Window) -> Pixels:
        """(C, h, w) in physical units, NaN where invalid; a copy."""
        stored = np.array(self.values[:, *window.slices])
        count, scene = self.scene.bands.count, self.scene
        scales, offsets = scene.scales or (1.0,) * count, scene.offsets or (0.0,) * count
        codings = [BandCoding(*coding, scene.nodata) for coding in zip(scales, offsets, strict=True)]
        return to_physical(stored, codings)

    def with_nodata(self, nodata: Nodata | None) -> "ArrayScene":
        """The scene with another nodata value than it declares; the same where none is given.

        Raises:
            SceneReadError: Its type cannot hold the value.
        """
        if nodata is None:
            return self
        scene = self.scene
        return replace(self, scene=replace(scene, nodata=told_nodata(nodata, scene.dtype, scene.path)))

    def cut(self, positions: Sequence[int], /) -> "ArrayScene":
        """The scene of some of its bands, by positions from 0."""
        return ArrayScene(self.scene.cut(positions), self.values[list(positions)])


def is_data_array(image: object) -> bool:
    """Whether it is an `xarray.DataArray`; xarray is not imported for it."""
    return type(image).__module__.partition(".")[0] == "xarray" and hasattr(image, "dims")


def numpy_pair(
    lr_hsi: NDArray[Any],
    hr_msi: NDArray[Any],
    *,
    ratio: float | tuple[float, float] | None = None,
    transforms: tuple[Affine, Affine] | None = None,
) -> tuple[ArrayScene, ArrayScene]:
    """Two arrays as open scenes.

    Args:
        lr_hsi: (C, h, w), numbers; invalid pixels are NaN, or masked.
        hr_msi: (M, H, W) of the same ground.
        ratio: Side of an LR pixel in HR pixels, or (rows, columns); both arrays then begin at the same corner.
        transforms: Of both arrays instead: pixel corners (column, row) -> (x, y) on one map.

    Raises:
        SettingsError: Neither ratio nor transforms, or both.
        SceneReadError: An array is not (bands, rows, columns) of real numbers.
        GridError: A ratio below 1, or a transform that is none.
    """
    if (ratio is None) == (transforms is None):
        raise SettingsError(
            "fuse: NumPy arrays have no georeferencing; give ratio=, or lr_transform= and hr_transform="
        )
    if transforms is None:
        rows, columns = (ratio, ratio) if not isinstance(ratio, tuple) else ratio
        if rows is None or columns is None or not min(rows, columns) >= 1:
            raise GridError(f"fuse: ratio={ratio}: a number from 1 up was expected")
        transforms = Affine.scale(columns, -rows), Affine.scale(1, -1)
    named = zip(("LR-HSI", "HR-MSI"), (lr_hsi, hr_msi), transforms, strict=True)
    lr, hr = (_numpy_scene(name, image, transform) for name, image, transform in named)
    return lr, hr


def _numpy_scene(name: str, image: NDArray[Any], transform: Affine) -> ArrayScene:
    filled = np.ma.filled(image.astype(np.float32), np.nan) if isinstance(image, np.ma.MaskedArray) else image
    values = _checked(name, filled)
    transform = Affine(*tuple(transform)[:6])
    if transform.is_degenerate:
        raise GridError(
            f"{name}: its transform {tuple(transform)[:6]} gives pixels no area; an invertible one was expected"
        )
    grid = Grid(values.shape[1], values.shape[2], transform, ONE_PLANE)
    return ArrayScene(Scene(Path(name), grid, Bands(values.shape[0]), dtype=values.dtype.name), values)


def _checked(name: str, values: Any) -> Any:
    """The array itself, if it can be an image."""
    if values.ndim != 3 or 0 in values.shape:
        raise SceneReadError(f"{name}: an array of shape {values.shape}; (bands, rows, columns) was expected")
    if not (np.issubdtype(values.dtype, np.integer) or np.issubdtype(values.dtype, np.floating)):
        raise SceneReadError(f"{name}: an array of {values.dtype}; real numbers were expected")
    return values


def data_array_scene(name: str, image: "DataArray") -> ArrayScene:
    """A DataArray as an open scene, by rioxarray's conventions.

    CRS, transform and nodata are those of `.rio`; attributes `scale_factor` and `add_offset` are applied. Coordinates
    along the bands named `wavelength` (its attribute `units`: nm or um), `fwhm` and `good` describe them. Dimensions
    may stand in any order. Lazily loaded arrays are read window by window.

    Args:
        name: What it is called in messages.
        image: Bands, rows and columns.

    Raises:
        DependencyError: rioxarray is not installed.
        SceneReadError: It is not (bands, rows, columns) of real numbers.
        GridError: It has no transform that can be used.
    """
    _require_rioxarray()
    ordered = _in_order(name, image)
    _checked(name, ordered)
    crs, attributes = image.rio.crs, image.attrs
    scale, offset = float(attributes.get("scale_factor", 1.0)), float(attributes.get("add_offset", 0.0))
    count = ordered.shape[0]
    transform = _transform(name, image)
    scene = Scene(
        path=Path(name),
        grid=Grid(ordered.shape[1], ordered.shape[2], transform, None if crs is None else crs.to_wkt()),
        bands=_bands(name, ordered),
        dtype=ordered.dtype.name,
        nodata=_nodata(name, image),
        scales=None if scale == 1 else (scale,) * count,
        offsets=None if offset == 0 else (offset,) * count,
    )
    return ArrayScene(scene, ordered.variable)


def data_array_like(
    image: "DataArray", reference: "DataArray", scene: Scene, pixels: Pixels, window: Window
) -> "DataArray":
    """A result with the bands of one DataArray on pixels of another.

    Args:
        image: The LR-HSI: names and order of dimensions, coordinates of its bands, attributes.
        reference: The HR-MSI: coordinates of its pixels.
        scene: Grid and bands of the result; its bands are those of `image`, or the good ones.
        pixels: (C, H, W), float32, NaN where invalid.
        window: The result's pixels in `reference`.
    """
    from xarray import DataArray  # noqa: PLC0415 - an extra

    rows, columns = window.slices
    band_dim, y_dim, x_dim = _dimensions("LR-HSI", image)
    taken = _taken(image, band_dim, scene)
    coordinates = {
        name: taken.coords[name]
        for name in taken.coords
        if not {y_dim, x_dim} & set(taken.coords[name].dims) and name != image.rio.grid_mapping
    }
    _, reference_y, reference_x = _dimensions("HR-MSI", reference)
    for here, there, part in ((y_dim, reference_y, rows), (x_dim, reference_x, columns)):
        if there in reference.coords:
            coordinate = reference.coords[there].variable[part]
            coordinates[here] = (here, coordinate.values, coordinate.attrs)
    attributes = {name: value for name, value in image.attrs.items() if name not in STORAGE}
    result = DataArray(pixels, coordinates, (band_dim, y_dim, x_dim), name=image.name, attrs=attributes)
    if reference.rio.crs is not None:
        result = result.rio.write_crs(reference.rio.crs)
    result = result.rio.set_spatial_dims(x_dim=x_dim, y_dim=y_dim).rio.write_transform(scene.grid.transform)
    finished: DataArray = result.rio.write_nodata(np.nan).transpose(*image.dims)
    return finished


def _require_rioxarray() -> None:
    try:
        import rioxarray  # noqa: F401, PLC0415 - it brings `.rio`
    except ImportError as error:
        raise DependencyError(
            "fuse: DataArrays need rioxarray; install it with: pip install 'pifnet[xarray]'"
        ) from error


def _nodata(name: str, image: "DataArray") -> float | int | None:
    """The declared nodata; SceneReadError where the array's type cannot hold it."""
    try:
        declared = image.rio.nodata
    except (OverflowError, ValueError) as error:
        raise SceneReadError(
            f"{name}: its nodata cannot occur in {image.dtype} values ({error}); correct it with .rio.write_nodata"
        ) from error
    return None if declared is None else exact_nodata(np.asarray(declared).item(), image.dtype.name, name)


def _dimensions(name: str, image: "DataArray") -> tuple[str, str, str]:
    """Names of the dimensions of bands, rows and columns."""
    from rioxarray.exceptions import MissingSpatialDimensionError  # noqa: PLC0415 - an extra

    try:
        y_dim, x_dim = image.rio.y_dim, image.rio.x_dim
    except MissingSpatialDimensionError as error:
        raise SceneReadError(
            f"{name}: dimensions {', '.join(map(str, image.dims))}; y and x were expected, or others named by "
            ".rio.set_spatial_dims"
        ) from error
    others = [dim for dim in image.dims if dim not in (y_dim, x_dim)]
    if len(others) != 1:
        raise SceneReadError(
            f"{name}: dimensions {', '.join(map(str, image.dims))}; bands, {y_dim} and {x_dim} were expected"
        )
    return str(others[0]), str(y_dim), str(x_dim)


def _in_order(name: str, image: "DataArray") -> "DataArray":
    return image.transpose(*_dimensions(name, image))


def _taken(image: "DataArray", band_dim: str, scene: Scene) -> "DataArray":
    """The bands of an LR-HSI that the result has."""
    if image.sizes[band_dim] == scene.bands.count:
        return image
    good = _of_bands(image, band_dim, GOOD)
    chosen: Any = [] if good is None else np.flatnonzero(np.asarray(good[0], dtype=float))
    return image.isel({band_dim: chosen})


def _transform(name: str, image: "DataArray") -> Affine:
    """The noted transform, where the coordinates do not contradict it; else that of the coordinates.

    rioxarray keeps the note when a scene is cut by position, so that it may be of a larger one.
    """
    noted: Affine = image.rio.transform()
    if {image.rio.x_dim, image.rio.y_dim} <= set(image.coords):
        x, y = (np.asarray(image.coords[dim].values, dtype=np.float64) for dim in (image.rio.x_dim, image.rio.y_dim))
        if not noted.is_degenerate and len(x) > 0 and len(y) > 0:
            corners = [(0, 0), (len(x) - 1, len(y) - 1)]
            at = np.array([~noted @ (x[column], y[row]) for column, row in corners]) - 0.5
            if np.abs(at - np.array(corners)).max() < STALE or abs(noted.b) + abs(noted.d) > 0:
                return noted
        if min(len(x), len(y)) > 1:
            recalculated: Affine = image.rio.transform(recalc=True)
            return recalculated
    if noted.is_degenerate or noted == Affine.identity():
        raise GridError(f"{name}: has neither coordinates nor a transform; write one with .rio.write_transform")
    return noted


def _bands(name: str, image: "DataArray") -> Bands:
    """What the coordinates along the bands say; where there are none, the attributes that rioxarray makes of tags."""
    band_dim, count, attributes = str(image.dims[0]), image.shape[0], image.attrs
    wavelengths, fwhm, good = (_of_bands(image, band_dim, names) for names in (WAVELENGTHS, WIDTHS, GOOD))
    names = attributes.get("long_name")
    units = None if wavelengths is None else wavelengths[1].get("units", attributes.get("wavelength_units"))
    remarks: list[str] = []
    fields = BandFields(
        names=tuple(map(str, names)) if isinstance(names, tuple | list) and len(names) == count else None,
        wavelengths=None if wavelengths is None else _texts(name, "wavelength", wavelengths[0]),
        fwhm=None if fwhm is None else _texts(name, "fwhm", fwhm[0]),
        unit=None if units is None else str(units[0] if isinstance(units, tuple | list) else units),
        good=None if good is None else _texts(name, "good", good[0]),
    )
    bands = parse_bands(Path(name), count, fields, remarks)
    for remark in remarks:
        log.warning("%s", remark)
    return bands


def _of_bands(image: "DataArray", band_dim: str, names: tuple[str, ...]) -> tuple[Any, Mapping[str, Any]] | None:
    """Values along the bands and the attributes that describe them, by the first name that is known."""
    for name in names:
        if name in image.coords and image.coords[name].dims == (band_dim,):
            return image.coords[name].values, image.coords[name].attrs
        noted = image.attrs.get(name)
        if isinstance(noted, tuple | list | np.ndarray) and len(noted) == image.sizes[band_dim]:
            return noted, {}
    return None


def _texts(scene: str, name: str, values: Any) -> list[str]:
    try:
        return [repr(float(value)) for value in values]
    except (TypeError, ValueError) as error:
        raise BandsError(f"{scene}: its {name} holds no numbers ({error}); correct or drop it") from error
