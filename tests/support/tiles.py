"""Tiles of a scene pair made of arrays, without files."""

from dataclasses import replace

import numpy as np

from pifnet_cli.degrade.psf import gaussian_from_mtf, paper_psf
from pifnet_cli.pair.tile import PairGeometry, PairTile
from pifnet_cli.scene import Positions


def pair_tile(rng, *, bands=(7, 3), size=(24, 40), ratio=4, phase=None, tile=None, protocol="mtf"):
    """A random tile: LR pixels cover the HR array; the first one lies at `phase`, or centred on its block."""
    height, width = size
    lr_size = tuple(-(-side // ratio) for side in size)
    at = ((ratio - 1) / 2,) * 2 if phase is None else phase
    return PairTile(
        lr_hsi=rng.uniform(0.1, 0.9, (bands[0], *lr_size)).astype(np.float32),
        hr_msi=rng.uniform(0.1, 0.9, (bands[1], height, width)).astype(np.float32),
        geometry=PairGeometry.regular(ratio=ratio, phase=at, lr_size=lr_size, hr_size=size, tile=tile),
        psf=paper_psf() if protocol == "paper" else gaussian_from_mtf(0.3, ratio_rows=ratio, ratio_columns=ratio),
    )


def ramp(rows, columns):
    """A ramp of HR coordinates."""
    return 3.0 + 0.5 * rows - 0.25 * columns


def ramp_tile(ratio, *, degrees=0.0, tile, lr_size=(30, 32), hr_size=(60, 70)):
    """One band of `ramp` at both resolutions; LR pixels `ratio` HR pixels apart, rotated about the middle."""
    middle_lr, middle_hr = np.array(lr_size) / 2 - 0.5, np.array(hr_size) / 2 - 0.3
    turn = np.deg2rad(degrees)
    matrix = ratio * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])

    def mapped(size, start, linear, end):
        grid = np.stack(np.meshgrid(*map(np.arange, size), indexing="ij")).astype(np.float64)
        rows, columns = np.einsum("ij,jhw->ihw", linear, grid - start[:, None, None]) + end[:, None, None]
        return Positions(rows[:, 0], columns[0]) if degrees == 0 else Positions(rows, columns)

    lr_in_hr = mapped(lr_size, middle_lr, matrix, middle_hr)
    hr_in_lr = mapped(hr_size, middle_hr, np.linalg.inv(matrix), middle_lr)
    places = lr_in_hr if degrees else Positions(*np.meshgrid(lr_in_hr.rows, lr_in_hr.columns, indexing="ij"))
    return PairTile(
        lr_hsi=ramp(places.rows, places.columns)[None].astype(np.float32),
        hr_msi=ramp(*np.mgrid[: hr_size[0], : hr_size[1]])[None].astype(np.float32),
        geometry=PairGeometry(tile, hr_in_lr, lr_in_hr),
        psf=gaussian_from_mtf(0.3, ratio_rows=ratio, ratio_columns=ratio),
    )


def flipped(tile, *axes):
    """The same tile with LR rows (1) or columns (2) counted from the other end."""
    (height, width), at = tile.lr_hsi.shape[1:], tile.geometry
    rows, columns = at.hr_in_lr.rows, at.hr_in_lr.columns
    return replace(
        tile,
        lr_hsi=np.flip(tile.lr_hsi, axes).copy(),
        geometry=PairGeometry(
            tile=at.tile,
            hr_in_lr=Positions(height - 1 - rows if 1 in axes else rows, width - 1 - columns if 2 in axes else columns),
            lr_in_hr=Positions(
                at.lr_in_hr.rows[:: -1 if 1 in axes else 1], at.lr_in_hr.columns[:: -1 if 2 in axes else 1]
            ),
        ),
    )
