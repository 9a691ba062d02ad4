"""Where to look in a scene: points, the window with the most texture, and pixels whose spectra tell it apart."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.errors import SettingsError
from pifnet_cli.reports.pictures import Mosaic
from pifnet_cli.scene import Grid, Pixels, Window

BRIGHT_ENOUGH = 0.2  # share of the darkest spectra, whose shape is noise
EXTREME = 0.01  # share of spectra that lie beyond the "brightest" and the "darkest": single pixels are glints and dirt


@dataclass(frozen=True, slots=True)
class Point:
    """A pixel that the page looks at.

    Attributes:
        label: Its letter.
        row: Row in the fused scene, counted from 0.
        column: Column in the fused scene, counted from 0.
        reason: Why it was chosen.
        place: Its map coordinates in words.
    """

    label: str
    row: int
    column: int
    reason: str
    place: str


class Chosen(NamedTuple):
    """A spectrum by its number, from 0, and why it was chosen."""

    number: int
    reason: str


def named_points(places: Sequence[tuple[int, int, str]], grid: Grid) -> list[Point]:
    """Give letters and map coordinates to pixels of `grid`: (row, column, reason) each."""
    points = []
    for number, (row, column, reason) in enumerate(places):
        x, y = grid.transform @ (column + 0.5, row + 0.5)
        points.append(Point(chr(ord("A") + number), row, column, reason, f"{x:.10g}, {y:.10g}"))
    return points


def require_inside(points: Sequence[tuple[int, int]], *, height: int, width: int) -> None:
    """Refuse points outside of a scene of height x width.

    Raises:
        SettingsError: A point lies outside.
    """
    for row, column in points:
        if not (0 <= row < height and 0 <= column < width):
            raise SettingsError(
                f"--point {row},{column}: the scene has rows 0 to {height - 1} and columns 0 to {width - 1}"
            )


def texture(image: Pixels) -> Pixels:
    """(M, h, w) -> (1, h, w): the larger difference of the band mean from the pixel above or on the left."""
    grey = image.mean(axis=0)
    down = np.abs(np.diff(grey, axis=0, prepend=grey[:1]))
    right = np.abs(np.diff(grey, axis=1, prepend=grey[:, :1]))
    return np.asarray(np.maximum(down, right)[None], dtype=np.float32)


def busiest_window(mosaic: Mosaic, *, height: int, width: int, side: int) -> Window:
    """The window of a scene with the largest sum of `texture`.

    Args:
        mosaic: The scene's `texture`; single strong steps count for no more than its 98 % point.
        height: Rows of the scene.
        width: Columns of the scene.
        side: Side of the window in pixels; the window is smaller where the scene is.
    """
    (image,) = mosaic.image()
    valid = image[np.isfinite(image)]
    steps = np.minimum(np.nan_to_num(image), np.percentile(valid, 98) if valid.size else 0.0)
    cells = [min(max(side // mosaic.factor, 1), count) for count in steps.shape]
    sums = np.pad(steps.astype(np.float64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    high, wide = cells
    totals = sums[high:, wide:] - sums[:-high, wide:] - sums[high:, :-wide] + sums[:-high, :-wide]
    row, column = np.unravel_index(int(np.argmax(totals)), totals.shape)
    size = min(side, height), min(side, width)
    return Window(
        min(int(row) * mosaic.factor, height - size[0]), min(int(column) * mosaic.factor, width - size[1]), *size
    )


def distinct_spectra(spectra: NDArray[np.floating], *, count: int = 6) -> list[Chosen]:
    """Choose spectra that tell a scene apart: a typical, a bright and a dark one, then the most different shapes.

    Args:
        spectra: (N, C), NaN where invalid; bands that few spectra have do not count.
        count: How many at most.
    """
    is_valid = np.isfinite(spectra)
    counts = is_valid.sum(axis=0)
    bands = counts > 0.5 * counts.max(initial=0)
    usable = np.flatnonzero(is_valid[:, bands].all(axis=1))
    if not bands.any() or not usable.size:
        return []
    kept = spectra[np.ix_(usable, bands)].astype(np.float64)
    brightness = kept.mean(axis=1)
    order = np.argsort(brightness, kind="stable")
    shapes = kept / np.maximum(np.linalg.norm(kept, axis=1, keepdims=True), 1e-30)
    beyond = int(EXTREME * len(order))
    middle = order[len(order) // 4 : len(order) - len(order) // 4]
    typical = middle[int(np.argmax(shapes[middle] @ kept.mean(axis=0)))]
    chosen = {int(typical): "typical"}
    chosen.setdefault(int(order[len(order) - 1 - beyond]), "among the brightest")
    chosen.setdefault(int(order[beyond]), "among the darkest")
    candidates = order[int(BRIGHT_ENOUGH * len(order)) :]
    while len(chosen) < min(count, len(order)):
        likeness = (shapes[candidates] @ shapes[list(chosen)].T).max(axis=1)
        other = int(candidates[int(np.argmin(likeness))])
        if other in chosen:
            break
        chosen[other] = "unlike the others in shape"
    return [Chosen(int(usable[index]), reason) for index, reason in list(chosen.items())[:count]]
