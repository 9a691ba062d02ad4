"""Sections about sensors: blur and misregistration of the LR-HSI, spectral response of the HR-MSI."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pifnet_cli.degrade.psf import Psf, gaussian_mtf, mtf_from_sigma
from pifnet_cli.fusion.pair_operator import BlurSource, PairOperator
from pifnet_cli.pages.charts import Curve, Region, Stroke, curve_chart
from pifnet_cli.pages.page import Chart, Section, Table

FWHM = 2 * float(np.sqrt(2 * np.log(2)))  # of a Gaussian, in standard deviations
HALF_PAGE = 5.8, 3.1  # inches, width and height of a chart
STROKES = Stroke.LINE, Stroke.DASHES
DIRECTIONS = ("down the rows", "along the columns")
PSF_SOURCES = {
    BlurSource.GIVEN: "The blur of the hyperspectral sensor was given by the options.",
    BlurSource.FOUND: "The blur of the hyperspectral sensor was found from the pair itself.",
    BlurSource.TRAINED: "The blur of the hyperspectral sensor is the one that the checkpoint was trained with.",
    BlurSource.ASSUMED: "The blur of the hyperspectral sensor is not known: the usual one is assumed.",
}

Floats = NDArray[np.float64]
RowsColumns = tuple[float, float]  # down the rows, along the columns


@dataclass(frozen=True, slots=True)
class SensorFacts:
    """How the LR-HSI samples the ground; pairs of numbers are down the rows and along the columns.

    Attributes:
        psf: The blur that was used, HR pixels.
        ratio: Sides of an LR pixel, HR pixels.
        source: A sentence on where the blur comes from.
        sigma_error: Standard error of the blur's width, HR pixels; None where the blur was given or assumed.
        shift_lr: Misregistration as found, LR pixels; None where it was not looked for.
        shift_error_lr: Its standard error.
        shift_used_lr: The shift that was corrected.
        further: Names and values of other facts.
    """

    psf: Psf
    ratio: RowsColumns
    source: str
    sigma_error: RowsColumns | None = None
    shift_lr: RowsColumns | None = None
    shift_error_lr: RowsColumns | None = None
    shift_used_lr: RowsColumns = (0.0, 0.0)
    further: tuple[tuple[str, str], ...] = ()


def sensor_facts(operator: PairOperator) -> SensorFacts:
    """Gather what is known of blur and shift; standard errors are known where the pair was asked."""
    ratio = operator.ratio
    facts = SensorFacts(
        psf=operator.psf, ratio=ratio, source=PSF_SOURCES[operator.source], shift_used_lr=operator.shift_lr
    )
    if operator.estimate is None:
        return facts
    found = operator.estimate.fitted
    return replace(
        facts,
        sigma_error=found.sigma_error if operator.source is BlurSource.FOUND else None,
        shift_lr=operator.estimate.shift_lr,
        shift_error_lr=(found.shift_error[0] / ratio[0], found.shift_error[1] / ratio[1]),
        further=(
            ("variance that the HR-MSI explains, as delivered", f"{100 * found.explained_before:.2f} %"),
            ("the same with this blur and shift", f"{100 * found.explained:.2f} %"),
            ("gain of log-likelihood", f"{found.gain:.1f}"),
            ("LR pixels that it was found from", str(found.pixels)),
        ),
    )


def sensor_section(facts: SensorFacts) -> Section:
    """Show profile and frequency response of the blur, the shift, and their standard errors."""
    return Section(
        title="Blur and misregistration",
        text=facts.source,
        parts=(_profile_chart(facts), _response_chart(facts), _sensor_table(facts)),
        figure_width=340,
    )


def srf_section(weights: Floats, wavelengths_nm: Floats, *, names: Sequence[str], text: str = "") -> Section:
    """Show the spectral response of the HR-MSI.

    Args:
        weights: (M, C), weight of each band of the LR-HSI in each band of the HR-MSI.
        wavelengths_nm: (C,) wavelengths of the LR-HSI.
        names: Names of the M bands.
        text: Text below the title.
    """
    curves = [
        Curve(str(name), wavelengths_nm, np.asarray(row, dtype=float)) for name, row in zip(names, weights, strict=True)
    ]
    svg = curve_chart(curves, x_label="wavelength, nm", y_label="weight", size=(9.0, 3.2))
    chart = Chart(svg, alt=f"spectral response of {len(weights)} HR-MSI bands over wavelength")
    return Section(title="Spectral response of the HR-MSI", text=text, parts=(chart,), figure_width=600)


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
        size=HALF_PAGE,
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
        size=HALF_PAGE,
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
