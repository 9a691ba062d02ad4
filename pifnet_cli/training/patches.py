"""Aligned (LR-HSI, HR-MSI, HR-HSI) patches of scenes whose truth is known.

A patch is a function of its number and of the seed, so that a training can stop anywhere and resume with the next one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from numpy.random import Generator

from pifnet_cli.choices import Phase, Sampling
from pifnet_cli.degrade.blocks import PairNoise
from pifnet_cli.degrade.noise import with_noise_of
from pifnet_cli.degrade.psf import Psf
from pifnet_cli.degrade.sensor_model import SensorModel, degrade_patch
from pifnet_cli.errors import TrainingError
from pifnet_cli.pair.alignment import Alignment
from pifnet_cli.pair.lr_grid import block_start, is_regular, naive_phase
from pifnet_cli.pair.resample import SUPPORT
from pifnet_cli.pair.tile import PairGeometry, PairTile, TileEngine, plan_windows
from pifnet_cli.scene import Pixels, Window
from pifnet_cli.training.augment import SYMMETRIES, may_be_transposed, turned, turned_window
from pifnet_models.kriging.regression import Regression

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
        sensor: Makes new pairs of the reference; None where the pair is real, or its LR pixels are no whole blocks.
        noise: What the sensor adds to every part of the scene; None where `sensor` is.
        regression: Over the whole pair.
        area: HR pixels that patches are drawn from.
        held_out: HR pixels that training never sees the truth of; may be empty.
        anchor: What the network starts from on a tile, (C, H, W); None where that is interpolation or the regression.
    """

    name: str
    read_lr: ReadWindow
    read_hr: ReadWindow
    read_reference: ReadWindow
    alignment: Alignment
    psf: Psf
    sensor: SensorModel | None
    noise: PairNoise | None
    regression: Regression
    area: Window
    held_out: Window
    anchor: TileEngine | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TrainingPatch:
    """A tile of a pair with its truth, and with what is computed for the network to start from.

    Attributes:
        tile: Both scenes.
        reference: (C, H, W) on the tile, the truth.
        regression: Of the whole scene.
        anchor: (C, H, W), the closed-form estimate that a network starts from; None where that is the regression, or
            interpolation.
    """

    tile: PairTile
    reference: Pixels
    regression: Regression
    anchor: Pixels | None = None


@dataclass(frozen=True, slots=True)
class PatchNeeds:
    """The demands of a network on its patches.

    Attributes:
        phase: Where LR pixels are taken to lie.
        block_ratio: HR pixels along a block's side, where the network takes the LR-HSI as it is: patches then begin
            where a block does. None where it does not.
        margin: LR pixels round a patch that its anchor looks at.
    """

    phase: Phase = Phase.TRUE
    block_ratio: int | None = None
    margin: int = SUPPORT


def anchor_margin(pairs: Sequence[TrainingPair]) -> int:
    """LR pixels round a patch that the widest of the pairs' anchors looks at."""
    return max((pair.anchor.margin for pair in pairs if pair.anchor is not None), default=SUPPORT)


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
        self,
        pairs: Sequence[TrainingPair],
        *,
        patch_size: int,
        sampling: Sampling,
        stride: int,
        seed: int,
        needs: PatchNeeds,
    ) -> None:
        """Check that every pair has room for a patch.

        Raises:
            TrainingError: One has not.
        """
        for pair in pairs:
            ratio = pair.sensor.whole_ratio if pair.sensor else 1
            blocks = needs.block_ratio or 1
            room = -(-patch_size // ratio) * ratio + (blocks if blocks > 1 else 0)
            if min(pair.area.height, pair.area.width) < room:
                raise TrainingError(
                    f"{pair.name}: leaves {pair.area.height} x {pair.area.width} pixels to train on, fewer than a "
                    f"patch of {patch_size}; lower --patch-size or --validation-share, or name --validation scenes"
                )
        self._pairs, self._needs = pairs, needs
        self._size, self._sampling, self._seed = patch_size, sampling, seed
        corners = [_corners(pair.area, patch_size, stride) for pair in pairs]
        self._corners = [(index, *corner) for index, found in enumerate(corners) for corner in found]
        pixels = np.array([pair.area.height * pair.area.width for pair in pairs], dtype=np.float64)
        self._shares = pixels / pixels.sum()

    def __len__(self) -> int:
        return len(self._corners)

    def patch(self, number: int) -> TrainingPatch:
        """Patch `number`, 0 or more.

        Raises:
            TrainingError: The scenes hold next to no valid pixels.
        """
        rng = np.random.default_rng([self._seed, number])
        for attempt in range(ATTEMPTS):
            pair, window = self._place(number, rng, attempt)
            draw = _simulated if pair.sensor else _real
            patch = draw(pair, window, self._needs, rng)
            if np.isfinite(patch.reference).mean() >= MINIMUM_VALID and np.isfinite(patch.tile.hr_msi).any():
                return patch
        names = ", ".join(pair.name for pair in self._pairs)
        raise TrainingError(f"{names}: {ATTEMPTS} patches in a row were nodata; train on scenes with more valid pixels")

    def _place(self, number: int, rng: Generator, attempt: int) -> tuple[TrainingPair, Window]:
        if self._sampling is Sampling.STRIDED and attempt == 0:
            epoch, place = divmod(number, len(self._corners))
            order = np.random.default_rng([self._seed, epoch, 1]).permutation(len(self._corners))
            index, row, column = self._corners[order[place]]
            return self._pairs[index], Window(row, column, self._size, self._size)
        pair = self._pairs[rng.choice(len(self._pairs), p=self._shares)]
        row = pair.area.row + int(rng.integers(pair.area.height - self._size + 1))
        column = pair.area.column + int(rng.integers(pair.area.width - self._size + 1))
        return pair, Window(row, column, self._size, self._size)


def _corners(area: Window, size: int, stride: int) -> list[tuple[int, int]]:
    """Corners of windows `stride` apart, the last ones flush with the far borders."""
    rows, columns = _starts(area.height, size, stride), _starts(area.width, size, stride)
    return [(area.row + row, area.column + column) for row in rows for column in columns]


def _starts(length: int, size: int, stride: int) -> list[int]:
    return sorted({*range(0, length - size + 1, stride), length - size})


def _simulated(pair: TrainingPair, window: Window, needs: PatchNeeds, rng: Generator) -> TrainingPatch:
    """Turn a piece of the reference round the patch, degrade it afresh, and cut the patch out."""
    sensor = cast("SensorModel", pair.sensor)
    crop = _surroundings(window, pair.area, sensor, margin=needs.margin, rng=rng)
    symmetry = int(rng.integers(SYMMETRIES))
    reference = turned(pair.read_reference(crop), symmetry)
    tile = turned_window(window.relative_to(crop), crop.height, crop.width, symmetry=symmetry)
    phase = sensor.phase if needs.phase is Phase.TRUE else naive_phase(sensor.whole_ratio)
    if needs.block_ratio is not None:
        reference, tile = _block_aligned(reference, tile, ratio=sensor.whole_ratio, phase=phase)
    lr_hsi, hr_msi = degrade_patch(reference, sensor, rng=None)
    noise = cast("PairNoise", pair.noise)
    lr_hsi, hr_msi = with_noise_of(lr_hsi, noise.hsi_std, rng), with_noise_of(hr_msi, noise.msi_std, rng)
    geometry = PairGeometry.regular(
        ratio=sensor.whole_ratio, phase=phase, lr_size=lr_hsi.shape[1:], hr_size=hr_msi.shape[1:], tile=tile
    )
    rows, columns = tile.slices
    truth = np.ascontiguousarray(reference[:, rows, columns])
    return _patch(PairTile(lr_hsi, hr_msi, geometry, sensor.psf), truth, pair)


def _real(pair: TrainingPair, window: Window, needs: PatchNeeds, rng: Generator) -> TrainingPatch:
    """The patch as the two sensors saw it; transposed at times, where that keeps the phase."""
    windows = plan_windows(pair.alignment, window, pair.psf, margin=needs.margin)
    geometry = PairGeometry.of_windows(pair.alignment, windows)
    if needs.block_ratio is not None and is_regular(geometry, needs.block_ratio):
        window = _at_block(window, geometry, needs.block_ratio, pair.area)
        windows = plan_windows(pair.alignment, window, pair.psf, margin=needs.margin)
        geometry = PairGeometry.of_windows(pair.alignment, windows)
    tile = PairTile(pair.read_lr(windows.lr), pair.read_hr(windows.hr), geometry, pair.psf)
    truth = pair.read_reference(window)
    if may_be_transposed(geometry) and rng.random() < 0.5:
        tile, truth = tile.transposed(), np.ascontiguousarray(truth.swapaxes(1, 2))
    return _patch(tile, truth, pair)


def sensed_patch(pair: TrainingPair, window: Window, *, margin: int) -> TrainingPatch:
    """A window of a pair as the two sensors saw it, with its truth; anchors look at `margin` LR pixels round it."""
    windows = plan_windows(pair.alignment, window, pair.psf, margin=margin)
    geometry = PairGeometry.of_windows(pair.alignment, windows)
    tile = PairTile(pair.read_lr(windows.lr), pair.read_hr(windows.hr), geometry, pair.psf)
    return _patch(tile, pair.read_reference(window), pair)


def _patch(tile: PairTile, truth: Pixels, pair: TrainingPair) -> TrainingPatch:
    anchor = None if pair.anchor is None else pair.anchor.fuse(tile).pixels
    return TrainingPatch(tile, truth, pair.regression, anchor)


def _at_block(window: Window, geometry: PairGeometry, ratio: int, area: Window) -> Window:
    """The window moved up and left to where a block begins, or down and right where the area ends before."""
    at, tile = geometry.lr_in_hr, geometry.tile
    row = window.row - (tile.row - block_start(float(at.rows[0]), ratio)) % ratio
    column = window.column - (tile.column - block_start(float(at.columns[0]), ratio)) % ratio
    return replace(
        window,
        row=row if row >= area.row else row + ratio,
        column=column if column >= area.column else column + ratio,
    )


def _block_aligned(reference: Pixels, tile: Window, *, ratio: int, phase: tuple[float, float]) -> tuple[Pixels, Window]:
    """Cut rows and columns off so that the tile begins where an LR pixel's block of HR pixels does."""
    (height, width), (first_row, first_column) = reference.shape[1:], (block_start(at, ratio) for at in phase)
    rows, row = _on_blocks(tile.row, tile.height, height, first=first_row, ratio=ratio)
    columns, column = _on_blocks(tile.column, tile.width, width, first=first_column, ratio=ratio)
    return np.ascontiguousarray(reference[:, rows, columns]), Window(row, column, tile.height, tile.width)


def _on_blocks(start: int, size: int, length: int, *, first: int, ratio: int) -> tuple[slice, int]:
    """One axis of `_block_aligned`: the pixels to keep, whole blocks of them, and where the tile begins in these.

    At the ends, where a block would reach beyond what there is, the tile moves instead. A block begins at `first`;
    `length` is a multiple of the ratio, and longer than `size` by one block at least.
    """
    cut = (start - first) % ratio
    kept = (length - cut) // ratio * ratio
    if 0 <= start - cut <= kept - size:
        return slice(cut, cut + kept), start - cut
    lowest = first % ratio
    highest = lowest + (length - size - lowest) // ratio * ratio
    return slice(0, length), lowest if start < cut else highest


def _surroundings(window: Window, area: Window, sensor: SensorModel, *, margin: int, rng: Generator) -> Window:
    """The patch with `margin` LR pixels and what the PSF reaches round it; sides are multiples of the ratio.

    Its first pixel decides the sampling phase, which thus takes every value.
    """
    reach = math.ceil(sensor.psf.radius + max(map(abs, sensor.shift))) + margin * sensor.whole_ratio
    ratio = sensor.whole_ratio
    row, height = _span(window.row, window.height, area.row, area.bottom, reach=reach, ratio=ratio, rng=rng)
    column, width = _span(window.column, window.width, area.column, area.right, reach=reach, ratio=ratio, rng=rng)
    return Window(row, column, height, width)


def _span(start: int, size: int, first: int, last: int, *, reach: int, ratio: int, rng: Generator) -> tuple[int, int]:
    """One side of `_surroundings`: first pixel and length."""
    low = max(first, start - reach - int(rng.integers(ratio)))
    high = min(last, start + size + reach)
    surplus = (high - low) % ratio
    cut = int(rng.integers(max(0, surplus - (high - start - size)), min(surplus, start - low) + 1))
    return low + cut, high - low - surplus
