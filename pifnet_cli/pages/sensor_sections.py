"""Sections about sensors: blur and misregistration, spectral response, facts per band."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.degrade.psf import Psf, gaussian_mtf, mtf_from_sigma
from pifnet_cli.pages.charts import Curve, Region, Stroke, curve_chart
from pifnet_cli.pages.page import Chart, Section, Table

FWHM = 2 * float(np.sqrt(2 * np.log(2)))  # of a Gaussian, in standard deviations
HALF = 5.8, 3.1  # inches of a chart that takes half of the page
STROKES = Stroke.LINE, Stroke.DASHES
DIRECTIONS = ("down the rows", "along the columns")
PSF_SOURCES = {
    "given": "The blur of the hyperspectral sensor was given by the options.",
    "found": "The blur of the hyperspectral sensor was found from the pair itself.",
    "trained": "The blur of the hyperspectral sensor is the one that the checkpoint was trained with.",
    "assumed": "The blur of the hyperspectral sensor is not known: the usual one is assumed.",
}

Floats = NDArray[np.float64]
Both = tuple[float, float]  # down and right


@dataclass(frozen=True, slots=True)
class SensorFacts:
    """How the LR-HSI samples the ground; pairs are down and right.

    Attributes:
        psf: The blur that the fusion used, HR pixels.
        sigma_error: Its standard error, HR pixels; none where it was told or assumed.
        ratio: Sides of an LR pixel, HR pixels.
        source: Where the blur comes from, in words.
        shift_lr: Misregistration as found, LR pixels; none where nobody looked for it.
        shift_error_lr: Its standard error.
        shift_used_lr: What was corrected.
        further: Other facts and their names.
    """

    psf: Psf
    ratio: Both
    source: str
    sigma_error: Both | None = None
    shift_lr: Both | None = None
    shift_error_lr: Both | None = None
    shift_used_lr: Both = (0.0, 0.0)
    further: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class BandFact:
    """Curves of one quantity over the bands, (C,) each with its label; NaN where unknown."""

    quantity: str
    curves: tuple[tuple[str, NDArray[np.floating]], ...]
    from_zero: bool = True


def sensor_section(facts: SensorFacts) -> Section:
    """Profile and frequency response of the blur, the shift, and their errors."""
    return Section(
        title="Blur and misregistration",
        text=facts.source,
        parts=(_profile_chart(facts), _response_chart(facts), _sensor_table(facts)),
        figure_width=340,
    )


def srf_section(weights: Floats, wavelengths_nm: Floats, *, names: Sequence[str], text: str = "") -> Section:
    """The estimated spectral response of the HR-MSI.

    Args:
        weights: (M, C), what each band of the LR-HSI counts for in each band of the HR-MSI.
        wavelengths_nm: (C,) of the LR-HSI.
        names: Of the M bands.
        text: Where it comes from.
    """
    curves = [
        Curve(str(name), wavelengths_nm, np.asarray(row, dtype=float)) for name, row in zip(names, weights, strict=True)
    ]
    svg = curve_chart(curves, x_label="wavelength, nm", y_label="weight", size=(9.0, 3.2))
    chart = Chart(svg, alt=f"spectral response of {len(weights)} HR-MSI bands over wavelength")
    return Section(title="Spectral response of the HR-MSI", text=text, parts=(chart,), figure_width=600)


def bands_section(
    positions: Floats, x_label: str, facts: Sequence[BandFact], *, title: str = "Band by band", text: str = ""
) -> Section:
    """A chart for each quantity over the bands: explained share, noise, expected error, scores.

    Args:
        positions: (C,) wavelengths or band numbers, as from `sections.band_positions`.
        x_label: What they are.
        facts: One chart each.
        title: Of the section.
        text: Below it.
    """
    charts = tuple(band_chart(positions, x_label, fact) for fact in facts)
    return Section(title=title, text=text, parts=charts, figure_width=300)


def band_chart(positions: Floats, x_label: str, fact: BandFact) -> Chart:
    """One quantity over the bands."""
    has_legend = len(fact.curves) > 1
    curves = [
        Curve(label if has_legend else "", positions, np.asarray(values, dtype=np.float64))
        for label, values in fact.curves
    ]
    svg = curve_chart(curves, x_label=x_label, y_label=fact.quantity, from_zero=fact.from_zero)
    return Chart(svg, alt=f"{fact.quantity} over {x_label}")


def _profile_chart(facts: SensorFacts) -> Chart:
    widths = facts.psf.sigma
    reach = max(4 * max(widths), 0.75 * max(facts.ratio))
    x = np.linspace(-reach, reach, 161)
    curves = [
        Curve(f"{direction}, FWHM {FWHM * width:.2f}", x, np.exp(-0.5 * np.square(x / width)), stroke=stroke)
        for direction, width, stroke in zip(DIRECTIONS, widths, STROKES, strict=True)
    ]
    half = max(facts.ratio) / 2
    svg = curve_chart(
        curves,
        x_label="distance from the centre, HR pixels",
        y_label="weight over its peak",
        regions=[Region("LR pixel", -half, half)],
        from_zero=True,
        size=HALF,
    )
    return Chart(svg, alt="profile of the point spread function", caption="Point spread function of the LR-HSI.")


def _response_chart(facts: SensorFacts) -> Chart:
    x = np.linspace(0, 1, 101)  # cycles per LR pixel
    errors = facts.sigma_error or (0.0, 0.0)
    curves = []
    sides = zip(DIRECTIONS, facts.psf.sigma, errors, facts.ratio, strict=True)
    for (direction, width, error, side), stroke in zip(sides, STROKES, strict=True):
        sharp, wide = (gaussian_mtf(x, max(width + sign * error, 0.0) / side) for sign in (-1, 1))
        spread = (sharp - wide) / 2 if error else None
        label = f"{direction}, {mtf_from_sigma(width, side):.3f} at Nyquist"
        curves.append(Curve(label, x, gaussian_mtf(x, width / side), stroke=stroke, spread=spread))
    svg = curve_chart(
        curves,
        x_label="frequency, cycles per LR pixel",
        y_label="MTF",
        regions=[Region("LR Nyquist", 0.5, 0.5)],
        from_zero=True,
        size=HALF,
    )
    return Chart(svg, alt="modulation transfer function", caption="Its frequency response, with standard errors.")


def _sensor_table(facts: SensorFacts) -> Table:
    widths, mtf = facts.psf.sigma, facts.psf.mtf_at_nyquist(facts.ratio)
    rows: list[tuple[str, str, str]] = [
        ("MTF at the LR Nyquist frequency", *_pair(mtf, None, ".3f")),
        ("standard deviation of the PSF, HR pixels", *_pair(widths, facts.sigma_error, ".3f")),
        ("LR pixel, HR pixels", *_pair(facts.ratio, None, ".5g")),
    ]
    if facts.shift_lr is not None:
        rows.append(("shift found, LR pixels", *_pair(facts.shift_lr, facts.shift_error_lr, "+.3f")))
    rows.append(("shift corrected, LR pixels", *_pair(facts.shift_used_lr, None, "+.3f")))
    further = tuple((name, value, "") for name, value in facts.further)
    return Table((*rows, *further), header=("", "down (rows)", "right (columns)"))


def _pair(values: Sequence[float], errors: Sequence[float] | None, form: str) -> tuple[str, str]:
    words = [format(float(value), form) for value in values]
    if errors is not None:
        words = [f"{word} ± {error:.3f}" for word, error in zip(words, errors, strict=True)]
    return words[0], words[1]
