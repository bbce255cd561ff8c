"""Load the built-in price list, and add, correct, end or withdraw one price.

Only administrators may: for others each of these raises ``NotAllowed``, and nothing is written.
"""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files

from django.core.exceptions import ValidationError
from django.db import transaction

from batchapp import access
from batchapp.access import Actor
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.domain.refused import Refusal, Refused
from batchapp.models import (
    REALTIME,
    AuditEvent,
    AuditKind,
    Connection,
    ModelCost,
    Price,
    User,
)
from batchapp.models.providers.price import changing_prices, price_columns
from batchapp.services.prices.price_facts import facts_of, record_price

LIST_DATE = datetime(2026, 4, 13, tzinfo=UTC)  # of publication; older prices are unknown


def load_doubleword_list(connection: Connection, actor: Actor) -> int:
    """Add Doubleword's list prices to ``connection``, and return how many were added.

    A model and window with any price is skipped, so that people's changes stay.

    Raises:
        Refused: the connection is to another provider, whose prices are unknown.
    """
    access.require_administer(actor)
    if not connection.has_shipped_lists:
        raise Refused(Refusal.PRICES_OF_DOUBLEWORD, connection=connection.name)
    priced = set(connection.prices.values_list("model", "window"))
    rows = [
        Price(
            connection=connection,
            model=row["model"],
            window=row["window"],
            input_usd=Decimal(row["input_usd"]),
            output_usd=Decimal(row["output_usd"]),
            effective_from=LIST_DATE,
            source=row["source"],
        )
        for row in _list()
        if (row["model"], row["window"]) not in priced
    ]
    with transaction.atomic():
        added = len(Price.objects.bulk_create(rows))
        if added:
            person = actor if isinstance(actor, User) else None
            AuditEvent.objects.record(
                AuditKind.PRICES_LOADED, person, connection=connection.name, added=added
            )
    return added


def _list() -> list[dict[str, str]]:
    text = files("batchapp").joinpath("data/doubleword_prices.csv").read_text()
    return list(csv.DictReader(text.splitlines()))


def add(price: Price, actor: Actor, since: datetime | None = None) -> Price:
    """Write ``price`` from ``since`` on, now by default, until the next announced one.

    Raises:
        Refused: another price is in force then, or two patterns are ambiguous.
    """
    access.require_administer(actor)
    with changing_prices(price.connection) as now:
        price.effective_from = _not_past(since, now)
        rows = Price.objects.of_kind(price)
        following = rows.announced(price.effective_from).order_by("effective_from").first()
        price.effective_to = following.effective_from if following else None
        _save(price)
        record_price(AuditKind.PRICE_ADDED, actor, price, after=facts_of(price))
    return price


def correct(
    price: Price,
    actor: Actor,
    unit_price: UnitPrice,
    *,
    since: datetime | None = None,
    source: str = "",
) -> Price:
    """Replace the amounts of ``price`` from ``since`` on, now by default.

    A price that was ever in force keeps its amounts and ends then; a new price follows, until the
    old price would have ended. An announced price is overwritten, with its dates.

    Raises:
        Refused: the price is over by then, or was changed or removed meanwhile.
    """
    access.require_administer(actor)
    with changing_prices(price.connection) as now:
        old = _reload(price)
        if old.effective_from > now:
            before = facts_of(old)
            old.unit_price, old.source = unit_price, source
            _save(old)
            record_price(AuditKind.PRICE_CORRECTED, actor, old, before=before, after=facts_of(old))
            return old
        start = _not_past(since, now)
        new = Price(
            connection=old.connection,
            model=old.model,
            window=old.window,
            **price_columns(unit_price),
            effective_from=start,
            effective_to=old.effective_to,
            source=source,
        )
        before = facts_of(old)
        _end_at(old, start)
        _save(new)
        record_price(AuditKind.PRICE_CORRECTED, actor, new, before=before, after=facts_of(new))
    return new


def end(price: Price, actor: Actor, at: datetime | None = None) -> Price:
    """End ``price`` at ``at``, now by default.

    Raises:
        Refused: the price is not in force yet, ends before, or was changed meanwhile.
    """
    access.require_administer(actor)
    with changing_prices(price.connection) as now:
        old = _reload(price)
        if old.effective_from > now:
            raise Refused(Refusal.PRICE_NOT_IN_FORCE)
        before = facts_of(old)
        _end_at(old, _not_past(at, now))
        record_price(AuditKind.PRICE_ENDED, actor, old, before=before, after=facts_of(old))
    return old


def withdraw(price: Price, actor: Actor) -> Price | None:
    """Remove an announced ``price``, and return the price that continues in its place, if any.

    Raises:
        Refused: the price is in force by now, so a batch may have been ordered at it.
    """
    access.require_administer(actor)
    with changing_prices(price.connection) as now:
        row = _reload(price)
        if row.effective_from <= now:
            raise Refused(Refusal.PRICE_IN_FORCE)
        previous = predecessor(row)
        record_price(AuditKind.PRICE_WITHDRAWN, actor, row, before=facts_of(row))
        row.delete()
        if previous:
            previous.effective_to = row.effective_to
            previous.save(update_fields=["effective_to"])
    return previous


def predecessor(price: Price) -> Price | None:
    """Return the price that ends when ``price`` starts."""
    return Price.objects.of_kind(price).filter(effective_to=price.effective_from).first()


def batches_with(price: Price) -> int:
    """Return how many batches were ordered at ``price``; they keep the price they have."""
    costs = ModelCost.objects.filter(
        batch__connection=price.connection_id, batch__created_at__gte=price.effective_from
    ).order_by()
    if price.window == REALTIME:
        costs = costs.filter(realtime_price__row=price.pk)
    else:
        costs = costs.filter(unit_price__row=price.pk)
    return costs.values("batch").distinct().count()


def _reload(price: Price) -> Price:
    """Return the stored row, if it is still as the person saw it."""
    row = Price.objects.select_related("connection").filter(pk=price.pk).first()
    if row is None:
        raise Refused(Refusal.PRICE_WITHDRAWN)
    shown = (price.unit_price, price.effective_from, price.effective_to)
    if shown != (row.unit_price, row.effective_from, row.effective_to):
        raise Refused(Refusal.PRICE_CHANGED)
    return row


def _end_at(old: Price, at: datetime) -> None:
    if old.effective_to and old.effective_to <= at:
        raise Refused(Refusal.PRICE_OVER_THEN)
    if old.effective_from >= at:
        raise Refused(Refusal.PRICE_NOT_IN_FORCE_THEN)
    old.effective_to = at
    old.save(update_fields=["effective_to"])


def _not_past(moment: datetime | None, now: datetime) -> datetime:
    if moment is not None and moment < now:
        raise Refused(Refusal.PRICES_PAST)
    return moment or now


def _save(price: Price) -> None:
    try:
        price.full_clean()
    except ValidationError as exc:
        raise Refused(Refusal.PRICE_INVALID, messages=" ".join(exc.messages)) from exc
    price.save()
