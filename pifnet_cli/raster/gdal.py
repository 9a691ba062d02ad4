"""GDAL's settings while it reads or writes for pifnet."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import rasterio
from rasterio.errors import NotGeoreferencedWarning

CACHE_BYTES = 16 * 2**20


@contextmanager
def gdal_session(**options: object) -> Iterator[None]:
    """Bound GDAL's block cache, which else takes 5 % of the machine's memory, for the duration of the block.

    rasterio's warnings about missing georeferencing and about nodata beyond a type's range stay inside: the grid and
    the description of the scene say so themselves.

    Args:
        options: Further GDAL configuration options.
    """
    with warnings.catch_warnings(), rasterio.Env(GDAL_CACHEMAX=CACHE_BYTES, **options):
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        warnings.filterwarnings("ignore", "overflow encountered in cast", RuntimeWarning)
        yield
