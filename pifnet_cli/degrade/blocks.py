"""A reference of any size degraded block by block; the result does not depend on the blocks."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.degrade.noise import NoiseStream, noise_std_at_snr, window_noise
from pifnet_cli.degrade.psf import degrade_separable, trimmed
from pifnet_cli.degrade.sensor_model import SensorModel, project_spectrally
from pifnet_cli.scene import Pixels, Window

SIDE_STEP = 16  # LR pixels: blocks end where the tiles of a GeoTIFF may end

Read = Callable[[Window], Pixels]
Report = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Block:
    """Pixels worked on at once: a window of the LR-HSI, and the window of the reference that it covers."""

    lr: Window
    hr: Window


@dataclass(frozen=True, slots=True)
class DegradedBlock:
    """LR-HSI (C, h, w), HR-MSI (M, H, W) and reference (C, H, W) of one block."""

    lr_hsi: Pixels
    hr_msi: Pixels
    reference: Pixels


@dataclass(frozen=True, slots=True, eq=False)
class PairNoise:
    """Standard deviations per band of the noise on the LR-HSI, (C,), and on the HR-MSI, (M,)."""

    hsi_std: NDArray[np.float32]
    msi_std: NDArray[np.float32]
    seed: int

    def added(self, images: DegradedBlock, block: Block) -> DegradedBlock:
        """The images with noise, the reference as it is."""
        return DegradedBlock(
            _noisy(images.lr_hsi, block.lr, std=self.hsi_std, seed=self.seed, stream=NoiseStream.LR_HSI),
            _noisy(images.hr_msi, block.hr, std=self.msi_std, seed=self.seed, stream=NoiseStream.HR_MSI),
            images.reference,
        )


class BlockDegrader:
    """Noise-free images of a reference, block by block, in row order."""

    def __init__(self, read: Read, sensor: SensorModel, *, height: int, width: int, block_size: int) -> None:
        """Plan the blocks.

        Args:
            read: Gives (C, H, W) of any window of the reference, invalid NaN.
            sensor: How the pair sees it.
            height: Of the reference; whole LR pixels.
            width: Likewise.
            block_size: Wanted side of a block, HR pixels; brought to a multiple of 16 LR pixels.
        """
        self.sensor = sensor
        self.lr_side = max(int(block_size / sensor.ratio) // SIDE_STEP, 1) * SIDE_STEP
        self._read = read
        self._height, self._width = height, width

    def __len__(self) -> int:
        rows, columns = (-(-side // self.lr_side) for side in self._lr_size)
        return rows * columns

    def __iter__(self) -> Iterator[Block]:
        height, width = self._lr_size
        for lr in Window(0, 0, height, width).blocks(self.lr_side):
            top, bottom = (self._hr_edge(edge, height, self._height) for edge in (lr.row, lr.bottom))
            left, right = (self._hr_edge(edge, width, self._width) for edge in (lr.column, lr.right))
            yield Block(lr, Window.between(top, left, bottom, right))

    @property
    def hr_side(self) -> int:
        """HR pixels of which the borders of every block are multiples: its side, where the ratio is a whole number."""
        side = self.lr_side * self.sensor.ratio
        return int(side) if self.sensor.has_whole_ratio else max(int(side / 2) // SIDE_STEP, 1) * SIDE_STEP

    @property
    def _lr_size(self) -> tuple[int, int]:
        return self.sensor.lr_length(self._height), self.sensor.lr_length(self._width)

    def _hr_edge(self, lr_edge: int, lr_length: int, hr_length: int) -> int:
        """The first HR pixel beyond the blocks before an LR pixel."""
        if lr_edge >= lr_length:
            return hr_length
        return int(lr_edge * self.sensor.ratio) // self.hr_side * self.hr_side

    def degraded(self, block: Block) -> DegradedBlock:
        """Read what a block needs and degrade it."""
        lr_rows, lr_columns = range(block.lr.row, block.lr.bottom), range(block.lr.column, block.lr.right)
        rows, row_span = trimmed(self.sensor.row_matrix(self._height, lr_rows))
        columns, column_span = trimmed(self.sensor.column_matrix(self._width, lr_columns))
        seen = Window.between(row_span.start, column_span.start, row_span.stop, column_span.stop)
        needed = seen.union(block.hr)
        pixels = self._read(needed)
        lr_hsi = degrade_separable(pixels[:, *seen.relative_to(needed).slices], rows, columns)
        reference = pixels[:, *block.hr.relative_to(needed).slices]
        return DegradedBlock(lr_hsi, project_spectrally(reference, self.sensor.srf), reference)

    def noise(self, seed: int, report: Report) -> PairNoise:
        """The noise that the sensor model asks for; reads the reference once where it asks for any."""
        sensor = self.sensor
        msi_bands, hsi_bands = sensor.srf.shape
        sums = np.zeros((2, hsi_bands + msi_bands))  # of squares, of valid pixels
        if sensor.hsi_snr_db is not None or sensor.msi_snr_db is not None:
            for done, block in enumerate(self, start=1):
                images = self.degraded(block)
                sums += np.concatenate([_square_sums(images.lr_hsi), _square_sums(images.hr_msi)], axis=1)
                report(done, len(self))
        mean_squares = sums[0] / np.maximum(sums[1], 1)
        return PairNoise(
            noise_std_at_snr(mean_squares[:hsi_bands], sensor.hsi_snr_db),
            noise_std_at_snr(mean_squares[hsi_bands:], sensor.msi_snr_db),
            seed,
        )


def _noisy(image: Pixels, window: Window, *, std: NDArray[np.float32], seed: int, stream: NoiseStream) -> Pixels:
    if not std.any():
        return image
    return image + std[:, None, None] * window_noise(window, bands=len(std), seed=seed, stream=stream)


def _square_sums(image: Pixels) -> NDArray[np.float64]:
    """(2, bands): sum of squares, and number, of the valid pixels."""
    valid = ~np.isnan(image)
    squares = np.square(np.where(valid, image, 0), dtype=np.float64)
    return np.stack([squares.sum(axis=(1, 2)), valid.sum(axis=(1, 2))])
