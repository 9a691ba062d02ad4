"""A network on a device: tile arrays in, fused tile out. Device and precision are chosen here, once."""

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import cast

import numpy as np
import torch

from models.anchors.regression import Regression
from models.anchors.subspace import ResidualBasis, apply_correction, features, image_scale
from models.interface import SizeRule
from pifnet_cli.checkpoint import Checkpoint, load_checkpoint
from pifnet_cli.device import chosen_device
from pifnet_cli.errors import CheckpointError, DependencyError
from pifnet_cli.inference.closed_form import TileEngine
from pifnet_cli.inference.padding import grown_to_rule
from pifnet_cli.networks import restored_network
from pifnet_cli.pair import PairInputs
from pifnet_cli.scene import Pixels
from pifnet_cli.settings import Device, Precision, Variant


class NetworkOnDevice:
    """Runs a network on one pair of feature maps at a time; pads to its size rule and trims the answer."""

    def __init__(self, network: torch.nn.Module, device: torch.device, precision: Precision) -> None:
        self._network = network.to(device).eval()
        self._device = device
        self._autocast = precision is Precision.BFLOAT16

    def __call__(self, hsi: Pixels, msi: Pixels) -> Pixels:
        """(Ch, H, W) and (Cm, H, W), all finite -> (Cout, H, W).

        Raises:
            DependencyError: The device has too little memory for the tile.
        """
        height, width = hsi.shape[1:]
        rule = cast("SizeRule", self._network.size_rule)
        grown = (np.ascontiguousarray(grown_to_rule(image, rule)) for image in (hsi, msi))
        tensors = [torch.from_numpy(image)[None].to(self._device) for image in grown]
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
    """The regression anchor plus the network's correction of it in the checkpoint's spectral subspace."""

    def __init__(self, run: NetworkOnDevice, regression: Regression, basis: ResidualBasis) -> None:
        self._run = run
        self._regression = regression
        self._basis = basis

    def fuse(self, inputs: PairInputs) -> Pixels:
        """Tile arrays in, (C, H, W) out."""
        coefficients = self._run(*features(**inputs._asdict(), regression=self._regression, basis=self._basis))
        anchor = self._regression.apply(inputs.upsampled, inputs.hr_msi, inputs.msi_smooth)
        return apply_correction(anchor, coefficients, regression=self._regression, basis=self._basis)


class ImageEngine:
    """A network that predicts the image itself; `scale`, the pair's own, brings its pixels to the range of training."""

    def __init__(self, run: NetworkOnDevice, scale: float) -> None:
        self._run = run
        self._scale = np.float32(scale)

    def fuse(self, inputs: PairInputs) -> Pixels:
        """Tile arrays in, (C, H, W) out; bands and pixels that are invalid in an input stay so."""
        hsi, msi = inputs.upsampled / self._scale, inputs.hr_msi / self._scale
        invalid = ~np.isfinite(hsi) | ~np.isfinite(msi).all(axis=0)
        fused = self._run(np.nan_to_num(hsi, copy=False), np.nan_to_num(msi, copy=False)) * self._scale
        fused[invalid] = np.nan
        return fused


def load_engine(path: Path, regression: Regression, *, device: Device, precision: Precision) -> TileEngine:
    """Read a checkpoint and put its network on a device.

    Raises:
        CheckpointError: It is damaged, or its tensors do not fit its network.
        DependencyError: The device is absent.
    """
    checkpoint = load_checkpoint(path)
    run = NetworkOnDevice(restored_network(checkpoint, str(path)), chosen_device(device), precision)
    match Variant(checkpoint.header.variant):
        case Variant.ANCHORED:
            return AnchoredEngine(run, regression, _basis(path, checkpoint))
        case Variant.PAPER:
            return ImageEngine(run, float(image_scale(regression)))


def _basis(path: Path, checkpoint: Checkpoint) -> ResidualBasis:
    try:
        return ResidualBasis.from_arrays(checkpoint.constants)
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: its spectral basis is incomplete ({error}); train it again") from error
