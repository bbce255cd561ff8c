"""When a batch is due and how late it will be, in the same words in every list."""

from dataclasses import dataclass

from django import template

from batchapp.presenters.batches.batch_alerts import worst_overrun
from batchapp.presenters.batches.batch_summary import Summary
from batchapp.templatetags.words import left, roughly, short_length

register = template.Library()


@dataclass(frozen=True, slots=True)
class DueIn:
    """``text`` is the time until a batch is due, "" if that is not known yet or is past.

    ``late`` is how late it is or will be, "" if it is not late; ``tone`` is its colour in the
    style sheet. ``forecast`` says when the batch probably ends.
    """

    text: str = ""
    late: str = ""
    tone: str = ""
    forecast: str = ""


@register.filter
def due_in(summary: Summary) -> DueIn:
    """Compare the deadline of a batch with the pace of its provider."""
    if not summary.due:
        return DueIn()
    if summary.late_by:
        return DueIn(late=f"{summary.late_by} late", tone="bad")
    text, time_left = f"in {left(summary.due)}", summary.time_left
    if not time_left or summary.troubles or summary.batch.is_stop_requested:
        return DueIn(text)
    forecast = f"At this pace it ends in {roughly(time_left.middle)}"
    overrun = worst_overrun(summary.provider_batches)
    if not overrun:
        return DueIn(text, forecast=forecast)
    if overrun.is_certain:
        return DueIn(text, f"~{short_length(overrun.by)} late", "bad", forecast)
    return DueIn(text, f"up to {short_length(overrun.by)} late", "warn", forecast)
