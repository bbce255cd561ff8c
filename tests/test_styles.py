"""No rule of the style sheets for one place alone, and no template that is too long to read."""

import re
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.variables import ROOT

FOLDER = ROOT / "templates"
TEMPLATES = sorted(FOLDER.rglob("*.html"))
STYLES = sorted((ROOT / "batchapp/static/batchapp/css").glob("*.css"))
SCRIPTS = sorted((ROOT / "batchapp/static/batchapp").glob("*.js"))
LONGEST_TEMPLATE = 120  # lines
STYLE_PAGE = "styleguide"

CLASS_NAME = re.compile(r"\.(-?[a-z][\w-]*)")
TEMPLATE_NAME = re.compile(r'"((?:batchapp/|base)[\w/.-]*\.html)"')
WORD = re.compile(r"-?[a-z][\w-]*")


def style_classes() -> set[str]:
    """Return every class that a selector of the style sheets names."""
    found = set()
    for path in STYLES:
        text = re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)
        text = re.sub(r'url\([^)]*\)|"[^"]*"', "", text)
        for selector in re.findall(r"([^{};]+)\{", text):
            if not selector.strip().startswith("@"):
                found |= set(CLASS_NAME.findall(selector))
    return found


@cache
def users() -> dict[str, list[str]]:
    """Return the templates that include or extend each template, the style page aside."""
    found: dict[str, list[str]] = {}
    for path in TEMPLATES:
        for name in TEMPLATE_NAME.findall(path.read_text()):
            if STYLE_PAGE not in str(path):
                found.setdefault(name, []).append(str(path.relative_to(FOLDER)))
    return found


@cache
def places(template: str) -> int:
    """Return in how many places of the pages a template is shown, two at most."""
    inside = users().get(template)
    return min(2, sum(places(user) for user in inside)) if inside else 1


def uses() -> Counter[str]:
    """Return how often each word stands on the pages, the style page aside.

    What a script or a tag writes is on many pages; a class may end in a value, as ``series-1``.
    """
    counted: Counter[str] = Counter()
    for path in TEMPLATES:
        if STYLE_PAGE not in str(path):
            for word in WORD.findall(path.read_text()):
                counted[word] += places(str(path.relative_to(FOLDER)))
    for path in [*SCRIPTS, *sorted((ROOT / "batchapp").rglob("*.py"))]:
        for word in WORD.findall(path.read_text()):
            counted[word] += 2
    return counted


def test_no_class_of_the_style_sheets_is_for_one_place_alone() -> None:
    counted = uses()

    alone = {
        name
        for name in style_classes()
        if counted[name] < 2 and counted[re.sub(r"[^-]+$", "", name)] < 2
    }

    assert alone == set()


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_is_short_enough_to_be_read_at_once(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST_TEMPLATE
