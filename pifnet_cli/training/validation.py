"""Scores on held-out area, fused as at inference: the pair's own pixels, tiles with their surroundings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from models.anchors.regression import Regression
from models.interface import SizeRule
from pifnet_cli.metrics.with_reference import psnr_db
from pifnet_cli.pair import PairGeometry, PairInputs, pair_inputs, plan_windows
from pifnet_cli.scene import Pixels, Window
from pifnet_cli.training.objectives import Network, Objective
from pifnet_cli.training.patches import TrainingPair

TILE = 128  # HR pixels
HALO = 16  # HR pixels round a tile that are fused with it and cut off
IDENTICAL_DB = 999.0  # stands for infinity, which JSON has not
MAXIMUM_TILES = 16  # per scene, evenly spread

Fuse = Callable[[PairInputs, Regression], Pixels]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """PSNR on held-out area, the mean over scenes, dB: of the network, of its anchor, of interpolation alone."""

    psnr_db: float
    anchor_psnr_db: float
    upsampled_psnr_db: float

    @property
    def gain_db(self) -> float:
        """What the network adds to the regression anchor."""
        return self.psnr_db - self.anchor_psnr_db


class Validation:
    """Held-out tiles of several scenes, scored as often as wanted."""

    def __init__(self, pairs: Sequence[TrainingPair], objective: Objective) -> None:
        """Choose the tiles of the pairs that hold anything out."""
        self._pairs = [pair for pair in pairs if not pair.held_out.is_empty]
        self._objective = objective
        self._baselines: tuple[float, float] | None = None

    def score(self, network: nn.Module, *, device: torch.device) -> HeldOut | None:
        """Fuse every held-out tile and compare it with the truth; None where there is no truth to compare with."""
        if not self._pairs:
            return None
        if self._baselines is None:
            self._baselines = self._mean_psnr(_anchor), self._mean_psnr(_upsampled)
        if not np.isfinite(self._baselines).all():
            return None
        run = network_function(network, device)
        score = self._mean_psnr(lambda inputs, regression: self._objective.fused(run, inputs, regression))
        return HeldOut(score, *self._baselines)

    def _mean_psnr(self, fuse: Fuse) -> float:
        return float(np.mean([_scene_psnr(pair, fuse) for pair in self._pairs]))


def network_function(network: nn.Module, device: torch.device) -> Network:
    """A network as a function of arrays (channels, H, W), in evaluation mode, padded to the sizes it accepts."""
    rule = getattr(network, "size_rule", SizeRule())

    @torch.no_grad()
    def run(hsi: Pixels, msi: Pixels) -> Pixels:
        network.eval()
        height, width = hsi.shape[1:]
        planes = (torch.from_numpy(_grown(plane, rule))[None].to(device) for plane in (hsi, msi))
        answer: Pixels = network(*planes)[0, :, :height, :width].float().cpu().numpy()
        return answer

    return run


def _grown(image: Pixels, rule: SizeRule) -> Pixels:
    height, width = image.shape[1:]
    return np.pad(image, ((0, 0), (0, rule.grown(height) - height), (0, rule.grown(width) - width)), mode="symmetric")


def _anchor(inputs: PairInputs, regression: Regression) -> Pixels:
    return regression.apply(inputs.upsampled, inputs.hr_msi, inputs.msi_smooth)


def _upsampled(inputs: PairInputs, _regression: Regression) -> Pixels:
    return inputs.upsampled


def _scene_psnr(pair: TrainingPair, fuse: Fuse) -> float:
    """PSNR over all held-out tiles of one scene, values that both images have."""
    squares, count, peak = 0.0, 0, 0.0
    for tile in held_out_tiles(pair.held_out):
        truth = pair.read_reference(tile).astype(np.float64)
        difference = _fused_tile(pair, tile, fuse) - truth
        is_valid = np.isfinite(difference)
        squares += float(np.square(difference[is_valid]).sum())
        count += int(is_valid.sum())
        peak = max(peak, float(np.nanmax(truth, initial=0.0)))
    if count == 0:
        return float("nan")
    mean: NDArray[np.float64] = psnr_db(np.array([squares / count]), np.array([peak]))
    return min(float(mean[0]), IDENTICAL_DB)


def held_out_tiles(area: Window) -> list[Window]:
    """Tiles that cover an area, or `MAXIMUM_TILES` of them where it is large."""
    tiles = [
        Window(row, column, min(TILE, area.bottom - row), min(TILE, area.right - column))
        for row in range(area.row, area.bottom, TILE)
        for column in range(area.column, area.right, TILE)
    ]
    if len(tiles) <= MAXIMUM_TILES:
        return tiles
    return [tiles[index] for index in np.linspace(0, len(tiles) - 1, MAXIMUM_TILES).round().astype(int)]


def _fused_tile(pair: TrainingPair, tile: Window, fuse: Fuse) -> Pixels:
    output = pair.alignment.output
    inside = Window(tile.row - output.row, tile.column - output.column, tile.height, tile.width)
    grown = inside.grown(HALO).clipped(output.height, output.width)
    context = Window(grown.row + output.row, grown.column + output.column, grown.height, grown.width)
    windows = plan_windows(pair.alignment, context, pair.psf)
    geometry = PairGeometry.of_windows(pair.alignment, windows)
    inputs = pair_inputs(pair.read_lr(windows.lr), pair.read_hr(windows.hr), geometry=geometry, psf=pair.psf)
    rows, columns = tile.relative_to(context).slices
    return fuse(inputs, pair.regression)[:, rows, columns]
