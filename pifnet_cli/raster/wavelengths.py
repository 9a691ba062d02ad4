"""Wavelengths from the words of files: numbers, units, and what has neither."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pifnet_cli.scene import WavelengthUnit, band_words

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
_LONGEST_ENTRY = 100  # characters
_SHORTEST_NM = 100.0  # below it a length in a band's name is no wavelength
_NUMBER = r"(?P<number>(?:\d{1,20}(?:\.\d{0,30})?|\.\d{1,30})(?:[eE][+-]?\d{1,3})?)"
_ENTRY = re.compile(rf"^{_NUMBER}\s*(?P<unit>[^\W\d_]+)?\s*(?:\([^()]*\))?$")
_IN_NAME = re.compile(rf"(?<![\d.+-]){_NUMBER}\s?(?P<unit>{'|'.join(_UNITS)})(?![^\W_])", re.IGNORECASE)
_RANGE = re.compile(r"\d\s*(?:[-\u2012-\u2015:/,]|\.\.+|to|and)\s*$", re.IGNORECASE)
_APPENDED = re.compile(rf"^(?P<name>.*\S)\s*\(\s*{_NUMBER}\s*(?P<unit>[^\W\d_]+)\s*\)$")


@dataclass(frozen=True, slots=True)
class Length:
    """A positive number, and the unit that stands beside it."""

    value: float
    unit: WavelengthUnit | None = None

    def in_unit(self, unit: WavelengthUnit | None) -> float:
        """The number in another unit; as it is where either is unknown."""
        if self.unit is None or unit is None or self.unit is unit:
            return self.value
        return float(format(self.value * self.unit.nanometers / unit.nanometers, ".12g"))


@dataclass(frozen=True, slots=True)
class Wavelengths:
    """One per band; `values` is None where bands `lacking`, positions from 0, have none."""

    values: tuple[float, ...] | None = None
    unit: WavelengthUnit | None = None
    lacking: tuple[int, ...] = ()


def read_length(text: str) -> Length | None:
    """A wavelength or a width: "450.5", "450.5 nm", "664.5nm (S2A) / 665nm (S2B)", of which the first is taken.

    Returns:
        None where the text is no positive number, or is a range.
    """
    if len(text) > _LONGEST_ENTRY:
        return None
    text = text.strip(" \t\r\n\"'")
    try:
        value = float(text)
    except ValueError:
        return _annotated(text)
    return Length(value) if math.isfinite(value) and value > 0 else None


def read_wavelengths(path: Path, texts: Sequence[str], unit: str | None, remarks: list[str]) -> Wavelengths:
    """Wavelengths of all bands from their texts; none at all where a band has none.

    A unit that is missing or "Unknown" is inferred where only one makes sense: all wavelengths below 100 are
    micrometres, all above 200 nanometres. Wavelengths in a unit that is not understood are left out. A unit beside a
    number comes before that of the whole file.

    Args:
        path: Named in remarks.
        texts: One per band; blank where the file says nothing.
        unit: Of the whole file.
        remarks: Receives what was inferred or left out, and the bands without a wavelength.
    """
    lengths = [read_length(text) for text in texts]
    stated = {length.unit for length in lengths if length is not None and length.unit is not None}
    common = _UNITS.get(_unit_name(unit))
    if stated and common is None:  # numbers without a unit among others that have one
        lengths = [length if length is not None and length.unit is not None else None for length in lengths]
    lacking = tuple(band for band, length in enumerate(lengths) if length is None)
    if lacking:
        remarks.append(f"{path}: {_without(texts, lacking)}; the wavelengths of all bands are taken as unknown")
        return Wavelengths(lacking=lacking)
    found = [length for length in lengths if length is not None]
    if not stated:
        return _in_unit_of_file(path, tuple(length.value for length in found), unit, remarks)
    _remark_alternatives(path, texts, found, remarks)
    return _in_one_unit([Length(length.value, length.unit or common) for length in found])


def wavelengths_in_names(path: Path, names: Sequence[str], remarks: list[str]) -> Wavelengths:
    """Wavelengths from band names, where each has one number with a unit: "450.37 Nanometers", "blue (450.5 nm)"."""
    found = []
    for name in names:
        length = _length_in_name(name)
        if length is None:
            return Wavelengths()
        found.append(length)
    if not found:
        return Wavelengths()
    remarks.append(f"{path}: the wavelengths are read from the band names, such as '{names[0][:40]}'")
    return _in_one_unit(found)


def without_appended(name: str, wavelength_nm: float) -> str:
    """A band name without its own wavelength, which GDAL appends: "blue (450.5 Nanometers)" is "blue"."""
    match = _APPENDED.match(name) if len(name) < _LONGEST_ENTRY else None
    unit = _UNITS.get(match["unit"].lower()) if match else None
    if match is None or unit is None:
        return name
    stated_nm = float(match["number"]) * unit.nanometers
    return match["name"] if math.isclose(stated_nm, wavelength_nm, rel_tol=1e-3) else name


def _annotated(text: str) -> Length | None:
    matches = [_ENTRY.match(part.strip()) for part in text.split("/")]
    lengths = []
    for match in matches:
        unit = None if match is None else _UNITS.get((match["unit"] or "").lower())
        if match is None or (unit is None and match["unit"] is not None):
            return None
        lengths.append(Length(float(match["number"]), unit))
    is_positive = all(math.isfinite(length.value) and length.value > 0 for length in lengths)
    return lengths[0] if is_positive else None


def _unit_name(text: str | None) -> str:
    return (text or "").strip(" \t\r\n\"'{}[]()").lower()


def _without(texts: Sequence[str], lacking: Sequence[int]) -> str:
    verb = "has" if len(lacking) == 1 else "have"
    written = next((texts[band].strip() for band in lacking if texts[band].strip()), None)
    reason = "" if written is None else f" ('{written[:40]}' is none)"
    return f"{band_words(lacking)} {verb} no wavelength{reason}"


def _remark_alternatives(path: Path, texts: Sequence[str], found: Sequence[Length], remarks: list[str]) -> None:
    several = next((band for band, text in enumerate(texts) if "/" in text), None)
    if several is not None:
        remarks.append(
            f"{path}: band {several + 1} has more than one wavelength ('{texts[several].strip()[:40]}'); the first is "
            f"taken, {found[several].value:g}"
        )


def _in_one_unit(lengths: Sequence[Length]) -> Wavelengths:
    units = {length.unit for length in lengths}
    unit = units.pop() if len(units) == 1 else WavelengthUnit.NANOMETERS
    return Wavelengths(tuple(length.in_unit(unit) for length in lengths), unit)


def _in_unit_of_file(path: Path, values: tuple[float, ...], text: str | None, remarks: list[str]) -> Wavelengths:
    name = _unit_name(text)
    if name in _UNITS:
        return Wavelengths(values, _UNITS[name])
    if name not in _UNDECIDED:
        remarks.append(f"{path}: wavelength unit {(text or '')[:40]} is not understood; the wavelengths are left out")
        return Wavelengths()
    inferred = None
    if max(values) < 100:
        inferred = WavelengthUnit.MICROMETERS
    elif min(values) > 200:
        inferred = WavelengthUnit.NANOMETERS
    verdict = f"{inferred.lower()} are inferred from their size" if inferred else "they are not used"
    remarks.append(f"{path}: wavelengths of {min(values):g} to {max(values):g} have no unit; {verdict}")
    return Wavelengths(values, inferred)


def _length_in_name(name: str) -> Length | None:
    """The one length that a name holds; None where it holds none, several, a range, or one that is no wavelength."""
    matches = list(_IN_NAME.finditer(name)) if len(name) < _LONGEST_ENTRY else []
    if len(matches) != 1 or _RANGE.search(name[: matches[0].start()]):
        return None
    length = Length(float(matches[0]["number"]), _UNITS[matches[0]["unit"].lower()])
    in_nm = length.in_unit(WavelengthUnit.NANOMETERS)
    return length if math.isfinite(in_nm) and in_nm >= _SHORTEST_NM else None
