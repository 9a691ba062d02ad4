"""The protocols of docs/design.md 3.2: a reference becomes an LR-HSI and an HR-MSI of known geometry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse
from affine import Affine
from numpy.random import Generator
from numpy.typing import NDArray

from pifnet_cli.choices import Protocol
from pifnet_cli.degrade.noise import with_noise
from pifnet_cli.degrade.psf import Psf, axis_sampling_matrix, degrade_separable, psf_of
from pifnet_cli.scene import Grid, Pixels

ROUNDING = 1e-6  # LR or HR pixels; products of ratios are floats


@dataclass(frozen=True, slots=True, eq=False)
class SensorModel:
    """How a pair of sensors sees the reference.

    Attributes:
        protocol: `paper` keeps pixel 0 of each block, `mtf` samples block centres.
        ratio: HR pixels along the side of an LR pixel; any number from 1 up, a whole one with `paper`.
        mtf_at_nyquist: Frequency response at the LR Nyquist frequency; unused by `paper`, whose kernel is fixed.
        srf: (M, C), rows sum to 1.
        hsi_snr_db: SNR of the LR-HSI per band; None without noise.
        msi_snr_db: SNR of the HR-MSI per band; None without noise.
        shift: (rows down, columns right) in HR pixels. An LR pixel that claims to lie at HR coordinate c shows what
            lies at c + shift; neither `phase` nor the geotransform tells.
    """

    protocol: Protocol
    ratio: float
    mtf_at_nyquist: float
    srf: NDArray[np.floating[Any]]
    hsi_snr_db: float | None = None
    msi_snr_db: float | None = None
    shift: tuple[float, float] = (0.0, 0.0)

    @property
    def psf(self) -> Psf:
        """The blur of the LR-HSI, in HR pixels."""
        return psf_of(self.protocol, self.mtf_at_nyquist, ratio_rows=self.ratio, ratio_columns=self.ratio)

    @property
    def phase(self) -> tuple[float, float]:
        """HR coordinate (row, column) where LR pixel (0, 0) claims to have its centre: without `shift`."""
        offset = 0.0 if self.protocol is Protocol.PAPER else (self.ratio - 1) / 2
        return offset, offset

    @property
    def has_whole_ratio(self) -> bool:
        """Whether LR pixels are blocks of whole HR pixels."""
        return float(self.ratio).is_integer()

    @property
    def whole_ratio(self) -> int:
        """The ratio, where LR pixels are blocks of whole HR pixels.

        Raises:
            ValueError: It is no whole number.
        """
        if not self.has_whole_ratio:
            raise ValueError(f"a ratio of {self.ratio:g} is no whole number")
        return int(self.ratio)

    def lr_length(self, hr_length: int) -> int:
        """Whole LR pixels in so many HR pixels along an axis."""
        return int(np.floor(hr_length / self.ratio + ROUNDING))

    def hr_length(self, lr_length: int) -> int:
        """HR pixels that so many LR pixels lie on, those that they cover in part included."""
        return int(np.ceil(lr_length * self.ratio - ROUNDING))

    def lr_grid(self, grid: Grid) -> Grid:
        """The grid of the LR-HSI of a reference on `grid`; a part of an LR pixel at the far borders is left out."""
        row, column = self.phase
        corner = Affine.translation(column + 0.5 - self.ratio / 2, row + 0.5 - self.ratio / 2)
        transform = grid.transform @ corner @ Affine.scale(self.ratio)
        return Grid(self.lr_length(grid.height), self.lr_length(grid.width), transform, grid.crs_wkt)

    def row_matrix(self, height: int, lr_rows: range | None = None) -> scipy.sparse.csr_array:
        """(h, height): blur and sampling along the rows, `shift` included, for all LR rows or some."""
        wanted = range(self.lr_length(height)) if lr_rows is None else lr_rows
        centres = self.ratio * np.asarray(wanted) + self.phase[0] + self.shift[0]
        return axis_sampling_matrix(height, centres, sigma=self.psf.sigma_rows, radius=self.psf.radius)

    def column_matrix(self, width: int, lr_columns: range | None = None) -> scipy.sparse.csr_array:
        """(w, width): blur and sampling along the columns, `shift` included, for all LR columns or some."""
        wanted = range(self.lr_length(width)) if lr_columns is None else lr_columns
        centres = self.ratio * np.asarray(wanted) + self.phase[1] + self.shift[1]
        return axis_sampling_matrix(width, centres, sigma=self.psf.sigma_columns, radius=self.psf.radius)

    def to_record(self) -> dict[str, Any]:
        """The model as JSON values."""
        return {
            "protocol": self.protocol.value,
            "ratio": self.ratio,
            "mtf_at_nyquist": self.mtf_at_nyquist,
            "srf": np.asarray(self.srf, dtype=np.float64).tolist(),
            "hsi_snr_db": self.hsi_snr_db,
            "msi_snr_db": self.msi_snr_db,
            "shift_rows_columns": list(self.shift),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "SensorModel":
        """The model that `to_record` described, or that a version before it did.

        Raises:
            KeyError: A field is absent.
            ValueError: A field has no meaning.
        """
        return cls(
            protocol=Protocol(record["protocol"]),
            ratio=float(record["ratio"]),
            mtf_at_nyquist=float(record["mtf_at_nyquist"]),
            srf=np.asarray(record["srf"], dtype=np.float64),
            hsi_snr_db=None if record["hsi_snr_db"] is None else float(record["hsi_snr_db"]),
            msi_snr_db=None if record["msi_snr_db"] is None else float(record["msi_snr_db"]),
            shift=_recorded_shift(record),
        )


def _recorded_shift(record: Mapping[str, Any]) -> tuple[float, float]:
    """(rows, columns); older records call it `shift` and hold columns first."""
    if "shift_rows_columns" in record:
        rows, columns = record["shift_rows_columns"]
    else:
        columns, rows = record["shift"]
    return float(rows), float(columns)


def degrade_patch(reference: Pixels, sensor: SensorModel, *, rng: Generator | None) -> tuple[Pixels, Pixels]:
    """Degrade a whole array at once.

    Args:
        reference: (C, H, W), invalid NaN.
        sensor: Its SRF has C columns.
        rng: Source of the noise, whose signal is this array; None leaves it out, whatever the SNR says.

    Returns:
        LR-HSI (C, H / ratio, W / ratio), of whole LR pixels, and HR-MSI (M, H, W).
    """
    height, width = reference.shape[1:]
    lr_hsi = degrade_separable(reference, sensor.row_matrix(height), sensor.column_matrix(width))
    hr_msi = project_spectrally(reference, sensor.srf)
    if rng is None:
        return lr_hsi, hr_msi
    return with_noise(lr_hsi, sensor.hsi_snr_db, rng), with_noise(hr_msi, sensor.msi_snr_db, rng)


def project_spectrally(reference: Pixels, srf: NDArray[np.floating[Any]]) -> Pixels:
    """(C, H, W) and (M, C) -> (M, H, W); a pixel is NaN where a band that contributes is NaN."""
    projected = np.empty((srf.shape[0], *reference.shape[1:]), dtype=np.float32)
    for band, weights in enumerate(srf):
        # One band after the other, in order: the sums do not depend on the size of the block, as BLAS ones would.
        contributing = np.flatnonzero(weights)
        total = np.zeros(reference.shape[1:], dtype=np.float64)
        for index in contributing:
            total += float(weights[index]) * reference[index]
        projected[band] = total
    return projected
