"""Whole price lists: compared with the table, written in one go, and handed out as CSV."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet

from batchapp.domain.money import model_patterns, price_list_csv
from batchapp.domain.money.price_list_csv import BadLine, Line, Listing
from batchapp.models import REALTIME, Connection, Price
from batchapp.models.providers.price import changing_prices


class NotImported(Exception):
    """Nothing was written; the message is a sentence for the person."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a list would change in the prices of a connection from ``at`` on.

    ``missing`` are the rows in force that the list does not name. ``table`` stays the same as
    long as what was compared with does.
    """

    at: datetime
    new: list[Line]
    changed: list[tuple[Price, Line]]
    unchanged: list[Price]
    missing: list[Price]
    bad: list[BadLine]
    passed_over: int
    table: str
    following: dict[tuple[str, str], datetime] = field(repr=False)

    @property
    def writes(self) -> int:
        return len(self.new) + len(self.changed)


def offered(connection: Connection) -> list[str]:
    """The windows that prices of ``connection`` are for, realtime last."""
    windows = connection.windows if isinstance(connection.windows, list) else []
    return [*(str(window) for window in windows), REALTIME]


def compare(connection: Connection, text: str, at: datetime) -> Difference:
    """Tell what the CSV ``text`` would change from ``at`` on. Nothing is written.

    Raises:
        UnreadableList: there is nothing to compare.
    """
    listing = price_list_csv.read(text, connection.name, at)
    rows = list(connection.prices.not_over(at).order_by("pk"))
    current = {row.kind: row for row in rows if row.effective_from <= at}
    later = [row for row in rows if row.effective_from > at]
    named = {line.kind for line in listing.lines}
    pairs = [(current.get(line.kind), line) for line in listing.lines]
    findings = [*_unknown_windows(connection, listing, rows), *_rivals(listing.lines, rows)]
    return Difference(
        at=at,
        new=[line for row, line in pairs if not row],
        changed=[(row, line) for row, line in pairs if row and row.unit_price != line.price],
        unchanged=[row for row, line in pairs if row and row.unit_price == line.price],
        missing=[row for kind, row in current.items() if kind not in named],
        bad=sorted([*listing.bad, *findings], key=lambda each: each.number),
        passed_over=listing.passed_over,
        table=_table(rows, at),
        following={
            row.kind: row.effective_from
            for row in sorted(later, key=lambda row: row.effective_from, reverse=True)
        },
    )


def apply(
    connection: Connection,
    text: str,
    *,
    table: str,
    since: datetime | None = None,
    ends_missing: bool = False,
    source: str = "",
) -> Difference:
    """Write what ``text`` changes, all or nothing, from ``since`` on, now by default.

    ``table`` is that of the ``Difference`` the person agreed to; ``source`` is noted where a line
    names none. Rows that were in force keep what they say and end.

    Raises:
        NotImported: somebody was first, a line is bad, or ``since`` is past.
        UnreadableList: there is nothing to compare.
    """
    with changing_prices(connection) as now:
        if since and since < now:
            raise NotImported("The time from which they hold is past. Choose now or a later one.")
        found = compare(connection, text, since or now)
        if found.table != table:
            raise NotImported(
                "The prices changed since this comparison was made, so nothing was written. "
                "Compare again."
            )
        if found.bad:
            raise NotImported("Some lines are bad, so nothing was written. Correct them first.")
        _write(connection, found, source, ends_missing=ends_missing)
    return found


def _write(connection: Connection, found: Difference, source: str, *, ends_missing: bool) -> None:
    leaving = [row for row, _ in found.changed] + (found.missing if ends_missing else [])
    lines = [*((line, found.following.get(line.kind)) for line in found.new)]
    lines += [(line, row.effective_to) for row, line in found.changed]
    # Of those that would begin at this very instant nothing was ever in force.
    unborn = [row.pk for row in leaving if row.effective_from == found.at]
    connection.prices.filter(pk__in=unborn).delete()
    connection.prices.filter(pk__in=[row.pk for row in leaving]).update(effective_to=found.at)
    Price.objects.bulk_create(
        Price(
            connection=connection,
            model=line.model,
            window=line.window,
            input_usd=line.price.input,
            output_usd=line.price.output,
            effective_from=found.at,
            effective_to=until,
            source=line.source or source,
        )
        for line, until in lines
    )


def csv_rows(prices: QuerySet[Price]) -> Iterator[list[str]]:
    """A header and one row per price, amounts and instants exact; ``compare`` reads it back."""
    yield list(price_list_csv.COLUMNS)
    for price in prices.select_related("connection").iterator(chunk_size=500):
        yield [
            price_list_csv.inert(price.connection.name),
            price_list_csv.inert(price.model),
            price_list_csv.inert(price.window),
            f"{price.input_usd:f}",
            f"{price.output_usd:f}",
            price.effective_from.isoformat(),
            price.effective_to.isoformat() if price.effective_to else "",
            price_list_csv.inert(price.source),
        ]


def _unknown_windows(
    connection: Connection, listing: Listing, rows: Iterable[Price]
) -> Iterator[BadLine]:
    known = {*offered(connection), *(row.window for row in rows)}
    for line in listing.lines:
        if line.window not in known:
            names = ", ".join(sorted(known))
            reason = f"{connection} does not offer the window “{line.window}”, only {names}."
            yield BadLine(line.number, reason)


def _rivals(lines: Iterable[Line], rows: Iterable[Price]) -> Iterator[BadLine]:
    """Lines with a pattern that another line or a price of the table ties with."""
    others: dict[str, set[str]] = {}
    for model, window in [*(row.kind for row in rows), *(line.kind for line in lines)]:
        if model_patterns.is_pattern(model):
            others.setdefault(window, set()).add(model)
    for line in lines:
        for other in sorted(others.get(line.window, ())):
            if model_patterns.are_rivals(line.model, other):
                reason = f"{line.model} and {other} could both mean the same model."
                yield BadLine(line.number, f"{reason} Write one of them longer.")
                break


def _table(rows: Iterable[Price], at: datetime) -> str:
    """A short text that stays the same as long as every one of ``rows`` does."""
    state = [
        (row.pk, row.kind, str(row.unit_price), str(row.effective_to), row.state(at))
        for row in rows
    ]
    return hashlib.sha256(repr(state).encode()).hexdigest()
