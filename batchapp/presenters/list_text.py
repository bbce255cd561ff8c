"""The sentences of a list of rows on its filters and on the page that it shows."""

from decimal import Decimal

from batchapp.presenters.pagination import ListPage
from batchapp.templatetags.words import count, usd

MAX_SHOWN = 60  # characters of a text that was searched
TO = "\u2013"  # the dash of a range


def no_match(noun: str, where: str, text: str, *, has_other_filters: bool) -> str:
    """Return what was searched in vain: ``text`` in ``where`` of each row, a ``noun``."""
    shown = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"
    if text and has_other_filters:
        return f"No {noun} with “{shown}” in its {where} matches the other filters"
    if text:
        return f"No {noun} has “{shown}” in its {where}"
    return f"No {noun} matches these filters"


def page_text(page: ListPage, total: int) -> str:
    """Return which rows of ``total`` the page shows, "0 of 34" where none is left."""
    shown = f"{page.start:,}{TO}{page.end:,}" if page.start < page.end else f"{page.end:,}"
    return f"{shown} of {total:,}"


def small_batches_text(number: int, cost: Decimal | None, *, unpriced: int) -> str:
    """Return the number and cost of small batches, ``unpriced`` of which have no known cost."""
    text = count(number, "small batch,small batches")
    if cost is None:
        return text
    return f"{text}, {'at least ' if unpriced else ''}{usd(cost)}"


def lines_text(first: int, last: int, total: int | None) -> str:
    """Return the lines of a page of results, and how many match if that is known."""
    lines = f"Lines {first:,}{TO}{last:,}" if first < last else f"Line {first:,}"
    return lines if total is None else f"{lines}, {count(total, 'request')} in all"
