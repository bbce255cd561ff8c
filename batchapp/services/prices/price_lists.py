"""Compare a price list with the stored prices, write it at once, and export prices as CSV."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import QuerySet

from batchapp import access
from batchapp.access import Actor
from batchapp.domain import csv_list
from batchapp.domain.csv_list import BadLine
from batchapp.domain.money import model_patterns, price_cells, price_list_csv
from batchapp.domain.money.price_list_csv import ParsedPriceList, PriceLine
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import REALTIME, AuditEvent, AuditKind, Connection, Price, User
from batchapp.models.providers.price import changing_prices, price_columns
from batchapp.models.row_blocks import in_order
from batchapp.services.prices.price_facts import amounts_of

MOST_RECORDED = 500  # changed prices of one import whose amounts are kept; all are counted


@dataclass(frozen=True, slots=True)
class Difference:
    """The changes that a list makes in the prices of a connection from ``at`` on.

    ``missing`` are the prices in force that the list does not name. ``fingerprint`` is a hash of
    the stored prices that the list was compared with. ``following`` has the start of the next
    announced price, by kind.
    """

    at: datetime
    new: list[PriceLine]
    changed: list[tuple[Price, PriceLine]]
    unchanged: list[Price]
    missing: list[Price]
    bad: list[BadLine]
    skipped: int
    fingerprint: str
    following: dict[tuple[str, str], datetime] = field(repr=False)

    @property
    def writes(self) -> int:
        return len(self.new) + len(self.changed)


def offered_windows(connection: Connection) -> list[str]:
    """Return the windows for which ``connection`` has prices, realtime last."""
    windows = connection.windows if isinstance(connection.windows, list) else []
    return [*(str(window) for window in windows), REALTIME]


def compare(connection: Connection, text: str, at: datetime) -> Difference:
    """Compare the CSV ``text`` with the prices from ``at`` on. Nothing is written.

    Raises:
        UnreadableList: the text is no price list.
    """
    price_list = price_list_csv.read_price_list(text, connection.name, at)
    rows = list(connection.prices.not_over(at).order_by("pk"))
    current = {row.kind: row for row in rows if row.effective_from <= at}
    later = [row for row in rows if row.effective_from > at]
    named = {line.kind for line in price_list.lines}
    pairs = [_pair(current.get(line.kind), line) for line in price_list.lines]
    bad = [
        *price_list.bad,
        *_unknown_windows(connection, price_list, rows),
        *_ambiguous_patterns(price_list.lines, rows),
    ]
    return Difference(
        at=at,
        new=[line for row, line in pairs if not row],
        changed=[(row, line) for row, line in pairs if row and row.unit_price != line.price],
        unchanged=[row for row, line in pairs if row and row.unit_price == line.price],
        missing=[row for kind, row in current.items() if kind not in named],
        bad=sorted(bad, key=lambda line: line.number),
        skipped=price_list.skipped,
        fingerprint=_fingerprint(rows, at),
        following={
            row.kind: row.effective_from
            for row in sorted(later, key=lambda row: row.effective_from, reverse=True)
        },
    )


def apply(
    connection: Connection,
    actor: Actor,
    text: str,
    *,
    fingerprint: str,
    since: datetime | None = None,
    ends_missing: bool = False,
    source: str = "",
) -> Difference:
    """Write the changes of ``text``, all or nothing, from ``since`` on, now by default.

    ``fingerprint`` is that of the ``Difference`` that the person confirmed; ``source`` is stored
    for lines without a source. Prices that were in force keep their amounts and end.

    Raises:
        NotAllowed: the person is no administrator.
        Refused: the prices changed since, a line is bad, or ``since`` is past.
        UnreadableList: the text is no price list.
    """
    access.require_administer(actor)
    with changing_prices(connection) as now:
        if since and since < now:
            raise Refused(Refusal.PRICE_TIME_PAST)
        difference = compare(connection, text, since or now)
        if difference.fingerprint != fingerprint:
            raise Refused(Refusal.COMPARISON_OUTDATED)
        if difference.bad:
            raise Refused(Refusal.PRICE_LINES_BAD)
        _write(connection, difference, source, ends_missing=ends_missing)
        _record(connection, actor, difference, ends_missing=ends_missing)
    return difference


def _record(
    connection: Connection, actor: Actor, difference: Difference, *, ends_missing: bool
) -> None:
    """Record the import, with the amounts before and after of what it changed."""
    changed = difference.changed[:MOST_RECORDED]
    AuditEvent.objects.record(
        AuditKind.PRICES_IMPORTED,
        actor if isinstance(actor, User) else None,
        connection=connection.name,
        added=len(difference.new),
        changed=len(difference.changed),
        ended=len(difference.missing) if ends_missing else 0,
        since=difference.at,
        before={f"{row.model}, {row.window}": amounts_of(row.unit_price) for row, _ in changed},
        after={f"{line.model}, {line.window}": amounts_of(line.price) for _, line in changed},
    )


def _pair(row: Price | None, line: PriceLine) -> tuple[Price | None, PriceLine]:
    """Return the line with the parts of the stored price that its list has no column for."""
    return row, line.completed(row.unit_price) if row else line


def _write(
    connection: Connection, difference: Difference, source: str, *, ends_missing: bool
) -> None:
    at = difference.at
    ending = [row for row, _ in difference.changed]
    ending += difference.missing if ends_missing else []
    lines = [(line, difference.following.get(line.kind)) for line in difference.new]
    lines += [(line, row.effective_to) for row, line in difference.changed]
    # A price that starts at this very instant was never in force.
    never_in_force = [row.pk for row in ending if row.effective_from == at]
    connection.prices.filter(pk__in=never_in_force).delete()
    connection.prices.filter(pk__in=[row.pk for row in ending]).update(effective_to=at)
    Price.objects.bulk_create(
        Price(
            connection=connection,
            model=line.model,
            window=line.window,
            **price_columns(line.price),
            effective_from=at,
            effective_to=until,
            source=line.source or source,
        )
        for line, until in lines
    )


def csv_rows(prices: QuerySet[Price]) -> Iterator[list[str]]:
    """Yield a header and one row per price, without rounding; ``compare`` can read the rows."""
    yield list(price_list_csv.COLUMNS)
    for price in in_order(prices.select_related("connection")):
        yield [
            csv_list.escape_formula(price.connection.name),
            csv_list.escape_formula(price.model),
            csv_list.escape_formula(price.window),
            f"{price.input_usd:f}",
            f"{price.output_usd:f}",
            *price_cells.component_cells(price.unit_price).values(),
            price.effective_from.isoformat(),
            price.effective_to.isoformat() if price.effective_to else "",
            csv_list.escape_formula(price.source),
        ]


def _unknown_windows(
    connection: Connection, price_list: ParsedPriceList, rows: Iterable[Price]
) -> Iterator[BadLine]:
    windows = {*offered_windows(connection), *(row.window for row in rows)}
    for line in price_list.lines:
        if line.window not in windows:
            names = ", ".join(sorted(windows))
            reason = f"{connection} does not offer the window “{line.window}”, only {names}."
            yield BadLine(line.number, reason)


def _ambiguous_patterns(lines: Iterable[PriceLine], rows: Iterable[Price]) -> Iterator[BadLine]:
    """Yield lines whose pattern is ambiguous with that of another line or stored price."""
    patterns: dict[str, set[str]] = {}
    for model, window in [*(row.kind for row in rows), *(line.kind for line in lines)]:
        if model_patterns.is_pattern(model):
            patterns.setdefault(window, set()).add(model)
    for line in lines:
        for pattern in sorted(patterns.get(line.window, ())):
            if model_patterns.are_ambiguous(line.model, pattern):
                reason = f"{line.model} and {pattern} could both mean the same model."
                yield BadLine(line.number, f"{reason} Write one of them longer.")
                break


def _fingerprint(rows: Iterable[Price], at: datetime) -> str:
    state = [
        (row.pk, row.kind, str(row.unit_price), str(row.effective_to), row.state(at))
        for row in rows
    ]
    return hashlib.sha256(repr(state).encode()).hexdigest()
