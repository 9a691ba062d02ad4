import warnings

import pytest
import rasterio
from rasterio.env import getenv

from pifnet_cli.raster.gdal import CACHE_BYTES, gdal_session


def test_the_cache_is_bounded_inside_only():
    with rasterio.Env():
        outside = getenv().get("GDAL_CACHEMAX")
        with gdal_session(GDAL_PAM_ENABLED=False):
            assert getenv()["GDAL_CACHEMAX"] == CACHE_BYTES
            assert getenv()["GDAL_PAM_ENABLED"] is False
        assert getenv().get("GDAL_CACHEMAX") == outside


def test_other_warnings_pass():
    with pytest.warns(UserWarning, match="something else"), gdal_session():
        warnings.warn("something else", UserWarning, stacklevel=1)
