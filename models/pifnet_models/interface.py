"""What a fusion method shows to the outside: its signature, its size rule, its hyper-parameters."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from pifnet_models.sampling import SamplingOperator

    Floats = NDArray[np.float32]

HyperParameter = int | float | str | None


@dataclass(frozen=True)
class AtLeast:
    """The smallest whole number that an argument of a constructor takes, where that is not 1: `Annotated[int, ...]`."""

    minimum: int


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


def require_sizes(name: str, rule: SizeRule, fine: tuple[int, ...], *, coarse: tuple[int, ...], ratio: int) -> None:
    """Check the sides of an HR-MSI, `fine`, and of the LR-HSI that its blocks are, `coarse`; both (height, width).

    Raises:
        ValueError: They do not suit the network of that name.
    """
    height, width = fine
    if not rule.accepts(height, width):
        raise ValueError(f"{name} takes sides that are a multiple of {rule.multiple_of}, not {height} x {width}")
    if coarse != (height // ratio, width // ratio):
        seen = " x ".join(map(str, coarse))
        raise ValueError(f"{name} takes {height} x {width} with ratio {ratio}; the LR-HSI is {seen}")


class OutputStart(StrEnum):
    """How a network's last layers start: as published, or at zero, so that untrained it answers what it starts from."""

    PUBLISHED = "published"
    ZERO = "zero"


class FusionNetwork(Protocol):
    """A trained method: a `torch.nn.Module` built from plain keyword numbers.

    Attributes:
        needs_lr_hsi: Whether it takes the LR-HSI itself beside the upsampled one.
        hyper_parameters: Arguments of its constructor.
        dead_parameters: Parameters of the published network, by their place in it, that can never receive a gradient
            and are not built here.
    """

    needs_lr_hsi: ClassVar[bool]
    dead_parameters: Mapping[str, int]
    hyper_parameters: Mapping[str, HyperParameter]

    @property
    def size_rule(self) -> SizeRule:
        """Sides of the fine grid that it accepts."""
        ...

    def __call__(self, upsampled: "Tensor", hr_msi: "Tensor", lr_hsi: "Tensor | None" = None) -> "Tensor":
        """(B, C, H, W) on the fine grid, (B, M, H, W), and (B, C, h, w) where asked for -> (B, C, H, W)."""
        ...


class PointwiseFusion(Protocol):
    """A training-free method whose pixels depend on the same pixel of its input planes."""

    def apply(self, upsampled: "Floats", hr_msi: "Floats", msi_smooth: "Floats") -> "Floats":
        """(C, H, W), (M, H, W) and up(down(Y)) (M, H, W) -> (C, H, W); NaN where an input is."""
        ...


class BlockFusion(Protocol):
    """A training-free method that solves for a block as a whole. `halo` is the LR pixels it wants round a block."""

    halo: int

    def fuse_block(self, lr_hsi: "Floats", hr_msi: "Floats", operator: "SamplingOperator") -> "Floats":
        """(C, h, w) and (M, H, W), all finite -> (C, H, W)."""
        ...
