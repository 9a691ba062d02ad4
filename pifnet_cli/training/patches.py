"""Aligned (LR-HSI, HR-MSI, HR-HSI) patches of scenes whose truth is known.

A patch is a function of its number and the seed: training can stop anywhere and go on with the very next one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.random import Generator

from models.anchors.regression import Regression
from pifnet_cli.align import Alignment
from pifnet_cli.degrade.psf import Psf
from pifnet_cli.degrade.wald import SensorModel, degrade_patch
from pifnet_cli.errors import TrainingError
from pifnet_cli.pair import PairGeometry, PairInputs, pair_inputs, plan_windows
from pifnet_cli.resample import SUPPORT
from pifnet_cli.scene import Pixels, Positions, Window
from pifnet_cli.settings import Sampling
from pifnet_cli.training.augment import SYMMETRIES, may_be_transposed, transposed, turned, turned_window

ATTEMPTS = 50  # patches tried until one holds enough valid pixels
MINIMUM_VALID = 0.1  # share of a patch's values

ReadWindow = Callable[[Window], Pixels]


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPair:
    """A pair and its truth, read by window.

    Attributes:
        name: For messages.
        read_lr: LR window -> (C, h, w).
        read_hr: HR window -> (M, H, W).
        read_reference: HR window -> (C, H, W).
        alignment: How LR-HSI and HR-MSI lie on each other.
        psf: The hyperspectral sensor's blur.
        sensor: Makes new pairs of the reference; None where the pair is real.
        regression: The anchor over the whole pair.
        area: HR pixels that patches are drawn from.
        held_out: HR pixels that training never sees the truth of; may be empty.
    """

    name: str
    read_lr: ReadWindow
    read_hr: ReadWindow
    read_reference: ReadWindow
    alignment: Alignment
    psf: Psf
    sensor: SensorModel | None
    regression: Regression
    area: Window
    held_out: Window


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """A tile of a pair with its truth (C, H, W), and the anchor of the scene it comes from."""

    inputs: PairInputs
    reference: Pixels
    regression: Regression


def split_area(whole: Window, *, share: float, guard: int) -> tuple[Window, Window]:
    """Divide rows into an upper part to train on and a lower one, `share` of the whole, to validate on.

    `guard` rows between them belong to neither.
    """
    held_rows = round(share * whole.height)
    if held_rows == 0:
        return whole, Window(whole.bottom, whole.column, 0, whole.width)
    held_out = Window(whole.bottom - held_rows, whole.column, held_rows, whole.width)
    return Window(whole.row, whole.column, max(whole.height - held_rows - guard, 0), whole.width), held_out


class PatchSource:
    """Patches by number: `len(source)` of them make an epoch."""

    def __init__(
        self, pairs: Sequence[TrainingPair], *, patch_size: int, sampling: Sampling, stride: int, seed: int
    ) -> None:
        """Check that every pair has room for a patch.

        Raises:
            TrainingError: One has not.
        """
        for pair in pairs:
            ratio = pair.sensor.ratio if pair.sensor else 1
            if min(pair.area.height, pair.area.width) < -(-patch_size // ratio) * ratio:
                raise TrainingError(
                    f"{pair.name}: leaves {pair.area.height} x {pair.area.width} pixels to train on, fewer than a "
                    f"patch of {patch_size}; lower --patch-size or --validation-share, or name --validation scenes"
                )
        self._pairs = pairs
        self._size, self._sampling, self._seed = patch_size, sampling, seed
        corners = [_lattice(pair.area, patch_size, stride) for pair in pairs]
        self._lattice = [(index, *corner) for index, found in enumerate(corners) for corner in found]
        pixels = np.array([pair.area.height * pair.area.width for pair in pairs], dtype=np.float64)
        self._shares = pixels / pixels.sum()

    def __len__(self) -> int:
        return len(self._lattice)

    def sample(self, number: int) -> Sample:
        """Patch `number`, 0 or more.

        Raises:
            TrainingError: The scenes hold next to no valid pixels.
        """
        rng = np.random.default_rng([self._seed, number])
        for attempt in range(ATTEMPTS):
            pair, window = self._place(number, rng, attempt)
            sample = _simulated(pair, window, rng) if pair.sensor else _real(pair, window, rng)
            if np.isfinite(sample.reference).mean() >= MINIMUM_VALID and np.isfinite(sample.inputs.hr_msi).any():
                return sample
        names = ", ".join(pair.name for pair in self._pairs)
        raise TrainingError(f"{names}: {ATTEMPTS} patches in a row were nodata; train on scenes with more valid pixels")

    def _place(self, number: int, rng: Generator, attempt: int) -> tuple[TrainingPair, Window]:
        if self._sampling is Sampling.STRIDED and attempt == 0:
            epoch, position = divmod(number, len(self._lattice))
            order = np.random.default_rng([self._seed, epoch, 1]).permutation(len(self._lattice))
            index, row, column = self._lattice[order[position]]
            return self._pairs[index], Window(row, column, self._size, self._size)
        pair = self._pairs[rng.choice(len(self._pairs), p=self._shares)]
        row = pair.area.row + int(rng.integers(pair.area.height - self._size + 1))
        column = pair.area.column + int(rng.integers(pair.area.width - self._size + 1))
        return pair, Window(row, column, self._size, self._size)


def _lattice(area: Window, size: int, stride: int) -> list[tuple[int, int]]:
    """Corners of windows `stride` apart, the last ones flush with the far borders."""
    rows, columns = _starts(area.height, size, stride), _starts(area.width, size, stride)
    return [(area.row + row, area.column + column) for row in rows for column in columns]


def _starts(length: int, size: int, stride: int) -> list[int]:
    return sorted({*range(0, length - size + 1, stride), length - size})


def _simulated(pair: TrainingPair, window: Window, rng: Generator) -> Sample:
    """Turn a piece of the reference round the patch, degrade it afresh, and cut the patch out."""
    sensor = cast("SensorModel", pair.sensor)
    crop = _surroundings(window, pair.area, sensor, rng)
    symmetry = int(rng.integers(SYMMETRIES))
    reference = turned(pair.read_reference(crop), symmetry)
    tile = turned_window(window.relative_to(crop), crop.height, crop.width, symmetry=symmetry)
    lr_hsi, hr_msi = degrade_patch(reference, sensor, rng=rng)
    geometry = _geometry(tile, sensor, lr_size=(lr_hsi.shape[1], lr_hsi.shape[2]))
    inputs = pair_inputs(lr_hsi, hr_msi, geometry=geometry, psf=sensor.psf)
    rows, columns = tile.slices
    return Sample(inputs, np.ascontiguousarray(reference[:, rows, columns]), pair.regression)


def _real(pair: TrainingPair, window: Window, rng: Generator) -> Sample:
    """The patch as the two sensors saw it; transposed at times, where that keeps the phase."""
    windows = plan_windows(pair.alignment, window, pair.psf)
    geometry = PairGeometry.of_windows(pair.alignment, windows)
    inputs = pair_inputs(pair.read_lr(windows.lr), pair.read_hr(windows.hr), geometry=geometry, psf=pair.psf)
    reference = pair.read_reference(window)
    if may_be_transposed(geometry) and rng.random() < 0.5:
        return Sample(transposed(inputs), np.ascontiguousarray(reference.swapaxes(1, 2)), pair.regression)
    return Sample(inputs, reference, pair.regression)


def _surroundings(window: Window, area: Window, sensor: SensorModel, rng: Generator) -> Window:
    """The patch with what PSF and interpolation reach, as far as the area goes; sides are multiples of the ratio.

    Its first pixel decides the sampling phase, which thus takes every value.
    """
    reach = math.ceil(sensor.psf.radius + max(map(abs, sensor.shift))) + SUPPORT * sensor.ratio
    row, height = _span(window.row, window.height, area.row, area.bottom, reach=reach, ratio=sensor.ratio, rng=rng)
    column, width = _span(
        window.column, window.width, area.column, area.right, reach=reach, ratio=sensor.ratio, rng=rng
    )
    return Window(row, column, height, width)


def _span(start: int, size: int, first: int, last: int, *, reach: int, ratio: int, rng: Generator) -> tuple[int, int]:
    """One side of `_surroundings`: first pixel and length."""
    low = max(first, start - reach - int(rng.integers(ratio)))
    high = min(last, start + size + reach)
    surplus = (high - low) % ratio
    cut = int(rng.integers(max(0, surplus - (high - start - size)), min(surplus, start - low) + 1))
    return low + cut, high - low - surplus


def _geometry(tile: Window, sensor: SensorModel, *, lr_size: tuple[int, int]) -> PairGeometry:
    row_phase, column_phase = sensor.phase
    rows = np.arange(tile.row, tile.bottom, dtype=np.float64)
    columns = np.arange(tile.column, tile.right, dtype=np.float64)
    lr_rows, lr_columns = (np.arange(size, dtype=np.float64) for size in lr_size)
    return PairGeometry(
        tile=tile,
        tile_in_lr=Positions((rows - row_phase) / sensor.ratio, (columns - column_phase) / sensor.ratio),
        lr_in_hr=Positions(lr_rows * sensor.ratio + row_phase, lr_columns * sensor.ratio + column_phase),
    )
