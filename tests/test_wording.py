"""One noun for one thing: what the glossary calls it, and nothing else."""

import re
from html import unescape

import pytest

from tests.variables import ROOT

TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
OTHER_NAMES = {
    "job": "batch",
    "dataset": "file",
    "upload": "file",  # a noun; the verb is fine
    "workspace": "project",
    "team": "project",
    "credential": "provider key",
    "token key": "provider key",
    "SLA": "completion window",
    "deadline": "completion window",
    "endpoint key": "provider key",
    "vendor": "provider",
    "response": "answer",
    "spend": "cost",
}
"""What other products say -> what we say."""

ARTICLES = r"\b(?:an?|the|this|your|each|every|no|its)\s+"


def shown(template: str) -> str:
    """What a reader may see of a template: neither tags nor markup nor what they hold."""
    text = re.sub(r"{#.*?#}|{%.*?%}|{{.*?}}", " ", template, flags=re.DOTALL)
    labels = re.findall(r'(?:aria-label|title|placeholder|alt)="([^"]*)"', text)
    return unescape(" ".join([re.sub(r"<[^>]*>", " ", text), *labels]))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_page_calls_things_by_the_name_the_glossary_gives_them(path) -> None:
    text = " ".join(shown(path.read_text()).split())
    if path.name == "styleguide.html":
        text = text.replace("response", "")

    found = [
        f"{other} (say {ours})"
        for other, ours in OTHER_NAMES.items()
        if re.search(rf"{ARTICLES}{other}s?\b", text, re.IGNORECASE)
    ]

    assert found == []


def test_the_glossary_names_what_pages_name() -> None:
    pages = " ".join(shown(path.read_text()) for path in TEMPLATES).lower()
    code = " ".join(path.read_text() for path in (ROOT / "batchapp").rglob("*.py")).lower()
    terms = re.findall(r"\*\*`?([^*`]+)`?\*\*", (ROOT / "docs/glossary.md").read_text())

    assert len(terms) > 30
    assert [term for term in terms if term.lower() not in pages + code] == []
