"""pifnet: hyperspectral-multispectral fusion, from files to files or in memory.

`import pifnet_cli as pifnet` gives `fuse`, `simulate`, `train`, `estimate`, `score`, `info` and `methods`, the commands
as functions; `help(pifnet.fuse)` tells more. They are loaded when they are first named.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = ["estimate", "fuse", "info", "methods", "score", "simulate", "train"]

if TYPE_CHECKING:
    from pifnet_cli.api.estimate import estimate
    from pifnet_cli.api.fuse import fuse
    from pifnet_cli.api.info import info
    from pifnet_cli.api.methods import methods
    from pifnet_cli.api.score import score
    from pifnet_cli.api.simulate import simulate
    from pifnet_cli.api.train import train


def __getattr__(name: str) -> Any:
    """A function of the API, loaded now: importing what it needs costs a tenth of a second."""
    if name not in __all__:
        raise AttributeError(f"module 'pifnet_cli' has no attribute {name!r}")
    return getattr(import_module(f"pifnet_cli.api.{name}"), name)


def __dir__() -> list[str]:
    """The API beside what is loaded already."""
    return sorted({*globals(), *__all__})
