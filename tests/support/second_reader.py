"""What another GDAL than rasterio's, that of the system, reads in our outputs."""

import array
import json
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import json, sys
from osgeo import gdal, osr
gdal.UseExceptions()
data = gdal.Open(sys.argv[1])
crs = data.GetSpatialRef()
if crs is not None:
    crs.AutoIdentifyEPSG()
bands = [data.GetRasterBand(i + 1) for i in range(data.RasterCount)]
sys.stdout.write(json.dumps({
    "version": gdal.__version__, "driver": data.GetDriver().ShortName, "transform": data.GetGeoTransform(),
    "epsg": None if crs is None else crs.GetAuthorityCode(None), "envi": data.GetMetadata("ENVI"),
    "interleave": data.GetMetadataItem("INTERLEAVE", "IMAGE_STRUCTURE"), "files": data.GetFileList(),
    "types": [gdal.GetDataTypeName(band.DataType) for band in bands],
    "nodata": [str(band.GetNoDataValue()) for band in bands], "scale": [band.GetScale() for band in bands],
    "names": [band.GetDescription() for band in bands], "tags": [band.GetMetadata() for band in bands],
    "imagery": [band.GetMetadata("IMAGERY") for band in bands],
    "pixels": [band.ReadRaster(buf_type=gdal.GDT_Float64).hex() for band in bands],
}))
"""


@pytest.fixture(scope="session")
def other_gdal():
    """A function that reads a file with the system's GDAL."""
    for interpreter in (sys.executable, "/usr/bin/python3"):
        try:
            probe = subprocess.run([interpreter, "-c", "import osgeo.gdal"], capture_output=True, check=False)
        except OSError:
            continue
        if probe.returncode == 0:
            return lambda path: _read(interpreter, path)
    pytest.skip("osgeo.gdal is not installed: apt-get install python3-gdal")


def _read(interpreter, path):
    run = subprocess.run([interpreter, "-c", PROGRAM, str(path)], capture_output=True, text=True, check=True)
    found = json.loads(run.stdout)
    planes = [array.array("d", bytes.fromhex(plane)) for plane in found.pop("pixels")]
    return found | {"pixels": np.array(planes)}
