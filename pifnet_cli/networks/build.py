"""Networks by name: built from plain numbers, filled from arrays, emptied into arrays, fed with tiles of any size."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pifnet_cli.catalog import Method
from pifnet_cli.errors import CheckpointError, SettingsError
from pifnet_cli.networks.checkpoint import Arrays, Checkpoint
from pifnet_cli.scene import Pixels
from pifnet_models.interface import FusionNetwork, SizeRule

SHOWN = 3  # names in an error message


def build_network(method: str, hyper_parameters: Mapping[str, Any]) -> nn.Module:
    """An untrained network; its random start comes from torch's global generator.

    Raises:
        SettingsError: No network of that name, or numbers that its constructor does not take.
    """
    try:
        return cast("nn.Module", Method(method).facts.load()(**hyper_parameters))
    except (TypeError, ValueError, RuntimeError) as error:
        raise SettingsError(f"--network: {method} cannot be built from {dict(hyper_parameters)}: {error}") from error


def restored_network(checkpoint: Checkpoint, name: str) -> nn.Module:
    """A checkpoint's network with its weights, on the CPU, in evaluation mode.

    Args:
        checkpoint: From `load_checkpoint`.
        name: The checkpoint, for messages.

    Raises:
        CheckpointError: This version's network takes other hyper-parameters, or other weights.
    """
    header = checkpoint.header
    try:
        network = build_network(header.method, header.hyper_parameters)
    except SettingsError as error:
        raise CheckpointError(f"{name}: does not suit this version of pifnet ({error}); train it again") from error
    load_weights(network, checkpoint.weights, name)
    return network.eval()


def weights_of(network: nn.Module) -> dict[str, NDArray[Any]]:
    """Parameters and buffers by name, copied to the CPU."""
    return {name: tensor.detach().cpu().numpy().copy() for name, tensor in network.state_dict().items()}


def load_weights(network: nn.Module, weights: Arrays, name: str) -> None:
    """Copy arrays into a network's parameters and buffers.

    Raises:
        CheckpointError: Names or shapes differ.
    """
    expected = network.state_dict()
    wrong = [key for key in expected if key not in weights or tuple(expected[key].shape) != weights[key].shape]
    wrong += [key for key in weights if key not in expected]
    if wrong:
        listed = ", ".join(wrong[:SHOWN]) + (f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else "")
        raise CheckpointError(f"{name}: its weights do not fit the network it names (absent, or of another shape: "
                              f"{listed}); train it again with this version of pifnet")  # fmt: skip
    network.load_state_dict({key: torch.from_numpy(np.array(array)) for key, array in weights.items()})


def block_ratio(network: nn.Module) -> int | None:
    """HR pixels along the side of an LR pixel, where a network takes the LR-HSI itself; else None."""
    described = cast("FusionNetwork", network)
    return int(cast("int", described.hyper_parameters["ratio"])) if described.needs_lr_hsi else None


def grown_to_rule(hsi: Pixels, msi: Pixels, lr_hsi: Pixels | None, *, rule: SizeRule) -> list[Pixels]:
    """What a network is called with, mirrored down and to the right where its size rule asks for more.

    Args:
        hsi: (Ch, H, W).
        msi: (Cm, H, W).
        lr_hsi: (C, h, w), H and W being multiples of h and w; or None, and then left out.
        rule: Of the fine grid; its multiples are multiples of the ratio where there is an LR-HSI.
    """
    height, width = hsi.shape[1:]
    wanted = rule.grown(height), rule.grown(width)
    planes = [_mirrored(image, *wanted) for image in (hsi, msi)]
    if lr_hsi is not None:
        rows, columns = height // lr_hsi.shape[1], width // lr_hsi.shape[2]
        planes.append(_mirrored(lr_hsi, wanted[0] // rows, wanted[1] // columns))
    return planes


def _mirrored(image: Pixels, height: int, width: int) -> Pixels:
    """(B, H, W) -> (B, height, width), contiguous; border pixels are repeated, so that blocks stay whole."""
    rows, columns = height - image.shape[1], width - image.shape[2]
    if not rows and not columns:
        return np.ascontiguousarray(image)
    return np.pad(image, ((0, 0), (0, rows), (0, columns)), mode="symmetric")
