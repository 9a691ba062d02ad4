"""One page of HTML that stands alone: pictures and charts are inside it, and nothing is fetched from anywhere."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import ClassVar

from jinja2 import Environment, StrictUndefined

from pifnet_cli.reports.files import write_text
from pifnet_cli.reports.pictures import MAP_COLOURS

TEMPLATE = "page.html"  # beside this module


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled place in an image, from its upper left corner: shares of height and width, 0 to 1."""

    label: str
    row: float
    column: float


@dataclass(frozen=True, slots=True)
class Scale:
    """What the darkest and the brightest colour of a map stand for, and the unit of both; empty where it has none."""

    low: str
    high: str
    unit: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture as the content of a PNG file.

    Attributes:
        png: The file.
        alt: What it shows, for those who do not see it.
        caption: Below it.
        size: Height and width, pixels.
        marks: Places in it.
        scale: Of a map, its colours.
        is_exact: Shown with one pixel of the screen to each of its own, where there is room.
    """

    kind: ClassVar[str] = "image"
    png: bytes
    alt: str
    caption: str
    size: tuple[int, int]
    marks: tuple[Mark, ...] = ()
    scale: Scale | None = None
    is_exact: bool = False

    @property
    def source(self) -> str:
        """As the address of an `<img>`."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two images of one size behind a slider; side by side on paper and without scripts."""

    kind: ClassVar[str] = "comparison"
    before: Image
    after: Image


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing as an `<svg>` element, from `charts`; it takes the page's colour of text."""

    kind: ClassVar[str] = "chart"
    svg: str
    alt: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """Words in rows; the first column names the row.

    Attributes:
        rows: All of one length.
        header: Of the columns; none for a list of facts.
        caption: Above it.
        is_folded: Closed until it is asked for; the caption then stays.
    """

    kind: ClassVar[str] = "table"
    rows: tuple[tuple[str, ...], ...]
    header: tuple[str, ...] = ()
    caption: str = ""
    is_folded: bool = False


Part = Image | Comparison | Chart | Table


@dataclass(frozen=True, slots=True)
class Section:
    """Parts under a heading; `figure_width` is the least width of one figure beside another, in pixels."""

    title: str
    parts: tuple[Part, ...]
    text: str = ""
    figure_width: int = 300

    @property
    def figures(self) -> tuple[Part, ...]:
        """What stands side by side where there is room."""
        return tuple(part for part in self.parts if part.kind != "table")

    @property
    def tables(self) -> tuple[Part, ...]:
        """What follows below."""
        return tuple(part for part in self.parts if part.kind == "table")


@dataclass(frozen=True, slots=True)
class Page:
    """All that a page says.

    Attributes:
        title: Its heading.
        subtitle: One line below the heading.
        facts: The most important facts.
        notices: What the reader should be warned of.
        sections: The rest, in order.
        footer: The last line.
    """

    title: str
    subtitle: str
    facts: Table
    notices: tuple[str, ...]
    sections: tuple[Section, ...]
    footer: str = ""


def render_page(page: Page) -> str:
    """The page as HTML; every word of it is escaped, only charts are taken as they are."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(
        resources.files("pifnet_cli.pages").joinpath(TEMPLATE).read_text(encoding="utf-8")
    )
    colours = ", ".join(f"rgb({red:.0f} {green:.0f} {blue:.0f})" for red, green, blue in MAP_COLOURS)
    return _with_own_names(template.render(page=page, map_colours=colours)) + "\n"


def write_page(path: Path, page: Page) -> None:
    """Publish the page.

    Raises:
        SceneWriteError: The file cannot be written.
    """
    write_text(path, render_page(page))


def facts_table(facts: Sequence[tuple[str, object]], *, caption: str = "", is_folded: bool = False) -> Table:
    """Names and values, one pair a row."""
    rows = tuple((name, value if isinstance(value, str) else str(value)) for name, value in facts)
    return Table(rows, caption=caption, is_folded=is_folded)


def _with_own_names(html: str) -> str:
    """Every chart's elements under names of their own: charts name theirs alike, and a page knows each name once."""
    parts = re.split(r"(<svg class=\"chart\".*?</svg>)", html, flags=re.DOTALL)
    for index in range(1, len(parts), 2):
        prefix = f"chart{index // 2 + 1}-"
        parts[index] = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}", parts[index])
    return "".join(parts)
