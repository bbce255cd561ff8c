"""The user guide: articles in Markdown, which the console shows as pages."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.safestring import SafeString
from markdown_it import MarkdownIt
from markdown_it.token import Token

FOLDER = settings.BASE_DIR / "docs/guide"
# In the order to read them in.
NAMES = (
    *("first-batch", "from-a-spreadsheet", "cost", "budgets", "approvals"),
    *("failures", "notifications", "scripts", "clients", "single-requests"),
    *("people", "reports", "audit", "webhooks"),
)

# In the articles, the console shows the address of this portal instead, ready to be copied.
EXAMPLE_ADDRESS = "https://portal.example.com"

# The name of a page in an article, in bold type -> the page, which the console links there.
PAGES = {
    "Home": "home",
    "Approvals": "approval_list",
    "Batches": "batch_list",
    "Projects": "project_list",
    "New project": "project_add",
    "New batch": "order_start",
    "Profile": "profile_edit",
    "Inbox": "inbox_list",
    "Notifications": "notice_preferences",
    "Portal keys": "portal_key_list",
    "Statements": "statement_list",
}


@dataclass(frozen=True, slots=True)
class Article:
    """``summary`` is the first paragraph as plain text, and ``body`` all below the title.

    ``sections`` are the headings in ``body``, each with its id.
    """

    name: str
    title: str
    summary: str
    body: SafeString
    sections: Sequence[tuple[str, str]]

    def get_absolute_url(self) -> str:
        return reverse("guide_article", args=[self.name])


@cache
def articles() -> Mapping[str, Article]:
    """Return the articles by name, in the order to read them in."""
    return {name: _read(name) for name in NAMES}


def _read(name: str) -> Article:
    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    markdown.add_render_rule("fence", _code_block)
    text = (FOLDER / f"{name}.md").read_text().replace(EXAMPLE_ADDRESS, settings.PUBLIC_URL)
    tokens = markdown.parse(text)
    sections = []
    for number, token in enumerate(tokens):
        if token.type == "heading_open":
            heading = tokens[number + 1].content
            token.attrSet("id", _anchor(heading))
            sections.append((_anchor(heading), heading))
        _link(token.children or [])
    # A title, a heading or a paragraph is three tokens: its begin, its text and its end.
    title, summary = tokens[1], tokens[4]
    body = markdown.renderer.render(tokens[3:], markdown.options, {})
    plain = "".join(token.content or " " for token in summary.children or [])  # " " ends a line
    # The body is of our own files, without HTML; the first heading is the title.
    return Article(name, title.content, plain, SafeString(body), sections[1:])


def _anchor(heading: str) -> str:
    """Return the id of a heading, the same as where Markdown is read elsewhere."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def _link(tokens: Sequence[Token]) -> None:
    """Turn links to articles and to the portal, and names of pages, into links of the console."""
    for number, token in enumerate(tokens):
        if token.type == "link_open":
            token.attrSet("href", _address(str(token.attrGet("href"))))
        elif token.type == "strong_open" and (page := PAGES.get(tokens[number + 1].content)):
            token.tag = tokens[number + 2].tag = "a"
            token.attrSet("href", reverse(page))


def _address(link: str) -> str:
    target, sharp, anchor = link.removeprefix(settings.PUBLIC_URL).partition("#")
    if target == "../glossary.md":
        return reverse("guide_terms")
    name = target.removesuffix(".md")
    return (reverse("guide_article", args=[name]) if name in NAMES else target) + sharp + anchor


def _code_block(
    _renderer: Any, tokens: Sequence[Token], number: int, _options: Any, _env: Any
) -> str:
    """Render a block of code with a button that copies it; the words after its type name it."""
    _, _, label = tokens[number].info.partition(" ")
    context = {"text": tokens[number].content.rstrip("\n"), "label": label or "Example"}
    return render_to_string("batchapp/components/_code.html", context)
