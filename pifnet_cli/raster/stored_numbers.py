"""Stored numbers <-> physical ones: scale, offset, nodata, rounding. Arrays only."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.errors import SceneReadError
from pifnet_cli.scene import Pixels
from pifnet_cli.settings import Nodata

Stored = NDArray[np.generic]
FILL = 1e20  # the least of the usual fills (CF's; others: netCDF 9.97e36, float32's lowest); no sensor measures it
NEAR = 4 * float(np.finfo(np.float32).eps)  # times nodata: so far off a float is still it, as for GDAL (measured)


@dataclass(frozen=True, slots=True)
class BandCoding:
    """How one band is stored: physical = stored * scale + offset; `nodata` is a stored number."""

    scale: float = 1.0
    offset: float = 0.0
    nodata: float | int | None = None

    @property
    def is_plain(self) -> bool:
        """Stored numbers are physical ones."""
        return self.scale == 1.0 and self.offset == 0.0


def to_physical(stored: Stored, codings: list[BandCoding]) -> Pixels:
    """Stored numbers as float32 in physical units; nodata, NaN, infinities and what is as large as fill become NaN.

    Works band by band, so that no float64 cube appears; a float32 input is changed in place.

    Args:
        stored: (C, h, w), as in the file.
        codings: One per band.

    Returns:
        (C, h, w).
    """
    with np.errstate(over="ignore", invalid="ignore"):
        physical = stored.astype(np.float32, copy=False)
        for band, coding in enumerate(codings):
            invalid = is_nodata(stored[band], coding.nodata)
            if not coding.is_plain:
                invalid |= _is_fill(stored[band])
                physical[band] = stored[band].astype(np.float64) * coding.scale + coding.offset
            invalid |= _is_fill(physical[band])
            physical[band][invalid] = np.nan
    return physical


def _is_fill(values: Stored) -> NDArray[np.bool_]:
    """Where values are no number, or as large as no measured one."""
    return np.asarray(~(np.abs(values) < FILL))


def is_nodata(stored: Stored, nodata: float | int | None) -> NDArray[np.bool_]:
    """Where stored numbers are nodata, compared in their own type.

    Floats may lie a little away, be they of 32 bits or of 64: headers hold nodata with fewer digits than pixels do.

    Args:
        stored: Of any shape.
        nodata: A number that the type holds, or None.
    """
    if nodata is None:
        return np.zeros(stored.shape, dtype=bool)
    if not np.issubdtype(stored.dtype, np.floating):
        return np.asarray(stored == stored.dtype.type(nodata))
    reach = NEAR * abs(nodata)
    with np.errstate(over="ignore"):
        lowest, highest = stored.dtype.type(nodata - reach), stored.dtype.type(nodata + reach)
    return np.asarray(np.greater_equal(stored, lowest) & np.less_equal(stored, highest))


def exact_nodata(value: float | int, dtype: str, source: object) -> float | int:
    """A declared nodata value as a number of the stored type.

    What lies beyond the range of floats stands for their lowest or highest number: so GDAL writes it, and headers hold
    that number rounded.

    Args:
        value: As declared.
        dtype: The stored type.
        source: Named in errors.

    Raises:
        SceneReadError: The type of integers cannot hold it.
    """
    if np.issubdtype(np.dtype(dtype), np.floating):
        most = float(np.finfo(dtype).max)
        return min(max(value, -most), most) if math.isfinite(value) else value
    limits = np.iinfo(dtype)
    if value == float(limits.max):
        return int(limits.max)  # of 64 bits, it reaches us rounded up, out of its own range
    if not math.isfinite(value) or value != int(value) or not limits.min <= value <= limits.max:
        raise SceneReadError(
            f"{source}: the nodata value {value:g} cannot occur in {dtype} pixels; a whole number from {limits.min} to "
            f"{limits.max} was expected; correct or remove it"
        )
    return int(value)


def told_nodata(nodata: Nodata, dtype: str, source: object) -> float | int | None:
    """A nodata value that the user gave, as a number of the stored type.

    Args:
        nodata: As given.
        dtype: The stored type.
        source: Named in errors.

    Raises:
        SceneReadError: The type cannot hold it.
    """
    value = nodata.value
    if value is None:
        return None
    exact = exact_nodata(value, dtype, source)
    if math.isfinite(value) and abs(value) > abs(exact) * (1 + NEAR):
        most = float(np.finfo(dtype).max)
        raise SceneReadError(
            f"{source}: the nodata value {value:g} cannot occur in {dtype} pixels; a number from {-most:g} to {most:g} "
            "was expected; give another, or none"
        )
    return exact


def to_stored(pixels: Pixels, codings: list[BandCoding], dtype: np.dtype[np.generic]) -> tuple[Stored, int]:
    """Physical float32 as stored numbers: rounded to nearest even and clipped, never wrapped; NaN becomes nodata.

    A valid value that would be stored as the nodata number is moved to its neighbour, towards zero where there is one.

    Args:
        pixels: (C, h, w), invalid pixels NaN.
        codings: One per band; `nodata` is None only where no pixel is NaN.
        dtype: The stored type.

    Returns:
        The stored numbers (C, h, w), and how many valid ones were clipped to the range of `dtype`.
    """
    stored = np.empty(pixels.shape, dtype=dtype)
    clipped = 0
    for band, coding in enumerate(codings):
        clipped += _encode(pixels[band], coding, stored[band])
    return stored, clipped


def _encode(pixels: Pixels, coding: BandCoding, out: Stored) -> int:
    plane: NDArray[np.floating] = pixels
    if not coding.is_plain:
        plane = (pixels.astype(np.float64) - coding.offset) / coding.scale
    if _needs_rounding_only(plane, coding.nodata, out.dtype):
        np.rint(plane, out=out, casting="unsafe")
        return 0
    invalid = np.isnan(pixels)
    clipped = 0
    if np.issubdtype(out.dtype, np.integer):
        clipped = _encode_integers(plane.astype(np.float64), invalid, out)
    else:
        with np.errstate(over="ignore"):
            out[...] = plane
    if coding.nodata is not None:
        nodata = out.dtype.type(coding.nodata)
        collisions = is_nodata(out, coding.nodata) & ~invalid
        out[collisions] = _neighbour(nodata)
        out[invalid] = nodata
    return clipped


def _needs_rounding_only(plane: NDArray[np.floating], nodata: float | int | None, dtype: np.dtype[np.generic]) -> bool:
    """Whether all values are valid, and none comes near nodata or the ends of a small integer type."""
    if not np.issubdtype(dtype, np.integer) or dtype.itemsize > 2 or plane.size == 0:
        return False
    limits = np.iinfo(dtype.name)
    low, high = plane.min(), plane.max()  # NaN where a value is, and then within nothing
    is_inside = limits.min + 1 <= low and high <= limits.max - 1
    return bool(is_inside and (nodata is None or nodata < low - 1 or nodata > high + 1))


def _encode_integers(plane: NDArray[np.float64], invalid: NDArray[np.bool_], out: Stored) -> int:
    limits = np.iinfo(out.dtype.name)
    plane[invalid] = 0.0
    np.rint(plane, out=plane)
    too_low, too_high = plane <= limits.min, plane >= limits.max
    clipped = int(np.count_nonzero(plane < limits.min) + np.count_nonzero(plane > limits.max))
    plane[too_low | too_high] = 0.0  # the limits of 64-bit integers are no float64: set below, as integers
    out[...] = plane.astype(out.dtype)
    out[too_low] = limits.min
    out[too_high] = limits.max
    return clipped


def _neighbour(nodata: np.generic) -> np.generic:
    """The stored number next to `nodata` that is not taken for it, towards zero; above it where nodata is zero."""
    dtype = nodata.dtype
    if np.issubdtype(dtype, np.integer):
        return dtype.type(int(nodata) + (1 if int(nodata) <= 0 else -1))
    if nodata == 0:
        return dtype.type(np.nextafter(nodata, dtype.type(1)))
    return dtype.type(float(nodata) * (1 - 2 * NEAR))
