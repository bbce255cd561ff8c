"""The price table: its built-in list, and one row added, corrected, ended or withdrawn."""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files

from django.core.exceptions import ValidationError

from batchapp.domain.money import model_patterns
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import REALTIME, Connection, ModelCost, Price
from batchapp.models.providers.price import changing_prices

LIST_DATE = datetime(2026, 4, 13, tzinfo=UTC)
"""When the provider published the list; prices before it are not known."""


class NotPossible(Exception):
    """The price table stays as it was; the message is a sentence for the person."""


def load_doubleword_list(connection: Connection) -> int:
    """Give ``connection`` Doubleword's list prices; how many were new.

    A model and window that has any price already is left alone: people's edits win.
    """
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
    return len(Price.objects.bulk_create(rows))


def _list() -> list[dict[str, str]]:
    text = files("batchapp").joinpath("data/doubleword_prices.csv").read_text()
    return list(csv.DictReader(text.splitlines()))


def add(price: Price, since: datetime | None = None) -> Price:
    """Write ``price`` from ``since`` on, now by default, until the next announced one.

    Raises:
        NotPossible: one of this kind is in force then, or a pattern is a rival of another.
    """
    with changing_prices(price.connection) as now:
        price.effective_from = _not_past(since, now)
        rows = Price.objects.of_kind(price)
        following = rows.announced(price.effective_from).order_by("effective_from").first()
        price.effective_to = following.effective_from if following else None
        _save(price)
    return price


def correct(
    price: Price, unit_price: UnitPrice, *, since: datetime | None = None, source: str = ""
) -> Price:
    """Put other amounts in the place of ``price`` from ``since`` on, now by default.

    A row that was ever in force keeps what it says and ends then; the new row takes over until
    the old one would have ended. One that is only announced is written over, its date kept.

    Raises:
        NotPossible: the row is over by then, or was changed or removed meanwhile.
    """
    with changing_prices(price.connection) as now:
        old = _again(price)
        if old.effective_from > now:
            old.input_usd, old.output_usd, old.source = unit_price.input, unit_price.output, source
            _save(old)
            return old
        start = _not_past(since, now)
        new = Price(
            connection=old.connection,
            model=old.model,
            window=old.window,
            input_usd=unit_price.input,
            output_usd=unit_price.output,
            effective_from=start,
            effective_to=old.effective_to,
            source=source,
        )
        _cut(old, start)
        _save(new)
    return new


def end(price: Price, at: datetime | None = None) -> Price:
    """Let ``price`` hold no longer than until ``at``, now by default.

    Raises:
        NotPossible: it is not in force yet, ends before, or was changed meanwhile.
    """
    with changing_prices(price.connection) as now:
        old = _again(price)
        if old.effective_from > now:
            raise NotPossible("This price is not in force yet. Withdraw it instead.")
        _cut(old, _not_past(at, now))
    return old


def withdraw(price: Price) -> Price | None:
    """Remove a ``price`` that was never in force; the row before it, if that now goes on instead.

    Raises:
        NotPossible: it is in force by now, so a batch may have been ordered at it.
    """
    with changing_prices(price.connection) as now:
        row = _again(price)
        if row.effective_from <= now:
            raise NotPossible("This price is in force by now, so it stays on record. End it.")
        before = predecessor(row)
        row.delete()
        if before:
            before.effective_to = row.effective_to
            before.save(update_fields=["effective_to"])
    return before


def predecessor(price: Price) -> Price | None:
    """The row that ends where ``price`` begins."""
    return Price.objects.of_kind(price).filter(effective_to=price.effective_from).first()


def batches_with(price: Price) -> int:
    """How many batches were ordered at ``price``, and keep it whatever happens to the row."""
    amounts = {"input_price": price.input_usd, "output_price": price.output_usd}
    if price.window == REALTIME:
        chosen = ModelCost.objects.filter(
            **{f"realtime_{name}": each for name, each in amounts.items()}
        )
    else:
        chosen = ModelCost.objects.filter(batch__window=price.window, **amounts)
    chosen = chosen.filter(
        batch__connection=price.connection_id, batch__created_at__gte=price.effective_from
    )
    if price.effective_to:
        chosen = chosen.filter(batch__created_at__lt=price.effective_to)
    names = chosen.order_by().values_list("model", flat=True).distinct()
    meant = [name for name in names if model_patterns.matches(price.model, name)]
    return chosen.filter(model__in=meant).order_by().values("batch").distinct().count()


def _again(price: Price) -> Price:
    """The row as it is now, in the hands of this change alone."""
    row = Price.objects.select_related("connection").filter(pk=price.pk).first()
    if row is None:
        raise NotPossible("This price was withdrawn meanwhile.")
    seen = (price.unit_price, price.effective_from, price.effective_to)
    if seen != (row.unit_price, row.effective_from, row.effective_to):
        raise NotPossible("Somebody changed this price meanwhile. Look at it again.")
    return row


def _cut(old: Price, at: datetime) -> None:
    if old.effective_to and old.effective_to <= at:
        raise NotPossible("This price is over by then. Add a new one instead.")
    if old.effective_from >= at:
        raise NotPossible("This price begins only then. Choose a later date.")
    old.effective_to = at
    old.save(update_fields=["effective_to"])


def _not_past(moment: datetime | None, now: datetime) -> datetime:
    if moment is not None and moment < now:
        raise NotPossible("What was paid is not changed afterwards: choose now or a later date.")
    return moment or now


def _save(price: Price) -> None:
    try:
        price.full_clean()
    except ValidationError as exc:
        raise NotPossible(" ".join(exc.messages)) from exc
    price.save()
