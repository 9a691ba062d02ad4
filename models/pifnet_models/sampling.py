"""How the hyperspectral sensor samples a fine image, and how its pixels are interpolated back; one matrix an axis."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SamplingOperator:
    """Separable blur and sampling, with the interpolation that leads back to the fine grid at the true phase.

    Attributes:
        rows: (h, H), blur and sampling along the rows; its rows sum to one.
        columns: (w, W), likewise along the columns.
        up_rows: (H, h), interpolation along the rows.
        up_columns: (W, w), likewise along the columns.
    """

    rows: sparse.csr_array
    columns: sparse.csr_array
    up_rows: Floats
    up_columns: Floats

    @property
    def lr_shape(self) -> tuple[int, int]:
        """(h, w)."""
        return self.rows.shape[0], self.columns.shape[0]

    @property
    def hr_shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.rows.shape[1], self.columns.shape[1]

    def down(self, image: Floats) -> Floats:
        """(B, H, W) -> (B, h, w): the image as the sensor samples it."""
        return _along_axes(image, self.rows.astype(np.float32), self.columns.astype(np.float32))

    def up(self, image: Floats) -> Floats:
        """(B, h, w) -> (B, H, W): interpolated at the fine grid's pixel centres."""
        return _along_axes(image, self.up_rows, self.up_columns)


def _along_axes(image: Floats, rows: sparse.csr_array | Floats, columns: sparse.csr_array | Floats) -> Floats:
    """(B, n, m) -> (B, N, M) by rows (N, n) and columns (M, m)."""
    bands, height, width = image.shape
    by_row = rows @ np.ascontiguousarray(image.transpose(1, 0, 2)).reshape(height, -1)  # (N, B m)
    turned = by_row.reshape(-1, bands, width).transpose(2, 1, 0).reshape(width, -1)  # (m, B N)
    both = columns @ turned  # (M, B N)
    return np.ascontiguousarray(both.reshape(columns.shape[0], bands, -1).transpose(1, 2, 0), dtype=np.float32)
