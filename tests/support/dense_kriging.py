"""Guided kriging written out in float64 with every matrix whole, and pairs small enough for it."""

import dataclasses

import numpy as np

from pifnet_cli.degrade.psf import axis_sampling_matrix
from pifnet_models.kriging.regression import RegressionSums
from pifnet_models.sampling import SamplingOperator

C, M, H, W = 7, 3, 24, 40
TERMS = ((0.3, 6, 0.0175), (1, 200, 0.35), (1, 60, 0.7), (0.5, 16, 0.245))
LINEAR = ((0.08, 120), (0.08, 20))


@dataclasses.dataclass
class Pair:
    """A simulated pair; the operator is the true one."""

    reference: np.ndarray
    lr_hsi: np.ndarray
    hr_msi: np.ndarray
    operator: SamplingOperator

    @property
    def regression(self):
        sums = RegressionSums(hsi_bands=len(self.lr_hsi), msi_bands=len(self.hr_msi))
        low = self.operator.down(self.hr_msi)
        sums.add(self.lr_hsi.reshape(len(self.lr_hsi), -1), low.reshape(len(low), -1))
        return sums.solve()

    @property
    def whole(self):
        return tuple(slice(0, side) for side in self.hr_msi.shape[1:])

    def fuse(self, kriging):
        return kriging.fuse_block(self.lr_hsi, self.hr_msi, self.operator, core=self.whole)


def axis(pixels, ratio, *, sigma, phase=None):
    """(samples, pixels): a Gaussian, its samples in the middle of their blocks unless `phase` says where."""
    centres = ratio * np.arange(int(pixels // ratio)) + ((ratio - 1) / 2 if phase is None else phase)
    return axis_sampling_matrix(pixels, centres, sigma=sigma, radius=int(np.ceil(4 * sigma)) + 1)


def simulated(*, bands=C, msi=M, size=(H, W), ratio=4.0, noise=0.0, phase=None, sigma=None):
    """Mixtures of materials in patches with soft borders, and texture that bands share unevenly."""
    rng = np.random.default_rng(5)
    rows, columns = np.meshgrid(*(np.arange(side) for side in size), indexing="ij")
    waves = [np.sin(rng.uniform(0.1, 0.9, 2) @ np.stack([rows.ravel(), columns.ravel()]) + i) for i in range(6)]
    shares = np.exp(2 * np.stack(waves) + 0.3 * rng.normal(size=(6, rows.size)))
    at = np.linspace(0, 1, bands)
    spectra = np.stack([np.exp(-(((at - centre) / 0.2) ** 2)) for centre in np.linspace(0, 1, 6)])
    reference = (0.1 + spectra.T @ (shares / shares.sum(axis=0)) * 0.5).reshape(bands, *size)
    reference += 0.002 * rng.normal(size=reference.shape)
    sigma = 0.5 * ratio if sigma is None else sigma
    matrices = [axis(side, ratio, sigma=sigma, phase=phase) for side in size]
    ups = [np.zeros(matrix.T.shape, np.float32) for matrix in matrices]
    operator = SamplingOperator(*matrices, *ups)
    lr_hsi = np.einsum("ia,cab,jb->cij", matrices[0].toarray(), reference, matrices[1].toarray())
    hr_msi = np.stack([part.mean(axis=0) for part in np.array_split(reference, msi)])
    lr_hsi = lr_hsi + noise * rng.normal(size=lr_hsi.shape)
    return Pair(reference, lr_hsi.astype(np.float32), hr_msi.astype(np.float32), operator)


def dense(pair, regression, *, ratio=4.0, adapts=False, given_noise=None):
    """(C, H, W): docs/design.md 4.2 to 4.5 written out, matrices whole. NaN leaves LR pixels and fine pixels out."""
    height, width = pair.hr_msi.shape[1:]
    msi, hsi = (image.reshape(len(image), -1).astype(float) for image in (pair.hr_msi, pair.lr_hsi))
    valid = np.isfinite(msi).all(axis=0)
    sampling = np.kron(pair.operator.rows.toarray(), pair.operator.columns.toarray()) * valid
    share = sampling.sum(axis=1)
    used = np.isfinite(hsi).all(axis=0) & (share >= 0.95)
    sampling = sampling[used] / share[used, None]
    msi = np.where(valid, msi, 0)
    predicted = regression.weights @ msi + regression.intercept[:, None]
    residual = hsi[:, used] - predicted @ sampling.T  # weights of each sample sum to one
    features = dense_features(regression, msi, valid, height, width)
    covariance = dense_covariance(features, height, width, max(ratio / 4, 1))
    noise = neighbour_noise(regression) if given_noise is None else given_noise
    scale, floor = (np.maximum(noise, 0.2 * np.median(noise)), 1) if noise.any() else (None, 0)
    scale = np.full(len(hsi), regression.residual_rms) if scale is None else scale
    values, vectors = np.linalg.eigh(regression.residual_covariance / np.outer(scale, scale))
    values, vectors = values[values > 1e-9], vectors[:, values > 1e-9]  # the rest says nothing
    variance, directions = values[::-1][:24], vectors[:, ::-1][:, :24]
    relative = floor / np.maximum(variance - floor, 0.02 * variance) + 0.1 * np.exp(-5) + 1e-5
    between = sampling @ covariance @ sampling.T
    level = np.trace(between) / len(between)
    detail = np.zeros_like(predicted)
    for direction, share_of_noise in zip(directions.T, relative, strict=True):
        score = direction @ (residual / scale[:, None])
        damping = likely_damping(between, level, score, share_of_noise) if adapts else share_of_noise
        damping = min(damping, share_of_noise) if regression.pixels >= len(hsi) else damping
        weights = np.linalg.solve(between + damping * level * np.eye(len(between)), score)
        detail += np.outer(direction * scale, covariance @ sampling.T @ weights)
    return np.where(valid, predicted + detail, np.nan).reshape(-1, height, width)


def dense_features(regression, msi, valid, height, width):
    """(2 M, H W), the blurred ones weighed."""
    values, vectors = np.linalg.eigh(regression.msi_covariance * regression.pixels / (regression.pixels - 1))
    whitening = vectors / np.sqrt(np.maximum(values, 1e-3 * values.max())) @ vectors.T
    sharp = np.where(valid, whitening @ (msi - regression.msi_mean[:, None]), 0).reshape(-1, height, width)
    mask = valid.reshape(height, width).astype(float)

    def blur(image):
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1)), mode="reflect")
        kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16
        return sum(kernel[i, j] * padded[:, i : i + height, j : j + width] for i in range(3) for j in range(3))

    blurred = blur(sharp) / np.maximum(blur(mask[None]), 0.25) * mask
    return np.concatenate([sharp, np.sqrt(0.3) * blurred]).reshape(-1, height * width)


def dense_covariance(features, height, width, scale):
    place = np.stack(np.meshgrid(np.arange(height), np.arange(width), indexing="ij"), -1).reshape(-1, 2)
    distance = np.sqrt(((place[:, None] - place) ** 2).sum(-1) + 1e-3) / scale
    guide = ((features[:, :, None] - features[:, None]) ** 2).sum(axis=0)
    total = sum(a * np.exp(-distance / reach) / (1 + w * w * guide / 2) for a, reach, w in TERMS)
    sharp = features[: len(features) // 2]
    return total + sum(b * np.exp(-distance / reach) for b, reach in LINEAR) * (sharp.T @ sharp) / len(sharp)


def neighbour_noise(regression):
    """By precision matrices: the variance of a band that its neighbours leave is the inverse's diagonal, inverted."""
    weights = regression.weights
    both = weights @ regression.msi_covariance @ regression.least_squares.T
    covariance = regression.residual_covariance + both + both.T - weights @ regression.msi_covariance @ weights.T
    noise = np.zeros(len(covariance))
    for band in range(len(noise)):
        group = np.arange(max(band - 5, 0), min(band + 6, len(noise)))
        precision = np.linalg.inv(covariance[np.ix_(group, group)])[band - group[0], band - group[0]]
        noise[band] = np.sqrt(regression.pixels / (regression.pixels - len(group)) / precision)
    return noise


def likely_damping(between, level, score, prior):
    """Mean of log damping over its posterior, the likelihood maximised over the signal's variance."""
    candidates = np.geomspace(7e-4, 30, 24)
    logs = []
    for candidate in candidates:
        covariance = between + candidate * level * np.eye(len(between))
        signal = score @ np.linalg.solve(covariance, score) / len(score)
        logs.append(-0.5 * np.linalg.slogdet(signal * covariance)[1] - 0.5 * np.log(candidate / prior) ** 2)
    chance = np.exp(np.array(logs) - max(logs))
    return np.exp(chance @ np.log(candidates) / chance.sum())


def tiled(pair, kriging, *, core, halo, ratio):
    """The pair fused core by core, each with `halo` LR pixels around it."""
    fused = np.empty((len(pair.lr_hsi), *pair.hr_msi.shape[1:]), np.float32)
    reach = int(np.ceil(2 * ratio)) + 2
    for row in range(0, fused.shape[1], core):
        for column in range(0, fused.shape[2], core):
            (lr_rows, rows), (lr_columns, columns) = (
                around(start, core, pixels, halo=halo, ratio=ratio, reach=reach)
                for start, pixels in zip((row, column), fused.shape[1:], strict=True)
            )
            part = SamplingOperator(
                pair.operator.rows[lr_rows][:, rows],
                pair.operator.columns[lr_columns][:, columns],
                pair.operator.up_rows[rows, lr_rows],
                pair.operator.up_columns[columns, lr_columns],
            )
            here = slice(row, row + core), slice(column, column + core)
            local = tuple(
                slice(whole.start - hr.start, min(whole.stop, hr.stop) - hr.start)
                for whole, hr in zip(here, (rows, columns), strict=True)
            )
            lr_hsi, hr_msi = pair.lr_hsi[:, lr_rows, lr_columns], pair.hr_msi[:, rows, columns]
            fused[:, *here] = kriging.fuse_block(lr_hsi, hr_msi, part, core=local)
    return fused


def around(start, core, pixels, *, halo, ratio, reach):
    """LR pixels and HR pixels, as slices, that a core's side depends on."""
    first, last = max(int(start / ratio) - halo, 0), int((start + core) / ratio) + halo
    last = min(last, int(pixels / ratio))
    return slice(first, last), slice(max(int(first * ratio) - reach, 0), min(int(last * ratio) + reach, pixels))
