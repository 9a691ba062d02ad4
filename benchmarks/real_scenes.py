"""The folder of real scenes, each as a GeoTIFF that `pifnet simulate` takes. For the other benchmarks to import."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import scipy.io
from affine import Affine
from numpy.typing import NDArray

UTM = "EPSG:32611"
GROUND = Affine(10, 0, 365000, 0, -10, 3760000)  # where scenes lie that do not say so
UNITS_PER_REFLECTANCE = 10_000
BOXES = "boxes:4"  # where a scene has no wavelengths, or stands beside such

Cube = NDArray[np.float32]
FromMat = Callable[[dict[str, NDArray[np.generic]]], NDArray[np.generic]]


@dataclass(frozen=True, slots=True)
class RealScene:
    """A scene of the folder.

    Attributes:
        name: For tables.
        path: From the folder on.
        srf: Bands of the HR-MSI made from it.
        cube: From the contents of a .mat file to (C, H, W); None where the file is a raster.
        msi: Likewise to (M, H, W), where another sensor saw the same ground on the same grid.
    """

    name: str
    path: str
    srf: str = BOXES
    cube: FromMat | None = None
    msi: FromMat | None = None

    def is_in(self, data: Path) -> bool:
        """Whether the folder holds it."""
        return (data / self.path).is_file()

    def prepared(self, data: Path, folder: Path) -> Path:
        """The scene as a raster: the file itself, or a GeoTIFF written to `folder`, negative noise clipped."""
        if self.cube is None:
            return data / self.path
        target = folder / f"{self.name.replace(' ', '_')}.tif"
        if not target.exists():
            pixels = self.cube(scipy.io.loadmat(data / self.path)).astype(np.float32)
            scale = UNITS_PER_REFLECTANCE if pixels.max() > 2 else 1
            write_raster(target, np.clip(pixels / scale, 0, None))
        return target

    def put_msi(self, data: Path, pair: Path) -> None:
        """Replace the simulated HR-MSI of a pair by the other sensor's, where there is one."""
        if self.msi is not None:
            write_raster(pair / "hr_msi.tif", self.msi(scipy.io.loadmat(data / self.path)).astype(np.float32))


def write_raster(path: Path, pixels: Cube) -> None:
    """(C, H, W) as float32 GeoTIFF."""
    bands, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": bands, "height": height, "width": width, "dtype": "float32"}
    with rasterio.open(path, "w", **profile, crs=UTM, transform=GROUND) as dataset:
        dataset.write(pixels.astype(np.float32))


def _last_axis(variable: str) -> FromMat:
    return lambda found: found[variable].transpose(2, 0, 1)


def _flat(variable: str, side: int) -> FromMat:
    """(C, H W) by columns."""
    return lambda found: found[variable].reshape(-1, side, side).transpose(0, 2, 1)


def _abu(folder: str, name: str) -> RealScene:
    return RealScene(name, f"{folder}/abu-{name}.mat", cube=_last_axis("data"))


AVIRIS_TRAINING = [_abu("aviris_los_angeles", name) for name in ("airport-1", "airport-3", "urban-4")]
AVIRIS_TEST = [_abu("aviris_los_angeles", name) for name in ("airport-2", "urban-5")]
ROSIS = RealScene("Pavia Centre", "rosis_pavia_centre/dataPavia.mat", cube=_last_axis("PaviaCenter"))
ENMAP = RealScene("EnMAP Potsdam", "enmap_potsdam/derived_mosaic_A_rows96-159_cols96-223.tif", srf="sentinel-2")
PARIS = "paris_hyperion_ali/paris_data_hs_ms.mat"
OTHERS = [
    *(_abu("aviris_other", name) for name in ("beach-1", "beach-2", "urban-1", "urban-2")),
    RealScene("AVIRIS rotated", "aviris_rotated_envi/AV_mastercal_testdata.bsq"),
    RealScene("Jasper Ridge", "jasper_ridge/jasperRidge2_R198.mat", cube=_flat("Y", 100)),
    RealScene("Samson", "samson/samson_1.mat", cube=_flat("V", 95)),
    RealScene("Salinas A", "salinas_a/SalinasA_corrected.img"),
    RealScene("Indian Pines", "small_crops/AVIRIS_IndianPine_Site3_float_48_48.tif"),
    RealScene("Chikusei", "small_crops/chikusei_48x48.tif"),
    RealScene("Washington DC", "small_crops/dc_48x48.tif"),
    RealScene("Pavia University", "pavia_university_simulated/reg_pavia_dataset.mat", cube=_last_axis("I1")),
    RealScene("Paris Hyperion", PARIS, cube=_last_axis("HSim")),
    RealScene("Paris Hyperion with ALI", PARIS, cube=_last_axis("HSim"), msi=_last_axis("MSim")),
]
EVERY_SCENE = [*AVIRIS_TRAINING, *AVIRIS_TEST, ROSIS, ENMAP, *OTHERS]
