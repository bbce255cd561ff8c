"""The icons of the pages: drawn by a package, and sent in one cached file."""

import hashlib
from functools import cache
from xml.etree import ElementTree

from heroicons.templatetags.heroicons import heroicon_mini

# Our name -> the name in the package; our names say what an icon means, not what it shows.
DRAWINGS = {
    "alert": "exclamation-triangle",
    "back": "arrow-left",
    "chart": "chart-bar",
    "check": "check",
    "clock": "clock",
    "copy": "clipboard-document",
    "cross": "x-mark",
    "device": "computer-desktop",
    "down": "arrow-down-tray",
    "external": "arrow-top-right-on-square",
    "eye": "eye",
    "file": "document-text",
    "flask": "beaker",
    "folder": "folder",
    "gear": "cog-6-tooth",
    "help": "question-mark-circle",
    "home": "home",
    "info": "information-circle",
    "hold": "lock-closed",
    "key": "key",
    "keyboard": "command-line",
    "left": "chevron-left",
    "list": "list-bullet",
    "mail": "envelope",
    "menu": "bars-3",
    "money": "banknotes",
    "moon": "moon",
    "more": "ellipsis-horizontal",
    "out": "arrow-right-start-on-rectangle",
    "pause": "pause",
    "person": "user",
    "play": "play",
    "plus": "plus",
    "redo": "arrow-uturn-right",
    "right": "chevron-right",
    "search": "magnifying-glass",
    "sort": "chevron-up-down",
    "sort-down": "chevron-down",
    "sort-up": "chevron-up",
    "stack": "square-3-stack-3d",
    "stop": "stop-circle",
    "sum": "calculator",
    "swap": "arrow-path",
    "swatch": "swatch",
    "table": "table-cells",
    "tag": "tag",
    "trash": "trash",
    "up": "arrow-up-tray",
    "users": "users",
}


@cache
def sprite() -> bytes:
    """Return one SVG with a ``<symbol>`` for each icon, which ``<use>`` finds by our name."""
    sheet = ElementTree.Element("svg", xmlns="http://www.w3.org/2000/svg")
    for name, drawing in DRAWINGS.items():
        picture = ElementTree.fromstring(heroicon_mini(drawing))  # noqa: S314  # a file of the package
        box = picture.attrib["viewBox"]
        symbol = ElementTree.SubElement(sheet, "symbol", id=name, viewBox=box)
        symbol.extend(picture)
    return ElementTree.tostring(sheet)


@cache
def version() -> str:
    """Return a hash of the icons, so that browsers may cache the file for ever."""
    return hashlib.sha256(sprite()).hexdigest()[:12]
