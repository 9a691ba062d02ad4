from pathlib import Path

import numpy as np
import pytest

from pages import fetched, parsed
from pifnet_cli.errors import SceneWriteError
from pifnet_cli.pages.charts import Curve, curve_chart
from pifnet_cli.pages.page import (
    Chart,
    Comparison,
    Image,
    Mark,
    Page,
    Scale,
    Section,
    Table,
    facts_table,
    render_page,
    write_page,
)
from pifnet_cli.reports.pictures import png_bytes

HOSTILE = '<b onload="x">&\'</script><script>alert(1)</script>'
PICTURE = np.random.default_rng(0).integers(0, 256, (4, 24, 40)).astype(np.uint8)


def image(caption: str = "picture", **given: object) -> Image:
    return Image(png_bytes(PICTURE, description="x"), alt=f"alt of {caption}", caption=caption, size=(24, 40), **given)


def chart(label: str = "curve") -> Chart:
    x = np.arange(5.0)
    return Chart(curve_chart([Curve(label, x, x**2)], x_label=label, y_label=label), alt=label, caption=label)


def page(word: str = "word") -> Page:
    table = Table(((word, word),), header=(word, word), caption=word)
    parts = (
        Comparison(image(f"before {word}"), image(f"after {word}")),
        image(word, marks=(Mark(word, 0.25, 0.5),), scale=Scale("0", word, word)),
        chart(word),
        chart(word),
        table,
        facts_table([(word, 1.5)], caption=word, is_folded=True),
    )
    sections = (Section(title=word, text=word, parts=parts), Section(title="second", parts=()))
    return Page(word, word, facts_table([(word, word)]), (word,), sections, footer=word)


def test_every_picture_is_inside_with_words_for_those_who_do_not_see_it() -> None:
    pictures = parsed(render_page(page())).pictures
    assert [picture.alt for picture in pictures] == ["alt of before word", "alt of after word", "alt of word"]
    for picture in pictures:
        np.testing.assert_array_equal(picture.pixels, PICTURE)


def test_nothing_is_fetched() -> None:
    assert fetched(parsed(render_page(page()))) == []


def test_the_policy_of_the_page_forbids_to_fetch() -> None:
    assert "default-src 'none'; img-src data:;" in render_page(page())


def test_words_stay_words() -> None:
    html = render_page(page(HOSTILE))
    plain, hostile = parsed(render_page(page())), parsed(html)
    assert hostile.tags == plain.tags
    assert hostile.text.count(HOSTILE) == plain.text.count("word")
    assert HOSTILE not in html


def test_no_name_is_given_twice_though_charts_are_alike() -> None:
    names = parsed(render_page(page())).names
    assert len(names) == len(set(names)) > 10


def test_references_inside_a_chart_find_their_element() -> None:
    found = parsed(render_page(page()))
    inside = [address[1:] for address in found.addresses if address.startswith("#")]
    assert inside
    assert set(inside) <= set(found.names)


def test_it_says_its_language_and_has_one_title_over_its_sections() -> None:
    html = render_page(page())
    assert '<html lang="en">' in html
    tags = parsed(html).tags
    assert [tag for tag in tags if tag in ("h1", "h2", "h3")] == ["h1", "h2", "h2"]


def test_a_folded_table_waits_to_be_asked_for() -> None:
    html = render_page(page())
    assert html.count("<details>") == 1
    assert html.index("<details>") > html.index("</svg>")


def test_marks_lie_at_their_share_of_the_picture() -> None:
    assert 'style="top:25.000%;left:50.000%"' in render_page(page())


def test_an_exact_picture_has_its_width_on_the_screen() -> None:
    section = Section("s", (image(is_exact=True),))
    html = render_page(Page("t", "s", facts_table([]), (), (section,)))
    assert 'class="exact"' in html
    assert "--width:40px" in html


def test_a_page_without_notes_has_no_empty_list() -> None:
    assert "notices" not in render_page(Page("t", "s", facts_table([]), (), ())).partition("<body>")[2]


def test_a_page_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(SceneWriteError, match=r"r\.html: cannot be written"):
        write_page(tmp_path / "no" / "r.html", page())
    write_page(tmp_path / "r.html", page())
    assert [path.name for path in tmp_path.iterdir()] == ["r.html"]
