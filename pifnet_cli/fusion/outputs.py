"""Where the results of a fusion go: files that appear complete or not at all, or arrays."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np

from pifnet_cli.choices import Overwrite
from pifnet_cli.fusion.plan import FusionPlan
from pifnet_cli.raster.pipeline import WriteBehind
from pifnet_cli.raster.publishing.strips import StripFile
from pifnet_cli.raster.writer import (
    JointWriters,
    SceneWriter,
    WriteOptions,
    create_scene,
    require_creatable,
    require_names,
)
from pifnet_cli.scene import Pixels, Window
from pifnet_cli.tiling.blending import StripStore

LARGEST_BLOCK = 1024  # pixels; larger GeoTIFF tiles are slow to browse


class PixelSink(Protocol):
    """Takes the pixels of a scene, window by window."""

    def write(self, pixels: Pixels, window: Window) -> None:
        """(C, h, w) in physical units, NaN where invalid; every pixel once."""


Opened = tuple[Sequence[PixelSink], StripStore]  # a sink for each of the plan's outputs; what tiles share meanwhile


class Outputs(Protocol):
    """Where the results of a fusion go."""

    def require(self, plan: FusionPlan) -> None:
        """Refuse what could not be written, before anything is fused; PifnetError."""

    def opened(self, plan: FusionPlan) -> AbstractContextManager[Opened]:
        """Begin the outputs; leaving publishes all of them, or none after an exception."""


class FileOutputs:
    """Rasters, under the names that the plan gives them."""

    def __init__(self, *, inputs: Sequence[Path], overwrite: Overwrite, creation_options: tuple[str, ...] = ()) -> None:
        """`inputs` are read meanwhile: no output may be one of them."""
        self._inputs, self._overwrite, self._creation_options = inputs, overwrite, creation_options

    def require_names(self, output: Path, uncertainty: Path | None) -> None:
        """Make the checks that need no plan, before any work; none may get in another's way."""
        named = [output] if uncertainty is None else [output, uncertainty]
        require_names(named, inputs=self._inputs, overwrite=self._overwrite)

    def require(self, plan: FusionPlan) -> None:
        """Make the checks of `create_scene` for every output."""
        for scene in plan.outputs:
            require_creatable(scene, self._options(plan), inputs=self._inputs)

    @contextmanager
    def opened(self, plan: FusionPlan) -> Iterator[Opened]:
        """Writers that work behind, published together."""
        writers: list[SceneWriter] = []
        with ExitStack() as stack:
            stack.enter_context(JointWriters(writers))
            for scene in plan.outputs:
                writers.append(create_scene(scene, self._options(plan), inputs=self._inputs))
            behind = [stack.enter_context(WriteBehind(writer)) for writer in writers]
            yield behind, stack.enter_context(StripFile(plan.target.path.parent))

    def _options(self, plan: FusionPlan) -> WriteOptions:
        """Blocks of the file that are the cores of the tiles: each is then compressed and written once."""
        stride = plan.tiles.stride
        return WriteOptions(
            overwrite=self._overwrite,
            creation_options=self._creation_options,
            block_size=stride if stride % 16 == 0 and stride <= LARGEST_BLOCK else None,
        )


class MemoryOutputs:
    """Arrays (C, H, W), float32, NaN where invalid: `arrays`, in the order of the plan's outputs, once it is done."""

    def __init__(self) -> None:
        self.arrays: list[Pixels] = []

    def require(self, plan: FusionPlan) -> None:
        """Nothing stands in the way of an array."""

    @contextmanager
    def opened(self, plan: FusionPlan) -> Iterator[Opened]:
        """Arrays to be filled."""
        sinks = [_ArraySink(scene.bands.count, scene.grid.height, scene.grid.width) for scene in plan.outputs]
        yield sinks, _HeldStrips()
        self.arrays = [sink.pixels for sink in sinks]


class _ArraySink:
    def __init__(self, bands: int, height: int, width: int) -> None:
        self.pixels = np.full((bands, height, width), np.nan, dtype=np.float32)

    def write(self, pixels: Pixels, window: Window) -> None:
        self.pixels[:, *window.slices] = pixels


class _HeldStrips:
    def __init__(self) -> None:
        self._strips: dict[int, Pixels] = {}

    def save(self, slot: int, strip: Pixels) -> None:
        self._strips[slot] = strip.copy()

    def load(self, slot: int) -> Pixels:
        return self._strips[slot]
