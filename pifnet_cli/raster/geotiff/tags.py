"""Where GeoTIFFs keep their spectral description: band tags, the ENVI domain, and GDAL's IMAGERY domain."""

from collections.abc import Sequence
from pathlib import Path

from rasterio.io import DatasetReader

from pifnet_cli.errors import BandsError
from pifnet_cli.raster.bands import BandFields, envi_band_fields

_WAVELENGTH = ("wavelength", "central_wavelength", "center_wavelength")
_UNIT = ("wavelength_units", "wavelength_unit")
_GOOD = ("bbl", "good_band")
_NANOMETERS = ("nm", "nanometer", "nanometers")

Tags = dict[str, str]


def geotiff_fields(dataset: DatasetReader) -> dict[str, str | list[str]]:
    """The ENVI metadata domain, its names spelled as in an ENVI header."""
    return {name.lower().replace("_", " "): value for name, value in dataset.tags(ns="ENVI").items()}


def geotiff_bands(dataset: DatasetReader, path: Path, remarks: list[str]) -> BandFields:
    """The band fields of a GeoTIFF, each from the most precise place that has it.

    Band tags come before the ENVI domain, which tools that cut bands forget to cut. GDAL's IMAGERY domain comes last:
    its ENVI driver rounds to whole nanometres there.

    Args:
        dataset: Stays open.
        path: Named in errors and remarks.
        remarks: Receives a line where IMAGERY was all there is.

    Raises:
        BandsError: Some bands have a tag that others lack.
    """
    tags = [_lower(dataset.tags(band)) for band in dataset.indexes]
    domain = envi_band_fields(geotiff_fields(dataset))
    wavelengths = _tag(tags, _WAVELENGTH, path) or domain.wavelengths
    unit = _unit(dataset, tags) or domain.unit
    fwhm = _tag(tags, ("fwhm",), path) or domain.fwhm
    imagery = [_lower(dataset.tags(band, ns="IMAGERY")) for band in dataset.indexes]
    if wavelengths is None:
        wavelengths, unit = _rounded(imagery, "central_wavelength_um", path, remarks), "Micrometers"
    if fwhm is None and wavelengths is not None:
        fwhm = _in_unit(_rounded(imagery, "fwhm_um", path, remarks), unit)
    good = _tag(tags, _GOOD, path) or domain.good
    return BandFields(names=_names(dataset) or domain.names, wavelengths=wavelengths, fwhm=fwhm, unit=unit, good=good)


def _lower(tags: Tags) -> Tags:
    return {name.lower().replace(" ", "_"): value for name, value in tags.items()}


def _tag(tags: list[Tags], names: Sequence[str], path: Path) -> list[str] | None:
    """One tag of all bands; None where no band has it."""
    for name in names:
        values = [band[name] for band in tags if name in band]
        if 0 < len(values) < len(tags):
            raise BandsError(
                f"{path}: {len(values)} of {len(tags)} bands have the tag '{name}'; all or none were expected; "
                "complete or remove it"
            )
        if values:
            return values
    return None


def _unit(dataset: DatasetReader, tags: list[Tags]) -> str | None:
    whole_file = _lower(dataset.tags())
    for name in _UNIT:
        units = {band[name] for band in tags if name in band}
        if len(units) == 1:
            return units.pop()
        if name in whole_file:
            return whole_file[name]
    return None


def _names(dataset: DatasetReader) -> list[str] | None:
    if not any(dataset.descriptions):
        return None
    return [name or f"Band {band}" for band, name in enumerate(dataset.descriptions, start=1)]


def _rounded(imagery: list[Tags], name: str, path: Path, remarks: list[str]) -> list[str] | None:
    values = _tag(imagery, (name,), path)
    if values is not None:
        remarks.append(f"{path}: {name.upper()} of GDAL's IMAGERY domain is all there is; it may be rounded")
    return values


def _in_unit(micrometers: list[str] | None, unit: str | None) -> list[str] | None:
    if micrometers is None or (unit or "").strip().lower() not in _NANOMETERS:
        return micrometers
    return [format(float(value) * 1000, ".9g") for value in micrometers]
