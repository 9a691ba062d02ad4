"""Sections of a page from arrays: pictures, maps, spectra, quantities over the bands, tables."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.pages.charts import Curve, curve_chart
from pifnet_cli.pages.highlights import Point
from pifnet_cli.pages.page import Chart, Comparison, Image, Mark, Part, Scale, Section, Table
from pifnet_cli.reports.pictures import STRETCH_PERCENT, Picture, colour_map, png_bytes, pseudo_colour, stretch_limits
from pifnet_cli.scene import Bands, Pixels, Window

DETAIL_SIDE = 320  # pixels of the crop at full resolution
LEAST_DETAIL = 32  # pixels, of small scenes

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class DrawnView:
    """One scene in three bands, as arrays.

    Attributes:
        name: Name of the scene.
        bands: The three bands in words.
        overview: (3, h, w), the whole scene, averaged down.
        detail: (3, h, w), a crop at full resolution.
        like: (3, h, w), the overview whose colours are stretched alike.
    """

    name: str
    bands: str
    overview: Pixels
    detail: Pixels
    like: Pixels


@dataclass(frozen=True, slots=True, eq=False)
class BandFact:
    """Curves of one quantity over the bands: (C,) each with its label, NaN where unknown."""

    quantity: str
    curves: tuple[tuple[str, NDArray[np.floating]], ...]
    from_zero: bool = True


def overview_section(
    title: str, views: Sequence[DrawnView], *, points: Sequence[Point], scene: tuple[int, int]
) -> Section:
    """Show the first and the last view behind a slider, and the others beside them.

    Args:
        title: Title of the section.
        views: Two or more, of one size.
        points: Points to mark in the pictures.
        scene: Height and width of the scene, pixels.
    """
    height, width = scene
    marks = tuple(Mark(point.label, (point.row + 0.5) / height, (point.column + 0.5) / width) for point in points)
    images = [_image(view, view.overview, marks, where="whole scene") for view in views]
    factor = math.ceil(max(height, width) / max(views[0].overview.shape[1:]))
    reduced = f" One pixel here is the mean of {factor} x {factor}." if factor > 1 else ""
    return Section(
        title=title,
        text=f"Pseudo-colour of the whole scene, {width} x {height} pixels.{reduced} {_stretches(views)}",
        parts=(Comparison(images[0], images[-1]), *images[1:-1]),
        figure_width=380,
    )


def detail_section(views: Sequence[DrawnView], *, window: Window, points: Sequence[Point]) -> Section:
    """Show the details of all views side by side; `window` is the part of the scene that they are of."""
    marks = tuple(
        Mark(point.label, (point.row + 0.5 - window.row) / window.height, share)
        for point in points
        if window.row <= point.row < window.bottom
        and 0 <= (share := (point.column + 0.5 - window.column) / window.width) < 1
    )
    zoom = max(DETAIL_SIDE // max(window.height, window.width), 1)
    shown = "one screen pixel each" if zoom == 1 else f"{zoom} x {zoom} screen pixels each"
    return Section(
        title="At full resolution",
        text=f"Where the scene has the most texture: rows {window.row} to {window.bottom - 1}, columns "
        f"{window.column} to {window.right - 1}, counted from 0; {shown}.",
        parts=tuple(_image(view, view.detail, marks, where="detail", zoom=zoom) for view in views),
        figure_width=256,
    )


def detail_side(height: int, width: int) -> int:
    """Side of the crop at full resolution, which is a part of the scene whatever the scene's size."""
    return min(max(min(height, width) // 2, LEAST_DETAIL), DETAIL_SIDE)


def map_image(values: Pixels, *, name: str, unit: str = "", top: float | None = None) -> Image:
    """Paint a map of (h, w) from 0 to its 98 % point, or to `top`; invalid pixels are transparent."""
    highest = stretch_limits(values)[1] if top is None else top
    png = _png(colour_map(values, top=highest), name)
    return Image(
        png=png,
        alt=f"map: {name}",
        caption=f"{name}; all above the {STRETCH_PERCENT[1]:.0f} % point is as bright" if top is None else name,
        size=(values.shape[0], values.shape[1]),
        scale=Scale("0", f"{highest:.4g}", unit),
    )


def map_section(
    title: str, maps: Sequence[Image], *, text: str = "", charts: Sequence[Chart] = (), tables: Sequence[Table] = ()
) -> Section:
    """Show maps from `map_image`, then charts and tables."""
    parts: tuple[Part, ...] = (*maps, *charts, *tables)
    return Section(title=title, text=text, parts=parts, figure_width=300)


def spectra_section(
    points: Sequence[Point], curves: Sequence[Sequence[Curve]], *, x_label: str, text: str = ""
) -> Section:
    """Show a chart for each point, and a table of where the points are."""
    charts = [
        Chart(
            curve_chart(
                of_point,
                x_label=x_label,
                y_label="pixel value",
                title=f"{point.label}  {point.reason}",
                size=(4.4, 2.6),
            ),
            alt=f"spectra at point {point.label}, row {point.row}, column {point.column}: "
            + ", ".join(curve.label for curve in of_point),
        )
        for point, of_point in zip(points, curves, strict=True)
    ]
    rows = tuple((point.label, str(point.row), str(point.column), point.place, point.reason) for point in points)
    table = Table(rows, header=("point", "row", "column", "on the map", "chosen because"))
    return Section(title="Spectra", text=text, parts=(*charts, table), figure_width=300)


def bands_section(
    positions: Floats, x_label: str, facts: Sequence[BandFact], *, title: str = "Band by band", text: str = ""
) -> Section:
    """Show a chart for each quantity over the bands.

    Args:
        positions: (C,) wavelengths or band numbers, as from `band_positions`.
        x_label: Label of that axis.
        facts: The quantities, one chart each.
        title: Title of the section.
        text: Text below the title.
    """
    charts = tuple(band_chart(positions, x_label, fact) for fact in facts)
    return Section(title=title, text=text, parts=charts, figure_width=300)


def band_chart(positions: Floats, x_label: str, fact: BandFact) -> Chart:
    """Draw one quantity over the bands."""
    has_legend = len(fact.curves) > 1
    curves = [
        Curve(label if has_legend else "", positions, np.asarray(values, dtype=np.float64))
        for label, values in fact.curves
    ]
    svg = curve_chart(curves, x_label=x_label, y_label=fact.quantity, from_zero=fact.from_zero)
    return Chart(svg, alt=f"{fact.quantity} over {x_label}")


def band_positions(bands: Bands) -> tuple[Floats, str]:
    """(C,) wavelengths in nanometres, or band numbers where no wavelengths are known; and the label of that axis."""
    wavelengths = bands.wavelengths_nm
    if wavelengths is None:
        return np.arange(1.0, bands.count + 1), "band"
    return wavelengths, "wavelength, nm"


def bands_table(bands: Bands, columns: Sequence[tuple[str, NDArray[np.floating]]] = ()) -> Table:
    """List every band in a table that is folded away.

    Args:
        bands: The bands of a scene.
        columns: Further columns with their headers, (C,) each; NaN stands for none.
    """
    listed: list[tuple[str, Sequence[str]]] = [("band", [str(number + 1) for number in range(bands.count)])]
    if bands.names is not None:
        listed.append(("name", bands.names))
    for name, values in (("wavelength, nm", bands.wavelengths_nm), ("FWHM, nm", bands.fwhm_nm), *columns):
        if values is not None:
            listed.append((name, [f"{value:.6g}" if np.isfinite(value) else "-" for value in values.tolist()]))
    if bands.good is not None:
        listed.append(("usable", ["yes" if good else "no" for good in bands.good]))
    header, cells = zip(*listed, strict=True)
    return Table(tuple(zip(*cells, strict=True)), header=header, caption=f"All {bands.count} bands", is_folded=True)


def _image(view: DrawnView, image: Pixels, marks: tuple[Mark, ...], *, where: str, zoom: int = 0) -> Image:
    name = f"{view.name}, {where}"
    return Image(
        png=_png(pseudo_colour(image, like=view.like), name),
        alt=f"pseudo-colour picture: {name}",
        caption=f"{view.name}: {view.bands}",
        size=(image.shape[1] * max(zoom, 1), image.shape[2] * max(zoom, 1)),
        marks=marks,
        is_exact=zoom > 0,
    )


def _png(picture: Picture, name: str) -> bytes:
    """Encode a picture, without its opacity where all of it is opaque."""
    is_opaque = bool((picture[3] == 255).all())
    return png_bytes(picture[:3] if is_opaque else picture, description=name)


def _stretches(views: Sequence[DrawnView]) -> str:
    """Say between which numbers the colours of each view run."""
    alike = [view.name for view in views if view.like is views[-1].like]
    apart = [view.name for view in views if view.like is not views[-1].like]
    words = f"Colours of {' and '.join(alike)} run between the 2 % and 98 % points of {views[-1].name}"
    return words + (f", those of {' and '.join(apart)} between its own." if apart else ".")
