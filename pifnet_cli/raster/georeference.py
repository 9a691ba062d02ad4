"""Where a raster lies: GDAL's geotransform, or the ENVI header's `map info`, checked; and `map info` of a grid."""

import math
from contextlib import suppress
from pathlib import Path
from xml.sax.saxutils import escape

from affine import Affine
from rasterio.crs import CRS
from rasterio.errors import CRSError
from rasterio.io import DatasetReader, MemoryFile

from pifnet_cli.errors import GridError
from pifnet_cli.raster.envi.header import EnviHeader
from pifnet_cli.raster.gdal import gdal_session
from pifnet_cli.scene import Grid

_FARTHEST = 1e12  # map units, whatever they are: beyond, areas and distances overflow
_PARALLEL = 1e-9  # relative; decides what ENVI can express
_SAME_UNIT = 1e-4  # relative; international and survey feet differ by 2e-6
_PARTS_OF_DEGREES = {"minutes": 60, "seconds": 3600}  # as words of `units`


def read_grid(dataset: DatasetReader, path: Path, header: EnviHeader | None, remarks: list[str]) -> Grid:
    """The grid of an open raster.

    For ENVI the transform is computed from `map info` here: GDAL takes words for zeros there, and ignores the rotation
    where the reference pixel is not the first or pixels are not square.

    Args:
        dataset: Stays open.
        path: Named in errors.
        header: Of an ENVI file, None for GeoTIFF.
        remarks: Receives what was inferred.

    Raises:
        GridError: Control points, RPCs or geolocation arrays are all that places it, or its georeferencing is damaged.
    """
    _require_geotransform(dataset, path)
    wkt = _known_wkt(dataset.crs, path, remarks) if header is None else _envi_wkt(dataset.crs, header, remarks)
    transform: Affine = dataset.transform
    entries = split_map_info(header)
    if header is not None and entries is not None:
        transform = Affine.scale(_in_crs_units(entries, wkt)) @ map_info_transform(entries, header.path, remarks)
    elif wkt is not None and transform == Affine.identity():
        raise GridError(
            f"{path}: has a CRS but no geotransform; both or neither were expected; set it with gdal_edit.py -a_ullr, "
            "or remove the CRS with gdal_edit.py -a_srs ''"
        )
    _require_sound(transform, path)
    grid = Grid(dataset.height, dataset.width, transform, wkt)
    _require_on_earth(grid, path)
    return grid


def split_map_info(header: EnviHeader | None) -> list[str] | None:
    """The entries of `map info`, None where there is none."""
    if header is None or header.text("map info") is None:
        return None
    return [entry.strip() for entry in (header.text("map info") or "").strip("{}").split(",")]


def map_info_transform(entries: list[str], path: Path, remarks: list[str]) -> Affine:
    """The affine transform that `map info` states.

    A column step is (cos, sin) * x size, a row step (sin, -cos) * y size, turned about the reference pixel. A rotation
    of exactly 180 degrees is read as GDAL writes it: south-up, not turned.

    Raises:
        GridError: An entry is no number, or a pixel size is zero.
    """
    labels = ("reference pixel x", "reference pixel y", "x", "y", "pixel size x", "pixel size y")
    if len(entries) < 7:
        raise GridError(
            f"{path}: 'map info' has {len(entries)} entries; a projection, reference pixel, its coordinates and the "
            "pixel size were expected; correct or remove the field"
        )
    pixel_x, pixel_y, x, y, size_x, size_y = (
        _coordinate(text, label, path) for text, label in zip(entries[1:7], labels, strict=True)
    )
    rotation = next((entry.partition("=")[2] for entry in entries if entry.lower().startswith("rotation")), "0")
    degrees = _coordinate(rotation, "rotation", path)
    if abs(degrees) == 180:
        remarks.append(f"{path}: rotation of 180 in 'map info' is read as south-up, as GDAL writes it")
        degrees, size_y = 0.0, -size_y
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    steps = Affine(size_x * cosine, size_y * sine, 0.0, size_x * sine, -size_y * cosine, 0.0)
    origin_x, origin_y = steps @ (pixel_x - 1, pixel_y - 1)
    return Affine(steps.a, steps.b, x - origin_x, steps.d, steps.e, y - origin_y)


def _in_crs_units(entries: list[str], wkt: str | None) -> float:
    """What one unit of `map info` is in units of the CRS: minutes and seconds of arc are no units of a CRS in degrees.

    All other words of `units` GDAL makes the unit of the CRS.
    """
    named = (entry.partition("=") for entry in entries)
    unit = next((value.strip().lower() for name, _, value in named if name.strip().lower() == "units"), "")
    is_geographic = wkt is not None and CRS.from_wkt(wkt).is_geographic
    return 1 / _PARTS_OF_DEGREES.get(unit, 1) if is_geographic else 1.0


def map_info(grid: Grid, path: Path) -> str | None:
    """The `map info` of a grid, as every version of GDAL and ENVI reads it; None for a grid in pixels without CRS.

    Raises:
        GridError: ENVI headers cannot express the grid: sheared, or rotated with unequal or flipped sides.
    """
    t = grid.transform
    if grid.crs_wkt is None and t == Affine.identity():
        return None
    size_y, size_x = grid.gsd
    degrees = math.degrees(math.atan2(t.d, t.a))
    if abs(t.b) <= _PARALLEL * size_y and abs(t.d) <= _PARALLEL * size_x and t.a > 0:
        size_y, rotation = -t.e, ""
    elif (
        abs(degrees) < 180
        and math.isclose(t.a, -t.e, rel_tol=_PARALLEL, abs_tol=_PARALLEL * size_x)
        and math.isclose(t.b, t.d, rel_tol=_PARALLEL, abs_tol=_PARALLEL * size_x)
    ):
        rotation = f", rotation={degrees!r}"
    else:
        raise GridError(
            f"{path}: an ENVI header cannot express this grid (sheared, or rotated with unequal or flipped sides); a "
            "north-up, south-up or plainly rotated grid was expected; write GeoTIFF (.tif) instead"
        )
    name, zone = _projection(grid)
    return f"{{{name}, 1, 1, {t.c!r}, {t.f!r}, {size_x!r}, {size_y!r}{zone}{rotation}}}"


def same_crs(one: str | None, other: str | None) -> bool:
    """Whether two WKTs, None for none, mean the same."""
    if one is None or other is None:
        return one is other
    return bool(CRS.from_wkt(one) == CRS.from_wkt(other))


def is_held_by_keys(crs_wkt: str) -> bool:
    """Whether a GeoTIFF's own keys give a CRS back, as GDAL writes and reads them; tried on one pixel in memory."""
    with gdal_session(GDAL_PAM_ENABLED=False), MemoryFile() as memory:
        place = {"crs": crs_wkt, "transform": Affine.scale(2, -2)}
        with memory.open(driver="GTiff", height=1, width=1, count=1, dtype="uint8", **place):
            pass
        with memory.open() as dataset:
            return same_crs(None if dataset.crs is None else dataset.crs.to_wkt(), crs_wkt)


def crs_sidecar(crs_wkt: str) -> str:
    """The text of an .aux.xml that states a CRS; GDAL believes it before the keys of the GeoTIFF beside it."""
    wkt = CRS.from_wkt(crs_wkt).to_wkt(version="WKT2_2019")
    return f"<PAMDataset>\n  <SRS>{escape(wkt)}</SRS>\n</PAMDataset>\n"


def coordinate_system_string(crs_wkt: str, path: Path) -> str:
    """A CRS in ESRI's dialect, which is all that ENVI headers hold.

    Raises:
        GridError: The dialect has no words for it.
    """
    stated = None
    with suppress(CRSError):
        stated = str(CRS.from_wkt(crs_wkt).to_wkt(version="WKT1_ESRI"))
        if same_crs(_official_wkt(CRS.from_wkt(stated)) or stated, crs_wkt):
            return stated
    name = crs_wkt.split(chr(34))[1]
    raise GridError(
        f"{path}: an ENVI header cannot hold this coordinate system ({name}); write GeoTIFF (.tif), or reproject "
        "first: gdalwarp -t_srs EPSG:CODE IN OUT.tif"
    )


def _projection(grid: Grid) -> tuple[str, str]:
    """Projection name, then zone, datum and units with their commas.

    Units other than metres and degrees stay in the coordinate system string: GDAL would rescale the CRS to what it
    reads here.
    """
    if grid.crs_wkt is None:
        return "Arbitrary", ""
    crs = CRS.from_wkt(grid.crs_wkt)
    epsg = crs.to_epsg() or 0
    if crs.is_geographic:
        return "Geographic Lat/Lon", f"{', WGS-84' if epsg == 4326 else ''}, units=Degrees"
    if epsg // 100 in (326, 327) and 1 <= epsg % 100 <= 60:
        return "UTM", f", {epsg % 100}, {'North' if epsg // 100 == 326 else 'South'}, WGS-84, units=Meters"
    return "Projected", ""


def _coordinate(text: str, label: str, path: Path) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or (value == 0 and "size" in label):
        raise GridError(
            f"{path}: {label} in 'map info' is {text[:40] or 'missing'}; a number was expected; correct or remove it"
        )
    return value


def _known_wkt(crs: CRS | None, path: Path, remarks: list[str]) -> str | None:
    """The WKT of a CRS that lies on the earth."""
    if crs is None:
        return None
    wkt: str = crs.to_wkt()
    if wkt.startswith(("LOCAL_CS", "ENGCRS")):
        remarks.append(f"{path}: its coordinate system is local ({wkt.split(chr(34))[1]}); treated as unknown")
        return None
    return wkt or None


def _envi_wkt(crs: CRS | None, header: EnviHeader, remarks: list[str]) -> str | None:
    """The WKT of an ENVI file, by its EPSG code where ESRI's dialect, which has no codes, says the same in all else.

    Without it the same CRS in a GeoTIFF would seem to be another one. Where `map info` names another unit than the
    coordinate system string, GDAL believes `map info`.
    """
    text = header.text("coordinate system string")
    with suppress(CRSError):
        stated = CRS.from_wkt(text.strip("{} ")) if text else crs
        if stated is not None and crs is not None:
            stated = stated if math.isclose(_unit(stated), _unit(crs), rel_tol=_SAME_UNIT) else crs
        official = None if stated is None else _official_wkt(stated)
        if official is not None:
            return official
    return _known_wkt(crs, header.path, remarks)


def _unit(crs: CRS) -> float:
    """In metres or radians."""
    return float(crs.units_factor[1])


def _official_wkt(stated: CRS) -> str | None:
    """The WKT of the EPSG code that says the same as a CRS in ESRI's dialect; None where there is none.

    Raises:
        CRSError: ESRI's dialect has no words for it.
    """
    code = stated.to_epsg()
    if code is None:
        return None
    official = CRS.from_epsg(code)
    is_same = official.to_wkt(version="WKT1_ESRI") == stated.to_wkt(version="WKT1_ESRI")
    return str(official.to_wkt()) if is_same else None


def _require_geotransform(dataset: DatasetReader, path: Path) -> None:
    if dataset.transform != Affine.identity():
        return
    points, crs = dataset.gcps
    if points:
        raise GridError(
            f"{path}: is placed by ground control points only; a geotransform was expected; rectify it first: gdalwarp "
            f"-t_srs {_code(crs)} -tps {path} OUT.tif"
        )
    if dataset.rpcs is not None:
        raise GridError(
            f"{path}: is placed by RPCs only; a geotransform was expected; orthorectify it first: gdalwarp -rpc -to "
            f"RPC_DEM=DEM.tif -t_srs EPSG:CODE {path} OUT.tif"
        )
    if dataset.tags(ns="GEOLOCATION"):
        raise GridError(
            f"{path}: is placed by geolocation arrays only; a geotransform was expected; rectify it first: gdalwarp "
            f"-geoloc -t_srs EPSG:CODE {path} OUT.tif"
        )


def _code(crs: CRS | None) -> str:
    """As `gdalwarp -t_srs` takes it; the placeholder of our messages where it has no code."""
    code = None if crs is None else crs.to_epsg()
    return "EPSG:CODE" if code is None else f"EPSG:{code}"


def _require_on_earth(grid: Grid, path: Path) -> None:
    """Refuse latitudes beyond the poles by more than a pixel or a degree: another unit, or another CRS, is meant."""
    if grid.crs_wkt is None:
        return
    crs = CRS.from_wkt(grid.crs_wkt)
    if not crs.is_geographic or not math.isclose(_unit(crs), math.radians(1), rel_tol=_SAME_UNIT):
        return
    corners = [grid.transform @ (column, row) for column in (0, grid.width) for row in (0, grid.height)]
    latitude = max((y for _, y in corners), key=abs)
    if abs(latitude) > 90 + max(1.0, grid.gsd[0]):
        raise GridError(
            f"{path}: lies at a latitude of {latitude:g} degrees; -90 to 90 was expected; its CRS or its unit is "
            "another one: correct it with gdal_edit.py -a_srs, or in 'map info' of an ENVI header"
        )


def _require_sound(transform: Affine, path: Path) -> None:
    is_on_earth = all(abs(value) <= _FARTHEST for value in transform[:6])  # false for what is no number
    if not is_on_earth or transform.determinant == 0:
        numbers = ", ".join(f"{value:g}" for value in transform[:6])
        raise GridError(
            f"{path}: its geotransform ({numbers}) maps pixels to no area on earth; correct with gdal_edit.py -a_ullr"
        )
