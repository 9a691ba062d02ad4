"""Spectral response: curves of an MSI -> weights on the bands of an HSI."""

import csv
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.degrade.sensors import SENSORS, STEP_NM, BandResponse, sensor_responses
from pifnet_cli.errors import BandsError, SettingsError
from pifnet_cli.scene import Bands, WavelengthUnit, band_words

BOXES = "boxes:"
COLUMNS = ("band", "wavelength_nm", "response")
FWHM_PER_SIGMA = 2 * np.sqrt(2 * np.log(2))
NEGLIGIBLE = 1e-3
"""Weights below this share of a row's largest are dropped: no band matters, or spoils a pixel, through a far tail."""

MINIMUM_COVERAGE = 0.5
FULL_COVERAGE = 0.98


@dataclass(frozen=True, slots=True, eq=False)
class SpectralProjection:
    """Weights that turn C hyperspectral bands into M multispectral ones, and what these bands are.

    Attributes:
        weights: (M, C), rows sum to 1.
        bands: The M bands; wavelengths and FWHM in nanometres where the HSI has wavelengths.
        left_out: Bands of the MSI that the HSI covers by less than half.
        incomplete: Bands of the MSI that it covers in part.
    """

    weights: NDArray[np.float64]
    bands: Bands
    left_out: tuple[str, ...] = ()
    incomplete: tuple[str, ...] = ()


def spectral_projection(spec: str, bands: Bands) -> SpectralProjection:
    """Build the projection that an `--srf` option asks for.

    Args:
        spec: A sensor's name, `FILE.csv` (columns band, wavelength_nm, response), or `boxes:N`: N runs of bands of
            equal length, by band index.
        bands: Of the HSI; those that are not good get no weight.

    Raises:
        SettingsError: The option cannot be understood, or its table cannot be read.
        BandsError: The HSI has no wavelengths, or covers no band of the MSI.
    """
    if spec.lower().startswith(BOXES):
        return _index_boxes(spec, bands)
    responses = _responses(spec)
    wavelengths = bands.wavelengths_nm
    if wavelengths is None:
        lacking = bands.without_wavelength
        reason = (
            f"no wavelength is known of {band_words(lacking)}" if lacking else "the scene's bands have no wavelengths"
        )
        raise BandsError(f"--srf {spec}: {reason}; a response needs them; add them to the header, or use --srf boxes:4")
    return _integrated(spec, responses, bands, wavelengths)


def response_tables(spec: str) -> list[Path]:
    """The file that an `--srf` option names; none where it names a sensor or boxes."""
    return [Path(spec)] if Path(spec).suffix.lower() == ".csv" else []


def read_response_table(path: Path) -> tuple[BandResponse, ...]:
    """Read response curves from a CSV file; bands keep the order in which they first appear.

    Raises:
        SettingsError: The file cannot be read, or is no such table.
    """
    curves: dict[str, list[tuple[float, float]]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, skipinitialspace=True)
            absent = [name for name in COLUMNS if name not in (table.fieldnames or ())]
            if absent:
                raise SettingsError(f"{path}: no column {', '.join(absent)}; expected {','.join(COLUMNS)}")
            for row in table:
                curves.setdefault(str(row["band"]), []).append(_sample(row, path=path, line=table.line_num))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SettingsError(f"{path}: cannot be read as a response table ({error})") from error
    if not curves:
        raise SettingsError(f"{path}: no rows; expected {','.join(COLUMNS)}")
    return tuple(_curve(name, samples, path) for name, samples in curves.items())


def _responses(spec: str) -> tuple[BandResponse, ...]:
    for table in response_tables(spec):
        return read_response_table(table)
    responses = sensor_responses(spec)
    if responses is None:
        raise SettingsError(f"--srf {spec}: unknown; expected FILE.csv, boxes:N, or one of {', '.join(SENSORS)}")
    return responses


def _sample(row: dict[str, str], *, path: Path, line: int) -> tuple[float, float]:
    try:
        wavelength, response = float(row["wavelength_nm"]), float(row["response"])
    except (TypeError, ValueError) as error:
        raise SettingsError(f"{path}: line {line}: not two numbers after the band's name ({error})") from error
    if not (np.isfinite(response) and 100 <= wavelength <= 100_000):
        raise SettingsError(
            f"{path}: line {line}: wavelength {wavelength:g}, response {response:g}; "
            "finite numbers and a wavelength in nanometres (100 to 100000) were expected"
        )
    return wavelength, response


def _curve(name: str, samples: Sequence[tuple[float, float]], path: Path) -> BandResponse:
    wavelengths, response = np.array(sorted(samples)).T
    response = np.clip(response, 0, None)  # measured tables carry small negative noise
    if len(samples) < 2 or np.ptp(wavelengths) == 0 or response.max() == 0:
        raise SettingsError(f"{path}: band {name}: two wavelengths and a response above 0 were expected")
    return BandResponse(name, wavelengths, response)


def _good(bands: Bands) -> NDArray[np.bool_]:
    good = np.ones(bands.count, dtype=bool) if bands.good is None else np.array(bands.good, dtype=bool)
    if not good.any():
        raise BandsError("every band of the scene is marked bad or empty; no MSI can be made of it")
    return good


def _index_boxes(spec: str, bands: Bands) -> SpectralProjection:
    text = spec[len(BOXES) :]
    if not (text.isdecimal() and 1 <= int(text) <= bands.count):
        raise SettingsError(f"--srf {spec}: N of boxes:N must be 1 to the scene's {bands.count} bands")
    good = _good(bands)
    edges = np.linspace(0, bands.count, int(text) + 1).round().astype(int)
    weights = np.zeros((int(text), bands.count))
    for box, (first, stop) in enumerate(itertools.pairwise(edges)):
        weights[box, first:stop] = good[first:stop]
        if not weights[box].any():
            raise BandsError(f"--srf {spec}: bands {first + 1} to {stop} are all bad or empty; use fewer boxes")
    weights /= weights.sum(axis=1, keepdims=True)
    names = tuple(f"Box {box + 1}" for box in range(len(weights)))
    wavelengths = bands.wavelengths_nm
    if wavelengths is None:
        return SpectralProjection(weights, Bands(count=len(weights), names=names))
    widths = np.where(weights > 0, _cells(wavelengths, good).sum(axis=0), 0).sum(axis=1)
    return SpectralProjection(weights, _described(names, weights, wavelengths, widths=widths.tolist()))


def _integrated(
    spec: str, responses: Sequence[BandResponse], bands: Bands, wavelengths: NDArray[np.float64]
) -> SpectralProjection:
    good = _good(bands)
    cells = _cells(wavelengths, good)
    spacing = cells.sum(axis=0)
    fwhm = spacing if bands.fwhm_nm is None else np.where(bands.fwhm_nm > 0, bands.fwhm_nm, spacing)
    coverage = np.array([_coverage(response, wavelengths, cells) for response in responses])
    kept = [response for response, share in zip(responses, coverage, strict=True) if share >= MINIMUM_COVERAGE]
    if not kept:
        usable = wavelengths[good]
        raise BandsError(
            f"--srf {spec}: none of its {len(responses)} bands lies in the scene's "
            f"{usable.min():.0f} to {usable.max():.0f} nm; choose another sensor, or --srf boxes:4"
        )
    weights = np.stack([_band_weights(response, wavelengths, fwhm) * spacing for response in kept])
    weights[weights < NEGLIGIBLE * weights.max(axis=1, keepdims=True)] = 0
    weights /= weights.sum(axis=1, keepdims=True)
    named = [response.name for response in responses]
    partly = (coverage >= MINIMUM_COVERAGE) & (coverage < FULL_COVERAGE)
    return SpectralProjection(
        weights,
        _described(tuple(r.name for r in kept), weights, wavelengths, widths=[_half_maximum_width(r) for r in kept]),
        left_out=tuple(name for name, share in zip(named, coverage, strict=True) if share < MINIMUM_COVERAGE),
        incomplete=tuple(name for name, is_partial in zip(named, partly, strict=True) if is_partial),
    )


def _cells(wavelengths: NDArray[np.float64], good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(2, C): how far each good band reaches to either side, in nm; 0 for the others.

    Half-way to its neighbour in wavelength, whatever the order in the file; overlapping detectors thus share. A gap
    is not filled by the bands at its rim: no reach is longer than the median spacing.
    """
    order = np.flatnonzero(good)[np.argsort(wavelengths[good], kind="stable")]
    gaps = np.diff(wavelengths[order])
    typical = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 1.0
    halves = np.minimum(gaps / 2, typical)
    cells = np.zeros((2, len(wavelengths)))
    cells[0, order] = np.concatenate([[typical / 2], halves])
    cells[1, order] = np.concatenate([halves, [typical / 2]])
    return cells


def _band_weights(
    response: BandResponse, wavelengths: NDArray[np.float64], fwhm: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(C,): the response as bands of Gaussian shape see it."""
    grid, values = _resampled(response)
    sigma = np.maximum(fwhm / FWHM_PER_SIGMA, STEP_NM)[:, None]
    shapes = np.exp(-0.5 * ((grid[None] - wavelengths[:, None]) / sigma) ** 2) / sigma
    return np.asarray(shapes @ values)


def _coverage(response: BandResponse, wavelengths: NDArray[np.float64], cells: NDArray[np.float64]) -> float:
    """Share of a response that falls on wavelengths that some good band reaches."""
    grid, values = _resampled(response)
    reached = np.zeros(len(grid), dtype=bool)
    for centre, (below, above) in zip(wavelengths, cells.T, strict=True):
        if below + above > 0:
            reached |= (grid >= centre - below - STEP_NM) & (grid <= centre + above + STEP_NM)
    return float(values[reached].sum() / values.sum())


def _resampled(response: BandResponse) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    grid = np.arange(response.wavelengths_nm[0], response.wavelengths_nm[-1] + STEP_NM, STEP_NM)
    return grid, np.interp(grid, response.wavelengths_nm, response.response, left=0, right=0)


def _half_maximum_width(response: BandResponse) -> float:
    grid, values = _resampled(response)
    half = values.max() / 2
    above = np.flatnonzero(values >= half)
    first, last = max(above[0], 1), min(above[-1], len(grid) - 2)
    rise = np.interp(half, values[first - 1 : first + 1], grid[first - 1 : first + 1])
    fall = np.interp(half, values[last : last + 2][::-1], grid[last : last + 2][::-1])
    return float(fall - rise)


def _described(
    names: tuple[str, ...], weights: NDArray[np.float64], wavelengths: NDArray[np.float64], *, widths: Sequence[float]
) -> Bands:
    """Bands at the centre of what they actually weigh, in nanometres."""
    centres = weights @ np.nan_to_num(wavelengths)
    return Bands(
        count=len(names),
        names=names,
        wavelengths=tuple(round(float(centre), 3) for centre in centres),
        fwhm=tuple(round(float(width), 3) for width in widths),
        unit=WavelengthUnit.NANOMETERS,
    )
