"""Losses. Every mean is over valid elements; invalid ones are masked, never NaN."""

import torch.nn.functional as F
from torch import Tensor

NORM_FLOOR = 1e-3  # the cosine's gradient grows as 1 / norm: spectra near zero must not dominate


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Mean of `values` (B, C, H, W) where `mask`, of the same shape, is true; 0 where it never is."""
    return (values * mask).sum() / mask.sum().clamp(min=1)


def absolute_error(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute error, L1."""
    return masked_mean((predicted - target).abs(), mask)


def weighted_squared_error(predicted: Tensor, target: Tensor, mask: Tensor, *, weights: Tensor) -> Tensor:
    """Squared error summed over channels with `weights` (C,), mean over valid pixels.

    With each component's share of energy as weights this is the error of the image, in units of the residual.
    """
    squares = (predicted - target).square() * weights[:, None, None]
    return masked_mean(squares, mask) * predicted.shape[1]


def inverse_penalty(log_det: Tensor) -> Tensor:
    """L_inv: mean square of the couplings' log-determinant per element.

    The paper minimises the determinant's logarithm itself, which runs to minus infinity and breaks the inverse; its
    square keeps the couplings volume-preserving (docs/design.md 7.2).
    """
    return log_det.square().mean()


def spectral_dissimilarity(first: Tensor, second: Tensor, mask: Tensor) -> Tensor:
    """1 - cosine of the angle between the spectra of two images (B, C, H, W), mean over pixels valid in every band."""
    cosine = F.cosine_similarity(first.float(), second.float(), dim=1, eps=NORM_FLOOR)
    return masked_mean(1 - cosine, mask.all(dim=1))
