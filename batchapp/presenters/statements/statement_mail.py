"""The words of the e-mails that take statements to people without an account."""

import unicodedata
from collections.abc import Sequence

from django import template
from django.utils import timezone

from batchapp.models import MonthClosing, StatementRecipient
from batchapp.presenters.direct_text import beside_batches_text
from batchapp.presenters.statements.statement_text import exact_usd, total_usd
from batchapp.services.statements.sums import Total
from batchapp.templatetags.words import count

register = template.Library()

MAX_GROUPS = 50  # that an e-mail names of each kind; the CSV has all lines
TITLES = {
    "project": "By project",
    "cost_centre": "By cost centre",
    "model": "By model",
    "person": "By person",
}
NONE = "(none)"


@register.filter
def one_line(text: str) -> str:
    """Return a name without line breaks, and without signs that turn or hide what follows.

    Otherwise a name could write lines of its own into an e-mail.
    """
    shown = (" " if unicodedata.category(char)[0] in "CZ" else char for char in str(text))
    return " ".join("".join(shown).split())


@register.filter
def recipient_subject(recipient: StatementRecipient) -> str:
    kind = "the project" if recipient.project else "the cost centre"
    return f"{kind} {one_line(recipient.subject)}"


@register.filter
def closed_text(closing: MonthClosing) -> str:
    if closing.closed_at is None:
        return "not closed"
    zone = timezone.get_default_timezone()
    day = timezone.localtime(closing.closed_at, zone)
    return f"closed on {day:%-d %B %Y}. It never changes; later costs are on a later statement."


@register.filter
def direct_line(total: Total) -> str:
    """Return what single requests cost, which the sum does not have; "" without any."""
    return beside_batches_text(total.direct, total.in_all, exact_usd)


@register.filter
def group_title(by: str) -> str:
    return TITLES[by]


@register.filter
def mail_groups(totals: Sequence[Total]) -> list[str]:
    """Return a line for each group, that with the highest cost first."""
    ordered = sorted(totals, key=lambda total: (-total.in_all.cost_usd, total.name.casefold()))
    lines = [_group(total) for total in ordered[:MAX_GROUPS]]
    rest = len(ordered) - MAX_GROUPS
    return [*lines, f"and {rest:,} more, which the CSV has"] if rest > 0 else lines


def _group(total: Total) -> str:
    line = f"{one_line(total.name) or NONE}: {total_usd(total)}"
    line += f" ({count(total.batches, 'batch,batches')})"
    if total.direct.requests:
        line += f", {total_usd(total.direct)} ({count(total.direct.requests, 'single request')})"
    return line
