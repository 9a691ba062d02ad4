"""A checkpoint's network on tiles: tile in, fused tile out."""

from pathlib import Path

import numpy as np

from pifnet_cli.choices import Device, Precision, Variant
from pifnet_cli.errors import CheckpointError
from pifnet_cli.networks.build import restored_network
from pifnet_cli.networks.checkpoint import Checkpoint, load_checkpoint
from pifnet_cli.networks.device import chosen_device
from pifnet_cli.networks.on_device import NetworkOnDevice
from pifnet_cli.networks.variants import corrected_image, predicted_image
from pifnet_cli.pair.resample import SUPPORT
from pifnet_cli.pair.tile import FusedTile, PairTile, TileEngine
from pifnet_models.kriging.regression import Regression
from pifnet_models.pifnet.anchored import ResidualBasis, image_scales


class AnchoredEngine:
    """An anchor plus the network's correction of it in the checkpoint's spectral subspace."""

    def __init__(
        self, run: NetworkOnDevice, regression: Regression, basis: ResidualBasis, *, anchor: TileEngine | None
    ) -> None:
        """Without an anchor of its own, the regression is it."""
        self._run = run
        self._regression = regression
        self._basis = basis
        self._anchor = anchor
        self.margin = SUPPORT if anchor is None else max(anchor.margin, SUPPORT)
        self.reach = 0 if anchor is None else anchor.reach

    def fuse(self, tile: PairTile) -> FusedTile:
        """The anchor and its correction."""
        inputs, anchor = tile.inputs(), None if self._anchor is None else self._anchor.fuse(tile).pixels
        return FusedTile(
            corrected_image(self._run, inputs, regression=self._regression, basis=self._basis, anchor=anchor)
        )


class ImageEngine:
    """A network that predicts the image itself; `scales`, the pair's own, bring its pixels to the range of training."""

    def __init__(
        self, run: NetworkOnDevice, scales: tuple[np.float32, np.float32], *, anchor: TileEngine | None
    ) -> None:
        """Scales of the LR-HSI and of the HR-MSI. The anchor takes the place of interpolation, where there is one."""
        self._run = run
        self._scales = scales
        self._anchor = anchor
        self.margin = SUPPORT + (1 if anchor is None else anchor.margin)
        self.reach = 0 if anchor is None else anchor.reach

    def fuse(self, tile: PairTile) -> FusedTile:
        """The network's image; bands and pixels that are invalid in an input stay so."""
        ratio, anchor = self._run.block_ratio, None if self._anchor is None else self._anchor.fuse(tile).pixels
        return FusedTile(predicted_image(self._run, tile, block_ratio=ratio, scales=self._scales, anchor=anchor))


def load_engine(
    path: Path,
    regression: Regression,
    *,
    device: Device,
    precision: Precision,
    anchor: TileEngine | None = None,
) -> TileEngine:
    """Read a checkpoint and put its network on a device.

    Args:
        path: The checkpoint.
        regression: Of the pair.
        device: Where the network runs.
        precision: Number format of its arithmetic.
        anchor: What the network starts from, as its header says; None for interpolation or the regression.

    Raises:
        CheckpointError: It is damaged, or its tensors do not fit its network.
        DependencyError: The device is absent.
    """
    checkpoint = load_checkpoint(path)
    network = restored_network(checkpoint, str(path))
    run = NetworkOnDevice(network, chosen_device(device), precision, remedy="use a smaller --tile-size")
    match Variant(checkpoint.header.variant):
        case Variant.ANCHORED:
            return AnchoredEngine(run, regression, _basis(path, checkpoint), anchor=anchor)
        case Variant.PAPER:
            return ImageEngine(run, image_scales(regression), anchor=anchor)


def _basis(path: Path, checkpoint: Checkpoint) -> ResidualBasis:
    try:
        return ResidualBasis.from_arrays(checkpoint.constants)
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: its spectral basis is incomplete ({error}); train it again") from error
