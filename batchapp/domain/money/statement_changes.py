"""Decide which lines a statement gets for one model of one batch. Pure: no Django, no I/O.

The lines of all statements together always add up to the newest figures. So a line that follows
another one has the difference.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from operator import add, sub

COUNTS = (
    *("requests", "answers", "input_tokens", "output_tokens", "cached_tokens"),
    *("written_5m_tokens", "written_1h_tokens", "written_24h_tokens"),
)


class LineKind(StrEnum):
    """The kind of a line of a statement.

    A ``BATCH`` completed in the month of the statement. An ``ADJUSTMENT`` follows a line of an
    earlier statement, or is of a batch of an earlier month that no statement has. A ``CREDIT`` is
    an adjustment that lowers the sum.
    """

    BATCH = "batch"
    ADJUSTMENT = "adjustment"
    CREDIT = "credit"


@dataclass(frozen=True, slots=True)
class Figures:
    """The counts of a model of a batch, in the order of ``COUNTS``, and its cost in USD.

    A cost of None is unknown.
    """

    counts: tuple[int, ...]
    cost_usd: Decimal | None


NOTHING = (0,) * len(COUNTS)


def add_up(lines: Iterable[Figures]) -> Figures | None:
    """Return what ``lines``, the oldest first, say together; None if there are no lines.

    The cost is unknown if the last line says so.
    """
    total: Figures | None = None
    for line in lines:
        counts = tuple(map(add, total.counts if total else NOTHING, line.counts))
        before = total.cost_usd if total else None
        cost = None if line.cost_usd is None else (before or Decimal(0)) + line.cost_usd
        total = Figures(counts, cost)
    return total


def new_lines(
    now: Figures, stated: Figures | None, *, is_of_month: bool
) -> list[tuple[LineKind, Figures]]:
    """Return the lines that a statement needs, so that all statements together say ``now``.

    ``stated`` is what the statements so far say, None if they do not name the batch.
    ``is_of_month`` says whether the batch completed in the month of the new statement.

    A cost that was known and is unknown now is taken back by a line of its own.
    """
    if stated is None:
        return [(LineKind.BATCH if is_of_month else LineKind.ADJUSTMENT, now)]
    counts = tuple(map(sub, now.counts, stated.counts))
    was_known = stated.cost_usd is not None
    known_usd = stated.cost_usd or Decimal(0)
    if now.cost_usd is not None:
        amount = now.cost_usd - known_usd
        if was_known and not amount and counts == NOTHING:
            return []
        return [(_kind(amount), Figures(counts, amount))]
    lines = [(LineKind.CREDIT, Figures(NOTHING, -known_usd))] if known_usd else []
    if was_known or counts != NOTHING:
        lines.append((LineKind.ADJUSTMENT, Figures(counts, None)))
    return lines


def _kind(amount: Decimal) -> LineKind:
    return LineKind.CREDIT if amount < 0 else LineKind.ADJUSTMENT
