"""Say what a month may cost in the end, from what the days before it cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

HISTORY_DAYS = 56  # eight weeks: each weekday counts alike, and habits change over time
LEAST_DAYS = 14  # with fewer days, one large batch would be half of the history
LEAST_SPANS = 7  # so that a span of days has begun on each weekday


@dataclass(frozen=True, slots=True)
class Forecast:
    """The cost of a month at its end: expected, and the range of the spans looked at.

    ``low_rest`` to ``high_rest`` is what ``days_left`` days in a row cost in the last ``history``
    days, and ``usual_rest`` is their average. All are USD.
    """

    so_far: Decimal
    days_left: int
    history: int
    low_rest: Decimal
    usual_rest: Decimal
    high_rest: Decimal

    @property
    def low(self) -> Decimal:
        return self.so_far + self.low_rest

    @property
    def usual(self) -> Decimal:
        return self.so_far + self.usual_rest

    @property
    def high(self) -> Decimal:
        return self.so_far + self.high_rest


def forecast(so_far: Decimal, days: Sequence[Decimal], days_left: int) -> Forecast | None:
    """Return what a month costs at its end, of which ``days_left`` whole days are to come.

    ``days`` are the costs of the days up to yesterday, the oldest first. Days before the first
    cost do not count: the team had not begun. The rest of the month is taken to cost what as many
    days in a row cost before. None on the last day, and with too few days to tell.
    """
    begun = next((number for number, cost in enumerate(days) if cost), len(days))
    history = days[begun:][-HISTORY_DAYS:]
    spans = len(history) - days_left + 1
    if days_left < 1 or len(history) < LEAST_DAYS or spans < LEAST_SPANS:
        return None
    rests = [sum(history[n : n + days_left], Decimal(0)) for n in range(spans)]
    return Forecast(
        so_far=so_far,
        days_left=days_left,
        history=len(history),
        low_rest=min(rests),
        usual_rest=sum(rests, Decimal(0)) / spans,
        high_rest=max(rests),
    )
