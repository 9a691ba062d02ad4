"""A checkpoint's network on tiles: tile in, fused tile out."""

from pathlib import Path
from typing import cast

import numpy as np
from torch import nn

from pifnet_cli.choices import Device, Precision, Variant
from pifnet_cli.errors import CheckpointError
from pifnet_cli.networks.build import block_ratio, restored_network
from pifnet_cli.networks.checkpoint import Checkpoint, Header, load_checkpoint
from pifnet_cli.networks.device import chosen_device
from pifnet_cli.networks.on_device import NetworkOnDevice
from pifnet_cli.networks.variants import corrected_image, predicted_image
from pifnet_cli.pair.resample import SUPPORT
from pifnet_cli.pair.tile import FusedTile, PairTile, TileEngine
from pifnet_models.interface import FusionNetwork
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
    basis = _basis(path, checkpoint) if checkpoint.header.variant is Variant.ANCHORED else None
    _require_shape(path, network, checkpoint.header, basis)
    run = NetworkOnDevice(network, chosen_device(device), precision, remedy="use a smaller --tile-size")
    if basis is None:
        return ImageEngine(run, image_scales(regression), anchor=anchor)
    return AnchoredEngine(run, regression, basis, anchor=anchor)


def _basis(path: Path, checkpoint: Checkpoint) -> ResidualBasis:
    try:
        return ResidualBasis.from_arrays(checkpoint.constants)
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path}: its spectral basis is incomplete ({error}); train it again") from error


def _require_shape(path: Path, network: nn.Module, header: Header, basis: ResidualBasis | None) -> None:
    """The network must take and give what the header and the basis speak of."""
    hsi, msi = header.hsi_bands["count"], header.msi_bands["count"]
    ratio = round(header.ratio)
    said: dict[str, int] = {"ratio": ratio} if block_ratio(network) is not None else {}
    if basis is None:
        said |= {"hsi_channels": hsi, "msi_channels": msi, "out_channels": hsi}
    else:
        said |= basis.channels(msi_bands=msi)
    numbers = cast("FusionNetwork", network).hyper_parameters
    # A network that does not say how many channels it answers answers those of the HSI.
    built = {name: numbers.get(name) for name in said}
    built["out_channels"] = built["out_channels"] or numbers["hsi_channels"]
    differing = [f"{name} is {built[name]}, not {value}" for name, value in said.items() if built[name] != value]
    if basis is not None and (basis.bands, basis.step) != (hsi, max(ratio, 1)):
        differing.append(f"its basis is of {basis.bands} bands and step {basis.step}, not {hsi} and {max(ratio, 1)}")
    if differing:
        raise CheckpointError(
            f"{path}: its network does not suit the bands and the ratio that it was trained for "
            f"({'; '.join(differing)}); train it again"
        )
