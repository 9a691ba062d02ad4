"""Which pixels of a fused scene and of its reference are the same ground."""

from dataclasses import dataclass

import numpy as np
from affine import Affine

from pifnet_cli.errors import GridError
from pifnet_cli.scene import Grid, Scene, Window

TOLERANCE = 1e-3  # pixels between positions that count as equal


@dataclass(frozen=True, slots=True)
class ScoredArea:
    """The same ground in the pixels of either scene: two windows of one size, with what the user should know."""

    fused: Window
    reference: Window
    notices: tuple[str, ...] = ()

    @property
    def height(self) -> int:
        """Rows to be scored."""
        return self.reference.height

    @property
    def width(self) -> int:
        """Columns to be scored."""
        return self.reference.width

    def windows(self, part: Window) -> tuple[Window, Window]:
        """A part of the area, counted from its first pixel, in the pixels of the fused scene and of the reference."""
        in_fused, in_reference = (part.moved_by(area.row, area.column) for area in (self.fused, self.reference))
        return in_fused, in_reference


def scored_area(fused: Scene, reference: Scene, *, border: int, role: str = "reference") -> ScoredArea:
    """The common ground of two scenes whose pixels coincide, less `border` pixels on each side.

    Scenes without CRS and of one size are taken as they lie where one of them has no transform. The CRS of both are
    taken to be the same. `role` names the reference in messages.

    Raises:
        GridError: Pixels do not coincide, the scenes do not overlap, or the border leaves nothing.
    """
    row, column = _offset(fused, reference, role)
    common = Window(row, column, fused.grid.height, fused.grid.width)
    common = common.clipped(reference.grid.height, reference.grid.width)
    if common.is_empty:
        raise GridError(f"{fused.path}: does not overlap {reference.path}; is this its {role}?")
    kept = common.grown(-border)
    if kept.is_empty:
        raise GridError(
            f"{fused.path}: --border {border} leaves nothing of the {common.height} x {common.width} pixels shared "
            f"with {reference.path}; choose a smaller border"
        )
    return ScoredArea(kept.moved_by(-row, -column), kept, _notices(fused, reference, common))


def _offset(fused: Scene, reference: Scene, role: str) -> tuple[int, int]:
    """Row and column of the reference that hold the fused scene's first pixel."""
    fused_grid, reference_grid = fused.grid, reference.grid
    is_bare = not (fused_grid.is_georeferenced or reference_grid.is_georeferenced)
    if is_bare and (fused_grid.transform.is_identity or reference_grid.transform.is_identity):
        if (fused_grid.height, fused_grid.width) == (reference_grid.height, reference_grid.width):
            return 0, 0
        if fused_grid.transform == reference_grid.transform:
            raise GridError(
                f"{fused.path}: {_size(fused_grid)} pixels, but {reference.path} has {_size(reference_grid)}, and "
                f"neither is georeferenced; crop one to the ground of the other, or georeference both"
            )
    return _whole_offset(fused, reference, role)


def _whole_offset(fused: Scene, reference: Scene, role: str) -> tuple[int, int]:
    to_reference: Affine = ~reference.grid.transform @ fused.grid.transform
    height, width = fused.grid.height, fused.grid.width
    corners = np.array([(0, 0), (width, 0), (0, height), (width, height)], dtype=np.float64)
    mapped = np.array([to_reference @ (x, y) for x, y in corners])
    offset = np.round(mapped[0])
    misfit = float(np.abs(mapped - corners - offset).max())
    if misfit > TOLERANCE:
        raise GridError(
            f"{fused.path}: its pixels do not coincide with those of {reference.path} (GSD {_gsd(fused.grid)} and "
            f"{_gsd(reference.grid)}; up to {misfit:.3g} pixels apart); bring it onto the {role}'s grid first: "
            f"{_warp_command(fused, reference)}"
        )
    return int(offset[1]), int(offset[0])


def _warp_command(fused: Scene, reference: Scene) -> str:
    grid = reference.grid
    corners = np.array([grid.transform @ (x, y) for x in (0, grid.width) for y in (0, grid.height)])
    (left, bottom), (right, top) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    name = f"{fused.path.stem}_aligned.tif"
    extent = f"-te {left:.12g} {bottom:.12g} {right:.12g} {top:.12g} -ts {grid.width} {grid.height}"
    return f"gdalwarp -r cubic {extent} {fused.path} {name}"


def _notices(fused: Scene, reference: Scene, common: Window) -> tuple[str, ...]:
    notices = []
    if (common.height, common.width) != (reference.grid.height, reference.grid.width) or (
        (fused.grid.height, fused.grid.width) != (reference.grid.height, reference.grid.width)
    ):
        notices.append(
            f"{fused.path} ({_size(fused.grid)}) and {reference.path} ({_size(reference.grid)}) share "
            f"{common.height} x {common.width} pixels; only these are scored"
        )
    return tuple(notices)


def _size(grid: Grid) -> str:
    return f"{grid.height} x {grid.width}"


def _gsd(grid: Grid) -> str:
    return " x ".join(f"{side:.6g}" for side in grid.gsd)
