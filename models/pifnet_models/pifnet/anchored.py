"""The spectral subspace in which an anchor is corrected: what PIF-Net sees and says in its `anchored` variant.

The LR residual E of the regression anchor is described by a few components (docs/design.md 6.4): its band values
divided by `band_scale` (noise-whitening, ones where no noise is known) and by the scene's rms of E, projected on
orthonormal directions, divided by each component's standard deviation over the training scenes. In these units inputs
and targets are of order one, whatever the sensor and however good the anchor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pifnet_models.kriging.noise import NOISE_FLOOR
from pifnet_models.kriging.regression import Regression, msi_whitening
from pifnet_models.units import unit_factor

Floats = NDArray[np.float32]

SMALLEST = 1e-9  # of scales and deviations that were stored, and the inverse of the largest
ROUNDING = 1e-3  # of the products of stored directions
RMS_FLOOR = 1e-12  # a residual of exactly zero stays zero instead of becoming NaN

GUIDE_REACH = 2  # LR pixels on either side that the guided estimate looks at
GUIDE_RANGE = 0.75  # LR pixels over which a neighbour's weight falls by e
GUIDE_SHARPNESS = 400.0  # how much a difference in whitened MSI, squared, takes from a neighbour's weight


@dataclass(frozen=True, slots=True)
class ResidualBasis:
    """Components of the normalised LR residual.

    `directions` (C, K) has orthonormal columns, with zero rows for bands that hold no data; `band_scale` (C,) is
    positive; `component_std` (K,) is the standard deviation of each component over the training scenes, decreasing;
    `step` is the side of an LR pixel in whole HR pixels.
    """

    directions: Floats
    band_scale: Floats
    component_std: Floats
    step: int

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[np.generic]]) -> "ResidualBasis":
        """The basis that `to_arrays` took apart.

        Raises:
            KeyError: An array is absent.
            TypeError: The step is no single number.
            ValueError: Shapes disagree, or numbers make no basis.
        """
        names = ("directions", "band_scale", "component_std")
        with np.errstate(over="ignore"):  # what becomes infinite is refused below
            directions, band_scale, component_std = (np.asarray(arrays[name], dtype=np.float32) for name in names)
        if directions.shape != (*band_scale.shape, *component_std.shape) or directions.ndim != 2:
            raise ValueError(f"directions {directions.shape}, bands {band_scale.shape}, std {component_std.shape}")
        scales = np.concatenate((band_scale, component_std))
        if not ((scales > SMALLEST) & (scales < 1 / SMALLEST)).all():
            raise ValueError(f"scales and deviations from {SMALLEST:g} to {1 / SMALLEST:g} were expected")
        cosines = directions.T.astype(np.float64) @ directions
        if not (np.abs(cosines - np.eye(len(cosines))) < ROUNDING).all():
            raise ValueError("orthonormal directions were expected")
        step = int(np.asarray(arrays["step"]))
        if step < 1:
            raise ValueError(f"a step of 1 pixel or more was expected, not {step}")
        return cls(directions, band_scale, component_std, step=step)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """For a checkpoint."""
        return {
            "directions": self.directions,
            "band_scale": self.band_scale,
            "component_std": self.component_std,
            "step": np.asarray(self.step, dtype=np.int64),
        }

    @property
    def bands(self) -> int:
        """C."""
        return int(self.directions.shape[0])

    @property
    def components(self) -> int:
        """K."""
        return int(self.directions.shape[1])

    def channels(self, *, msi_bands: int) -> dict[str, int]:
        """Channels of a network that corrects in this basis, as its constructor names them; see `features`."""
        return {
            "hsi_channels": 2 * self.components,
            "msi_channels": 2 * msi_bands + 4,
            "out_channels": self.components,
        }

    @property
    def energy(self) -> Floats:
        """Share of each component in the residual's energy, (K,), sum 1."""
        variance = np.square(self.component_std.astype(np.float64))
        return (variance / variance.sum()).astype(np.float32)


def residual_basis(
    covariances: Sequence[NDArray[np.float64]], *, components: int, band_scale: NDArray[np.floating], ratio: float
) -> ResidualBasis:
    """Principal components of the residual, each scene counted alike.

    Args:
        covariances: One (C, C) second moment of the LR residual per scene, in squared pixel units; a band without data
            has zero rows and columns.
        components: How many to keep; fewer come back where fewer hold energy.
        band_scale: (C,), positive; only ratios matter, see `noise_scale`.
        ratio: GSD of LR-HSI / GSD of HR-MSI.

    Returns:
        At least one component.
    """
    scale = np.asarray(band_scale, dtype=np.float64)
    pooled = np.zeros((scale.size, scale.size))
    for covariance in covariances:
        energy = max(float(np.trace(covariance)) / scale.size, RMS_FLOOR**2)
        pooled += covariance / energy / len(covariances)
    values, vectors = np.linalg.eigh(pooled / np.outer(scale, scale))
    order = np.argsort(values)[::-1][:components]
    kept = order[values[order] > 1e-9 * max(values[order[0]], 1e-30)]
    kept = kept if kept.size else order[:1]
    # The sign of an eigenvector is arbitrary; fixing it keeps checkpoints reproducible across LAPACK builds.
    directions = vectors[:, kept]
    directions = directions * np.where(directions.sum(0) < 0, -1.0, 1.0)
    std = np.sqrt(np.maximum(values[kept], 1e-12))
    return ResidualBasis(
        directions.astype(np.float32), scale.astype(np.float32), std.astype(np.float32), step=max(round(ratio), 1)
    )


def noise_scale(hsi_noise: NDArray[np.floating]) -> NDArray[np.float64]:
    """Band scale (C,) that whitens noise of standard deviations `hsi_noise` (C,); its mean square is 1."""
    std = np.asarray(hsi_noise, dtype=np.float64)
    lifted = np.maximum(std, NOISE_FLOOR * np.median(std))
    rms = np.sqrt(np.mean(lifted**2))
    return lifted / rms if rms > 0 else np.ones_like(lifted)


def features(
    *,
    upsampled: Floats,
    hr_msi: Floats,
    msi_smooth: Floats,
    phase: Floats,
    regression: Regression,
    basis: ResidualBasis,
    anchor: Floats | None = None,
) -> tuple[Floats, Floats]:
    """What the network sees at each pixel.

    Args:
        upsampled: (C, H, W) LR-HSI on the HR grid.
        hr_msi: (M, H, W).
        msi_smooth: (M, H, W), up(down(hr_msi)).
        phase: (4, H, W), sine and cosine of the LR coordinate, rows then columns.
        regression: The scene's anchor.
        basis: The checkpoint's components.
        anchor: (C, H, W), an estimate of the image that says more about the residual than interpolation; None where the
            regression is the anchor, and joint bilateral upsampling makes one.

    Returns:
        hsi_features (2 K, H, W): the residual's components, and how the better estimate differs from them;
        msi_features (2 M + 4, H, W): whitened HR-MSI, whitened detail of the HR-MSI, phase. Zero where an input is
        invalid (NaN).
    """
    guide, smooth = _whitened(hr_msi, regression), _whitened(msi_smooth, regression)
    residual = _residual_components(upsampled, msi_smooth, regression=regression, basis=basis)
    msi_features = np.concatenate([guide, guide - smooth, phase])
    is_valid = np.isfinite(residual).all(0) & np.isfinite(msi_features).all(0)  # (H, W)
    residual[:, ~is_valid] = 0.0
    msi_features[:, ~is_valid] = 0.0
    if anchor is None:
        guided = guided_estimate(residual, guide=guide, smooth=smooth, is_valid=is_valid, step=basis.step)
    else:
        guided = _residual_components(anchor, hr_msi, regression=regression, basis=basis)
        guided[:, ~is_valid] = 0.0
    return np.concatenate([residual, guided - residual]), msi_features


def guided_estimate(
    residual: Floats, *, guide: Floats, smooth: Floats, is_valid: NDArray[np.bool_], step: int
) -> Floats:
    """Joint bilateral upsampling: each pixel takes the residual from neighbours whose LR-MSI looks like its HR-MSI.

    After Kopf et al., "Joint bilateral upsampling", ACM TOG 26 (2007), with a heavy-tailed weight of the guide's
    difference. It carries the sharpness of the guide's edges into the residual, which interpolation cannot.

    Args:
        residual: (K, H, W) interpolated from LR; zero where invalid.
        guide: (M, H, W) whitened HR-MSI.
        smooth: (M, H, W) the same, degraded to LR and interpolated.
        is_valid: (H, W).
        step: HR pixels between neighbours, the side of an LR pixel.

    Returns:
        (K, H, W); zero where invalid. A residual that does not vary is returned as it is.
    """
    height, width = is_valid.shape
    reach = GUIDE_REACH * step
    around = ((0, 0), (reach, reach), (reach, reach))
    far_residual = np.pad(residual, around, mode="symmetric")
    far_smooth = np.pad(np.where(is_valid, smooth, 0), around, mode="symmetric")
    far_valid = np.pad(is_valid, reach, mode="symmetric")
    centre = np.where(is_valid, guide, 0)
    total, weights = np.zeros_like(residual), np.full((height, width), 1e-12, dtype=np.float32)
    for row in range(0, 2 * reach + 1, step):
        for column in range(0, 2 * reach + 1, step):
            there = (slice(row, row + height), slice(column, column + width))
            distance = np.hypot(row - reach, column - reach) / (GUIDE_RANGE * step)
            difference = np.square(centre - far_smooth[:, *there]).sum(axis=0)
            weight = np.float32(np.exp(-distance)) / (1 + np.float32(GUIDE_SHARPNESS / 2) * difference)
            weight *= far_valid[there]
            total += weight * far_residual[:, *there]
            weights += weight
    return np.where(is_valid, total / weights, np.float32(0))


def apply_correction(anchor: Floats, coefficients: Floats, *, regression: Regression, basis: ResidualBasis) -> Floats:
    """Anchor (C, H, W) plus the correction that `coefficients` (K, H, W) describe; NaN of the anchor stays NaN."""
    synthesis = synthesis_matrix(regression, basis)  # (C, K)
    corrected: Floats = synthesis @ coefficients.reshape(len(coefficients), -1)
    corrected += anchor.reshape(len(anchor), -1)
    return corrected.reshape(anchor.shape)


def target_coefficients(reference: Floats, anchor: Floats, *, regression: Regression, basis: ResidualBasis) -> Floats:
    """What the network should say: components (K, H, W) of what the anchor misses, `reference - anchor` (C, H, W).

    NaN where the reference or the anchor is.
    """
    used = np.any(basis.directions != 0, axis=1)
    missing = (reference - anchor).reshape(len(anchor), -1)[used]
    coefficients: Floats = analysis_matrix(regression, basis)[:, used] @ missing
    return coefficients.reshape(-1, *anchor.shape[1:])


def _residual_components(image: Floats, msi: Floats, *, regression: Regression, basis: ResidualBasis) -> Floats:
    """(K, H, W) of an image less W times an MSI, less b; the regression is projected first, bands are held once."""
    used = np.any(basis.directions != 0, axis=1)
    analysis = analysis_matrix(regression, basis)[:, used]  # (K, C)
    pixels = image.reshape(len(image), -1)
    components: Floats = analysis @ (pixels if used.all() else pixels[used])
    components -= (analysis @ regression.weights[used].astype(np.float32)) @ msi.reshape(len(msi), -1)
    components -= (analysis @ regression.intercept[used].astype(np.float32))[:, None]
    return components.reshape(-1, *image.shape[1:])


def _whitened(msi: Floats, regression: Regression) -> Floats:
    """(M, H, W) centred and whitened by the LR-MSI's statistics."""
    centred = msi.reshape(len(msi), -1) - regression.msi_mean.astype(np.float32)[:, None]
    return (msi_whitening(regression) @ centred).reshape(msi.shape)


def image_scale(regression: Regression) -> np.float32:
    """The one number that a pair's pixels are divided by where a network sees images: the RMS of its LR-MSI."""
    mean_square = np.mean(np.square(regression.msi_mean) + np.diag(regression.msi_covariance))
    return np.float32(max(float(np.sqrt(mean_square)), RMS_FLOOR))


def image_scales(regression: Regression) -> tuple[np.float32, np.float32]:
    """What pixels of the LR-HSI and of the HR-MSI are divided by where a network sees images.

    One number, `image_scale`, unless their units differ by powers of ten: a spectrum is not bent in either case.
    """
    scale, squares = image_scale(regression), band_mean_square(regression)
    live = squares > 0
    hsi_rms = float(np.sqrt(squares[live].mean())) if live.any() else 0.0
    return np.float32(scale * unit_factor(hsi_rms=hsi_rms, msi_rms=float(scale))), scale


def band_mean_square(regression: Regression) -> NDArray[np.float64]:
    """Mean square of every band of the LR-HSI, (C,), from the regression's moments."""
    mean = regression.weights @ regression.msi_mean + regression.intercept
    return np.asarray(np.square(mean) + regression.hsi_variance)


def analysis_matrix(regression: Regression, basis: ResidualBasis) -> Floats:
    """(K, C): residual spectrum in pixel units -> normalised components."""
    scale = basis.band_scale[:, None] * basis.component_std * max(regression.residual_rms, RMS_FLOOR)
    return np.ascontiguousarray((basis.directions / scale).T, dtype=np.float32)


def synthesis_matrix(regression: Regression, basis: ResidualBasis) -> Floats:
    """(C, K): normalised components -> residual spectrum in pixel units."""
    scale = basis.band_scale[:, None] * basis.component_std * regression.residual_rms
    return np.ascontiguousarray(basis.directions * scale, dtype=np.float32)
