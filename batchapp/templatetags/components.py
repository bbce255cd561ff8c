"""Pieces of pages that take more than a template can give them."""

from typing import Any
from urllib.parse import urlencode

from django import template
from django.template import RequestContext
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from batchapp import icons

register = template.Library()


@register.simple_tag
def icon(name: str) -> SafeString:
    """A picture beside a word that says the same; screen readers pass it over."""
    if name not in icons.DRAWINGS:
        raise LookupError(f"there is no icon {name!r}")
    return format_html(
        '<svg class="icon" aria-hidden="true" focusable="false"><use href="{}#{}"/></svg>',
        reverse("icons", args=[icons.version()]),
        name,
    )


@register.simple_tag
def crumbs(*pairs: str) -> SafeString:
    """The way to this page from above: a name and an address each, the page itself left out."""
    steps = zip(pairs[::2], pairs[1::2], strict=True)
    return format_html(
        '<nav class="crumbs" aria-label="Breadcrumbs"><ol>{}</ol></nav>',
        format_html_join("", '<li><a href="{1}">{0}</a></li>', steps),
    )


@register.simple_tag(takes_context=True)
def sort(context: RequestContext, field: str, label: str, first: str = "", kind: str = "") -> str:
    """The head of a column that sorts by ``field`` when pressed, the other way round when again.

    ``first`` is "-" where the largest or the newest is what people look for; ``kind`` a class.
    """
    now = context.get("sort", "")
    is_up, is_down = now == field, now == f"-{field}"
    if is_up or is_down:
        turned = f"-{field}" if is_up else field
        state, picture = ("ascending", "sort-up") if is_up else ("descending", "sort-down")
    else:
        turned, state, picture = f"{first}{field}", "", "sort"
    return format_html(
        '<th scope="col" class="sort {}"{}><a href="{}">{} {}</a></th>',
        kind,
        format_html(' aria-sort="{}"', state) if state else "",
        query(context, sort=turned, after="", before="", page=""),
        label,
        icon(picture),
    )


@register.simple_tag(takes_context=True)
def query(context: RequestContext, **changes: Any) -> str:
    """The address of this page with other parameters; an empty one is left out."""
    values = {**context["request"].GET.dict(), **changes}
    kept = {name: value for name, value in values.items() if value not in {"", None}}
    return f"?{urlencode(kept)}" if kept else context["request"].path
