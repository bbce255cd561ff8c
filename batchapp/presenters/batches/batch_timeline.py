"""The timeline of a batch with clock times, and the time since the step before."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone

from batchapp.models import Event, User
from batchapp.models.batches.event import EventKind
from batchapp.presenters.event_text import event_text, short_finished_text
from batchapp.templatetags.words import count

MIN_GAP = timedelta(minutes=1)  # a shorter one says nothing beside clock times


@dataclass(frozen=True, slots=True)
class Step:
    """``day`` is "" where it is that of the step before, and ``gap`` where that was just now."""

    at: datetime
    day: str
    gap: str
    text: str
    person: User | None


def timeline_of(events: Iterable[Event]) -> list[Step]:
    """Return the steps of ``events``, which are in the order of time.

    How many requests the batch has last finished with stands above, and only earlier counts here.
    """
    return list(_steps(list(events)))


def _steps(events: Sequence[Event]) -> Iterator[Step]:
    ends = [event for event in events if event.kind == EventKind.FINISHED]
    before: datetime | None = None
    for event in events:
        at = timezone.localtime(event.at)
        is_same_day = before is not None and before.date() == at.date()
        gap = at - before if before else timedelta(0)
        yield Step(
            at=at,
            day="" if is_same_day else _day(at.date()),
            gap=f"{_length(gap)} later" if gap >= MIN_GAP else "",
            text=short_finished_text(event) if event in ends[-1:] else event_text(event),
            person=event.actor,
        )
        before = at


def _length(gap: timedelta) -> str:
    hours, minutes = divmod(int(gap / timedelta(minutes=1)), 60)
    if hours >= 48:
        return count(hours // 24, "day")
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"


def _day(day: date) -> str:
    is_this_year = day.year == timezone.localdate().year
    return f"{day:%-d %b}" if is_this_year else f"{day:%-d %b %Y}"
