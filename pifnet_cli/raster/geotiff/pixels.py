"""Raw pixels of a GeoTIFF, by window, through GDAL."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.io import DatasetReader
from rasterio.windows import Window as GdalWindow

from pifnet_cli.raster.gdal import gdal_session
from pifnet_cli.raster.stored_numbers import Stored
from pifnet_cli.scene import Window


class GeoTiffPixels:
    """The pixels of an open GeoTIFF, which it closes."""

    def __init__(self, dataset: DatasetReader, masks: Sequence[int] = ()) -> None:
        """`masks` are bands, by positions from 0, that hide pixels where they are 0."""
        self._dataset = dataset
        self._masks = [band + 1 for band in masks]
        flags = dataset.mask_flag_enums[0]
        # GDAL takes each alpha band for a mask, near infrared too: those that mask are known already.
        self._has_mask = MaskFlags.per_dataset in flags and MaskFlags.alpha not in flags

    def read(self, bands: Sequence[int], window: Window) -> Stored:
        """Stored numbers (C, h, w) of some bands.

        Raises:
            RasterioError: The file is damaged.
        """
        with gdal_session():
            stored: Stored = self._dataset.read([band + 1 for band in bands], window=_gdal(window))
        return stored

    def invalid(self, window: Window) -> NDArray[np.bool_] | None:
        """Where the file's mask, internal, .msk or a band, hides pixels (h, w); None where it has no mask.

        Raises:
            RasterioError: The file is damaged.
        """
        if not (self._has_mask or self._masks):
            return None
        hidden = np.zeros((window.height, window.width), dtype=bool)
        with gdal_session():
            if self._has_mask:
                hidden |= self._dataset.read_masks(1, window=_gdal(window)) == 0
            for band in self._masks:
                hidden |= ~(self._dataset.read(band, window=_gdal(window)) > 0)
        return hidden

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()


def _gdal(window: Window) -> GdalWindow:
    return GdalWindow(window.column, window.row, window.width, window.height)
