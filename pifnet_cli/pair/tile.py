"""What every fusion method starts from: a tile of both scenes on one grid, in map coordinates."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.degrade.psf import Psf
from pifnet_cli.degrade.sampling import PsfSampler, filled, mended
from pifnet_cli.pair.alignment import REACH, Alignment
from pifnet_cli.pair.resample import SUPPORT, CubicResampler
from pifnet_cli.scene import Pixels, Positions, Window


class PairInputs(NamedTuple):
    """A tile of H x W HR pixels; NaN where the scene that a plane comes from is invalid.

    Attributes:
        upsampled: (C, H, W), the LR-HSI interpolated at the tile's pixel centres.
        hr_msi: (M, H, W).
        msi_smooth: (M, H, W), the HR-MSI degraded by the hyperspectral PSF and interpolated like the LR-HSI.
        phase: (4, H, W), sine and cosine of the position within the LR pixel, rows first, then columns.
    """

    upsampled: Pixels
    hr_msi: Pixels
    msi_smooth: Pixels
    phase: Pixels


@dataclass(frozen=True, slots=True)
class PairWindows:
    """The pixels to read for one tile: of the LR-HSI, and of the HR-MSI with the reach of the PSF around it."""

    tile: Window
    lr: Window
    hr: Window


@dataclass(frozen=True, slots=True)
class PairGeometry:
    """How an array of LR pixels and an array of HR pixels lie on each other.

    `hr_in_lr` are the HR array's pixel centres in the LR array, `lr_in_hr` the LR array's in the HR array, and `tile`
    the tile within the HR array. `start` is where in the HR array the scene begins that the tile is a part of, (row,
    column), negative where that is before the array; None where the tile is all there is.
    """

    tile: Window
    hr_in_lr: Positions
    lr_in_hr: Positions
    start: tuple[int, int] | None = None

    @property
    def tile_in_lr(self) -> Positions:
        """The tile's pixel centres in the LR array."""
        return self.hr_in_lr.cropped(self.tile)

    def cropped(self, hr: Window, lr: tuple[slice, slice], tile: Window) -> "PairGeometry":
        """The geometry of parts of both arrays; `tile` is in pixels of the whole HR array. Separable ones only."""
        first_row, first_column = lr[0].start, lr[1].start
        hr_in_lr = self.hr_in_lr.cropped(hr).moved(first_row, first_column)
        rows, columns = self.lr_in_hr.rows[lr[0]], self.lr_in_hr.columns[lr[1]]
        start = None if self.start is None else (self.start[0] - hr.row, self.start[1] - hr.column)
        return PairGeometry(tile.relative_to(hr), hr_in_lr, Positions(rows, columns).moved(hr.row, hr.column), start)

    def as_part_of(self, scene: Window, hr: Window) -> "PairGeometry":
        """The geometry of a tile of a scene; both windows are in HR pixels, `hr` is that of the HR array."""
        return replace(self, start=(scene.row - hr.row, scene.column - hr.column))

    @classmethod
    def of_windows(cls, alignment: Alignment, windows: PairWindows) -> "PairGeometry":
        """The geometry of windows read from two aligned scenes."""
        return cls(
            tile=windows.tile.relative_to(windows.hr),
            hr_in_lr=alignment.lr_positions(windows.hr).moved(windows.lr.row, windows.lr.column),
            lr_in_hr=alignment.hr_positions(windows.lr).moved(windows.hr.row, windows.hr.column),
        )

    @classmethod
    def regular(
        cls,
        *,
        ratio: float,
        phase: tuple[float, float],
        lr_size: tuple[int, int],
        hr_size: tuple[int, int],
        tile: Window | None = None,
    ) -> "PairGeometry":
        """The geometry of a simulated pair: LR pixel i sits at HR position `ratio * i + phase`; without `tile` all."""
        (height, width), (rows, columns) = hr_size, lr_size
        hr_rows, hr_columns = np.arange(height, dtype=np.float64), np.arange(width, dtype=np.float64)
        lr_rows, lr_columns = np.arange(rows, dtype=np.float64), np.arange(columns, dtype=np.float64)
        return cls(
            tile=tile or Window(0, 0, height, width),
            hr_in_lr=Positions((hr_rows - phase[0]) / ratio, (hr_columns - phase[1]) / ratio),
            lr_in_hr=Positions(lr_rows * ratio + phase[0], lr_columns * ratio + phase[1]),
        )


@dataclass(frozen=True, eq=False)
class PairTile:
    """A tile of a pair as it was read: LR and HR arrays, how they lie on each other, and the sensor's blur.

    What follows from the arrays is found once; they are not to be changed.

    Attributes:
        lr_hsi: (C, h, w), NaN where invalid.
        hr_msi: (M, H', W'), the tile and what the PSF reaches around the LR pixels.
        geometry: How the two arrays lie on each other.
        psf: The hyperspectral sensor's blur, in HR pixels.
    """

    lr_hsi: Pixels
    hr_msi: Pixels
    geometry: PairGeometry
    psf: Psf

    @cached_property
    def resampler(self) -> CubicResampler:
        """Brings LR arrays to the tile's pixels."""
        height, width = self.lr_hsi.shape[1:]
        return CubicResampler(self.geometry.tile_in_lr, height=height, width=width, reach=REACH)

    @cached_property
    def is_valid(self) -> NDArray[np.bool_]:
        """(C, H, W) of the tile: where both scenes are valid, as interpolation would have it."""
        rows, columns = self.geometry.tile.slices
        return self.resampler.validity(self.lr_hsi) & np.isfinite(self.hr_msi[:, rows, columns]).all(axis=0)

    def with_lr_hsi(self, lr_hsi: Pixels) -> "PairTile":
        """The tile with other LR pixels, (C', h, w), at the same places."""
        changed = replace(self, lr_hsi=lr_hsi)
        changed.__dict__["resampler"] = self.resampler  # as `cached_property` keeps it: the places are the same
        return changed

    def masked(self, fused: Pixels) -> Pixels:
        """A result (C, H, W) where both scenes are valid; NaN elsewhere. The array is overwritten."""
        if not self.is_valid.all():
            fused[~self.is_valid] = np.nan
        return fused

    def inputs(self) -> PairInputs:
        """Both scenes on the tile's pixels."""
        # Filled, so that of the HR-MSI only its own mask counts.
        msi_low = filled(degrade_msi(mended(self.hr_msi), self.geometry.lr_in_hr, self.psf))
        rows, columns = self.geometry.tile.slices
        return PairInputs(
            upsampled=self.resampler(self.lr_hsi),
            hr_msi=self.hr_msi[:, rows, columns],
            msi_smooth=self.resampler(msi_low),
            phase=_phase(self.geometry.tile_in_lr),
        )

    def transposed(self) -> "PairTile":
        """Rows become columns, in both arrays and in their geometry; separable ones only."""
        geometry, psf = self.geometry, self.psf
        window = geometry.tile
        return PairTile(
            lr_hsi=np.ascontiguousarray(self.lr_hsi.swapaxes(1, 2)),
            hr_msi=np.ascontiguousarray(self.hr_msi.swapaxes(1, 2)),
            geometry=PairGeometry(
                tile=Window(window.column, window.row, window.width, window.height),
                hr_in_lr=Positions(geometry.hr_in_lr.columns, geometry.hr_in_lr.rows),
                lr_in_hr=Positions(geometry.lr_in_hr.columns, geometry.lr_in_hr.rows),
                start=None if geometry.start is None else (geometry.start[1], geometry.start[0]),
            ),
            psf=replace(psf, sigma_rows=psf.sigma_columns, sigma_columns=psf.sigma_rows),
        )


class FusedTile(NamedTuple):
    """What a method makes of a tile: (C, H, W) on the tile's pixels, NaN where the inputs are invalid.

    Attributes:
        pixels: The fused spectra.
        sigma: Their standard deviation, NaN in the same places; None where the method does not tell it.
    """

    pixels: Pixels
    sigma: Pixels | None = None


class TileEngine(Protocol):
    """A method on tiles.

    Attributes:
        margin: LR pixels round a tile that it looks at.
        reach: HR pixels beyond what the PSF reaches round these, which it looks at as well.
    """

    margin: int
    reach: int

    def fuse(self, tile: PairTile) -> FusedTile:
        """The result on the tile's pixels."""


def plan_windows(alignment: Alignment, tile: Window, psf: Psf, *, margin: int = SUPPORT, reach: int = 0) -> PairWindows:
    """The pixels of both scenes that the result on `tile` depends on. Windows are empty beyond the LR-HSI.

    `margin` is how many LR pixels round the tile the method looks at; interpolation needs `SUPPORT`. `reach` is how
    many HR pixels it looks at beyond those that these LR pixels see. LR pixels along the HR rows, which a method with a
    reach makes of rotated ones, are interpolated as far out.
    """
    lr = alignment.lr_window(tile, max(margin, SUPPORT))
    if lr.is_empty:
        return PairWindows(tile=tile, lr=lr, hr=tile)
    if reach and not alignment.lr_positions(Window(0, 0, 2, 2)).is_separable:
        grown = tile.grown(int(np.ceil((margin + 1) * max(alignment.ratio_rows, alignment.ratio_columns))))
        lr = lr.union(alignment.lr_window(grown, 2 * SUPPORT))  # NaN among what is interpolated reach as far again
    seen = alignment.hr_window(lr, psf.radius + reach)
    return PairWindows(tile=tile, lr=lr, hr=seen.union(tile))


def degrade_msi(hr_msi: Pixels, lr_in_hr: Positions, psf: Psf) -> Pixels:
    """(M, H, W) -> (M, h, w): the HR-MSI as the hyperspectral sensor would sample it at `lr_in_hr`."""
    return PsfSampler(lr_in_hr, psf, height=hr_msi.shape[1], width=hr_msi.shape[2])(hr_msi)


def _phase(positions: Positions) -> Pixels:
    """(4, H, W): sine and cosine of 2 pi times the position in the LR array, rows then columns."""
    rows, columns = 2 * np.pi * positions.rows, 2 * np.pi * positions.columns
    if positions.is_separable:
        rows, columns = rows[:, None], columns[None]
    waves = [wave(angles).astype(np.float32) for angles in (rows, columns) for wave in (np.sin, np.cos)]
    return np.stack(np.broadcast_arrays(*waves))
