"""Networks by name: built from plain numbers, filled from arrays, emptied into arrays, fed with tiles of any size."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from types import NoneType
from typing import Annotated, Any, cast, get_args, get_origin, get_type_hints

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from pifnet_cli.catalog import NETWORKS, Method
from pifnet_cli.errors import CheckpointError, SettingsError
from pifnet_cli.networks.checkpoint import Arrays, Checkpoint
from pifnet_cli.networks.header_values import require_argument
from pifnet_cli.scene import Pixels
from pifnet_models.interface import AtLeast, FusionNetwork, SizeRule

SHOWN = 3  # names in an error message
SLACK = 2  # a constructor may replace a layer


def build_network(method: str, hyper_parameters: Mapping[str, Any]) -> nn.Module:
    """An untrained network; its random start comes from torch's global generator.

    Args:
        method: Its name.
        hyper_parameters: Numbers and words by the names of the constructor's arguments; the word `none` is None where
            an argument takes None.

    Raises:
        SettingsError: No network of that name, or numbers that its constructor does not take.
    """
    try:
        constructor = _constructor(method)
        return cast("nn.Module", constructor(**_arguments(constructor, hyper_parameters)))
    except (TypeError, ValueError, ArithmeticError, RuntimeError) as error:
        raise SettingsError(f"--network: {method} cannot be built from {dict(hyper_parameters)}: {error}") from error


def _constructor(method: str) -> Callable[..., Any]:
    if Method(method) not in NETWORKS:
        raise ValueError(f"{method} is no network")
    return cast("Callable[..., Any]", Method(method).facts.load())


def restored_network(checkpoint: Checkpoint, name: str) -> nn.Module:
    """A checkpoint's network with its weights, on the CPU, in evaluation mode.

    Args:
        checkpoint: From `load_checkpoint`.
        name: The checkpoint, for messages.

    Raises:
        CheckpointError: This version's network takes other hyper-parameters, or other weights. A network that is larger
            than the weights is not built.
    """
    header = checkpoint.header
    try:
        with torch.device("meta"), _no_larger_than(checkpoint.weights):
            without_memory = build_network(header.method, header.hyper_parameters)
        _require_weights(without_memory, checkpoint.weights, name)
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
        CheckpointError: Names, shapes or number types differ.
    """
    _require_weights(network, weights, name)
    network.load_state_dict({key: torch.from_numpy(np.array(array)) for key, array in weights.items()})


def _require_weights(network: nn.Module, weights: Arrays, name: str) -> None:
    expected = {key: (tuple(tensor.shape), str(tensor.dtype)) for key, tensor in network.state_dict().items()}
    found = {key: (array.shape, f"torch.{array.dtype.name}") for key, array in weights.items()}
    wrong = [key for key in {**expected, **found} if expected.get(key) != found.get(key)]
    if wrong:
        listed = ", ".join(wrong[:SHOWN]) + (f" and {len(wrong) - SHOWN} more" if len(wrong) > SHOWN else "")
        raise CheckpointError(f"{name}: its weights do not fit the network it names (absent, or of another shape: "
                              f"{listed}); train it again with this version of pifnet")  # fmt: skip


@contextmanager
def _no_larger_than(weights: Arrays) -> Iterator[None]:
    """While the body builds a network, in this thread, stop it with a ValueError once it outgrows the weights."""
    thread = threading.get_ident()
    left = [SLACK * len(weights), SLACK * sum(array.size for array in weights.values())]  # parameters, numbers

    def count(_module: nn.Module, _name: str, parameter: nn.Parameter | None) -> None:
        if threading.get_ident() != thread or parameter is None:
            return
        left[0] -= 1
        left[1] -= parameter.numel()
        if min(left) < 0:
            raise ValueError("that is a larger network than its weights are for")

    hook = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        hook.remove()


def _arguments(constructor: Callable[..., Any], hyper_parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers and words as the constructor's annotations want them.

    Raises:
        TypeError: It has no argument of that name.
        ValueError: An argument is of a wrong kind, or out of its range.
    """
    hints = get_type_hints(constructor.__init__, include_extras=True)
    hints.pop("return", None)
    unknown = sorted(hyper_parameters.keys() - hints)
    if unknown:
        raise TypeError(f"it has no {unknown[0]}; {', '.join(hints)} are to be had")
    return {name: _argument(name, value, hints[name]) for name, value in hyper_parameters.items()}


def _argument(name: str, value: object, hint: Any) -> object:
    require_argument(name, value)
    kinds = (hint,) if get_origin(hint) is Annotated else get_args(hint) or (hint,)
    if NoneType in kinds and value in (None, "none"):
        return None
    is_fit, expected = _fits(value, kinds[0])
    if not is_fit:
        raise ValueError(f"{name} is {value!r}; {expected} was expected")
    return value


def _fits(value: object, kind: Any) -> tuple[bool, str]:
    """Whether an argument's annotation allows a value, and what it allows."""
    low = 1
    if get_origin(kind) is Annotated:
        kind, rule = get_args(kind)
        low = cast("AtLeast", rule).minimum
    if issubclass(kind, StrEnum):
        return value in list(kind), " or ".join(kind)
    if kind is int:
        return isinstance(value, int) and value >= low, f"a whole number from {low} up"
    if kind is float:
        return isinstance(value, int | float), "a number"
    return isinstance(value, str), "a word"


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
