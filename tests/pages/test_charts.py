import re
from xml.etree import ElementTree

import numpy as np
import pytest

from pifnet_cli.pages.charts import INK, Curve, Region, Stroke, curve_chart, with_gaps

X = np.array([400.0, 500.0, 600.0, 700.0, 1500.0, 1600.0])


def draw(*curves: Curve, **given: object) -> str:
    return curve_chart(curves, x_label="x", y_label="y", **given)


def words(svg: str) -> list[str]:
    return [
        "".join(element.itertext()) for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")
    ]


def moves(svg: str, colour: str) -> int:
    """How many strokes the curve of a colour is drawn with."""
    paths = re.findall(rf'<path d="([^"]*)"[^>]*stroke: {colour}; stroke-width: 1.2', svg)
    return paths[0].count("M")


def test_bands_far_apart_are_not_joined() -> None:
    x, y = with_gaps(X, np.arange(6.0))
    assert x.tolist() == [400, 500, 600, 700, 1100, 1500, 1600]
    assert np.isnan(y).tolist() == [False] * 4 + [True] + [False] * 2


def test_bands_in_file_order_are_drawn_by_wavelength() -> None:
    x, y = with_gaps(X[::-1], np.arange(6.0))
    assert x[0] == 400
    assert y[0] == 5


def test_equal_positions_are_no_gap() -> None:
    assert len(with_gaps(np.array([1.0, 1.0, 1.0]), np.zeros(3))[0]) == 3


def test_a_band_without_data_leaves_a_gap() -> None:
    y = np.arange(9.0)
    whole = draw(Curve("", y, y))
    y[4] = np.nan
    cut = draw(Curve("", np.arange(9.0), y))
    assert (moves(whole, "#3d7fc1"), moves(cut, "#3d7fc1")) == (1, 2)


def test_a_lone_band_between_gaps_is_a_dot() -> None:
    y = np.array([np.nan, 1.0, np.nan, 2.0, 3.0])
    assert draw(Curve("", np.arange(5.0), y)).count("<use") == draw(Curve("", np.arange(5.0), y + 1)).count("<use")
    joined = draw(Curve("", np.arange(5.0), np.array([np.nan, 1.0, 1.5, 2.0, 3.0])))
    assert draw(Curve("", np.arange(5.0), y)).count("<use") == joined.count("<use") + 1


@pytest.mark.parametrize("label", ["a<b>&\"c'", "$1 and $2", "50 %", "\\frac"])
def test_labels_are_taken_word_for_word(label: str) -> None:
    assert label in words(draw(Curve(label, X, X)))


def test_numbers_in_labels_keep_their_digits() -> None:
    assert "MTF 0.123456" in words(draw(Curve("MTF 0.123456", X, X)))


def test_the_same_curves_have_the_same_bytes() -> None:
    assert draw(Curve("a", X, X)) == draw(Curve("a", X, X))


def test_text_and_axes_take_the_colour_of_the_page() -> None:
    svg = draw(Curve("a", X, X))
    assert INK not in svg
    assert "fill: currentColor" in svg
    assert "stroke: currentColor" in svg


def test_it_is_one_element_without_style_or_metadata() -> None:
    svg = draw(Curve("a", X, X))
    assert svg.startswith('<svg class="chart" ')
    assert "<style" not in svg
    assert "metadata" not in svg
    assert "width=" not in svg.partition(">")[0]


def test_a_spread_surrounds_its_curve() -> None:
    curve = Curve("a", X, X, spread=np.full(6, 10.0))
    assert draw(curve).count("FillBetween") == 1


def test_regions_are_named() -> None:
    svg = draw(Curve("", X, X), regions=[Region("LR pixel", 450, 550), Region("Nyquist", 500, 500)])
    assert {"LR pixel", "Nyquist"} <= set(words(svg))


def test_curves_without_a_single_value_make_a_frame() -> None:
    assert "x" in words(
        draw(Curve("a", X, np.full(6, np.nan), spread=X), Curve("b", X, X * np.nan, stroke=Stroke.POINTS))
    )


def test_curves_without_labels_have_no_legend() -> None:
    assert "legend" not in draw(Curve("", X, X))
