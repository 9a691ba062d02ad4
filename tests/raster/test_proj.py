import os
import subprocess
import sys

LOOK_UP = """
{first}
import pifnet_cli.raster
{then}
from rasterio.crs import CRS
print(CRS.from_epsg(32633).to_wkt()[:6], os.environ.get("PROJ_DATA"), os.environ.get("PROJ_LIB"))
"""


def _run(tmp_path, first: str, then: str = "") -> str:
    environment = {**os.environ, "PROJ_DATA": str(tmp_path), "PROJ_LIB": str(tmp_path)}
    program = LOOK_UP.format(first=f"import os\n{first}", then=then)
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert "PROJ_DATA" in run.stderr
    assert "ignored" in run.stderr
    return run.stdout.strip()


def test_a_foreign_proj_database_is_dropped(tmp_path):
    assert _run(tmp_path, "") == "PROJCS None None"


def test_it_is_dropped_when_rasterio_came_first(tmp_path):
    assert _run(tmp_path, "import rasterio") == "PROJCS None None"
