"""An open dataset and its header -> Scene: the one place that decides which source a fact is taken from."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader

from pifnet_cli.errors import BandsError, SceneReadError
from pifnet_cli.raster.bands import BandFields, envi_band_fields, parse_bands, split_list
from pifnet_cli.raster.envi.header import EnviHeader
from pifnet_cli.raster.georeference import read_grid
from pifnet_cli.raster.geotiff.tags import geotiff_bands, geotiff_fields
from pifnet_cli.raster.stored_numbers import BandCoding, exact_nodata, told_nodata
from pifnet_cli.scene import METHOD_FIELD, RATIO_FIELD, Scene
from pifnet_cli.settings import Nodata

ACQUISITION_FIELDS = (
    "description",
    "sensor type",
    "acquisition time",
    "sun azimuth",
    "sun elevation",
    RATIO_FIELD,
    METHOD_FIELD,
)

MAX_DIGITS = 40  # of a whole number; longer ones are read as real numbers, for Python refuses some

Fields = Mapping[str, str | list[str]]


def describe(
    dataset: DatasetReader,
    path: Path,
    header: EnviHeader | None,
    remarks: list[str],
    *,
    nodata: Nodata | None = None,
    masks: Sequence[int] = (),
) -> tuple[Scene, list[BandCoding]]:
    """Describe an open raster.

    Args:
        dataset: Stays open.
        path: The data file.
        header: The ENVI header that belongs to it; None for a GeoTIFF on its own.
        remarks: Receives what was inferred or left out.
        nodata: Taken in place of what the file declares.
        masks: Bands that are none of the scene's, by positions from 0.

    Returns:
        The scene, and how each of its bands is stored.

    Raises:
        SceneReadError, BandsError, GridError: See `open_scene`.
    """
    is_envi = dataset.driver == "ENVI"
    fields: Fields = header.fields if header is not None else geotiff_fields(dataset)
    source = header.path if header is not None else path
    positions = [band for band in range(dataset.count) if band not in masks]
    bands = parse_bands(source, len(positions), _band_fields(dataset, path, header, remarks, positions), remarks)
    scales, offsets = _scaling(dataset, fields, source)
    if nodata is None:
        stored_nodata = _nodata(dataset, fields if is_envi else {}, source)
    else:
        stored_nodata = [told_nodata(nodata, dataset.dtypes[0], path)] * dataset.count
    codings = [BandCoding(scales[band], offsets[band], stored_nodata[band]) for band in positions]
    scene = Scene(
        path=path,
        grid=read_grid(dataset, path, header if is_envi else None, remarks),
        bands=bands,
        dtype=np.dtype(dataset.dtypes[0]).name,
        nodata=codings[0].nodata,
        scales=tuple(coding.scale for coding in codings) if any(coding.scale != 1 for coding in codings) else None,
        offsets=tuple(coding.offset for coding in codings) if any(coding.offset != 0 for coding in codings) else None,
        acquisition=_acquisition(fields),
    )
    return scene, codings


def _band_fields(
    dataset: DatasetReader, path: Path, header: EnviHeader | None, remarks: list[str], positions: Sequence[int]
) -> BandFields:
    if header is None:
        return geotiff_bands(dataset, path, remarks, positions)
    return envi_band_fields(header.fields).cut(positions, of=dataset.count)


def _scaling(dataset: DatasetReader, fields: Fields, source: Path) -> tuple[list[float], list[float]]:
    """Scale and offset of each band: the file's own first, then ENVI's gains, then the reflectance scale factor."""
    gains = _per_band(fields, "data gain values", 1.0, dataset.count, source)
    shifts = _per_band(fields, "data offset values", 0.0, dataset.count, source)
    if all(gain == 1 for gain in gains) and not any(shifts):
        gains, shifts = list(map(float, dataset.scales)), list(map(float, dataset.offsets))
    factor = _reflectance_factor(fields, source)
    is_plain = all(gain == 1 for gain in gains) and not any(shifts)
    if is_plain:
        gains = [1 / factor] * dataset.count
    elif factor != 1 and not all(math.isclose(gain * factor, 1, rel_tol=1e-6) for gain in gains):
        raise SceneReadError(
            f"{source}: has both gains (such as {gains[0]:g}) and a reflectance scale factor of {factor:g}, and they "
            "disagree; one of them was expected; remove the wrong one"
        )
    if not all(math.isfinite(number) for number in gains + shifts) or 0.0 in gains:
        raise SceneReadError(f"{source}: a band's gain is 0 or no number; correct its gain and offset")
    return gains, shifts


def _per_band(fields: Fields, name: str, default: float, count: int, source: Path) -> list[float]:
    entries = split_list(fields.get(name))
    if entries is None:
        return [default] * count
    if len(entries) != count:
        raise BandsError(
            f"{source}: '{name}' has {len(entries)} entries; one for each of the {count} bands was expected; correct "
            "or remove the field"
        )
    return [_number(entry, name, source) for entry in entries]


def _reflectance_factor(fields: Fields, source: Path) -> float:
    text = fields.get("reflectance scale factor")
    if text is None or not str(text).strip():
        return 1.0
    factor = _number(str(text), "reflectance scale factor", source)
    if not (math.isfinite(factor) and factor > 0):
        raise SceneReadError(
            f"{source}: reflectance scale factor is {str(text)[:40]}; a positive number was expected; correct it"
        )
    return factor


def _nodata(dataset: DatasetReader, fields: Fields, source: Path) -> Sequence[float | int | None]:
    """The stored number of invalid pixels, per band; checked against the stored type, where it must occur."""
    text = str(fields.get("data ignore value", "")).strip()
    dtype = np.dtype(dataset.dtypes[0])  # once: rasterio makes a list of all bands' types each time
    if not text:
        return [None if value is None else exact_nodata(value, dtype.name, source) for value in _declared(dataset)]
    is_whole = np.issubdtype(dtype, np.integer) and text.lstrip("+-").isdecimal() and len(text) <= MAX_DIGITS
    value = int(text) if is_whole else _number(text, "data ignore value", source)
    return [exact_nodata(value, dtype.name, source)] * dataset.count


def _declared(dataset: DatasetReader) -> list[float | int | None]:
    """GDAL's nodata of each band; the highest number of 64 bits, which is no float, is known by its mask alone."""
    dtype = np.dtype(dataset.dtypes[0])
    if not (np.issubdtype(dtype, np.integer) and dtype.itemsize == 8):
        return list(dataset.nodatavals)
    highest = int(np.iinfo(dtype).max)
    values = zip(dataset.nodatavals, dataset.mask_flag_enums, strict=True)
    return [highest if value is None and MaskFlags.nodata in flags else value for value, flags in values]


def _number(text: str, name: str, source: Path) -> float:
    try:
        return float(text)
    except ValueError:
        raise SceneReadError(
            f"{source}: '{name}' holds '{text[:40]}'; a number was expected; correct or remove it"
        ) from None


def _acquisition(fields: Fields) -> tuple[tuple[str, str], ...]:
    texts = ((name, fields.get(name)) for name in ACQUISITION_FIELDS)
    return tuple((name, " ".join(text.split())) for name, text in texts if isinstance(text, str) and text.strip("{} "))
