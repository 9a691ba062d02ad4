"""A page of HTML that stands alone: its parts as values, and how they become one file that fetches nothing."""

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
    """A labelled place in an image: shares of its height and width, 0 to 1, from the upper left corner."""

    label: str
    row: float
    column: float


@dataclass(frozen=True, slots=True)
class Scale:
    """The values of the darkest and of the brightest colour of a map in words, and their unit, which may be empty."""

    low: str
    high: str
    unit: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture as the content of a PNG file.

    Attributes:
        png: Content of the file.
        alt: A description for readers who do not see the picture.
        caption: Text below the picture.
        size: Height and width on the page, pixels.
        marks: Labelled places.
        scale: Values of the colours, of a map.
        is_exact: Whether it is shown at exactly this size where there is room.
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
        """The picture as the address of an `<img>`."""
        return f"data:image/png;base64,{base64.b64encode(self.png).decode('ascii')}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two images of one size, compared with a slider; side by side on paper and without scripts."""

    kind: ClassVar[str] = "comparison"
    before: Image
    after: Image


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing from `charts`, as an `<svg>` element in the page's colour of text."""

    kind: ClassVar[str] = "chart"
    svg: str
    alt: str
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of words; the first column names the row.

    Attributes:
        rows: Rows of one length.
        header: Names of the columns; empty for a list of facts.
        caption: Title of the table.
        is_folded: Whether only the caption is shown until the reader opens the table.
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
        """The parts that stand side by side where there is room."""
        return tuple(part for part in self.parts if part.kind != "table")

    @property
    def tables(self) -> tuple[Part, ...]:
        """The tables, which follow below the figures."""
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
    """Render a page as HTML; every word is escaped, only charts are taken as they are."""
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(
        resources.files("pifnet_cli.pages").joinpath(TEMPLATE).read_text(encoding="utf-8")
    )
    colours = ", ".join(f"rgb({red:.0f} {green:.0f} {blue:.0f})" for red, green, blue in MAP_COLOURS)
    return _with_unique_ids(template.render(page=page, map_colours=colours)) + "\n"


def write_page(path: Path, page: Page) -> None:
    """Publish a page as an HTML file.

    Raises:
        SceneWriteError: The file cannot be written.
    """
    write_text(path, render_page(page))


def facts_table(facts: Sequence[tuple[str, object]], *, caption: str = "", is_folded: bool = False) -> Table:
    """A table of names and values, one pair in each row."""
    rows = tuple((name, value if isinstance(value, str) else str(value)) for name, value in facts)
    return Table(rows, caption=caption, is_folded=is_folded)


def _with_unique_ids(html: str) -> str:
    """Give the elements of each chart ids of their own: charts number theirs alike, and ids are unique in a page."""
    parts = re.split(r"(<svg class=\"chart\".*?</svg>)", html, flags=re.DOTALL)
    for index in range(1, len(parts), 2):
        prefix = f"chart{index // 2 + 1}-"
        parts[index] = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{prefix}", parts[index])
    return "".join(parts)
