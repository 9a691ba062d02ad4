"""pifnet: hyperspectral-multispectral fusion, from files to files or in memory.

`import pifnet_cli as pifnet` gives `fuse`, `simulate`, `train`, `estimate`, `score`, `info` and `methods`, the commands
as functions; `help(pifnet.fuse)` tells more. They are loaded when they are first named.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0"
__all__ = ["estimate", "fuse", "info", "methods", "score", "simulate", "train"]

if TYPE_CHECKING:
    from pifnet_cli.api import estimate, fuse, info, methods, score, simulate, train


def __getattr__(name: str) -> Any:
    """A function of the API, loaded now."""
    if name not in __all__:
        raise AttributeError(f"module 'pifnet_cli' has no attribute {name!r}")
    from pifnet_cli import api  # noqa: PLC0415 - only where it is used: the import costs a tenth of a second

    return getattr(api, name)


def __dir__() -> list[str]:
    """The API beside what is loaded already."""
    return sorted({*globals(), *__all__})
