"""Guided kriging: the regression's LR residual, predicted between the samples from position and from the HR-MSI.

Z = W Y + b + V E', E'_k = C Dt (D C Dt + rho_k I)^-1 (V+ E)_k: the best linear prediction of each spectral component of
the residual E = X - W D Y - b, through the exact sampling operator D (docs/design.md 4.2 to 4.5). It descends from
area-to-point regression kriging (ATPRK, Wang et al. 2015, doi 10.1016/j.rse.2015.06.003), whose covariance depends on
position alone, and from Gaussian-process fusion of aerial images (Reid et al., "Bayesian Fusion for Multi-Modal Aerial
Images"), whose covariance follows the fine image. Here it depends on both (`pifnet_models.kriging.covariance`).

Noise needs no setting: bands are whitened by what their neighbours do not predict; how much of each component is noise
follows from the scene's moments, and is corrected on each tile by the samples' marginal likelihood.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pifnet_models.kriging.covariance import Guide, guide_of, own_variances, sampled_covariances
from pifnet_models.kriging.error import ErrorModel, SolvedSamples
from pifnet_models.kriging.noise import NOISE_FLOOR, faithfulness, hsi_noise_std
from pifnet_models.kriging.regression import Regression, msi_whitening
from pifnet_models.sampling import SamplingOperator

Array32 = NDArray[np.float32]
Array64 = NDArray[np.float64]
Core = tuple[slice, slice]  # rows and columns of the HR array

COMPONENTS = 24
LARGEST_CORE = 96  # HR pixels: bounds memory and time at large ratios
HALO = 4  # LR pixels around the core
MINIMUM_VALID = 0.95  # of the PSF's weight, else a sample is left out, as where the HR-MSI is degraded
RATIO_OF_RANGES = 4.0  # the covariance's ranges hold up to this ratio and grow with the ratio beyond
ABSURD = 100.0  # times a band's residual over the scene: such a sample is left out, its value being none of the ground
SIGNAL_FLOOR = 0.02  # of a component's variance: no component is all noise
DAMPING_FLOOR = 0.1 * np.exp(-5) + 1e-5  # noise over signal that even noise-free samples are given
DAMPINGS = np.geomspace(7e-4, 30.0, 24)  # noise over signal that the marginal likelihood chooses from
DAMPING_SPREAD = 1.0  # prior standard deviation of log(noise over signal) about the scene's
CONSISTENCY_RIDGE = 1e-3  # of D Dt, where samples are reproduced: keeps very wide PSFs from oscillating


class _Samples(NamedTuple):
    """The LR samples of a tile.

    Attributes:
        residual: (C, h w), X - W down(Y) - b; zero where unknown.
        is_usable: (h w,).
        share: (h w,), of the PSF's weight that is on valid fine pixels; one where a sample is not usable.
    """

    residual: Array64
    is_usable: NDArray[np.bool_]
    share: Array32


class _Prediction(NamedTuple):
    """Component scores on the core, (K, core H, core W), and as the tile's samples would show them, (K, h w).

    `solved` are the equations that they come from; None where no sample is usable.
    """

    scores: Array32
    at_samples: Array64
    guide: Guide
    solved: SolvedSamples | None = None


@dataclass(frozen=True, slots=True, eq=False)
class GuidedKriging:
    """All of the method that is global to a scene pair. Made by `from_regression`.

    Attributes:
        regression: Of the pair.
        analysis: (K, C), residual spectrum in pixel units -> component scores.
        synthesis: (C, K), component scores -> residual spectrum.
        noise_to_signal: (K,), of the component scores over the scene.
        is_upper_bound: Whether tiles may lower `noise_to_signal` only.
        faithfulness: Share of what the components leave of the LR-HSI that is added back, 0 to 1.
        range_scale: What the covariance's ranges are multiplied with.
        core: Side of the tiles' cores that suits the ratio, in HR pixels.
        error: How far results may be off.
        halo: LR pixels that a core wants on every side.
        adapts: Whether each tile corrects `noise_to_signal` by its own samples' marginal likelihood.
    """

    regression: Regression
    analysis: Array64
    synthesis: Array64
    noise_to_signal: Array64
    is_upper_bound: bool
    faithfulness: float
    range_scale: float
    core: int
    error: ErrorModel
    halo: int = HALO
    adapts: bool = True

    @classmethod
    def from_regression(
        cls,
        regression: Regression,
        *,
        ratio: float,
        noise: NDArray[np.floating] | None = None,
        msi_error: NDArray[np.floating] | None = None,
        adapts: bool = True,
    ) -> Self:
        """Everything follows from the regression's moments.

        Args:
            regression: Of the pair.
            ratio: GSD of LR-HSI / GSD of HR-MSI.
            noise: (C,) standard deviations in pixel units where they are known, zeros for none; else they are
                estimated.
            msi_error: (M, M) covariance of what is wrong with the HR-MSI; None for nothing. Only `fuse_with_sigma` asks
                for it.
            adapts: Whether tiles correct the components' noise.
        """
        std = hsi_noise_std(regression) if noise is None else np.asarray(noise, dtype=np.float64)
        scale, noise_variance = _band_scale(regression, std)
        values, vectors = np.linalg.eigh(regression.residual_covariance / np.outer(scale, scale))
        variance, directions = values[::-1][:COMPONENTS], vectors[:, ::-1][:, :COMPONENTS]
        signal = np.maximum(variance - noise_variance, SIGNAL_FLOOR * variance)
        relative = np.divide(noise_variance, signal, out=np.zeros_like(signal), where=signal > 0)
        synthesis, share_kept = directions * scale[:, None], faithfulness(regression, std) if noise is None else 0.0
        error = ErrorModel.from_regression(
            regression,
            synthesis=synthesis,
            variance=np.maximum(variance, 0),
            noise_variance=np.square(std),
            share_kept=share_kept,
            msi_error=msi_error,
        )
        return cls(
            regression=regression,
            analysis=directions.T / scale,
            synthesis=synthesis,
            noise_to_signal=relative + DAMPING_FLOOR,
            # Of fewer pixels than bands, the largest sample variances are far above the true ones.
            is_upper_bound=bool(regression.pixels >= np.count_nonzero(np.diag(regression.residual_covariance))),
            faithfulness=share_kept,
            range_scale=max(ratio / RATIO_OF_RANGES, 1.0),
            core=cls.core_at(ratio),
            error=error,
            adapts=adapts,
        )

    @staticmethod
    def core_at(ratio: float) -> int:
        """Side of the cores that suits a ratio, HR pixels.

        Solving takes the cube of the LR pixels, which at small ratios serve few HR pixels.
        """
        return min(round((8 + 2 * ratio) * ratio), LARGEST_CORE)

    def components(self, lr_hsi: Array32, hr_msi: Array32, operator: SamplingOperator, *, core: Core) -> Array32:
        """The residual's kriged component scores, (K, core H, core W); arguments as for `fuse_block`."""
        return self._predicted(self._samples(lr_hsi, hr_msi, operator), hr_msi, operator, core).scores

    def fuse_block(self, lr_hsi: Array32, hr_msi: Array32, operator: SamplingOperator, *, core: Core) -> Array32:
        """Fuse a tile.

        LR pixels where a band or too much of the HR-MSI under the PSF is missing are left out, as are those whose
        residual is absurd; fine pixels without HR-MSI weigh nothing. Where no LR pixel can be used the result is the
        regression on the HR-MSI alone.

        Args:
            lr_hsi: (C, h, w), the core's LR pixels and a halo; NaN where invalid.
            hr_msi: (M, H, W), all that these LR pixels see, and the core; NaN where invalid.
            operator: From `hr_msi` to `lr_hsi`.
            core: Rows and columns of `hr_msi`.

        Returns:
            (C, core H, core W); NaN where the HR-MSI is, and in bands that `lr_hsi` has nowhere.
        """
        samples = self._samples(lr_hsi, hr_msi, operator)
        return self._fused(samples, self._predicted(samples, hr_msi, operator, core), lr_hsi, hr_msi, operator, core)

    def fuse_with_sigma(
        self, lr_hsi: Array32, hr_msi: Array32, operator: SamplingOperator, *, core: Core
    ) -> tuple[Array32, Array32]:
        """What `fuse_block` returns, and its standard deviation, (C, core H, core W) in pixel units, NaN alike.

        See `pifnet_models.kriging.error` for what it holds.
        """
        samples = self._samples(lr_hsi, hr_msi, operator)
        predicted = self._predicted(samples, hr_msi, operator, core)
        fused = self._fused(samples, predicted, lr_hsi, hr_msi, operator, core)
        guide = predicted.guide
        whitened = guide.features[: guide.linear, core[0], core[1]].reshape(guide.linear, -1)
        variance = self.error.at_pixels(
            predicted.solved,
            operator,
            own=own_variances(guide, core=core, range_scale=self.range_scale),
            distances=np.square(whitened).sum(axis=0),
        )
        sigma = np.sqrt(variance, out=variance).reshape(fused.shape)
        sigma[np.isnan(fused)] = np.nan
        return fused, sigma

    def _fused(
        self,
        samples: _Samples,
        predicted: _Prediction,
        lr_hsi: Array32,
        hr_msi: Array32,
        operator: SamplingOperator,
        core: Core,
    ) -> Array32:
        msi = hr_msi[:, core[0], core[1]]
        known = np.concatenate([msi, predicted.scores]).reshape(-1, msi[0].size)
        fused = np.concatenate([self.regression.weights, self.synthesis], axis=1).astype(np.float32) @ known
        fused += self.regression.intercept.astype(np.float32)[:, None]
        fused = fused.reshape(len(lr_hsi), *msi.shape[1:])
        if self.faithfulness > 0:
            left = samples.residual - self.synthesis @ predicted.at_samples
            fused += _fitted(np.where(samples.is_usable, left, 0) * self.faithfulness, operator, core)
        fused[:, np.isnan(msi).any(axis=0)] = np.nan
        fused[~np.isfinite(lr_hsi).any(axis=(1, 2))] = np.nan
        return fused

    def _samples(self, lr_hsi: Array32, hr_msi: Array32, operator: SamplingOperator) -> _Samples:
        """The residual at the LR pixels."""
        is_valid = np.asarray(np.isfinite(hr_msi).all(axis=0))
        share = operator.down(is_valid[None].astype(np.float32)).reshape(-1)
        is_usable = share >= MINIMUM_VALID
        share = np.where(is_usable, share, np.float32(1))
        msi_low = operator.down(np.where(is_valid, hr_msi, np.float32(0))).reshape(len(hr_msi), -1) / share
        hsi = lr_hsi.reshape(len(lr_hsi), -1)
        finite = np.isfinite(hsi)
        is_usable &= finite[finite.any(axis=1)].all(axis=0)
        explained = self.regression.weights @ msi_low + self.regression.intercept[:, None]
        residual = np.where(finite & is_usable, hsi - explained, 0.0)
        usual = np.sqrt(np.diag(self.regression.residual_covariance))[:, None]
        is_absurd = (np.abs(residual) > ABSURD * usual).any(axis=0, where=usual > 0)
        is_usable &= ~is_absurd
        return _Samples(np.where(is_usable, residual, 0.0), is_usable, share)

    def _predicted(self, samples: _Samples, hr_msi: Array32, operator: SamplingOperator, core: Core) -> _Prediction:
        """Kriging of all components, in the basis in which the samples' covariance is diagonal."""
        shape = hr_msi[0, core[0], core[1]].shape
        at_samples, used = np.zeros((len(self.analysis), len(samples.share))), samples.is_usable
        guide = guide_of(self._whitened(hr_msi))
        if not used.any():
            return _Prediction(np.zeros((len(self.analysis), *shape), dtype=np.float32), at_samples, guide)
        between, with_core = sampled_covariances(guide, operator, core=core, range_scale=self.range_scale)
        share = samples.share[used, None]
        values, vectors = np.linalg.eigh(between[np.ix_(used, used)] / (share * share.T))
        values = np.maximum(values, 0.0)
        scores = (self.analysis @ samples.residual[:, used]).T  # (n, K)
        along = vectors.T @ scores
        damping = self._damping(values, along)
        weights = vectors @ (along / (values[:, None] + damping))  # (D C Dt + rho_k I)^-1 (V+ E)_k
        at_samples[:, used] = (scores - damping * weights).T  # D C Dt times the weights
        if not used.all():
            with_core = with_core[:, used]
        if (share != 1).any():
            with_core /= share.T
        solved = SolvedSamples(values, vectors, along, damping, with_core)
        spread = weights.T.astype(np.float32)
        return _Prediction((spread @ with_core.T).reshape(-1, *shape), at_samples, guide, solved)

    def _whitened(self, hr_msi: Array32) -> Array32:
        """(M, H, W) centred and whitened by the statistics of the LR-MSI, of which there are `pixels` samples."""
        whitening = msi_whitening(self.regression) * np.float32(np.sqrt(1 - 1 / self.regression.pixels))
        centred = hr_msi.reshape(len(hr_msi), -1) - self.regression.msi_mean.astype(np.float32)[:, None]
        return (whitening @ centred).reshape(hr_msi.shape)

    def _damping(self, values: Array64, along: Array64) -> Array64:
        """rho_k, (K,): the samples' mean covariance times `noise_to_signal`, as they correct it.

        The scene's figure is an upper bound where pixels are many: what neighbouring bands do not predict need not be
        noise. The likelihood finds more where the scenes are misregistered or the bands' noise is correlated.

        Args:
            values: (n,) eigenvalues of the samples' covariance.
            along: (n, K) the samples in its eigenvectors' basis.
        """
        level = max(float(values.mean()), np.finfo(np.float64).tiny)
        if not self.adapts:
            return level * self.noise_to_signal
        variances = values[:, None] + level * DAMPINGS  # (n, G), of the samples, up to a component's signal
        signal = np.square(along).T @ (1 / variances) / len(values)  # (K, G), the most likely one
        fit = -0.5 * len(values) * np.log(np.maximum(signal, 1e-300)) - 0.5 * np.log(variances).sum(axis=0)
        prior = (np.log(DAMPINGS) - np.log(self.noise_to_signal)[:, None]) / DAMPING_SPREAD
        posterior = fit - 0.5 * np.square(prior)
        chance = np.exp(posterior - posterior.max(axis=1, keepdims=True))
        likely = np.exp(chance @ np.log(DAMPINGS) / chance.sum(axis=1))
        return level * (np.minimum(likely, self.noise_to_signal) if self.is_upper_bound else likely)


def _band_scale(regression: Regression, std: Array64) -> tuple[Array64, float]:
    """What bands are divided by, (C,), and the variance that noise then has: one, or nought where there is none."""
    live = np.diag(regression.residual_covariance) > 0
    usual = float(np.median(std[live])) if live.any() else 0.0
    if usual > 0:
        return np.maximum(std, NOISE_FLOOR * usual), 1.0
    return np.full(len(std), max(regression.residual_rms, float(np.finfo(np.float32).tiny))), 0.0


def _fitted(left: Array64, operator: SamplingOperator, core: Core) -> Array32:
    """(C, h w) -> (C, core H, core W): the smallest image whose samples are `left`, Dt (D Dt)^-1 left."""
    along_rows, along_columns = (
        _smallest_image(matrix.toarray(), part)
        for matrix, part in zip((operator.rows, operator.columns), core, strict=True)
    )
    return np.matmul(np.matmul(along_rows, left.reshape(-1, *operator.lr_shape).astype(np.float32)), along_columns.T)


def _smallest_image(sampling: Array64, part: slice) -> Array32:
    """(n, N) along an axis -> (part of N, n)."""
    products = sampling @ sampling.T
    products[np.diag_indices_from(products)] += CONSISTENCY_RIDGE * products.diagonal().mean()
    return np.linalg.solve(products, sampling[:, part]).T.astype(np.float32)
