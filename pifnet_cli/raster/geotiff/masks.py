"""Bands of a GeoTIFF that are no bands: alpha, and a mask that was appended to the data."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from rasterio.enums import ColorInterp
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.windows import Window as GdalWindow

from pifnet_cli.raster.stored_numbers import Stored
from pifnet_cli.scene import Spread, Window, spread_windows

_SIDE, _MOST = 64, 5  # of the windows that are looked at; their number along either side of the scene
_OPAQUE_SHARE = 0.9  # of what is not 0 is one number in an alpha band; the rest are soft edges
_COMPARED = 16  # bands that are looked at under an appended mask


def mask_bands(dataset: DatasetReader, path: Path, remarks: list[str]) -> tuple[int, ...]:
    """The bands, by positions from 0, that mask the others: invalid where they are 0, valid where they are above.

    At most 25 windows spread over the scene decide, however large it is. A band marked as alpha masks where nine
    tenths of its numbers above 0 are one and the same; else it is data, as the near infrared of many RGBI pictures is.
    An unmarked last band masks where it holds nothing but 0 and 255, has no wavelength, and all other bands hold one
    number where it is 0: that is what `gdal_translate -b mask` leaves.

    Args:
        dataset: Stays open.
        path: Named in remarks.
        remarks: Receives what was decided.
    """
    if dataset.count < 2:
        return ()
    marked = [band for band, meaning in enumerate(dataset.colorinterp) if meaning is ColorInterp.alpha]
    masks = tuple(band for band in marked if _is_opaque_or_empty(dataset, band))
    if len(masks) == dataset.count:
        return ()
    for band in marked:
        if band in masks:
            remarks.append(f"{path}: band {band + 1} is an alpha band: pixels where it is 0 are invalid, it is no data")
        else:
            remarks.append(f"{path}: band {band + 1} is marked as alpha but varies as data do; it is taken as data")
    last = dataset.count - 1
    if not marked and dataset.colorinterp[last] is ColorInterp.undefined and _is_appended_mask(dataset, last):
        remarks.append(
            f"{path}: band {last + 1} is a mask of 0 and 255: pixels where it is 0 are invalid, it is no data"
        )
        return (last,)
    return masks


def _is_opaque_or_empty(dataset: DatasetReader, band: int) -> bool:
    counts: dict[float, int] = {}
    for window in _windows(dataset):
        values, times = np.unique(_read(dataset, [band], window), return_counts=True)
        for value, count in zip(values.tolist(), times.tolist(), strict=True):
            counts[value] = counts.get(value, 0) + count
    above = [count for value, count in counts.items() if value > 0]
    return all(value >= 0 for value in counts) and (not above or max(above) >= _OPAQUE_SHARE * sum(above))


def _is_appended_mask(dataset: DatasetReader, band: int) -> bool:
    if any("wavelength" in name.lower() for name in dataset.tags(band + 1)):
        return False
    seen: set[float] = set()
    fill: Stored | None = None
    for window in _windows(dataset):
        mask = _read(dataset, [band], window)[0]
        seen.update(np.unique(mask).tolist())
        if not seen <= {0, 255}:
            return False
        if (mask == 0).any():
            hidden = _read(dataset, range(min(band, _COMPARED)), window)[:, mask == 0]
            fill = hidden[:, :1] if fill is None else fill
            if not np.array_equal(hidden, np.broadcast_to(fill, hidden.shape), equal_nan=True):
                return False
    return seen == {0, 255}


def _windows(dataset: DatasetReader) -> Iterator[Window]:
    whole = Window(0, 0, dataset.height, dataset.width)
    yield from spread_windows(whole, side=_SIDE, most=_MOST, spread=Spread.OVERLAPPING)


def _read(dataset: DatasetReader, bands: Sequence[int], window: Window) -> Stored:
    """Stored numbers (C, h, w); none of a window that is damaged, which says so when it is read as data."""
    place = GdalWindow(window.column, window.row, window.width, window.height)
    try:
        stored: Stored = dataset.read([band + 1 for band in bands], window=place)
    except RasterioError:
        return np.empty((len(bands), 0, 0), dtype=dataset.dtypes[0])
    return stored
