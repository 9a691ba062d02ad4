"""Grow a tile to the size its network accepts, trim the answer."""

import numpy as np

from models.interface import SizeRule
from pifnet_cli.scene import Pixels


def grown_to_rule(image: Pixels, rule: SizeRule) -> Pixels:
    """(B, H, W) -> (B, H', W'), mirrored down and to the right without repeating the border pixel."""
    height, width = image.shape[1:]
    rows, columns = rule.grown(height) - height, rule.grown(width) - width
    if not rows and not columns:
        return image
    # A mirror image without its border pixel has H - 1 new ones at most.
    margins = ((0, 0), (0, rows), (0, columns))
    if rows < height and columns < width:
        return np.pad(image, margins, mode="reflect")
    return np.pad(image, margins, mode="symmetric")
