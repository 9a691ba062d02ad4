"""What a tile engine is, and the closed-form one. No torch."""

from typing import Protocol

from models.anchors.regression import Regression
from pifnet_cli.pair import PairInputs
from pifnet_cli.scene import Pixels


class TileEngine(Protocol):
    """A method on tile arrays."""

    def fuse(self, inputs: PairInputs) -> Pixels:
        """Tile arrays in, (C, H, W) out; NaN where the inputs are invalid."""


class RegressionEngine:
    """The regression anchor: a pixel depends on its own surroundings only, so tiles need neither overlap nor halo."""

    def __init__(self, regression: Regression) -> None:
        self._regression = regression

    def fuse(self, inputs: PairInputs) -> Pixels:
        """Tile arrays in, (C, H, W) out."""
        return self._regression.apply(inputs.upsampled, inputs.hr_msi, inputs.msi_smooth)
