"""Guided kriging: how good it is beside the regression, and how fast a tile is.

python benchmarks/kriging.py [SCENE ...] [--ratios 2,4,8] [--bands 205]

SCENE is a raster or a .mat file whose largest array of three axes is (H, W, C). It is degraded under each protocol
(four boxes of bands, the true operator known to both methods), fused by cores and halos as `pifnet fuse` does, and
scored by PSNR over the cube. Then the processor time of a core amid a scene, on one thread, beside that of a matrix
product in the same run: a busy machine slows both.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
import scipy.io
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pifnet_cli.choices import Protocol
from pifnet_cli.degrade.sensor_model import SensorModel, degrade_patch
from pifnet_cli.pair.alignment import REACH
from pifnet_cli.pair.resample import CubicResampler
from pifnet_cli.scene import Pixels, Positions
from pifnet_models.kriging.kriging import GuidedKriging
from pifnet_models.kriging.regression import Regression, RegressionSums
from pifnet_models.sampling import SamplingOperator

MSI_BANDS = 4
CONDITIONS = ((Protocol.PAPER, None, None), (Protocol.MTF, None, None), (Protocol.MTF, 35.0, 40.0))
PRODUCT = 1024  # side of the matrices whose product times are compared with
LIMIT = 60.0  # microseconds per HR pixel and core


@dataclass(frozen=True)
class Pair:
    """A scene under a sensor model."""

    reference: Pixels
    sensor: SensorModel
    lr_hsi: Pixels
    hr_msi: Pixels
    operator: SamplingOperator

    @property
    def regression(self) -> Regression:
        """Of the whole scene."""
        sums = RegressionSums(hsi_bands=len(self.lr_hsi), msi_bands=MSI_BANDS)
        low = self.operator.down(self.hr_msi)
        sums.add(self.lr_hsi.reshape(len(self.lr_hsi), -1), low.reshape(MSI_BANDS, -1))
        return sums.solve()


@dataclass(frozen=True)
class Span:
    """A core along one axis: its pixels, the LR pixels around it, the HR pixels that these see, and its place there."""

    core: slice
    lr: slice
    hr: slice

    @property
    def inside(self) -> slice:
        """The core within `hr`."""
        return slice(self.core.start - self.hr.start, self.core.stop - self.hr.start)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenes", nargs="*", type=Path)
    parser.add_argument("--ratios", default="2,4,8")
    parser.add_argument("--bands", type=int, default=205)
    options = parser.parse_args()
    ratios = [int(ratio) for ratio in options.ratios.split(",")]
    with threadpool_limits(1):
        for path in options.scenes:
            print_scores(path, ratios)
        print_times(ratios, options.bands)


def print_scores(path: Path, ratios: list[int]) -> None:
    """A line per ratio and condition."""
    reference = cube(path)
    for ratio in ratios:
        for protocol, hsi_snr_db, msi_snr_db in CONDITIONS:
            pair = degraded(reference, ratio, protocol, hsi_snr_db=hsi_snr_db, msi_snr_db=msi_snr_db)
            regression, up = pair.regression, pair.operator.up
            plain = psnr_db(
                regression.apply(up(pair.lr_hsi), pair.hr_msi, up(pair.operator.down(pair.hr_msi))), pair.reference
            )
            kriged = psnr_db(fused(pair, GuidedKriging.from_regression(regression, ratio=ratio)), pair.reference)
            noise = "noise-free" if hsi_snr_db is None else f"{hsi_snr_db:g}/{msi_snr_db:g} dB"
            print(
                f"{path.stem:36} x{ratio} {protocol.value:6} {noise:10} regression {plain:6.2f} dB, "
                f"kriging {kriged:6.2f} dB ({kriged - plain:+.2f})",
                flush=True,
            )


def print_times(ratios: list[int], bands: int) -> None:
    """A line per ratio and protocol: a core with its whole halo."""
    rng = np.random.default_rng(0)
    for ratio in ratios:
        for protocol in Protocol:
            side = 64 + 16 * ratio
            scene = rng.random((bands, 1, 1)) * rng.random((1, side, side)) + 0.05 * rng.random((bands, side, side))
            pair = degraded(scene.astype(np.float32), ratio, protocol, hsi_snr_db=40.0, msi_snr_db=None)
            kriging = GuidedKriging.from_regression(pair.regression, ratio=ratio)
            core, span = kriging.core, _span(pair, kriging, 8 * ratio)
            product = best_seconds(_product)
            seconds = best_seconds(lambda p=pair, k=kriging, s=span: fused_core(p, k, s, s))
            print(
                f"x{ratio} {protocol.value:6} core {core:3}, {span.lr.stop - span.lr.start:2} LR pixels a side: "
                f"{seconds / core**2 * 1e6:5.1f} microseconds a pixel at {bands} bands (limit {LIMIT:g}), "
                f"1000 pixels in {seconds / core**2 * 1000 / product:.2f} products of {PRODUCT} x {PRODUCT} matrices "
                f"({product * 1e3:.1f} ms)",
                flush=True,
            )


def cube(path: Path) -> Pixels:
    """(C, H, W), its negative noise clipped, bands without valid pixels left out."""
    if path.suffix == ".mat":
        arrays = [a for a in scipy.io.loadmat(path).values() if isinstance(a, np.ndarray) and a.ndim == 3]
        image = max(arrays, key=lambda a: a.size).transpose(2, 0, 1)
    else:
        with rasterio.open(path) as dataset:
            image = dataset.read(masked=True).astype(np.float32).filled(np.nan)
    image = image[np.isfinite(image).all(axis=(1, 2))].astype(np.float32)
    return np.clip(image / np.float32(image.max()), 0, None)


def degraded(
    reference: Pixels, ratio: int, protocol: Protocol, *, hsi_snr_db: float | None, msi_snr_db: float | None
) -> Pair:
    """The scene cropped to whole blocks, as both sensors would see it."""
    rows, columns = (side // ratio * ratio for side in reference.shape[1:])
    reference = reference[:, :rows, :columns]
    groups = np.array_split(np.arange(len(reference)), MSI_BANDS)
    srf = np.stack([np.isin(np.arange(len(reference)), group) / len(group) for group in groups])
    sensor = SensorModel(protocol, ratio, 0.3, srf, hsi_snr_db=hsi_snr_db, msi_snr_db=msi_snr_db)
    lr_hsi, hr_msi = degrade_patch(reference, sensor, rng=np.random.default_rng(0))
    operator = SamplingOperator(
        sensor.row_matrix(rows),
        sensor.column_matrix(columns),
        *(_interpolation(side, ratio, sensor.phase[0]) for side in (rows, columns)),
    )
    return Pair(reference, sensor, lr_hsi, hr_msi, operator)


def fused(pair: Pair, kriging: GuidedKriging) -> Pixels:
    """The whole scene, core by core."""
    result = np.empty(pair.reference.shape, dtype=np.float32)
    for rows in _spans(pair, kriging, pair.reference.shape[1]):
        for columns in _spans(pair, kriging, pair.reference.shape[2]):
            result[:, rows.core, columns.core] = fused_core(pair, kriging, rows, columns)
    return result


def fused_core(pair: Pair, kriging: GuidedKriging, rows: Span, columns: Span) -> Pixels:
    """(C, core H, core W)."""
    operator = SamplingOperator(
        pair.operator.rows[rows.lr][:, rows.hr],
        pair.operator.columns[columns.lr][:, columns.hr],
        pair.operator.up_rows[rows.hr, rows.lr],
        pair.operator.up_columns[columns.hr, columns.lr],
    )
    lr_hsi, hr_msi = pair.lr_hsi[:, rows.lr, columns.lr], pair.hr_msi[:, rows.hr, columns.hr]
    return kriging.fuse_block(lr_hsi, hr_msi, operator, core=(rows.inside, columns.inside))


def psnr_db(estimate: Pixels, truth: Pixels) -> float:
    """Over the whole cube, the peak being the truth's."""
    error = np.square(estimate.astype(np.float64) - truth).mean()
    return float(10 * np.log10(float(truth.max()) ** 2 / error))


def best_seconds(action: Callable[[], object], repeats: int = 5) -> float:
    """The least processor time of several runs, after one that is not counted."""
    times = []
    for _ in range(repeats + 1):
        start = time.thread_time()
        action()
        times.append(time.thread_time() - start)
    return min(times[1:])


def _spans(pair: Pair, kriging: GuidedKriging, pixels: int) -> Iterator[Span]:
    return (_span(pair, kriging, start, pixels) for start in range(0, pixels, kriging.core))


def _span(pair: Pair, kriging: GuidedKriging, start: int, pixels: int | None = None) -> Span:
    """One core from `start` on, of an axis of so many pixels."""
    pixels = pixels or pair.reference.shape[1]
    ratio, phase, radius = pair.sensor.ratio, pair.sensor.phase[0], pair.sensor.psf.radius
    stop = min(start + kriging.core, pixels)
    first = max(int(np.ceil((start - 0.5 - phase) / ratio)) - kriging.halo, 0)
    last = min(int(np.floor((stop - 0.5 - phase) / ratio)) + 1 + kriging.halo, pixels // ratio)
    low, high = int(first * ratio + phase) - radius, int((last - 1) * ratio + phase) + radius + 2
    return Span(slice(start, stop), slice(first, last), slice(max(min(low, start), 0), min(max(high, stop), pixels)))


def _interpolation(pixels: int, ratio: int, phase: float) -> Pixels:
    """(H, h): what the tool's interpolation makes of every unit vector."""
    count = pixels // ratio
    positions = Positions((np.arange(pixels) - phase) / ratio, np.arange(count, dtype=np.float64))
    return CubicResampler(positions, height=count, width=count, reach=REACH)(np.eye(count, dtype=np.float32)[None])[0]


def _product() -> NDArray[np.float32]:
    factor = np.ones((PRODUCT, PRODUCT), dtype=np.float32)
    return factor @ factor


if __name__ == "__main__":
    main()
