"""How the MSI bands follow from the hyperspectral ones, from the moments of a pair at LR."""

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from pifnet_models.classical.moments import SceneMoments

RELATIVE_CUTOFF = 1e-9  # eigenvalues of the hyperspectral covariance below this share of the largest are ignored
ITERATIONS = 30  # per band, at most; the usual three do not always do where bands tell nearly the same


def response_weights(moments: SceneMoments) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Non-negative least squares of down(Y) on X with an offset: Y_m = weights[m] X + offsets[m].

    Args:
        moments: All bands live.

    Returns:
        (M, C) and (M,). Many bands share what they tell: sums over the weights mean something, single ones little.
    """
    values, vectors = np.linalg.eigh(moments.hsi_covariance)
    kept = values > RELATIVE_CUTOFF * max(float(values[-1]), 0.0)
    # |A w - b|^2 is the residual's variance, up to a constant, with A'A the covariance and A'b that with the MSI band.
    roots = np.sqrt(values[kept])[:, None]
    design = roots * vectors[:, kept].T
    targets = (vectors[:, kept].T @ moments.cross_covariance) / roots
    if not kept.any():
        weights = np.zeros((len(moments.msi_mean), len(moments.hsi_mean)))
    else:
        weights = np.stack([nnls(design, target, maxiter=ITERATIONS * len(values))[0] for target in targets.T])
    return weights, moments.msi_mean - weights @ moments.hsi_mean
