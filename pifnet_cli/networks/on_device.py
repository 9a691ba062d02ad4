"""A network on a device as a function of arrays: padded to the sizes that it accepts, its answer trimmed."""

from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
from torch import nn

from pifnet_cli.choices import Precision
from pifnet_cli.errors import DependencyError
from pifnet_cli.networks.build import block_ratio, grown_to_rule
from pifnet_cli.scene import Pixels
from pifnet_models.interface import FusionNetwork


class NetworkOnDevice:
    """Runs a network on one tile at a time, in evaluation mode and without gradients."""

    def __init__(self, network: nn.Module, device: torch.device, precision: Precision, *, remedy: str) -> None:
        """Move the network to the device.

        Args:
            network: Stays in evaluation mode.
            device: Where it runs.
            precision: Number format of its arithmetic; only bfloat16 makes a difference.
            remedy: What the user can do where the device has too little memory, for the error message.
        """
        self._network = network.to(device).eval()
        self._device = device
        self._uses_bfloat16 = precision is Precision.BFLOAT16
        self._remedy = remedy

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
                f"{self._device}: out of memory on a tile of {height} x {width} pixels; {self._remedy}"
            ) from error
        except RuntimeError as error:
            if "allocate memory" not in str(error):  # torch has no class of its own for too little on a CPU
                raise
            raise DependencyError(
                f"{self._device}: too little memory for a tile of {height} x {width} pixels; {self._remedy}"
            ) from error
        return cast("Pixels", answer[0, :, :height, :width].float().cpu().numpy())

    def _arithmetic(self) -> AbstractContextManager[object]:
        return torch.autocast(self._device.type, dtype=torch.bfloat16) if self._uses_bfloat16 else nullcontext()
