"""The built-in price list, loaded where a connection speaks for a provider that it is of."""

import csv
from datetime import UTC, datetime
from decimal import Decimal
from importlib.resources import files

from batchapp.models import Connection, Price

LIST_DATE = datetime(2026, 4, 13, tzinfo=UTC)
"""When the provider published the list; prices before it are not known."""


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
