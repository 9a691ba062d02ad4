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
    # A mirror image has no more than H - 1 new pixels; "symmetric" repeats and so serves any size.
    mode = "reflect" if rows < height and columns < width else "symmetric"
    return np.pad(image, ((0, 0), (0, rows), (0, columns)), mode=mode)
