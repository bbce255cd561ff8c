"""What a file would cost, at the prices of a moment; and the same, frozen for a batch."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from batchapp.domain.money.calibration import History
from batchapp.domain.money.estimate import Estimate, estimate
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.domain.request_files.check_file import Report
from batchapp.models import REALTIME, Batch, Connection, ModelCost, Price, Project, User
from batchapp.models.fields.money_field import rounded


def quote(
    report: Report,
    connection: Connection,
    windows: Iterable[str],
    at: datetime,
    histories: Mapping[str, History] | None = None,
) -> dict[str, Estimate]:
    """Window -> what the checked file would cost there, at the prices in force at ``at``.

    ``histories`` are those of ``learnt``; without them, output is judged by the input.
    """
    found = connection.prices.matched(report.models, windows, at)
    books = {
        window: {model: _unit_price(row) for model, row in rows.items()}
        for window, rows in found.items()
    }
    return {
        window: estimate(report.models, book, window, histories) for window, book in books.items()
    }


def histories_for(
    report: Report, project: Project, user: User | None, before: datetime
) -> dict[str, History]:
    """How long answers to the file's requests will be, by batches that ended before then."""
    return ModelCost.objects.histories(report.models, project, user, before)


def price_tag(quotes: Mapping[str, Estimate]) -> str:
    """A short text that stays the same as long as every price in ``quotes`` does."""
    prices = [
        (window, line.model, line.price and (f"{line.price.input:f}", f"{line.price.output:f}"))
        for window, asked in quotes.items()
        for line in asked.models
    ]
    return hashlib.sha256(repr(sorted(prices, key=repr)).encode()).hexdigest()


def frozen_model_costs(
    batch: Batch, report: Report, quotes: Mapping[str, Estimate]
) -> list[ModelCost]:
    """What each model of ``batch`` costs, by the quotes of its windows and of realtime."""
    realtime = {line.model: line.price for line in quotes[REALTIME].models}
    fallback = quotes.get(batch.fallback_window)
    longer = {line.model: line.price for line in fallback.models} if fallback else {}
    return [
        ModelCost(
            batch=batch,
            model=line.model,
            requests=line.requests,
            **_frozen(line.price, ""),
            **_frozen(realtime.get(line.model), "realtime_"),
            **_frozen(longer.get(line.model), "fallback_"),
            shape=report.models[line.model].shape,
            basis=line.basis,
            unbounded_requests=line.unbounded_requests,
            estimated_input_tokens=line.input_tokens,
            estimated_output_tokens=line.output_expected,
            estimated_low_usd=line.low_usd,
            estimated_cost_usd=line.expected_usd,
            estimated_ceiling_usd=line.ceiling_usd,
        )
        for line in quotes[batch.window].models
    ]


def total_cost(asked: Estimate) -> Decimal | None:
    """Return the sum of the charges as stored, or None while a model has no price."""
    if asked.unpriced:
        return None
    return sum((rounded(line.expected_usd or Decimal(0)) for line in asked.models), Decimal(0))


def _unit_price(row: Price) -> UnitPrice:
    return UnitPrice(row.input_usd, row.output_usd, row=row.pk, since=row.effective_from)


def _frozen(price: UnitPrice | None, prefix: str) -> dict[str, Any]:
    """The fields of a charge that keep ``price``, and the row of the price table it is from."""
    if price is None:
        return {}
    return {
        f"{prefix}input_price": price.input,
        f"{prefix}output_price": price.output,
        f"{prefix}price_row": price.row,
        f"{prefix}price_since": price.since,
    }
