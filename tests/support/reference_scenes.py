"""Real scenes as references: the crops on which every method must beat interpolation."""

from pathlib import Path

import numpy as np
import rasterio
import scipy.io
from numpy.typing import NDArray

SCENES = ("abu-airport-2", "abu-urban-5", "pavia-centre", "enmap-potsdam")
ENMAP_NODATA = -32768


def real_scene(real_data: Path, name: str, *, ratio: int) -> NDArray[np.float32]:
    """(C, H, W) in reflectance-like units, sides cut to multiples of the ratio; EnMAP without its empty bands."""
    match name:
        case "pavia-centre":
            pixels = scipy.io.loadmat(real_data / "rosis_pavia_centre" / "dataPavia.mat")["PaviaCenter"]
            cube = pixels.transpose(2, 0, 1) / 8000
        case "enmap-potsdam":
            with rasterio.open(next((real_data / "enmap_potsdam").glob("*.tif"))) as dataset:
                pixels = dataset.read()
            cube = pixels[(pixels != ENMAP_NODATA).all(axis=(1, 2))] / 10_000
        case _:
            pixels = scipy.io.loadmat(real_data / "aviris_los_angeles" / f"{name}.mat")["data"]
            cube = pixels.transpose(2, 0, 1) / 10_000
    height, width = (side // ratio * ratio for side in cube.shape[1:])
    return np.ascontiguousarray(cube[:, :height, :width], dtype=np.float32)
