"""LR pixels as blocks of HR pixels, and as samples along the HR axes: for methods that need the LR-HSI itself."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from pifnet_cli.degrade.psf import axis_sampling_matrix
from pifnet_cli.pair.alignment import REACH
from pifnet_cli.pair.resample import CubicResampler
from pifnet_cli.pair.tile import PairGeometry, PairTile, degrade_msi
from pifnet_cli.scene import Pixels, Positions, Window
from pifnet_models.sampling import SamplingOperator

REGULAR = 1e-3  # HR pixels that an LR pixel's side, or its place in its block, may be off a whole number
QUARTILE = 0.6745  # deviations of a Gaussian beyond which a quarter of its weight lies, on one side
ROUNDING = 1e-6  # HR pixels; positions are sums of floats


@dataclass(frozen=True, slots=True, eq=False)
class BlockedTile:
    """A tile grown to whole blocks of `ratio` x `ratio` HR pixels, one LR pixel each.

    Attributes:
        lr_hsi: (C, h, w); NaN where invalid.
        upsampled: (C, ratio h, ratio w), interpolated at the true phase; NaN where invalid.
        hr_msi: (M, ratio h, ratio w); beyond the scene its border pixels go on.
        tile: The tile within the blocks.
    """

    lr_hsi: Pixels
    upsampled: Pixels
    hr_msi: Pixels
    tile: Window


def naive_phase(ratio: float) -> tuple[float, float]:
    """Where the first LR pixel lies, in HR pixels, when corners are taken to coincide."""
    return (ratio - 1) / 2, (ratio - 1) / 2


def block_start(position: float, ratio: int) -> int:
    """The first HR pixel of the block of `ratio` pixels whose centre is nearest to an LR pixel's `position`."""
    return int(np.floor(position - (ratio - 1) / 2 + 0.5 + ROUNDING))


def is_regular(geometry: PairGeometry, ratio: int) -> bool:
    """Whether every LR pixel of the tile is a block of whole HR pixels, up to a common shift."""
    at = geometry.lr_in_hr
    return at.is_separable and all(_is_spaced(axis, ratio) for axis in (at.rows, at.columns))


def blocked(tile: PairTile, ratio: int) -> BlockedTile:
    """The tile as blocks of `ratio` x `ratio` HR pixels.

    On regular grids the LR pixels are passed on as they are, each with the block whose centre is nearest; the shift
    that remains, at most half an HR pixel, is the same everywhere. Other grids have the LR-HSI interpolated at the
    centres of blocks that begin with the tile.
    """
    geometry = tile.geometry
    if is_regular(geometry, ratio):
        rows = _blocks(geometry.lr_in_hr.rows[0], geometry.tile.row, geometry.tile.bottom, ratio)
        columns = _blocks(geometry.lr_in_hr.columns[0], geometry.tile.column, geometry.tile.right, ratio)
        height, width = tile.lr_hsi.shape[1:]
        lr_hsi = _picked(tile.lr_hsi, _clipped(rows.lr, height), _clipped(columns.lr, width))
    else:
        rows = _blocks(geometry.tile.row + (ratio - 1) / 2, geometry.tile.row, geometry.tile.bottom, ratio)
        columns = _blocks(geometry.tile.column + (ratio - 1) / 2, geometry.tile.column, geometry.tile.right, ratio)
        centres = Positions(_centres(rows.hr, ratio), _centres(columns.hr, ratio))
        lr_hsi = _resampled(tile.lr_hsi, _in_lr(geometry.hr_in_lr, centres))
    return _with_blocks(tile, lr_hsi, rows.hr, columns.hr)


def parallel(
    tile: PairTile,
    ratio_rows: float,
    ratio_columns: float,
    *,
    weights: NDArray[np.floating] | None = None,
    start: tuple[int, int] = (0, 0),
) -> PairTile:
    """The tile with LR rows and columns along the HR ones, counted alike; of rotated grids they are interpolated.

    Args:
        tile: As read.
        ratio_rows: Height of an LR pixel in HR pixels.
        ratio_columns: Its width.
        weights: (C, M), how LR bands follow the degraded HR-MSI. What the HR-MSI explains is then degraded to the new
            LR pixels instead of interpolated: W down'(Y) + up(X - W down(Y)).
        start: Row and column of the HR array that are a corner of new LR pixels.
    """
    geometry = tile.geometry
    if geometry.lr_in_hr.is_separable:
        return _counted_alike(tile)
    height, width = tile.hr_msi.shape[1:]
    rows = np.arange((start[0] + (ratio_rows - 1) / 2) % ratio_rows, height, ratio_rows)
    columns = np.arange((start[1] + (ratio_columns - 1) / 2) % ratio_columns, width, ratio_columns)
    lr_in_hr = Positions(rows, columns)
    at = _in_lr(geometry.hr_in_lr, lr_in_hr)
    lr_hsi = _resampled(tile.lr_hsi, at)
    if weights is not None:
        seen = _resampled(degrade_msi(tile.hr_msi, geometry.lr_in_hr, tile.psf), at)
        sharper = degrade_msi(tile.hr_msi, lr_in_hr, tile.psf) - seen
        detail = np.where(np.isfinite(sharper), sharper, np.float32(0)).reshape(len(sharper), -1)
        lr_hsi += (weights.astype(np.float32) @ detail).reshape(lr_hsi.shape)
    hr_in_lr = Positions((np.arange(height) - rows[0]) / ratio_rows, (np.arange(width) - columns[0]) / ratio_columns)
    return replace(tile, lr_hsi=lr_hsi, geometry=PairGeometry(geometry.tile, hr_in_lr, lr_in_hr, geometry.start))


def on_hr_array(tile: PairTile) -> PairTile:
    """The tile without the LR pixels that saw too much of what lies beyond its HR array, where a mirror stands in.

    That is a quarter of their PSF's weight; pixels whose centre is a third of their side inside are kept whatever the
    PSF, as a simulated pair is wholly mirrored. LR rows and columns run along the HR ones; see `parallel`. Along an
    axis on which none would be left all are.
    """
    at, (height, width) = tile.geometry.lr_in_hr, tile.hr_msi.shape[1:]
    psf = tile.psf
    rows, columns = _inside(at.rows, height, psf.sigma_rows), _inside(at.columns, width, psf.sigma_columns)
    if (len(at.rows[rows]), len(at.columns[columns])) == at.shape:
        return tile
    geometry = tile.geometry.cropped(Window(0, 0, height, width), (rows, columns), tile.geometry.tile)
    return replace(tile, lr_hsi=np.ascontiguousarray(tile.lr_hsi[:, rows, columns]), geometry=geometry)


def sampling_operator(tile: PairTile) -> SamplingOperator:
    """How the tile's LR pixels sample its HR array, and the interpolation back.

    Raises:
        ValueError: LR rows and columns do not run along the HR ones; see `parallel`.
    """
    geometry, psf = tile.geometry, tile.psf
    if not geometry.lr_in_hr.is_separable:
        raise ValueError("the LR grid is rotated against the HR grid")
    (h, w), (height, width) = tile.lr_hsi.shape[1:], tile.hr_msi.shape[1:]
    resampler = CubicResampler(geometry.hr_in_lr, height=h, width=w, reach=REACH)
    up_rows, up_columns = resampler.axis_matrices()
    at = geometry.lr_in_hr
    return SamplingOperator(
        rows=axis_sampling_matrix(height, at.rows, sigma=psf.sigma_rows, radius=psf.radius),
        columns=axis_sampling_matrix(width, at.columns, sigma=psf.sigma_columns, radius=psf.radius),
        up_rows=up_rows,
        up_columns=up_columns,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Blocks:
    """One axis: the LR pixels, and the HR pixels of their blocks, both of which may leave the arrays."""

    lr: NDArray[np.intp]
    hr: NDArray[np.intp]


def _counted_alike(tile: PairTile) -> PairTile:
    """LR rows and columns turned round where they run against the HR ones: as one file north-up, the other south-up."""
    at, there = tile.geometry.lr_in_hr, tile.geometry.hr_in_lr
    rows_run_back, columns_run_back = (len(axis) > 1 and axis[0] > axis[-1] for axis in (at.rows, at.columns))
    if not (rows_run_back or columns_run_back):
        return tile
    (height, width), turn = tile.lr_hsi.shape[1:], slice(None, None, -1)
    keep = slice(None)
    rows, columns = turn if rows_run_back else keep, turn if columns_run_back else keep
    geometry = PairGeometry(
        tile.geometry.tile,
        hr_in_lr=Positions(
            height - 1 - there.rows if rows_run_back else there.rows,
            width - 1 - there.columns if columns_run_back else there.columns,
        ),
        lr_in_hr=Positions(at.rows[rows], at.columns[columns]),
        start=tile.geometry.start,
    )
    return replace(tile, lr_hsi=np.ascontiguousarray(tile.lr_hsi[:, rows, columns]), geometry=geometry)


def _blocks(first_position: float, start: int, stop: int, ratio: int) -> _Blocks:
    """Blocks that cover HR pixels `start` to `stop`, where LR pixel 0 lies at `first_position`."""
    origin = block_start(first_position, ratio)
    first, last = (start - origin) // ratio, -((origin - stop) // ratio)
    return _Blocks(np.arange(first, last), np.arange(origin + ratio * first, origin + ratio * last))


def _with_blocks(tile: PairTile, lr_hsi: Pixels, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> BlockedTile:
    geometry, (height, width) = tile.geometry, tile.hr_msi.shape[1:]
    inside = _clipped(rows, height), _clipped(columns, width)
    at = geometry.hr_in_lr
    if at.is_separable:
        positions = Positions(at.rows[inside[0]], at.columns[inside[1]])
    else:
        positions = Positions(at.rows[np.ix_(*inside)], at.columns[np.ix_(*inside)])
    return BlockedTile(
        lr_hsi=lr_hsi,
        upsampled=_resampled(tile.lr_hsi, positions),
        hr_msi=_picked(tile.hr_msi, *inside),
        tile=geometry.tile.moved_by(-int(rows[0]), -int(columns[0])),
    )


def _inside(positions: NDArray[np.float64], length: int, sigma: float) -> slice:
    """Those of increasing positions that lie well on an axis of `length` pixels; all of them where none does."""
    side = float(positions[1] - positions[0]) if len(positions) > 1 else np.inf
    least = min(QUARTILE * sigma, side / 3) - 0.5
    found = np.flatnonzero((positions >= least) & (positions <= length - 1 - least))
    return slice(int(found[0]), int(found[-1]) + 1) if found.size else slice(0, len(positions))


def _picked(image: Pixels, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> Pixels:
    return np.ascontiguousarray(image[:, rows[:, None], columns[None]])


def _resampled(lr_hsi: Pixels, positions: Positions) -> Pixels:
    return CubicResampler(positions, height=lr_hsi.shape[1], width=lr_hsi.shape[2], reach=REACH)(lr_hsi)


def _in_lr(hr_in_lr: Positions, at: Positions) -> Positions:
    """Where HR positions `at` lie in the LR array; linear between HR pixels, and beyond them."""
    if hr_in_lr.is_separable:
        return Positions(_linear(hr_in_lr.rows, at.rows), _linear(hr_in_lr.columns, at.columns))
    grid = np.meshgrid(at.rows, at.columns, indexing="ij")
    both = [ndimage.map_coordinates(axis, grid, order=1, mode="nearest") for axis in (hr_in_lr.rows, hr_in_lr.columns)]
    return Positions(both[0], both[1])


def _linear(values: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    lower = np.clip(np.floor(at).astype(int), 0, max(len(values) - 2, 0))
    upper = np.minimum(lower + 1, len(values) - 1)
    return np.asarray(values[lower] + (at - lower) * (values[upper] - values[lower]))


def _centres(pixels: NDArray[np.intp], ratio: int) -> NDArray[np.float64]:
    return np.asarray(pixels.reshape(-1, ratio).mean(axis=1), dtype=np.float64)


def _clipped(index: NDArray[np.intp], count: int) -> NDArray[np.intp]:
    return np.clip(index, 0, count - 1)


def _is_spaced(positions: NDArray[np.float64], ratio: int) -> bool:
    return bool(np.abs(positions - positions[0] - ratio * np.arange(len(positions))).max(initial=0.0) < REGULAR)
