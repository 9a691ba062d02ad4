import numpy as np
import pytest

from pages import parsed
from pifnet_cli.pages.charts import Curve
from pifnet_cli.pages.highlights import Point
from pifnet_cli.pages.page import Chart, Comparison, Image, Page, Section, facts_table, render_page
from pifnet_cli.pages.sections import (
    DETAIL_SIDE,
    BandFact,
    DrawnView,
    band_positions,
    bands_section,
    bands_table,
    detail_section,
    detail_side,
    map_image,
    map_section,
    overview_section,
    spectra_section,
)
from pifnet_cli.reports.pictures import MAP_COLOURS
from pifnet_cli.scene import Bands, WavelengthUnit, Window

POINTS = [Point("A", 10, 30, "typical", "1, 2"), Point("B", 90, 150, "asked for", "3, 4")]


def ramp(low: float, high: float) -> np.ndarray:
    return np.broadcast_to(np.linspace(low, high, 101, dtype=np.float32), (3, 40, 101)).copy()


def view(name: str, image: np.ndarray, like: np.ndarray) -> DrawnView:
    return DrawnView(name, f"bands of {name}", image, image[:, :20, :20], like)


def pictures(section: Section) -> list[np.ndarray]:
    html = render_page(Page("t", "s", facts_table([]), (), (section,)))
    return [picture.pixels for picture in parsed(html).pictures]


def test_the_overview_compares_the_first_view_with_the_last() -> None:
    last = ramp(0, 100)
    views = [view("before", ramp(0, 50), last), view("third", ramp(5, 6), ramp(5, 6)), view("after", last, last)]
    section = overview_section("Before and after", views, points=POINTS, scene=(120, 303))
    comparison, other = section.parts
    assert isinstance(comparison, Comparison)
    assert (comparison.before.caption, comparison.after.caption) == ("before: bands of before", "after: bands of after")
    assert isinstance(other, Image)
    assert other.caption == "third: bands of third"
    assert "303 x 120 pixels. One pixel here is the mean of 3 x 3" in section.text
    assert "Colours of before and after run between the 2 % and 98 % points of after, those of third" in section.text


def test_views_are_stretched_like_the_one_that_they_name() -> None:
    last = ramp(0, 100)
    section = overview_section("x", [view("a", ramp(0, 50), last), view("b", last, last)], points=[], scene=(40, 101))
    before, after = pictures(section)
    assert (before.shape, after.shape) == ((3, 40, 101), (3, 40, 101))
    assert 120 <= before[0, 0, -1] <= 135
    assert after[0, 0, -1] == 255


def test_invalid_pixels_are_transparent() -> None:
    image = ramp(0, 100)
    image[1, 3, 4] = np.nan
    section = overview_section("x", [view("a", image, image), view("b", image, image)], points=[], scene=(40, 101))
    assert pictures(section)[0][3, 3, 4] == 0


def test_marks_lie_at_the_centres_of_their_pixels() -> None:
    image = ramp(0, 1)
    section = overview_section("x", [view("a", image, image), view("b", image, image)], points=POINTS, scene=(120, 303))
    (comparison,) = section.parts
    assert isinstance(comparison, Comparison)
    assert [(mark.label, mark.row, mark.column) for mark in comparison.before.marks] == [
        ("A", 10.5 / 120, 30.5 / 303),
        ("B", 90.5 / 120, 150.5 / 303),
    ]


def test_a_detail_marks_only_what_it_shows() -> None:
    image = ramp(0, 1)
    section = detail_section([view("a", image, image)], window=Window(5, 20, 20, 20), points=POINTS)
    (part,) = section.parts
    assert isinstance(part, Image)
    assert [(mark.label, mark.row, mark.column) for mark in part.marks] == [("A", 5.5 / 20, 10.5 / 20)]
    assert "rows 5 to 24, columns 20 to 39" in section.text


def test_a_small_detail_is_enlarged_by_a_whole_number() -> None:
    image = ramp(0, 1)
    (part,) = detail_section([view("a", image, image)], window=Window(0, 0, 20, 20), points=[]).parts
    assert isinstance(part, Image)
    assert part.size == (20 * 16, 20 * 16)


@pytest.mark.parametrize(("scene", "side"), [((10000, 9000), DETAIL_SIDE), ((162, 300), 81), ((40, 90), 32)])
def test_a_detail_is_a_part_of_the_scene(scene: tuple[int, int], side: int) -> None:
    assert detail_side(*scene) == side


def test_a_map_says_what_its_brightest_colour_stands_for() -> None:
    values = np.linspace(0, 200, 101 * 40, dtype=np.float32).reshape(40, 101)
    image = map_image(values, name="spectral angle", unit="degrees")
    assert image.scale is not None
    assert (image.scale.low, image.scale.high, image.scale.unit) == ("0", "196", "degrees")
    assert "98 % point" in image.caption
    (picture,) = pictures(map_section("Maps", [image, *()]))
    assert picture[:3, 0, 0].tolist() == MAP_COLOURS[0].tolist()
    assert picture[:3, -1, -1].tolist() == MAP_COLOURS[-1].tolist()


def test_a_map_with_a_given_top_ends_there() -> None:
    scale = map_image(np.ones((4, 5), dtype=np.float32), name="n", top=8.0).scale
    assert scale is not None
    assert scale.high == "8"


def test_every_point_has_a_chart_and_a_row() -> None:
    x = np.arange(5.0)
    section = spectra_section(POINTS, [[Curve("fused", x, x)], [Curve("fused", x, -x)]], x_label="wavelength, nm")
    page = parsed(render_page(Page("t", "s", facts_table([]), (), (section,))))
    assert page.tags.count("svg") == 2
    assert "A typical" in page.text
    assert "B 90 150 3, 4 asked for" in page.text


def test_bands_lie_at_their_wavelengths_or_numbers() -> None:
    bands = Bands(2, wavelengths=(0.5, 1.5), unit=WavelengthUnit.MICROMETERS)
    positions, label = band_positions(bands)
    assert (positions.tolist(), label) == ([500.0, 1500.0], "wavelength, nm")
    positions, label = band_positions(Bands(3))
    assert (positions.tolist(), label) == ([1.0, 2.0, 3.0], "band")


def test_all_bands_are_listed_with_what_is_known() -> None:
    bands = Bands(2, names=("a", "b"), wavelengths=(500.25, 600.0), unit=WavelengthUnit.NANOMETERS, good=(True, False))
    table = bands_table(bands, [("noise", np.array([0.5, np.nan]))])
    assert table.is_folded
    assert table.header == ("band", "name", "wavelength, nm", "noise", "usable")
    assert table.rows == (("1", "a", "500.25", "0.5", "yes"), ("2", "b", "600", "-", "no"))


def test_every_quantity_over_the_bands_has_a_chart() -> None:
    x = np.arange(6.0)
    facts = [BandFact("noise", (("", x),)), BandFact("share, %", (("before", x), ("after", x + 1)), from_zero=False)]
    one, two = bands_section(x, "band", facts).parts
    assert isinstance(one, Chart)
    assert isinstance(two, Chart)
    assert ">noise<" in one.svg
    assert ">noise<" not in two.svg
    assert [word for word in ("before", "after", "share, %", "band") if f">{word}<" not in two.svg] == []
