"""Parts of pages that need code: icons, breadcrumbs, sortable columns, query strings."""

from collections.abc import Iterable
from functools import cache
from typing import Any
from urllib.parse import urlencode

from django import template
from django.template import RequestContext
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from batchapp import icons
from batchapp.domain.results.word_diff import Piece

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """Return an icon for use beside a word that says the same; screen readers skip it."""
    return _icon(name, get_script_prefix())


@cache  # a page has a hundred icons
def _icon(name: str, prefix: str) -> SafeString:
    """Return an icon of the portal below ``prefix``, which ``reverse`` puts first."""
    if name not in icons.DRAWINGS:
        raise LookupError(f"there is no icon {name!r}")
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        reverse("icons", args=[icons.version()]),
        name,
    )


@register.simple_tag
def crumbs(*pairs: str) -> SafeString:
    """Return the breadcrumbs of a page; ``pairs`` are the name and address of each page above."""
    steps = zip(pairs[::2], pairs[1::2], strict=True)
    return format_html(
        '<nav class="crumbs" aria-label="Breadcrumbs"><ol>{}</ol></nav>',
        format_html_join("", '<li><a href="{1}">{0}</a></li>', steps),
    )


@register.filter
def marked(pieces: Iterable[Piece]) -> SafeString:
    """Return the pieces of a text, with a mark around those that differ from another text."""
    texts = (
        (format_html("<mark>{}</mark>", piece.text) if piece.differs else piece.text,)
        for piece in pieces
    )
    return format_html_join("", "{}", texts)


@register.simple_block_tag
def menu(
    content: str, label: str, id: str = "", picture: str = "more", *, is_wide: bool = False
) -> SafeString:  # of the element
    """Return a button that opens the buttons and links between ``menu`` and ``endmenu``.

    ``label`` is read to those who do not see the button, unless it ``is_wide`` and shows it;
    ``picture`` is the name of its icon.
    """
    context = {"content": content, "label": label, "id": id, "picture": picture}
    return render_to_string("batchapp/components/_menu.html", context | {"is_wide": is_wide})


@register.simple_tag(takes_context=True)
def sort(context: RequestContext, field: str, label: str, first: str = "", kind: str = "") -> str:
    """Return the head of a column that sorts by ``field``, and at a second press in reverse.

    ``first`` is "-" if the first press sorts the largest or newest first; ``kind`` is a CSS class.
    """
    current = context.get("sort", "")
    is_up, is_down = current == field, current == f"-{field}"
    if is_up or is_down:
        target = f"-{field}" if is_up else field
        state, picture = ("ascending", "sort-up") if is_up else ("descending", "sort-down")
    else:
        target, state, picture = f"{first}{field}", "", "sort"
    return format_html(
        '<th scope="col" class="sort {}"{}><a href="{}">{} {}</a></th>',
        kind,
        format_html(' aria-sort="{}"', state) if state else "",
        query(context, sort=target, after="", before="", page=""),
        label,
        icon(picture),
    )


@register.simple_tag(takes_context=True)
def query(context: RequestContext, **changes: Any) -> str:
    """Return the address of this page with changed parameters, without empty ones.

    A parameter that occurs several times keeps all of its values, unless it is changed.
    """
    given = context["request"].GET.lists()
    values = dict(given) | {name: [value] for name, value in changes.items()}
    parameters = [
        (name, value)
        for name, several in values.items()
        for value in several
        if value not in {"", None}
    ]
    return f"?{urlencode(parameters)}" if parameters else context["request"].path
