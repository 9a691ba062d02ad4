"""HTML as a reader of pages needs it in tests: pictures, addresses, names, words."""

import base64
import re
import warnings
from dataclasses import dataclass, field
from html.parser import HTMLParser

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

ADDRESSES = ("src", "srcset", "href", "xlink:href", "data", "action", "poster", "background", "formaction")


@dataclass
class Picture:
    source: str
    alt: str

    @property
    def pixels(self) -> np.ndarray:
        """(channels, h, w), decoded."""
        content = base64.b64decode(self.source.removeprefix("data:image/png;base64,"), validate=True)
        with warnings.catch_warnings(), rasterio.MemoryFile(content) as memory:
            warnings.simplefilter("ignore", NotGeoreferencedWarning)
            with memory.open(driver="PNG") as dataset:
                return dataset.read()


@dataclass
class Parsed(HTMLParser):
    """A page taken apart.

    Attributes:
        pictures: All `<img>`.
        addresses: Whatever an attribute or a style refers to.
        names: All `id`.
        tags: Names of elements in their order.
        words: All text outside of styles and scripts.
    """

    pictures: list[Picture] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._silent = 0

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.tags.append(tag)
        self._silent += tag in ("style", "script")
        if tag == "img":
            self.pictures.append(Picture(given["src"], given["alt"]))
        self.names += [given["id"]] if "id" in given else []
        self.addresses += [given[name] for name in ADDRESSES if name in given]
        for value in given.values():
            self._add_style(value)

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("style", "script")

    def handle_data(self, data: str) -> None:
        if self._silent:
            self._add_style(data)
        else:
            self.words.append(data)

    def _add_style(self, words: str) -> None:
        self.addresses += re.findall(r"url\(\s*['\"]?([^)'\"]*)", words) + re.findall(r"@import[^;]*", words)


def parsed(html: str) -> Parsed:
    page = Parsed()
    page.feed(html)
    page.close()
    return page


def fetched(page: Parsed) -> list[str]:
    """Addresses that lie outside of the page."""
    return [address for address in page.addresses if not address.startswith(("data:image/png;base64,", "#"))]
