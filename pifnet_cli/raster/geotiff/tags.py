"""Where GeoTIFFs keep their spectral description: band tags, the ENVI domain, and GDAL's IMAGERY domain."""

from collections.abc import Sequence
from pathlib import Path

from rasterio.io import DatasetReader

from pifnet_cli.errors import BandsError
from pifnet_cli.raster.bands import BandFields, envi_band_fields
from pifnet_cli.raster.wavelengths import read_length

_WAVELENGTH = ("wavelength", "central_wavelength", "center_wavelength")
_UNIT = ("wavelength_units", "wavelength_unit")
_GOOD = ("bbl", "good_band")
_ROUNDED_WAVELENGTH, _ROUNDED_FWHM = ("central_wavelength_um",), ("fwhm_um",)
_LAST_RESORT = "of GDAL's IMAGERY domain is all there is; it may be rounded"

Tags = dict[str, str]


def geotiff_fields(dataset: DatasetReader) -> dict[str, str | list[str]]:
    """The ENVI metadata domain, its names spelled as in an ENVI header."""
    return {name.lower().replace("_", " "): value for name, value in dataset.tags(ns="ENVI").items()}


def geotiff_bands(dataset: DatasetReader, path: Path, remarks: list[str], positions: Sequence[int]) -> BandFields:
    """The band fields of a GeoTIFF, each from the most precise place that has it.

    Band tags come before the ENVI domain, which tools that cut bands forget to cut. GDAL's IMAGERY domain comes last:
    its ENVI driver rounds to whole nanometres there.

    Args:
        dataset: Stays open.
        path: Named in errors and remarks.
        remarks: Receives a line where IMAGERY was all there is.
        positions: The bands of the scene, from 0; all but those that mask.

    Raises:
        BandsError: Some bands are marked as bad or good, and others are not.
    """
    indexes = [position + 1 for position in positions]
    tags = [_lower(dataset.tags(band)) for band in indexes]
    imagery = [_lower(dataset.tags(band, ns="IMAGERY")) for band in indexes]
    domain = envi_band_fields(geotiff_fields(dataset)).cut(positions, of=dataset.count)
    wavelengths, unit = _wavelengths(dataset, tags, imagery, domain)
    if wavelengths is not None and wavelengths == _tag(imagery, _ROUNDED_WAVELENGTH):
        remarks.append(f"{path}: {_ROUNDED_WAVELENGTH[0].upper()} {_LAST_RESORT}")
    fwhm = _tag(tags, ("fwhm",)) or domain.fwhm
    rounded = _tag(imagery, _ROUNDED_FWHM)
    if fwhm is None and wavelengths is not None and "" not in wavelengths and rounded is not None:
        fwhm = [f"{width} Micrometers" for width in rounded]
        remarks.append(f"{path}: {_ROUNDED_FWHM[0].upper()} {_LAST_RESORT}")
    good = _tag(tags, _GOOD) or domain.good
    if good is not None and "" in good:
        raise BandsError(
            f"{path}: {len(good) - good.count('')} of {len(good)} bands have the tag 'bbl'; all or none were expected; "
            "complete or remove it"
        )
    names = _names(dataset, positions) or domain.names
    return BandFields(names=names, wavelengths=wavelengths, fwhm=fwhm, unit=unit, good=good)


def _lower(tags: Tags) -> Tags:
    return {name.lower().replace(" ", "_"): value for name, value in tags.items()}


def _tag(tags: list[Tags], names: Sequence[str]) -> list[str] | None:
    """One tag of all bands, by the first of its names that a band has; "" where a band has none, None where all do."""
    values = [next((band[name] for name in names if name in band), "") for band in tags]
    return values if any(values) else None


def _wavelengths(
    dataset: DatasetReader, tags: list[Tags], imagery: list[Tags], domain: BandFields
) -> tuple[Sequence[str] | None, str | None]:
    """Wavelengths and their unit from the first place that has them for all bands, else from the first that has any."""
    stated = _tag(tags, _WAVELENGTH)
    if stated is not None:
        stated = [_with_unit(value, unit) for value, unit in zip(stated, _units(tags), strict=True)]
    unit = _unit(dataset, tags) or domain.unit
    places = [(stated, unit), (domain.wavelengths, unit), (_tag(imagery, _ROUNDED_WAVELENGTH), "Micrometers")]
    known = [place for place in places if place[0] is not None]
    complete = [place for place in known if place[0] is not None and "" not in place[0]]
    return next(iter([*complete, *known]), (None, unit))


def _with_unit(value: str, unit: str) -> str:
    length = read_length(value)
    return f"{value} {unit}" if length is not None and length.unit is None and unit else value


def _units(tags: list[Tags]) -> list[str]:
    """The unit of each band where they differ, which is then written beside its number; "" where they do not."""
    units = _tag(tags, _UNIT) or []
    return units if len(set(units) - {""}) > 1 else [""] * len(tags)


def _unit(dataset: DatasetReader, tags: list[Tags]) -> str | None:
    """The unit of all bands that have one, or of the whole file."""
    units = set(_tag(tags, _UNIT) or []) - {""}
    if len(units) == 1:
        return units.pop()
    whole_file = _lower(dataset.tags())
    return next((whole_file[name] for name in _UNIT if name in whole_file), None)


def _names(dataset: DatasetReader, positions: Sequence[int]) -> list[str] | None:
    descriptions = dataset.descriptions
    names = [descriptions[position] for position in positions]
    if not any(names):
        return None
    return [name or f"Band {position + 1}" for position, name in zip(positions, names, strict=True)]
