"""The sentence at the top of the home page, and when each batch on it is due."""

from collections.abc import Sequence
from dataclasses import dataclass

from batchapp.presenters.batches.batch_alerts import worst_overrun
from batchapp.presenters.batches.batch_summary import Summary
from batchapp.templatetags.words import count, left, roughly, short_length


def home_headline(waiting: Sequence[object], running: Sequence[object], *, is_new: bool) -> str:
    """Return how many batches wait for a person and how many are under way."""
    if waiting:
        verb = "needs" if len(waiting) == 1 else "need"
        rest = f", {len(running):,} under way" if running else ""
        return f"{count(len(waiting), 'batch,batches')} {verb} attention{rest}"
    if running:
        return f"{count(len(running), 'batch,batches')} under way"
    return "Welcome to Batchapp" if is_new else "Nothing is under way"


@dataclass(frozen=True, slots=True)
class DueIn:
    """The time until a batch is due, "" if that is not known yet, or how late it will be.

    ``tone`` is a colour of the style sheet, and ``forecast`` says when it probably ends.
    """

    text: str = ""
    tone: str = ""
    forecast: str = ""


def due_in(summary: Summary) -> DueIn:
    """Compare the deadline of a batch with the pace of its provider."""
    if not summary.due:
        return DueIn()
    if summary.late_by:
        return DueIn(f"late by {summary.late_by}", "bad")
    time_left = summary.time_left
    if not time_left or summary.troubles or summary.batch.is_stop_requested:
        return DueIn(left(summary.due))
    forecast = f"At this pace it ends in {roughly(time_left.middle)}"
    overrun = worst_overrun(summary.provider_batches)
    if not overrun:
        return DueIn(left(summary.due), forecast=forecast)
    if overrun.is_certain:
        return DueIn(f"late by ~{short_length(overrun.by)}", "bad", forecast)
    return DueIn(f"up to {short_length(overrun.by)} late", "warn", forecast)
