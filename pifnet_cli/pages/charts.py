"""Charts of curves as SVG, in the colours and the font of the page around them."""

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from numpy.typing import NDArray

Floats = NDArray[np.float64]

INK = "#010203"  # replaced by the page's colour of text; used for nothing else
COLOURS = ("#3d7fc1", "#d9822b", "#2f9e6e", "#a066c8", "#d1495b", "#8a9099", "#b59a1d", "#4bb3b8")  # on light and dark
STYLE: Any = {  # matplotlib types its keys from one version to the next
    "svg.fonttype": "none",  # words stay words: small, found by a search, in the reader's font
    "svg.hashsalt": "pifnet",  # the same chart has the same bytes
    "text.parse_math": False,  # a name may hold dollar signs
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "font.size": 9.0,
    "legend.frameon": False,
    "axes.formatter.useoffset": False,
}
WIDEST_GAP = 5.0  # times the usual distance between bands; no line is drawn where bands lie further apart


class Stroke(StrEnum):
    """How a curve is drawn."""

    LINE = "-"
    DASHES = "--"
    POINTS = "o"


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Values over positions, with gaps where either is NaN.

    Attributes:
        label: Name in the legend; not in the legend where empty.
        x: (n,) positions, in any order.
        y: (n,) values.
        stroke: How the curve is drawn.
        spread: (n,), half the height of a band that is drawn around the curve.
    """

    label: str
    x: Floats
    y: Floats
    stroke: Stroke = Stroke.LINE
    spread: Floats | None = None


@dataclass(frozen=True, slots=True)
class Region:
    """A grey range of positions with a label; a vertical line where it has no width."""

    label: str
    low: float
    high: float


def curve_chart(
    curves: Sequence[Curve],
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    regions: Sequence[Region] = (),
    from_zero: bool = False,
    size: tuple[float, float] = (4.6, 2.7),
) -> str:
    """Draw curves in one frame as an `<svg>` element.

    Args:
        curves: The curves, in the order of their colours.
        x_label: Label of the axis of positions, with the unit.
        y_label: Label of the axis of values, with the unit.
        title: Title above the frame.
        regions: Ranges of positions, drawn behind the curves.
        from_zero: Whether the axis of values begins at zero.
        size: Width and height, inches of 72 units.
    """
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        for region in regions:
            _draw_region(axes, region)
        for curve, colour in zip(curves, _colours(len(curves)), strict=True):
            _draw(axes, curve, colour)
        axes.set_xlabel(x_label)
        axes.set_ylabel(y_label)
        if title:
            axes.set_title(title, loc="left", fontsize=9.5, fontweight="bold")
        axes.grid(visible=True, color=INK, alpha=0.1, linewidth=0.5)
        if from_zero:
            axes.set_ylim(bottom=0)
        if any(curve.label for curve in curves):
            _draw_legend(axes, columns=0 if title else min(len(curves), 6))
        return _svg(figure)


def with_gaps(x: Floats, y: Floats, *, widest: float = WIDEST_GAP) -> tuple[Floats, Floats]:
    """Sort positions and values, and put a NaN between neighbours more than `widest` usual distances apart."""
    order = np.argsort(x, kind="stable")
    x, y = x[order], y[order]
    steps = np.diff(x)
    usual = float(np.median(steps[steps > 0])) if (steps > 0).any() else np.inf
    wide = np.flatnonzero(steps > widest * usual)
    return np.insert(x, wide + 1, (x[wide] + x[wide + 1]) / 2), np.insert(y, wide + 1, np.nan)


def _draw_legend(axes: Axes, *, columns: int) -> None:
    """Put the legend into columns above the frame, or inside it where there are no columns."""
    if columns:
        axes.legend(
            fontsize=8, handlelength=1.6, loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0.2
        )
    else:
        axes.legend(fontsize=8, handlelength=1.6)


def _draw(axes: Axes, curve: Curve, colour: str) -> None:
    label = curve.label or "_nolegend_"
    if curve.stroke is Stroke.POINTS:
        axes.plot(curve.x, curve.y, curve.stroke.value, color=colour, markersize=4, markerfacecolor="none", label=label)
        return
    x, y = with_gaps(curve.x, curve.y)
    if curve.spread is not None:
        _, spread = with_gaps(curve.x, curve.spread)
        axes.fill_between(x, y - spread, y + spread, color=colour, alpha=0.25, linewidth=0)
    axes.plot(x, y, curve.stroke.value, color=colour, linewidth=1.2, label=label)
    lone = _lone(y)
    if lone.any():  # a line needs two points
        axes.plot(x[lone], y[lone], ".", color=colour, markersize=3)


def _draw_region(axes: Axes, region: Region) -> None:
    if region.low == region.high:
        axes.axvline(region.low, color=INK, alpha=0.45, linewidth=0.8, linestyle=":")
    else:
        axes.axvspan(region.low, region.high, color=INK, alpha=0.06, linewidth=0)
    axes.annotate(
        region.label,
        ((region.low + region.high) / 2, 0.02),
        xycoords=("data", "axes fraction"),
        xytext=(3 if region.low == region.high else 0, 0),
        textcoords="offset points",
        ha="left" if region.low == region.high else "center",
        va="bottom",
        fontsize=8,
        alpha=0.7,
    )


def _lone(y: Floats) -> NDArray[np.bool_]:
    """(n,), true for valid values without a valid neighbour."""
    is_valid = np.isfinite(y)
    beside = np.zeros_like(is_valid)
    beside[1:] |= is_valid[:-1]
    beside[:-1] |= is_valid[1:]
    return is_valid & ~beside


def _colours(count: int) -> list[str]:
    return [COLOURS[index % len(COLOURS)] for index in range(count)]


def _svg(figure: Figure) -> str:
    """The `<svg>` element alone: no prolog, no metadata, no style that would apply to the whole page."""
    text = io.StringIO()
    metadata = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    figure.savefig(text, format="svg", transparent=True, metadata=metadata)
    svg = text.getvalue()
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<style.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"', "", svg, count=2)
    svg = re.sub(r'\bd="[^"]*"', _rounded_path, svg)
    svg = svg.replace(INK, "currentColor").replace("<svg ", '<svg class="chart" ', 1)
    return re.sub(r"\n\s*", "\n", svg)


def _rounded_path(path: re.Match[str]) -> str:
    """Cut coordinates to hundredths of a point."""
    return re.sub(r"(\d+\.\d{2})\d+", r"\1", path[0])
