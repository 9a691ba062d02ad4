"""PROJ's environment variables: a foreign proj.db breaks every CRS look-up of the PROJ that rasterio bundles."""

import importlib.util
import logging
import os
import sys
from pathlib import Path

_LOG = logging.getLogger(__name__)
_VARIABLES = ("PROJ_DATA", "PROJ_LIB")


def drop_foreign_proj() -> None:
    """Unset PROJ_DATA and PROJ_LIB in this process where rasterio brings its own PROJ database.

    A rasterio built against the system's PROJ has no database of its own; there the variables stay.
    """
    bundled = _bundled_proj()
    if bundled is None:
        return
    foreign = [name for name in _VARIABLES if os.environ.get(name) and Path(os.environ[name]) != bundled]
    for name in foreign:
        _LOG.warning("%s=%s is ignored: rasterio brings its own PROJ database", name, os.environ.pop(name))
    if foreign and "rasterio" in sys.modules:
        # rasterio has read the variable at its import; there is no public way to tell it again.
        sys.modules["rasterio._env"].set_proj_data_search_path(str(bundled))


def _bundled_proj() -> Path | None:
    """The PROJ database inside rasterio's wheel, found without importing rasterio."""
    package = importlib.util.find_spec("rasterio")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).parent / "proj_data"
    return folder if (folder / "proj.db").is_file() else None
