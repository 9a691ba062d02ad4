"""A network on a device: tile in, fused tile out. Device and precision are chosen here, once."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import cast

import numpy as np
import torch

from pifnet_cli.choices import Device, Precision, Variant
from pifnet_cli.errors import CheckpointError, DependencyError
from pifnet_cli.networks.build import block_ratio, grown_to_rule, restored_network
from pifnet_cli.networks.checkpoint import Checkpoint, load_checkpoint
from pifnet_cli.networks.device import chosen_device
from pifnet_cli.pair.network_inputs import image_planes
from pifnet_cli.pair.resample import SUPPORT
from pifnet_cli.pair.tile import FusedTile, PairTile, TileEngine
from pifnet_cli.scene import Pixels
from pifnet_models.interface import FusionNetwork
from pifnet_models.kriging.regression import Regression
from pifnet_models.pifnet.anchored import ResidualBasis, apply_correction, features, image_scales


class NetworkOnDevice:
    """Runs a network on one tile at a time; pads to its size rule and trims the answer."""

    def __init__(self, network: torch.nn.Module, device: torch.device, precision: Precision) -> None:
        self._network = network.to(device).eval()
        self._device = device
        self._autocast = precision is Precision.BFLOAT16

    @property
    def block_ratio(self) -> int | None:
        """HR pixels along the side of an LR pixel, where the network takes the LR-HSI itself; else None."""
        return block_ratio(self._network)

    def __call__(self, hsi: Pixels, msi: Pixels, lr_hsi: Pixels | None = None) -> Pixels:
        """(Ch, H, W), (Cm, H, W), and the LR-HSI (C, h, w) where asked for, all finite -> (Cout, H, W).

        Raises:
            DependencyError: The device has too little memory for the tile.
        """
        height, width = hsi.shape[1:]
        planes = grown_to_rule(hsi, msi, lr_hsi, rule=cast("FusionNetwork", self._network).size_rule)
        tensors = [torch.from_numpy(plane)[None].to(self._device) for plane in planes]
        try:
            with torch.inference_mode(), self._arithmetic():
                answer = self._network(*tensors)
        except torch.OutOfMemoryError as error:
            raise DependencyError(
                f"{self._device}: out of memory on a tile of {height} x {width} pixels; use a smaller --tile-size"
            ) from error
        return cast("Pixels", answer[0, :, :height, :width].float().cpu().numpy())

    def _arithmetic(self) -> AbstractContextManager[object]:
        return torch.autocast(self._device.type, dtype=torch.bfloat16) if self._autocast else nullcontext()


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

    def fuse(self, tile: PairTile) -> FusedTile:
        """The anchor and its correction."""
        inputs = tile.inputs()
        given = None if self._anchor is None else self._anchor.fuse(tile).pixels
        planes = features(**inputs._asdict(), regression=self._regression, basis=self._basis, anchor=given)
        coefficients = self._run(*planes)
        if given is None:
            given = self._regression.apply(inputs.upsampled, inputs.hr_msi, inputs.msi_smooth)
        corrected = apply_correction(given, coefficients, regression=self._regression, basis=self._basis)
        return FusedTile(corrected)


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

    def fuse(self, tile: PairTile) -> FusedTile:
        """The network's image; bands and pixels that are invalid in an input stay so."""
        planes = image_planes(
            tile,
            block_ratio=self._run.block_ratio,
            anchor=None if self._anchor is None else self._anchor.fuse(tile).pixels,
            scales=self._scales,
        )
        return FusedTile(planes.answer(self._run(*planes.inputs), self._scales[0]))


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
    run = NetworkOnDevice(restored_network(checkpoint, str(path)), chosen_device(device), precision)
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
