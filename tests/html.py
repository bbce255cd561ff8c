"""The portal's pages as tests read them: text and elements, whatever the white space."""

from collections.abc import Iterator

from django.http import HttpResponse
from django.test import Client
from selectolax.lexbor import LexborHTMLParser, LexborNode

INLINE = frozenset(
    ["a", "b", "bdi", "button", "code", "kbd", "label", "small", "span", "svg", "time"]
)
UNSEEN = frozenset({"-comment", "head", "script", "style", "template"})
HIDDEN = frozenset({"hidden", "popover"})


class Element:
    """An element of a page, with the elements inside found by CSS selectors."""

    def __init__(self, node: LexborNode) -> None:
        self._node = node

    def __repr__(self) -> str:
        return str(self._node.html)

    def __getitem__(self, attribute: str) -> str:
        """Return the value of ``attribute``, "" for one without a value as in ``disabled``."""
        return self._node.attributes[attribute] or ""

    def __contains__(self, attribute: str) -> bool:
        return attribute in self._node.attributes

    @property
    def text(self) -> str:
        """The text, also for screen readers only, without hints and what waits for JavaScript.

        White space is collapsed. Elements that are not inline are set off by a space.
        """
        return " ".join("".join(_texts(self._node)).split())

    @property
    def links(self) -> dict[str, str]:
        """The text of each link inside -> its address."""
        return {link.text: link["href"] for link in self.all("a[href]")}

    @property
    def values(self) -> dict[str, str]:
        """The name of each field inside -> the value that its form sends, the last of a name."""
        inputs = "input[name]:not([type=checkbox], [type=radio]), input[name][checked]"
        values = {
            field["name"]: field._node.attributes.get("value") or "" for field in self.all(inputs)
        }
        values |= {field["name"]: field.text for field in self.all("textarea[name]")}
        return values | {
            field["name"]: option["value"]
            for field in self.all("select[name]")
            for option in field.all("option[selected]") or field.all("option")[:1]
        }

    def all(self, css: str) -> "list[Element]":
        return [Element(node) for node in self._node.css(css)]

    def texts(self, css: str) -> list[str]:
        return [element.text for element in self.all(css)]

    def one(self, css: str) -> "Element":
        """Return the only element that ``css`` selects, or fail."""
        elements = self.all(css)
        assert len(elements) == 1, f"{len(elements)} elements match {css} in: {self.text}"
        return elements[0]


class Page(Element):
    """A page or a fragment of one; ``html`` is its markup."""

    def __init__(self, response: HttpResponse) -> None:
        self.html = response.content.decode()
        root = LexborHTMLParser(self.html).root
        assert root
        super().__init__(root)


def page_of(
    client: Client, url: str, query: dict[str, object] | None = None, /, **more: object
) -> Page:
    """Return the page that ``url`` leads to."""
    return Page(client.get(url, (query or {}) | more, follow=True))


def fragment_of(client: Client, url: str, /, **query: object) -> Page:
    """Return the fragment that htmx gets of ``url``."""
    return Page(client.get(url, query, headers={"HX-Request": "true"}))


def _texts(node: LexborNode) -> Iterator[str]:
    for child in node.iter(include_text=True):
        if child.tag == "-text":
            yield child.text()
        elif child.tag not in UNSEEN and not HIDDEN & set(child.attributes):
            edge = "" if child.tag in INLINE else " "
            yield edge
            yield from _texts(child)
            yield edge
