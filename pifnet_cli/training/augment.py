"""Augmentation: flips and quarter turns of images, and mixtures of a residual's components."""

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pifnet_cli.pair.tile import PairGeometry
from pifnet_cli.scene import Pixels, Positions, Window

SYMMETRIES = 8  # of a square: four quarter turns, each with or without a flip
PHASE_TOLERANCE = 1e-6  # LR pixels


def turned(image: Pixels, symmetry: int) -> Pixels:
    """(C, H, W) -> the image after `symmetry` % 4 quarter turns, and a flip of rows where it is 4 or more."""
    result = np.rot90(image, symmetry % 4, axes=(1, 2))
    if symmetry >= 4:
        result = result[:, ::-1]
    return np.ascontiguousarray(result)


def turned_window(window: Window, height: int, width: int, *, symmetry: int) -> Window:
    """The window of the turned image that holds the pixels of a window of an image of `height` x `width`."""
    for _ in range(symmetry % 4):
        window = Window(width - window.right, window.row, window.width, window.height)
        height, width = width, height
    if symmetry >= 4:
        window = Window(height - window.bottom, window.column, window.height, window.width)
    return window


def may_be_transposed(geometry: PairGeometry) -> bool:
    """Whether a tile's rows and columns lie alike in the LR pixels, so that transposing keeps the sampling phase."""
    at: Positions = geometry.tile_in_lr
    if not at.is_separable or len(at.rows) != len(at.columns):
        return False
    difference = at.rows - at.columns
    return bool(np.abs(difference - np.rint(difference[0])).max() < PHASE_TOLERANCE)


def mixed_components(
    hsi: NDArray[np.float32], target: NDArray[np.float32], rng: Generator, *, rotation: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Give a residual's components random signs and rotate them slightly: another residual that could have been.

    Args:
        hsi: (G K, H, W), G descriptions of the residual by K components each.
        target: (K, H, W).
        rng: Draws signs and rotation.
        rotation: How much components mix, radians.

    Image formation is linear, so what holds for a residual holds for its negative and for mixtures of components. A
    network that sees them learns how a residual follows the HR-MSI, not which sign it had in a few training scenes.
    """
    count = len(target)
    generator = rng.standard_normal((count, count)) * rotation / np.sqrt(count)
    mixing = np.linalg.qr(np.eye(count) + generator - generator.T)[0]
    mixing = (mixing * rng.choice([-1.0, 1.0], size=count)).astype(np.float32)
    groups = [_mix(mixing, hsi[first : first + count]) for first in range(0, len(hsi), count)]
    return np.concatenate(groups), _mix(mixing, target)


def _mix(mixing: NDArray[np.float32], image: NDArray[np.float32]) -> NDArray[np.float32]:
    mixed: NDArray[np.float32] = mixing @ image.reshape(len(image), -1)
    return mixed.reshape(image.shape)
