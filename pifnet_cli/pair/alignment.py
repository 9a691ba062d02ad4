"""Two grids -> common footprint, ratio, paired windows and positions. Map coordinates decide; corners never do."""

from dataclasses import dataclass, replace

import numpy as np
from affine import Affine

from pifnet_cli.choices import Extent, Phase
from pifnet_cli.errors import GridError
from pifnet_cli.pair.projection import Coordinates, MapTransform, map_transforms, on_the_turn_of
from pifnet_cli.scene import Grid, Positions, Scene, Window

FOOTPRINT = 0.5  # LR pixels from the outermost pixel centres to the edge of what was seen
REACH = 1.0  # LR pixels by which the LR-HSI is continued beyond its outermost pixel centres
CONTROL_STEP = 16  # HR pixels between exactly projected points where the two CRS differ
TORN = 8  # times the median step between points of an outline
SIZE_RATIO_TOLERANCE = 0.02  # how far H/h and W/w may differ where sizes are all there is
SEPARABLE_TOLERANCE = 1e-9  # off-diagonal terms below this many pixels per pixel are rounding
AS_DELIVERED = Affine.identity()


@dataclass(frozen=True, slots=True)
class Alignment:
    """How the HR-MSI grid and the LR-HSI grid lie on each other.

    `ratio_rows` and `ratio_columns` are the sides of an LR pixel in HR pixels; `output` the HR pixels to be written;
    `correction` takes the place (column, row) where an LR pixel lies by its georeferencing, in HR pixels from the
    HR-MSI's upper left corner, to where it does lie.
    """

    hr_grid: Grid
    lr_grid: Grid
    output: Window
    ratio_rows: float
    ratio_columns: float
    notices: tuple[str, ...]
    _to_lr_map: MapTransform | None
    _to_hr_map: MapTransform | None
    correction: Affine = AS_DELIVERED

    @property
    def shift(self) -> tuple[float, float]:
        """(rows, columns): how many HR pixels the correction moves LR pixels down and right, amid the output."""
        return displacement(self.correction, self.output.row + self.output.height / 2,
                            self.output.column + self.output.width / 2)  # fmt: skip

    @property
    def ratio(self) -> float:
        """GSD of the LR-HSI over GSD of the HR-MSI, the geometric mean of both axes."""
        return float(np.sqrt(self.ratio_rows * self.ratio_columns))

    @property
    def output_grid(self) -> Grid:
        """The grid of the result."""
        return self.hr_grid.cropped(self.output)

    def lr_positions(self, hr_window: Window) -> Positions:
        """Where the pixel centres of an HR window lie in the LR-HSI, in LR pixels."""
        return _positions(hr_window, self._corrected, self.lr_grid.transform, self._to_lr_map)

    def lr_positions_round(self, hr_window: Window) -> tuple[Coordinates, Coordinates]:
        """(rows, columns) in the LR-HSI of points round an HR window."""
        rows, columns = _outline(hr_window.height, hr_window.width, FOOTPRINT)
        place = self._corrected @ Affine.translation(hr_window.column + 0.5, hr_window.row + 0.5)
        x, y = _applied(place, columns, rows)
        if self._to_lr_map is not None:
            x, y = self._to_lr_map(x, y)
        lr_columns, lr_rows = _applied(~self.lr_grid.transform, x, y)
        return lr_rows - 0.5, lr_columns - 0.5

    def hr_positions(self, lr_window: Window) -> Positions:
        """Where the pixel centres of an LR window lie in the HR-MSI, in HR pixels."""
        return _positions(lr_window, self.lr_grid.transform, self._corrected, self._to_hr_map)

    def lr_window(self, hr_window: Window, margin: int) -> Window:
        """The LR pixels within `margin` of the pixel centres of an HR window; empty where the LR-HSI ends before."""
        whole = _bounding_window(self.lr_positions(hr_window), margin)
        return whole.clipped(self.lr_grid.height, self.lr_grid.width)

    def hr_window(self, lr_window: Window, radius: int) -> Window:
        """The HR pixels within `radius` of the centres of an LR window."""
        whole = _bounding_window(self.hr_positions(lr_window), radius)
        return whole.clipped(self.hr_grid.height, self.hr_grid.width)

    @property
    def _corrected(self) -> Affine:
        """From HR pixels to the place on the map that LR pixels there claim."""
        corrected: Affine = self.hr_grid.transform @ ~self.correction
        return corrected


def displacement(correction: Affine, row: float, column: float) -> tuple[float, float]:
    """(rows down, columns right) by which a correction moves what lies at a place; all in HR pixels."""
    a, b, c, d, e, f = correction[:6]
    return d * column + (e - 1) * row + f, (a - 1) * column + b * row + c


def align(
    lr: Scene,
    hr: Scene,
    *,
    extent: Extent = Extent.COMMON,
    phase: Phase = Phase.TRUE,
    correction: Affine | None = None,
) -> Alignment:
    """Relate two scenes of the same ground.

    Args:
        lr: The LR-HSI.
        hr: The HR-MSI.
        extent: What is written.
        phase: Whether positions come from map coordinates, or upper left corners are taken to coincide and the ratio to
            be a whole number, as in published code.
        correction: What is known of the LR-HSI's place besides (`Alignment`). Scenes that share no map are then taken
            to lie as `on_one_plane` says before the correction.

    Raises:
        GridError: Only one scene has a CRS, they do not overlap by an LR pixel, or the HR-MSI is the coarser one.
    """
    if phase is Phase.NAIVE:
        lr = _with_common_corner(lr, hr)
    if correction is not None:
        lr = on_one_plane(lr, hr)
    lr_grid, notices = _comparable_lr_grid(lr, hr)
    to_lr_map, to_hr_map = map_transforms(lr, hr)
    if to_lr_map is None:
        lr_grid = on_the_turn_of(hr.grid, lr_grid)
    alignment = Alignment(lr_grid=lr_grid, hr_grid=hr.grid, output=hr.grid.window, ratio_rows=1.0, ratio_columns=1.0,
                          notices=notices if correction is None else (), _to_lr_map=to_lr_map, _to_hr_map=to_hr_map,
                          correction=AS_DELIVERED if correction is None else correction)  # fmt: skip
    common = _common_window(alignment, lr, hr, reach=REACH)
    ratio_rows, ratio_columns = _local_ratio(alignment, common)
    if min(ratio_rows, ratio_columns) < 1 - 1e-6:
        raise GridError(
            f"{hr.path}: its pixels are as large as {1 / ratio_rows:.3g} x {1 / ratio_columns:.3g} LR-HSI pixels; the "
            f"HR-MSI must be the finer one; were the two inputs swapped?"
        )
    shared = _common_window(alignment, lr, hr, reach=FOOTPRINT)
    _require_overlap(shared, lr, hr, ratio_rows=ratio_rows, ratio_columns=ratio_columns)
    _require_in_one_piece(alignment.lr_positions_round(common), lr, hr)
    output = hr.grid.window if extent is Extent.HR else common
    return replace(alignment, output=output, ratio_rows=ratio_rows, ratio_columns=ratio_columns)


def share_a_map(lr: Scene, hr: Scene) -> bool:
    """Whether the files themselves say how the two scenes lie on each other."""
    if lr.grid.is_georeferenced and hr.grid.is_georeferenced:
        return True
    is_bare = not (lr.grid.is_georeferenced or hr.grid.is_georeferenced)
    return is_bare and not (lr.grid.transform.is_identity and hr.grid.transform.is_identity)


def on_one_plane(lr: Scene, hr: Scene) -> Scene:
    """The LR-HSI; without a common map it is given the HR-MSI's corner, and the ratio of their sizes."""
    if share_a_map(lr, hr):
        return lr
    ratio = _size_ratio(hr.grid.height / lr.grid.height, hr.grid.width / lr.grid.width)
    transform = hr.grid.transform @ Affine.scale(ratio)
    return replace(lr, grid=replace(lr.grid, transform=transform, crs_wkt=hr.grid.crs_wkt))


def _with_common_corner(lr: Scene, hr: Scene) -> Scene:
    """The LR-HSI placed as if its first pixel were the first block of whole HR pixels."""
    ratio = max(round(align(lr, hr).ratio), 1)
    transform = hr.grid.transform @ Affine.scale(ratio)
    return replace(lr, grid=replace(lr.grid, transform=transform, crs_wkt=hr.grid.crs_wkt))


def _comparable_lr_grid(lr: Scene, hr: Scene) -> tuple[Grid, tuple[str, ...]]:
    """The LR grid in coordinates that the HR grid shares, with what the user should know."""
    if lr.grid.is_georeferenced != hr.grid.is_georeferenced:
        bare, located = (lr, hr) if hr.grid.is_georeferenced else (hr, lr)
        raise GridError(
            f"{bare.path}: has no CRS, but {located.path} has one; both or neither must be georeferenced; "
            f"let --align affine find its place, or assign one with: "
            f"gdal_edit.py -a_srs EPSG:CODE -a_ullr ULX ULY LRX LRY {bare.path}"
        )
    if lr.grid.is_georeferenced:
        return lr.grid, ()
    if not (lr.grid.transform.is_identity and hr.grid.transform.is_identity):
        return lr.grid, ("neither file has a CRS; their transforms are taken to share one plane",)
    rows, columns = hr.grid.height / lr.grid.height, hr.grid.width / lr.grid.width
    if abs(rows / columns - 1) > SIZE_RATIO_TOLERANCE:
        raise GridError(
            f"{lr.path}: neither it nor {hr.path} is georeferenced, and their sizes give different ratios along rows "
            f"({rows:.3f}) and columns ({columns:.3f}); let --align affine find how they lie, crop them to the same "
            f"ground, or georeference both"
        )
    ratio = _size_ratio(rows, columns)
    return replace(lr.grid, transform=Affine.scale(ratio)), (
        f"neither file is georeferenced; the same upper-left corner and a ratio of {ratio:g} are assumed",
    )


def _size_ratio(rows: float, columns: float) -> float:
    """A whole number where both axes allow it: sizes that are no multiple of the ratio leave a remainder."""
    whole = float(round(min(rows, columns)))
    return whole if max(abs(rows - whole), abs(columns - whole)) < SIZE_RATIO_TOLERANCE * whole else float(
        np.sqrt(rows * columns)
    )  # fmt: skip


def _positions(window: Window, source: Affine, target: Affine, project: MapTransform | None) -> Positions:
    """Pixel centres of `window` on the source grid as pixel positions on the target grid."""
    rows = np.arange(window.row, window.bottom, dtype=np.float64)
    columns = np.arange(window.column, window.right, dtype=np.float64)
    if project is not None:
        return _projected_positions(rows, columns, source, target, project)
    pixel = ~target @ source  # pixel corners to pixel corners; centres are half a pixel further on both sides
    if abs(pixel.b) * len(rows) < SEPARABLE_TOLERANCE and abs(pixel.d) * len(columns) < SEPARABLE_TOLERANCE:
        return Positions(pixel.e * (rows + 0.5) + pixel.f - 0.5, pixel.a * (columns + 0.5) + pixel.c - 0.5)
    x, y = np.meshgrid(columns + 0.5, rows + 0.5)
    return Positions(pixel.d * x + pixel.e * y + pixel.f - 0.5, pixel.a * x + pixel.b * y + pixel.c - 0.5)


def _projected_positions(
    rows: Coordinates, columns: Coordinates, source: Affine, target: Affine, project: MapTransform
) -> Positions:
    """As `_positions`, through a projection that is exact on a lattice and bilinear between."""
    lattice_rows, lattice_columns = _lattice(rows), _lattice(columns)
    x, y = np.meshgrid(lattice_columns + 0.5, lattice_rows + 0.5)
    mapped = project(*_applied(source, x, y))
    at_columns, at_rows = _applied(~target, *mapped)
    row_weights, column_weights = _linear_weights(rows, lattice_rows), _linear_weights(columns, lattice_columns)
    return Positions(row_weights @ at_rows @ column_weights.T - 0.5, row_weights @ at_columns @ column_weights.T - 0.5)


def _lattice(values: Coordinates) -> Coordinates:
    """Lattice points around `values`, at multiples of the step so that neighbouring windows share them."""
    first, last = np.floor(values[0] / CONTROL_STEP), np.floor(values[-1] / CONTROL_STEP) + 1
    return np.arange(first, last + 1) * CONTROL_STEP


def _linear_weights(values: Coordinates, lattice: Coordinates) -> Coordinates:
    return np.maximum(0.0, 1.0 - np.abs(values[:, None] - lattice[None]) / CONTROL_STEP)


def _applied(transform: Affine, x: Coordinates, y: Coordinates) -> tuple[Coordinates, Coordinates]:
    return transform.a * x + transform.b * y + transform.c, transform.d * x + transform.e * y + transform.f


def _bounding_window(positions: Positions, margin: int) -> Window:
    if not (np.isfinite(positions.rows).any() and np.isfinite(positions.columns).any()):
        return Window(0, 0, 0, 0)
    row, bottom = _span(positions.rows, margin)
    column, right = _span(positions.columns, margin)
    return Window.between(row, column, bottom, right)


def _span(values: Coordinates, margin: int) -> tuple[int, int]:
    limit = 2**40  # far outside of any raster, well inside of int64
    low, high = np.clip([np.nanmin(values), np.nanmax(values)], -limit, limit)
    return int(np.floor(low)) - margin, int(np.ceil(high)) + margin + 1


def _outline(height: int, width: int, reach: float) -> tuple[Coordinates, Coordinates]:
    """Rows and columns of points round a grid, `reach` beyond its outermost pixel centres."""
    side = np.linspace(0.0, 1.0, 33)
    rows = np.concatenate([np.zeros(33), side, np.ones(33), side])
    columns = np.concatenate([side, np.ones(33), side, np.zeros(33)])
    return rows * (height - 1 + 2 * reach) - reach, columns * (width - 1 + 2 * reach) - reach


def _common_window(alignment: Alignment, lr: Scene, hr: Scene, *, reach: float) -> Window:
    """HR pixels whose centres lie within the LR-HSI, continued to `reach` of its outermost pixel centres."""
    rows, columns = _outline(alignment.lr_grid.height, alignment.lr_grid.width, reach)
    x, y = _applied(alignment.lr_grid.transform, columns + 0.5, rows + 0.5)
    if alignment._to_hr_map is not None:
        x, y = alignment._to_hr_map(x, y)
    hr_columns, hr_rows = _applied(~alignment._corrected, x, y)
    if not (np.isfinite(hr_rows).all() and np.isfinite(hr_columns).all()):
        raise GridError(f"{lr.path}: its outline has no place in the CRS of {hr.path}; reproject one file first")
    _require_in_one_piece((hr_rows, hr_columns), lr, hr)
    tolerance = 1e-6  # a pixel centre on the outline is inside
    row, column = np.ceil(hr_rows.min() - 0.5 - tolerance), np.ceil(hr_columns.min() - 0.5 - tolerance)
    bottom, right = np.floor(hr_rows.max() - 0.5 + tolerance) + 1, np.floor(hr_columns.max() - 0.5 + tolerance) + 1
    limit = 2.0**40
    row, column, bottom, right = (int(np.clip(value, -limit, limit)) for value in (row, column, bottom, right))
    return Window.between(row, column, bottom, right).clipped(hr.grid.height, hr.grid.width)


def _require_in_one_piece(outline: tuple[Coordinates, Coordinates], lr: Scene, hr: Scene) -> None:
    """Refuse a pair of which one is torn apart in the CRS of the other: by its cut, or by a pole."""
    rows, columns = (values.reshape(4, -1) for values in outline)
    is_whole = bool(np.isfinite(rows).all() and np.isfinite(columns).all())
    if is_whole:
        steps = np.hypot(np.diff(rows), np.diff(columns))
        is_whole = bool((steps.max(axis=1) <= TORN * np.median(steps, axis=1) + 1).all())
    if not is_whole:
        raise GridError(
            f"{lr.path}: it or {hr.path} is torn apart in the other's CRS (at 180 degrees or a pole); scenes in one "
            "piece were expected; reproject one to the CRS of the other first: gdalwarp -t_srs EPSG:CODE IN OUT.tif"
        )


def _local_ratio(alignment: Alignment, common: Window) -> tuple[float, float]:
    """Sides of an LR pixel in HR pixels, along LR rows and columns, measured in the middle of `common`."""
    middle = Window(common.row + common.height // 2, common.column + common.width // 2, 1, 1)
    if common.is_empty:
        middle = Window(0, 0, 1, 1)
    at = alignment.lr_positions(middle)
    row, column = int(np.rint(at.rows.flat[0])), int(np.rint(at.columns.flat[0]))
    around = alignment.hr_positions(Window(row, column, 2, 2))
    if around.is_separable:
        return abs(float(np.diff(around.rows)[0])), abs(float(np.diff(around.columns)[0]))
    down = np.hypot(around.rows[1, 0] - around.rows[0, 0], around.columns[1, 0] - around.columns[0, 0])
    right = np.hypot(around.rows[0, 1] - around.rows[0, 0], around.columns[0, 1] - around.columns[0, 0])
    return float(down), float(right)


def _require_overlap(shared: Window, lr: Scene, hr: Scene, *, ratio_rows: float, ratio_columns: float) -> None:
    """At least the whole HR pixels of an LR pixel's sides."""
    if shared.height < np.floor(ratio_rows + 1e-6) or shared.width < np.floor(ratio_columns + 1e-6):
        raise GridError(
            f"{lr.path}: overlaps {hr.path} by {shared.height} x {shared.width} HR pixels, less than one LR pixel; "
            f"two scenes of the same ground were expected; compare their extents with: pifnet info FILE"
        )
