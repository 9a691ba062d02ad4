"""HySure: subspace fusion with vector total variation, solved by the alternating direction method of multipliers.

Simoes, Bioucas Dias, Almeida and Chanussot, "A convex formulation for hyperspectral image superresolution via
subspace-based regularization", IEEE TGRS 53, 2015. With Z = mean + E A and both scenes free of their means it minimises

    |X - E down(A)|^2 / 2 + fidelity / 2 |Y - R E A|^2 + variation * sum over pixels of |(rows, columns) gradient of A|

The authors blur by the fast Fourier transform, which takes a periodic image and a sensor that samples whole pixels of
it; their four splits follow from that. The three here take the sensor as it is, at any ratio, phase and border, and end
at the minimum of the same function: both data terms act on one copy of A, and that step is solved exactly, for S and T,
the sampling along rows and columns, are matrices, so that S S' and T T' are diagonalised once. The gradient ends at the
border (Neumann), which the cosine transform diagonalises.

Two more things differ from the authors' demonstration, whose weights and penalty these are. R is that of CNMF, not
negative, with an offset. And E holds 7 principal components instead of 10 uncentred ones: what the subspace misses, the
MSI term spreads over those of its directions that the HR-MSI hardly sees, the more the more there are. That is worth
1.9 dB, mean over the scenes it was chosen on, and 0.9 dB over seven others.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn, idctn

from pifnet_models.classical.moments import SceneMoments
from pifnet_models.classical.unmixing import UnmixingResponse, peak_level
from pifnet_models.sampling import SamplingOperator

Floats = NDArray[np.floating]
Floats32 = NDArray[np.float32]
Array64 = NDArray[np.float64]

COMPONENTS = 7
FIDELITY = 1.0  # lambda_m
VARIATION = 5e-4  # lambda_phi, for pixels divided by their peak
PENALTY = 0.05  # mu; with a fifth of it the end is nearer, but the augmented Lagrangian goes up and down on the way
ITERATIONS = 200  # at most
STEADY = 2e-5  # iterations end when A changes by less than this share of itself


class Splits(NamedTuple):
    """What the method of multipliers holds equal to (A, gradient of A along rows, along columns), or their duals.

    Attributes:
        image: (p, H, W).
        down_rows: (p, H, W), differences to the next row; zero in the last.
        along_columns: (p, H, W), differences to the next column; zero in the last.
    """

    image: Floats
    down_rows: Floats
    along_columns: Floats

    @classmethod
    def of(cls, image: Floats) -> "Splits":
        """The image and its gradient."""
        down_rows, along_columns = np.zeros_like(image), np.zeros_like(image)
        np.subtract(image[:, 1:], image[:, :-1], out=down_rows[:, :-1])
        np.subtract(image[..., 1:], image[..., :-1], out=along_columns[..., :-1])
        return cls(image, down_rows, along_columns)

    def adjoint(self) -> Floats:
        """(p, H, W): the transpose of `of`."""
        total = self.image.copy()
        total[:, 1:] += self.down_rows[:, :-1]
        total[:, :-1] -= self.down_rows[:, :-1]
        total[..., 1:] += self.along_columns[..., :-1]
        total[..., :-1] -= self.along_columns[..., :-1]
        return total

    def plus(self, other: "Splits") -> "Splits":
        """Term by term."""
        return Splits(*(mine + yours for mine, yours in zip(self, other, strict=True)))

    def minus(self, other: "Splits") -> "Splits":
        """Term by term."""
        return Splits(*(mine - yours for mine, yours in zip(self, other, strict=True)))


class Iterate(NamedTuple):
    """The state of the method of multipliers.

    Attributes:
        image: A, (p, H, W).
        splits: V.
        duals: D, in units of V (scaled duals); V - (A, gradient of A) summed over iterations.
    """

    image: Floats
    splits: Splits
    duals: Splits

    @classmethod
    def start(cls, image: Floats) -> "Iterate":
        """From an estimate of A, with consistent splits."""
        splits = Splits.of(image)
        return cls(image, splits, Splits(*map(np.zeros_like, splits)))


@dataclass(frozen=True, slots=True, eq=False)
class SubspaceProblem:
    """The three steps of one iteration; every one is an exact minimisation of the augmented Lagrangian.

    That is, with V the splits, D the duals and K A = (A, gradient of A),
    data terms(V) + variation * |V's gradient| + penalty / 2 (|V - K A + D|^2 - |D|^2).

    The components are rotated so that R E has orthogonal columns: then only pixels are coupled, not components.

    Attributes:
        rows: (h, H), Q' S with S S' = Q diag(row_squares) Q'.
        columns: (w, W), likewise for T.
        pull: (p, H, W), S' (E' X) T + fidelity (R E)' Y, what the data pull A towards.
        firmness: (p, 1, 1), penalty + fidelity times the squared column lengths of R E.
        gain: (p, h, w), of what LR pixels see.
        smoothing: (H, W), the inverse of 1 + squared gradient under the cosine transform.
        variation: lambda_phi.
        penalty: mu.
    """

    rows: Floats
    columns: Floats
    pull: Floats
    firmness: Floats
    gain: Floats
    smoothing: Floats
    variation: float
    penalty: float

    @classmethod
    def of(
        cls, coarse: Floats, fine: Floats, operator: SamplingOperator, *, energies: Array64, penalty: float = PENALTY
    ) -> "SubspaceProblem":
        """Prepare what all iterations share, in the type of `coarse`.

        Args:
            coarse: (p, h, w), E' X.
            fine: (p, H, W), fidelity (R E)' Y.
            operator: How the LR-HSI samples the block.
            energies: (p,), fidelity times the squared lengths of R E's columns, which are orthogonal.
            penalty: mu.
        """
        rows, row_squares, turned_rows = _diagonalised(operator.rows.toarray())
        columns, column_squares, turned_columns = _diagonalised(operator.columns.toarray())
        kind = coarse.dtype
        turned = turned_rows.T.astype(kind) @ coarse @ turned_columns.astype(kind)
        firmness = (energies + penalty)[:, None, None]
        height, width = operator.hr_shape
        return cls(
            rows=rows.astype(kind),
            columns=columns.astype(kind),
            pull=rows.T.astype(kind) @ turned @ columns.astype(kind) + fine,
            firmness=firmness.astype(kind),
            gain=(1 / (firmness + np.outer(row_squares, column_squares))).astype(kind),
            smoothing=(1 / (1 + _squared_gradient(height)[:, None] + _squared_gradient(width))).astype(kind),
            variation=VARIATION,
            penalty=penalty,
        )

    def image(self, splits: Splits, duals: Splits) -> Floats:
        """The best A for given V and D: least squares, (1 + squared gradient) A = K' (V + D)."""
        spectrum = dctn(splits.plus(duals).adjoint(), axes=(1, 2), norm="ortho")
        spectrum *= self.smoothing
        best: Floats = idctn(spectrum, axes=(1, 2), norm="ortho", overwrite_x=True)
        return best

    def splits(self, target: Splits) -> Splits:
        """The best V for given A and D, `target` being K A - D: data fit of the image, soft threshold of the gradient.

        The gradient of all components shrinks by one factor per pixel, variation / penalty being taken off its length.
        """
        squares = np.einsum("phw,phw->hw", target.down_rows, target.down_rows)
        squares += np.einsum("phw,phw->hw", target.along_columns, target.along_columns)
        lengths = np.sqrt(squares)
        threshold = self.variation / self.penalty
        kept = np.where(lengths > threshold, 1 - threshold / np.maximum(lengths, threshold), 0).astype(lengths.dtype)
        return Splits(self._fitted(target.image), target.down_rows * kept, target.along_columns * kept)

    def iterates(self, start: Iterate) -> Iterator[Iterate]:
        """The states after one iteration, two, and so on without end."""
        _, splits, duals = start
        while True:
            image = self.image(splits, duals)
            target = Splits.of(image).minus(duals)
            splits = self.splits(target)
            duals = splits.minus(target)
            yield Iterate(image, splits, duals)

    def _fitted(self, target: Floats) -> Floats:
        """Solve (S'S (x) T'T + firmness) V = pull + penalty target by the inversion lemma, at the size of LR."""
        right = self.pull + self.penalty * target
        seen = (self.rows @ right @ self.columns.T) * self.gain
        right -= self.rows.T @ seen @ self.columns
        right /= self.firmness
        return right


@dataclass(frozen=True, slots=True, eq=False)
class HySure:
    """HySure of one scene pair, block by block.

    Subspace, spectral response, means and scale are the scene's. A block differs
    from its neighbours only by what total variation and border carry over, which falls with distance: where two blocks
    meet at ratio 4, with the halo, RMS, by 1.5 % or less (AVIRIS, EnMAP) of what the whole scene's result is wrong by
    there. A band without a valid pixel stays NaN.

    Attributes:
        basis: E, (C, p), orthonormal columns; zero rows for bands without data.
        msi_basis: R E, (M, p), orthogonal columns.
        hsi_mean: (C,), in pixel units; NaN for bands without data.
        msi_mean: (M,), likewise.
        peak: What pixels are divided by.
    """

    basis: Array64
    msi_basis: Array64
    hsi_mean: Array64
    msi_mean: Array64
    peak: float

    halo: ClassVar[int] = 4

    @classmethod
    def from_moments(cls, moments: SceneMoments) -> "HySure":
        """The first `COMPONENTS` principal components of the LR-HSI; fewer where there are fewer bands."""
        live = moments.hsi_live
        covariance = moments.hsi_covariance[np.ix_(live, live)]
        basis = np.zeros((len(live), min(COMPONENTS, len(covariance))))
        basis[live] = np.linalg.eigh(covariance)[1][:, ::-1][:, :COMPONENTS]
        seen = UnmixingResponse.from_moments(moments).weights @ basis
        turn = np.linalg.eigh(seen.T @ seen)[1]
        return cls(basis @ turn, seen @ turn, moments.hsi_mean, moments.msi_mean, peak_level(moments))

    def fuse_block(self, lr_hsi: Floats32, hr_msi: Floats32, operator: SamplingOperator) -> Floats32:
        """One block, (C, H, W); NaN in bands without data.

        Args:
            lr_hsi: (C, h, w), finite in live bands.
            hr_msi: (M, H, W), finite.
            operator: How the LR-HSI samples the block.
        """
        coarse, fine = self.components(lr_hsi, hr_msi)
        energies = FIDELITY * np.square(self.msi_basis).sum(axis=0)
        problem = SubspaceProblem.of(coarse, FIDELITY * fine, operator, energies=energies)
        image = _settled(problem.iterates(Iterate.start(operator.up(coarse))))
        fused = _mapped((self.peak * self.basis).astype(np.float32), image)
        fused += self.hsi_mean.astype(np.float32)[:, None, None]
        return fused

    def components(self, lr_hsi: Floats32, hr_msi: Floats32) -> tuple[Floats, Floats]:
        """E' X (p, h, w) and (R E)' Y (p, H, W), both without their means and divided by the peak."""
        live = np.isfinite(self.hsi_mean)
        hsi = lr_hsi[live] - self.hsi_mean[live].astype(np.float32)[:, None, None]
        msi = hr_msi - self.msi_mean.astype(np.float32)[:, None, None]
        return (
            _mapped((self.basis[live].T / self.peak).astype(np.float32), hsi),
            _mapped((self.msi_basis.T / self.peak).astype(np.float32), msi),
        )


def _settled(iterates: Iterator[Iterate]) -> Floats:
    """A of the first iterate that hardly differs from the one before, or of number `ITERATIONS`."""
    before = next(iterates).image
    for _, (image, _, _) in zip(range(ITERATIONS - 1), iterates, strict=False):
        change = np.linalg.norm(image - before)
        before = image
        if change <= STEADY * np.linalg.norm(image):
            break
    return before


def _diagonalised(matrix: Array64) -> tuple[Array64, Array64, Array64]:
    """S -> Q' S, the eigenvalues of S S', and Q, its eigenvectors."""
    values, vectors = np.linalg.eigh(matrix @ matrix.T)
    return vectors.T @ matrix, np.maximum(values, 0), vectors


def _squared_gradient(count: int) -> Array64:
    """Eigenvalues of the squared difference along an axis that ends at its border, in the order of the cosines."""
    return 2 - 2 * np.cos(np.pi * np.arange(count) / count)


def _mapped(matrix: Floats, image: Floats) -> Floats:
    """(N, B) times (B, H, W) -> (N, H, W)."""
    return (matrix @ image.reshape(len(image), -1)).reshape(-1, *image.shape[1:])
