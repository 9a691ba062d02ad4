"""What a fusion method shows to the outside: its signature, its size rule, its hyper-parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    from torch import Tensor

HyperParameter = int | float | str | None


@dataclass(frozen=True)
class SizeRule:
    """The image heights and widths a network accepts; both sides obey the same rule.

    Attributes:
        multiple_of: A side must be a multiple of this many pixels.
        minimum: The shortest side accepted, in pixels; a multiple of `multiple_of`.
    """

    multiple_of: int = 1
    minimum: int = 1

    def __post_init__(self) -> None:
        if self.multiple_of < 1 or self.minimum < 1 or self.minimum % self.multiple_of:
            raise ValueError(f"{self}: minimum must be a positive multiple of multiple_of")

    def accepts(self, height: int, width: int) -> bool:
        """Whether an image of this size, in pixels, may enter the network."""
        return all(side >= self.minimum and side % self.multiple_of == 0 for side in (height, width))

    def grown(self, side: int) -> int:
        """The shortest accepted side that is not shorter than `side`, in pixels."""
        return max(self.minimum, -(-side // self.multiple_of) * self.multiple_of)


class FusionNetwork(Protocol):
    """A trained method: a `torch.nn.Module` built from plain keyword numbers."""

    size_rule: ClassVar[SizeRule]
    hyper_parameters: Mapping[str, HyperParameter]

    def __call__(self, hsi: "Tensor", msi: "Tensor") -> "Tensor":
        """(B, Ch, H, W) on the fine grid and (B, Cm, H, W) -> (B, Cout, H, W)."""
        ...
