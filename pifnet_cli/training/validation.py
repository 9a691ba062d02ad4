"""Scores on held-out area, fused as at inference: the pair's own pixels, tiles with their surroundings."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pifnet_cli.choices import Precision
from pifnet_cli.metrics.with_reference import psnr_db
from pifnet_cli.networks.on_device import NetworkOnDevice
from pifnet_cli.networks.variants import starting_image
from pifnet_cli.scene import Pixels, Window
from pifnet_cli.training.objectives import Objective
from pifnet_cli.training.patches import TrainingPair, TrainingPatch, sensed_patch

TILE = 128  # HR pixels
HALO = 16  # HR pixels round a tile that are fused with it and cut off
IDENTICAL_DB = 999.0  # stands for infinity, which JSON has not
MAXIMUM_TILES = 16  # per scene, evenly spread
KEPT_BYTES = 256 * 2**20  # of references of held-out tiles; with all that belongs to them, some three times that

Fuse = Callable[[TrainingPatch], Pixels]  # an image of the patch, (C, H, W)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """PSNR on held-out area, the mean over scenes, in dB.

    Attributes:
        psnr_db: Of the network.
        anchor_psnr_db: Of the anchor that it starts from; of the regression where it has none.
        upsampled_psnr_db: Of interpolation alone.
    """

    psnr_db: float
    anchor_psnr_db: float
    upsampled_psnr_db: float

    @property
    def gain_db(self) -> float:
        """What the network adds to its anchor."""
        return self.psnr_db - self.anchor_psnr_db

    def to_record(self) -> dict[str, float]:
        """The scores and the gain as JSON values."""
        return asdict(self) | {"gain_db": self.gain_db}


class Validation:
    """Held-out tiles of several scenes, scored as often as wanted."""

    def __init__(self, pairs: Sequence[TrainingPair], objective: Objective, *, margin: int) -> None:
        """Choose the tiles of the pairs that hold anything out; anchors look at `margin` LR pixels round a tile."""
        self._pairs = [pair for pair in pairs if not pair.held_out.is_empty]
        self._objective, self._margin = objective, margin
        self._patches: dict[tuple[int, Window], TrainingPatch] = {}
        self._baselines: tuple[float, float] | None = None

    def score(self, network: nn.Module, *, device: torch.device) -> HeldOut | None:
        """Fuse every held-out tile and compare it with the truth; None where no scene holds out valid truth."""
        if not self._pairs:
            return None
        if self._baselines is None:
            self._baselines = self._mean_psnr(_start), self._mean_psnr(_upsampled)
        if not np.isfinite(self._baselines).all():
            return None
        run = NetworkOnDevice(network, device, Precision.FLOAT32, remedy="train with --device cpu")
        score = self._mean_psnr(lambda patch: self._objective.fused(run, patch))
        return HeldOut(score, *self._baselines)

    def _mean_psnr(self, fuse: Fuse) -> float:
        return float(np.mean([self._scene_psnr(index, fuse) for index in range(len(self._pairs))]))

    def _scene_psnr(self, index: int, fuse: Fuse) -> float:
        """PSNR over all held-out tiles of one scene, values that both images have."""
        squares, count, peak = 0.0, 0, 0.0
        for tile in held_out_tiles(self._pairs[index].held_out):
            patch = self._patch(index, tile)
            context = _context(tile, self._pairs[index])
            rows, columns = tile.relative_to(context).slices
            truth = patch.reference[:, rows, columns].astype(np.float64)
            difference = fuse(patch)[:, rows, columns] - truth
            is_valid = np.isfinite(difference)
            squares += float(np.square(difference[is_valid]).sum())
            count += int(is_valid.sum())
            peak = max(peak, float(np.nanmax(truth, initial=0.0)))
        if count == 0:
            return float("nan")
        mean: NDArray[np.float64] = psnr_db(np.array([squares / count]), np.array([peak]))
        return min(float(mean[0]), IDENTICAL_DB)

    def _patch(self, index: int, tile: Window) -> TrainingPatch:
        """A held-out tile with its surroundings; kept where that fits, since anchors take time."""
        if (index, tile) in self._patches:
            return self._patches[index, tile]
        pair = self._pairs[index]
        window = _context(tile, pair)
        patch = sensed_patch(pair, window, margin=self._margin)
        if sum(kept.reference.nbytes for kept in self._patches.values()) + patch.reference.nbytes < KEPT_BYTES:
            self._patches[index, tile] = patch
        return patch


def _start(patch: TrainingPatch) -> Pixels:
    return starting_image(patch.tile.inputs(), patch.regression, patch.anchor)


def _upsampled(patch: TrainingPatch) -> Pixels:
    return patch.tile.inputs().upsampled


def held_out_tiles(area: Window) -> list[Window]:
    """Tiles that cover an area, or `MAXIMUM_TILES` of them where it is large."""
    tiles = list(area.blocks(TILE))
    if len(tiles) <= MAXIMUM_TILES:
        return tiles
    return [tiles[index] for index in np.linspace(0, len(tiles) - 1, MAXIMUM_TILES).round().astype(int)]


def _context(tile: Window, pair: TrainingPair) -> Window:
    """The tile with its halo, inside the output."""
    return tile.grown(HALO).intersection(pair.alignment.output)
