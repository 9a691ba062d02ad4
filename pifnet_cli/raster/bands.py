"""Wavelengths, FWHM, bad bands, band names and their units: from ENVI fields or GeoTIFF tags, and back again."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pifnet_cli.errors import BandsError
from pifnet_cli.raster.wavelengths import (
    Wavelengths,
    read_length,
    read_wavelengths,
    wavelengths_in_names,
    without_appended,
)
from pifnet_cli.scene import Bands

_COLOURS_NM = (650.0, 550.0, 450.0)  # red, green, blue
_INTERPRETED_NM = (660.0, 560.0, 480.0)
_COLOUR_WIDTH_NM = 60.0


@dataclass(frozen=True, slots=True)
class BandFields:
    """What a file says of its bands, still as text; `None` where it says nothing."""

    names: Sequence[str] | None = None
    wavelengths: Sequence[str] | None = None
    fwhm: Sequence[str] | None = None
    unit: str | None = None
    good: Sequence[str] | None = None

    def cut(self, positions: Sequence[int], *, of: int) -> "BandFields":
        """The entries of some bands, by positions from 0, in lists that have one for each `of` bands."""

        def entries(texts: Sequence[str] | None) -> Sequence[str] | None:
            return [texts[band] for band in positions] if texts is not None and len(texts) == of else texts

        if len(positions) == of:
            return self
        return BandFields(
            names=entries(self.names),
            wavelengths=entries(self.wavelengths),
            fwhm=entries(self.fwhm),
            unit=self.unit,
            good=entries(self.good),
        )


def parse_bands(path: Path, count: int, fields: BandFields, remarks: list[str]) -> Bands:
    """Bands from text.

    Wavelengths are read as `read_wavelengths` says; where the file has none, from the band names.

    Args:
        path: Named in errors and remarks.
        count: Bands of the raster.
        fields: The text.
        remarks: Receives what was inferred or left out.

    Raises:
        BandsError: A list has not one entry per band, or bad bands are marked by words.
    """
    names = _names(path, count, fields.names, remarks)
    found = _wavelengths(path, count, fields, names, remarks)
    bands = Bands(
        count=count,
        names=names,
        wavelengths=found.values,
        fwhm=_fwhm(path, count, fields.fwhm, found, remarks) if found.values is not None else None,
        unit=found.unit,
        good=_good(path, count, fields.good),
        without_wavelength=found.lacking,
    )
    return bands if fields.wavelengths is None else _without_appended(bands)


def split_list(text: str | Sequence[str] | None) -> list[str] | None:
    """An ENVI list, from "{1, 2}", "[1, 2]", "1, 2" or SPy's list; None where it is absent or empty."""
    if text is None:
        return None
    entries = text.strip().strip("{}[]").split(",") if isinstance(text, str) else list(text)
    entries = [entry.strip() for entry in entries]
    while entries and not entries[-1]:
        entries.pop()  # a comma after the last value
    return entries or None


def split_numbers(text: str | Sequence[str] | None) -> list[str] | None:
    """As `split_list`; numbers may have blanks alone between them."""
    entries = split_list(text)
    if entries is not None and len(entries) == 1:
        numbers = entries[0].strip("[]").split()
        return numbers if all(map(_is_number, numbers)) and numbers else entries
    return entries


def envi_band_fields(fields: Mapping[str, str | list[str]]) -> BandFields:
    """The band fields of an ENVI header or of GDAL's ENVI metadata domain, by lower-case name with blanks."""
    unit = fields.get("wavelength units")
    return BandFields(
        names=split_list(fields.get("band names")),
        wavelengths=split_numbers(fields.get("wavelength", fields.get("wavelengths"))),
        fwhm=split_numbers(fields.get("fwhm")),
        unit=unit if isinstance(unit, str) else None,
        good=split_numbers(fields.get("bbl")),
    )


def display_bands(bands: Bands) -> tuple[int, int, int] | None:
    """The bands nearest to 650, 550 and 450 nm, counted from 1; None where the scene does not see those colours."""
    shown = _nearest(bands, _COLOURS_NM)
    return None if shown is None else (shown[0] + 1, shown[1] + 1, shown[2] + 1)


def colour_bands(bands: Bands) -> tuple[int, int, int] | None:
    """Three bands to be called red, green and blue, by positions from 0: those nearest to 660, 560 and 480 nm.

    Returns:
        None where the scene does not see those colours, or one band would be two of them.
    """
    shown = _nearest(bands, _INTERPRETED_NM)
    return shown if shown is not None and len(set(shown)) == len(shown) else None


def wavelength_names(bands: Bands) -> tuple[str, ...] | None:
    """What bands without names are called for other programs, "423.6 nm"; no names when read again."""
    wavelengths = bands.wavelengths_nm
    return None if wavelengths is None else tuple(f"{wavelength:.1f} nm" for wavelength in wavelengths.tolist())


def _nearest(bands: Bands, colours_nm: Sequence[float]) -> tuple[int, int, int] | None:
    """Of each colour the nearest good band, by position from 0; None where one is too far."""
    wavelengths = bands.wavelengths_nm
    if wavelengths is None:
        return None
    usable = (
        wavelengths
        if bands.good is None
        else [w if g else math.inf for w, g in zip(wavelengths, bands.good, strict=True)]
    )
    chosen = []
    for colour in colours_nm:
        distances = [abs(wavelength - colour) for wavelength in usable]
        nearest = min(range(bands.count), key=distances.__getitem__)
        if distances[nearest] > _COLOUR_WIDTH_NM:
            return None
        chosen.append(nearest)
    return chosen[0], chosen[1], chosen[2]


def _wavelengths(
    path: Path, count: int, fields: BandFields, names: Sequence[str] | None, remarks: list[str]
) -> Wavelengths:
    if fields.wavelengths is not None:
        _require_count(path, count, "wavelength", fields.wavelengths)
        return read_wavelengths(path, fields.wavelengths, fields.unit, remarks)
    return Wavelengths() if names is None else wavelengths_in_names(path, names, remarks)


def _without_appended(bands: Bands) -> Bands:
    """The bands by names that do not repeat their wavelength."""
    wavelengths = bands.wavelengths_nm
    if bands.names is None or wavelengths is None:
        return bands
    if bands.names == wavelength_names(bands):
        return replace(bands, names=None)
    return replace(bands, names=tuple(map(without_appended, bands.names, wavelengths.tolist())))


def _require_count(path: Path, count: int, name: str, entries: Sequence[str]) -> None:
    if len(entries) != count:
        raise BandsError(
            f"{path}: '{name}' has {len(entries)} entries; one for each of the {count} bands was expected; correct or "
            "remove the field"
        )


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _names(path: Path, count: int, names: Sequence[str] | None, remarks: list[str]) -> tuple[str, ...] | None:
    if names is None:
        return None
    if len(names) != count:
        remarks.append(f"{path}: {len(names)} band names for {count} bands are left out")
        return None
    return tuple(name.strip() for name in names)


def _fwhm(
    path: Path, count: int, entries: Sequence[str] | None, wavelengths: Wavelengths, remarks: list[str]
) -> tuple[float, ...] | None:
    """In the unit of the wavelengths."""
    if entries is None:
        return None
    _require_count(path, count, "fwhm", entries)
    lengths = [read_length(entry) for entry in entries]
    known = [length.in_unit(wavelengths.unit) for length in lengths if length is not None]
    if len(known) == count:
        return tuple(known)
    remarks.append(f"{path}: the FWHM are left out, for some are no positive numbers")
    return None


def _good(path: Path, count: int, entries: Sequence[str] | None) -> tuple[bool, ...] | None:
    if entries is None:
        return None
    _require_count(path, count, "bbl", entries)
    wrong = next((entry for entry in entries if not _is_number(entry)), None)
    if wrong is not None:
        raise BandsError(f"{path}: 'bbl' holds '{wrong[:40]}'; numbers were expected; correct or remove the field")
    return tuple(float(entry) != 0 for entry in entries)
