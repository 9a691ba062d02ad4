"""Scene pairs for tests of training-free methods: random ones with correlated bands, and real ones degraded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.choices import Protocol
from pifnet_cli.degrade.sensor_model import SensorModel, degrade_patch
from pifnet_cli.pair.alignment import REACH
from pifnet_cli.pair.resample import CubicResampler
from pifnet_cli.scene import Positions
from pifnet_models.classical.moments import MomentSums, SceneMoments
from pifnet_models.sampling import SamplingOperator

Pixels = NDArray[np.float32]


def linked_pixels(
    rng: np.random.Generator, *, bands: int = 7, msi: int = 3, pixels: int = 400, noise: float = 0.05
) -> tuple[Pixels, Pixels]:
    """(C, P) and (M, P), positive: mixtures of a few smooth spectra, and box averages of them."""
    wavelength = np.linspace(0, 1, max(bands, msi))
    centres = rng.uniform(0, 1, (5, 1))
    spectra = 0.2 + np.exp(-(((wavelength - centres) / 0.3) ** 2))  # (5, bands)
    shares = rng.dirichlet(np.ones(5), pixels).T
    whole = spectra.T @ shares
    msi_low = np.stack([part.mean(axis=0) for part in np.array_split(whole, msi)])
    hsi = whole[:bands] + noise * rng.normal(size=(bands, pixels))
    return np.maximum(hsi, 0.01).astype(np.float32), msi_low.astype(np.float32)


def moments_of(lr_hsi: Pixels, msi_low: Pixels) -> SceneMoments:
    """Of all pixels at once."""
    sums = MomentSums(hsi_bands=len(lr_hsi), msi_bands=len(msi_low))
    sums.add(lr_hsi, msi_low)
    return sums.solve()


def tile_planes(
    rng: np.random.Generator, *, bands: int = 7, msi: int = 3, height: int = 24, width: int = 40
) -> tuple[Pixels, Pixels, Pixels]:
    """up(X), Y and up(down(Y)) of a tile: no image, but planes of the right ranges."""
    hsi, smooth = linked_pixels(rng, bands=bands, msi=msi, pixels=height * width)
    sharp = smooth * rng.uniform(0.8, 1.2, smooth.shape).astype(np.float32)
    return tuple(plane.reshape(-1, height, width) for plane in (hsi, sharp, smooth))


@dataclass(frozen=True)
class SimulatedPair:
    """A reference, the pair that sensors would see of it, and what methods are given."""

    reference: Pixels
    lr_hsi: Pixels
    hr_msi: Pixels
    operator: SamplingOperator
    moments: SceneMoments

    @property
    def planes(self) -> tuple[Pixels, Pixels, Pixels]:
        """up(X), Y and up(down(Y))."""
        up, down = self.operator.up, self.operator.down
        return up(self.lr_hsi), self.hr_msi, up(down(self.hr_msi))


def simulated_pair(reference: Pixels, *, protocol: Protocol, ratio: int = 4, msi: int = 4) -> SimulatedPair:
    """Degrade (C, H, W), sides multiples of the ratio, to an LR-HSI and an HR-MSI of `msi` boxes of bands."""
    boxes = np.array_split(np.arange(len(reference)), msi)
    srf = np.stack([np.isin(np.arange(len(reference)), box) / len(box) for box in boxes])
    sensor = SensorModel(protocol, ratio, 0.3, srf)
    lr_hsi, hr_msi = degrade_patch(reference, sensor, rng=None)
    operator = regular_operator(sensor, reference.shape[1:])
    low = operator.down(hr_msi)
    return SimulatedPair(
        reference, lr_hsi, hr_msi, operator, moments_of(lr_hsi.reshape(len(lr_hsi), -1), low.reshape(msi, -1))
    )


def regular_operator(sensor: SensorModel, hr_shape: tuple[int, int]) -> SamplingOperator:
    """Blur, sampling and interpolation of a simulated pair."""
    rows, columns = sensor.row_matrix(hr_shape[0]), sensor.column_matrix(hr_shape[1])
    return SamplingOperator(
        rows,
        columns,
        _interpolation(rows.shape, sensor.phase[0], sensor.ratio),
        _interpolation(columns.shape, sensor.phase[1], sensor.ratio),
    )


def psnr_db(fused: Pixels, reference: Pixels) -> float:
    """Over the whole cube, the peak being the reference's."""
    error = np.square(fused.astype(np.float64) - reference).mean()
    return float(10 * np.log10(float(reference.max()) ** 2 / error))


def _interpolation(shape: tuple[int, int], phase: float, ratio: int) -> Pixels:
    """(H, h): what the tool's interpolation makes of every unit image of h pixels."""
    count, points = shape
    positions = Positions((np.arange(points) - phase) / ratio, np.arange(count, dtype=np.float64))
    return CubicResampler(positions, height=count, width=count, reach=REACH)(np.eye(count, dtype=np.float32)[None])[0]
