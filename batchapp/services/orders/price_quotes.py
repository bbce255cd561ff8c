"""Quote the cost of a file at the prices of a moment, and freeze the quote for a batch."""

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
    """Return window -> estimated cost of the checked file, at the prices in force at ``at``.

    ``histories`` are those of ``histories_for``; without them, the output is estimated from the
    input.
    """
    estimates = {}
    for window, rows in connection.prices.match_models(report.models, windows, at).items():
        prices = {model: _unit_price(row) for model, row in rows.items()}
        estimates[window] = estimate(report.models, prices, window, histories)
    return estimates


def histories_for(
    report: Report, project: Project, user: User | None, before: datetime
) -> dict[str, History]:
    """Return model -> the lengths of answers in similar batches that ended before then."""
    return ModelCost.objects.histories(report.models, project, user, before)


def price_tag(quotes: Mapping[str, Estimate]) -> str:
    """Return a hash of all prices in ``quotes``, which tells if any price changed since."""
    prices = [
        (window, line.model, line.price and (f"{line.price.input:f}", f"{line.price.output:f}"))
        for window, quote in quotes.items()
        for line in quote.models
    ]
    return hashlib.sha256(repr(sorted(prices, key=repr)).encode()).hexdigest()


def frozen_model_costs(
    batch: Batch, report: Report, quotes: Mapping[str, Estimate]
) -> list[ModelCost]:
    """Return one unsaved cost per model of ``batch``, from the quotes of its windows."""
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


def model_costs_at(batch: Batch, report: Report, at: datetime) -> list[ModelCost]:
    """Return the costs of an unsaved batch at the prices of ``at``, and set its estimate.

    The costs are not saved. The batch has no fallback window.
    """
    histories = histories_for(report, batch.project, batch.created_by, at)
    quotes = quote(report, batch.connection, [batch.window, REALTIME], at, histories)
    batch.estimated_cost_usd = total_cost(quotes[batch.window])
    return frozen_model_costs(batch, report, quotes)


def total_cost(quote: Estimate) -> Decimal | None:
    """Return the sum of the costs, rounded as they are stored; None if a price is missing."""
    if quote.unpriced:
        return None
    return sum((rounded(line.expected_usd or Decimal(0)) for line in quote.models), Decimal(0))


def _unit_price(row: Price) -> UnitPrice:
    return UnitPrice(row.input_usd, row.output_usd, row=row.pk, since=row.effective_from)


def _frozen(price: UnitPrice | None, prefix: str) -> dict[str, Any]:
    if price is None:
        return {}
    return {
        f"{prefix}input_price": price.input,
        f"{prefix}output_price": price.output,
        f"{prefix}price_row": price.row,
        f"{prefix}price_since": price.since,
    }
