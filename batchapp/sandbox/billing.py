"""What the answers of batches cost: their tokens at the prices of the batches' creation."""

import sqlite3
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal

from batchapp.sandbox.api.catalogue import MILLION, MODELS

_QUERY = (
    "SELECT batches.pk AS batch, completion_window, lines.model AS model, COUNT(*) AS requests,"
    " SUM(prompt_tokens) AS prompt, SUM(completion_tokens) AS completion,"
    " COALESCE(SUM(cache_read), 0) AS cache_read, COALESCE(SUM(cache_5m), 0) AS cache_5m,"
    " COALESCE(SUM(cache_1h), 0) AS cache_1h, COALESCE(SUM(cache_24h), 0) AS cache_24h,"
    " read, write_5m, write_1h, write_24h"
    " FROM batches JOIN requests ON requests.batch = batches.pk"
    " JOIN lines ON lines.file = batches.file AND lines.number = requests.line"
    " LEFT JOIN cached_tokens"
    " ON cached_tokens.batch = requests.batch AND cached_tokens.line = requests.line"
    " LEFT JOIN batch_cache_tariffs AS multipliers"
    " ON multipliers.batch = batches.pk AND multipliers.model = lines.model"
    " WHERE has_failed = 0 AND settles_at <= ?"
)


@dataclass(slots=True)
class Bill:
    """The answers of one batch; the costs are in USD and not rounded."""

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: Decimal = Decimal(0)
    list_cost: Decimal = Decimal(0)  # without the prompt cache


def bill_of(connection: sqlite3.Connection, batch_pk: int, until: float) -> Bill:
    """Return the bill of one batch for the requests that were answered until ``until``."""
    query = f"{_QUERY} AND batches.pk = ? GROUP BY lines.model"
    bill = Bill()
    for row in connection.execute(query, (until, batch_pk)):
        _add(bill, row)
    return bill


def bills(connection: sqlite3.Connection, until: float) -> defaultdict[int, Bill]:
    """Return the bill of each batch by ``pk``; a batch without answers has an empty one."""
    result: defaultdict[int, Bill] = defaultdict(Bill)
    for row in connection.execute(f"{_QUERY} GROUP BY batches.pk, lines.model", (until,)):
        _add(result[row["batch"]], row)
    return result


def _add(bill: Bill, row: sqlite3.Row) -> None:
    """Add the answers of one model. A model without a price costs nothing."""
    bill.requests += row["requests"]
    bill.prompt_tokens += row["prompt"]
    bill.completion_tokens += row["completion"]
    if row["model"] not in MODELS:
        return
    tariff = MODELS[row["model"]].tariff(row["completion_window"])
    bill.list_cost += tariff.cost(input_tokens=row["prompt"], output_tokens=row["completion"])
    input_cost = _weighted_tokens(row) * tariff.input
    bill.cost += (input_cost + row["completion"] * tariff.output) / MILLION


def _weighted_tokens(row: sqlite3.Row) -> Decimal:
    """Return the input tokens, those read from or written to the cache times their multiplier.

    Without a cache tariff at the creation of the batch, every token counts once.
    """
    prompt = Decimal(row["prompt"])
    if row["read"] is None:
        return prompt
    weighted = Decimal(0)
    for tokens, multiplier in (
        ("cache_read", "read"),
        ("cache_5m", "write_5m"),
        ("cache_1h", "write_1h"),
        ("cache_24h", "write_24h"),
    ):
        prompt -= row[tokens]
        weighted += row[tokens] * Decimal(row[multiplier])
    return prompt + weighted
