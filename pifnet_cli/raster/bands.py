"""Wavelengths, FWHM, bad bands, band names and their units: from ENVI fields or GeoTIFF tags, and back again."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pifnet_cli.errors import BandsError
from pifnet_cli.scene import Bands, WavelengthUnit

_UNITS = {
    "nanometers": WavelengthUnit.NANOMETERS,
    "nanometer": WavelengthUnit.NANOMETERS,
    "nanometre": WavelengthUnit.NANOMETERS,
    "nanometres": WavelengthUnit.NANOMETERS,
    "nm": WavelengthUnit.NANOMETERS,
    "micrometers": WavelengthUnit.MICROMETERS,
    "micrometer": WavelengthUnit.MICROMETERS,
    "micrometre": WavelengthUnit.MICROMETERS,
    "micrometres": WavelengthUnit.MICROMETERS,
    "microns": WavelengthUnit.MICROMETERS,
    "micron": WavelengthUnit.MICROMETERS,
    "um": WavelengthUnit.MICROMETERS,
    "\N{MICRO SIGN}m": WavelengthUnit.MICROMETERS,
    "\N{GREEK SMALL LETTER MU}m": WavelengthUnit.MICROMETERS,
}
_UNDECIDED = ("", "unknown", "none")
_COLOURS_NM = (650.0, 550.0, 450.0)  # red, green, blue
_COLOUR_WIDTH_NM = 60.0
_WAVELENGTH_IN_NAME = re.compile(r"^(?P<name>.*\S)\s*\(\s*[-+.\deE]+\s*(?P<unit>[^\W\d_]+)\s*\)$")


@dataclass(frozen=True, slots=True)
class BandFields:
    """What a file says of its bands, still as text; `None` where it says nothing."""

    names: Sequence[str] | None = None
    wavelengths: Sequence[str] | None = None
    fwhm: Sequence[str] | None = None
    unit: str | None = None
    good: Sequence[str] | None = None


def parse_bands(path: Path, count: int, fields: BandFields, remarks: list[str]) -> Bands:
    """Bands from text.

    A unit that is missing or "Unknown" is inferred where only one makes sense: all wavelengths below 100 are
    micrometres, all above 200 nanometres. Wavelengths in a unit that is not understood are left out.

    Args:
        path: Named in errors and remarks.
        count: Bands of the raster.
        fields: The text.
        remarks: Receives what was inferred or left out.

    Raises:
        BandsError: A list has not one entry per band, or holds no positive numbers.
    """
    wavelengths = _positive(path, count, "wavelength", fields.wavelengths)
    unit = _unit(path, wavelengths, fields.unit, remarks)
    if unit is None and (fields.unit or "").strip().lower() not in _UNDECIDED:
        wavelengths = None
    return Bands(
        count=count,
        names=_names(path, count, fields.names, remarks),
        wavelengths=wavelengths,
        fwhm=_fwhm(path, count, fields.fwhm, remarks) if wavelengths is not None else None,
        unit=unit,
        good=_good(path, count, fields.good),
    )


def clean_name(name: str) -> str:
    """A band name without the wavelength that GDAL appends: "blue (450.5 Nanometers)" is "blue"."""
    match = _WAVELENGTH_IN_NAME.match(name.strip())
    if match and match["unit"].lower() in _UNITS:
        return match["name"]
    return name.strip()


def split_list(text: str | Sequence[str] | None) -> list[str] | None:
    """An ENVI list, from "{1, 2}", "1, 2" or SPy's list; None where it is absent or empty."""
    if text is None:
        return None
    entries = text.strip().strip("{}").split(",") if isinstance(text, str) else list(text)
    entries = [entry.strip() for entry in entries]
    while entries and not entries[-1]:
        entries.pop()  # a comma after the last value
    return entries or None


def envi_band_fields(fields: Mapping[str, str | list[str]]) -> BandFields:
    """The band fields of an ENVI header or of GDAL's ENVI metadata domain, by lower-case name with blanks."""
    unit = fields.get("wavelength units")
    return BandFields(
        names=split_list(fields.get("band names")),
        wavelengths=split_list(fields.get("wavelength", fields.get("wavelengths"))),
        fwhm=split_list(fields.get("fwhm")),
        unit=unit if isinstance(unit, str) else None,
        good=split_list(fields.get("bbl")),
    )


def display_bands(bands: Bands) -> tuple[int, int, int] | None:
    """The bands nearest to 650, 550 and 450 nm, counted from 1; None where the scene does not see those colours."""
    wavelengths = bands.wavelengths_nm
    if wavelengths is None:
        return None
    usable = (
        wavelengths
        if bands.good is None
        else [w if g else math.inf for w, g in zip(wavelengths, bands.good, strict=True)]
    )
    chosen = []
    for colour in _COLOURS_NM:
        distances = [abs(wavelength - colour) for wavelength in usable]
        nearest = min(range(bands.count), key=distances.__getitem__)
        if distances[nearest] > _COLOUR_WIDTH_NM:
            return None
        chosen.append(nearest + 1)
    return chosen[0], chosen[1], chosen[2]


def _numbers(path: Path, count: int, name: str, entries: Sequence[str]) -> tuple[float, ...]:
    if len(entries) != count:
        raise BandsError(
            f"{path}: '{name}' has {len(entries)} entries; one for each of the {count} bands was expected; correct or "
            "remove the field"
        )
    try:
        return tuple(map(float, entries))
    except ValueError:
        wrong = next(entry for entry in entries if not _is_number(entry))
        raise BandsError(
            f"{path}: '{name}' holds '{wrong[:40]}'; numbers were expected; correct or remove the field"
        ) from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _positive(path: Path, count: int, name: str, entries: Sequence[str] | None) -> tuple[float, ...] | None:
    if entries is None:
        return None
    values = _numbers(path, count, name, entries)
    for band, value in enumerate(values, start=1):
        if not (math.isfinite(value) and value > 0):
            raise BandsError(
                f"{path}: {name} of band {band} is {value:g}; a positive number was expected; correct or remove it"
            )
    return values


def _unit(
    path: Path, wavelengths: Sequence[float] | None, text: str | None, remarks: list[str]
) -> WavelengthUnit | None:
    name = (text or "").strip().lower()
    if wavelengths is None:
        return None
    if name in _UNITS:
        return _UNITS[name]
    if name not in _UNDECIDED:
        remarks.append(f"{path}: wavelength unit {text} is not understood; the wavelengths are left out")
        return None
    inferred = None
    if max(wavelengths) < 100:
        inferred = WavelengthUnit.MICROMETERS
    elif min(wavelengths) > 200:
        inferred = WavelengthUnit.NANOMETERS
    verdict = f"{inferred.lower()} are inferred from their size" if inferred else "they are not used"
    remarks.append(f"{path}: wavelengths of {min(wavelengths):g} to {max(wavelengths):g} have no unit; {verdict}")
    return inferred


def _names(path: Path, count: int, names: Sequence[str] | None, remarks: list[str]) -> tuple[str, ...] | None:
    if names is None:
        return None
    if len(names) != count:
        remarks.append(f"{path}: {len(names)} band names for {count} bands are left out")
        return None
    return tuple(map(clean_name, names))


def _fwhm(path: Path, count: int, entries: Sequence[str] | None, remarks: list[str]) -> tuple[float, ...] | None:
    if entries is None:
        return None
    values = _numbers(path, count, "fwhm", entries)
    if all(math.isfinite(value) and value > 0 for value in values):
        return values
    remarks.append(f"{path}: the FWHM are left out, for some are not positive")
    return None


def _good(path: Path, count: int, entries: Sequence[str] | None) -> tuple[bool, ...] | None:
    if entries is None:
        return None
    return tuple(value != 0 for value in _numbers(path, count, "bbl", entries))
