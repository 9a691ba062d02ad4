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

    def __init__(self, dataset: DatasetReader) -> None:
        self._dataset = dataset
        flags = dataset.mask_flag_enums[0]
        # A fourth band marked as alpha is more often a near-infrared band: it is a band, not a mask.
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
        """Where the file's mask, internal or .msk, hides pixels (h, w); None where it has no mask.

        Raises:
            RasterioError: The file is damaged.
        """
        if not self._has_mask:
            return None
        with gdal_session():
            return np.asarray(self._dataset.read_masks(1, window=_gdal(window)) == 0)

    def close(self) -> None:
        """Close the file."""
        self._dataset.close()


def _gdal(window: Window) -> GdalWindow:
    return GdalWindow(window.column, window.row, window.width, window.height)
