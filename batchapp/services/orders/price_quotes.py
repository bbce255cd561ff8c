"""Quote the cost of a file at the prices of a moment, and freeze the quote for a batch."""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

import msgspec

from batchapp.domain.money.calibration import History
from batchapp.domain.money.concurrency import Concurrency
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
    *,
    project: Project | None = None,
    before: datetime | None = None,
) -> dict[str, Estimate]:
    """Return window -> estimated cost of the checked file, at the prices in force at ``at``.

    ``histories`` are those of ``histories_for``; without them, the output is estimated from the
    input. Batches of ``project`` that ended ``before``, by default until ``at``, tell how many
    requests are answered at once; without them, the usual number is assumed.
    """
    matches = connection.prices.match_models(report.models, windows, at)
    prices = {
        window: {model: _unit_price(row, at) for model, row in rows.items()}
        for window, rows in matches.items()
    }
    concurrency: dict[str, Concurrency] = {}
    if project and (models := _cached_models(report, prices.values())):
        costs = ModelCost.objects.filter(batch__project=project, batch__connection=connection)
        concurrency = costs.concurrency(models, before or at)
    return {
        window: estimate(
            report.models,
            by_model,
            window,
            histories,
            prompts=report.prompts,
            concurrency=concurrency,
        )
        for window, by_model in prices.items()
    }


def _cached_models(report: Report, prices: Iterable[Mapping[str, UnitPrice]]) -> set[str]:
    """Return the models of which requests share prompts, and cached tokens have a price."""
    priced = {model for row in prices for model in row if row[model].has_cache_prices}
    return priced & report.prompts.keys()


def sending_first(quotes: Mapping[str, Estimate]) -> dict[str, Estimate]:
    """Return ``quotes`` for an order that sends some requests first, where that saves money.

    A comparison with realtime stays as it is.
    """
    return {
        window: quote if window == REALTIME else quote.sending_first()
        for window, quote in quotes.items()
    }


def histories_for(
    report: Report, project: Project, user: User | None, before: datetime
) -> dict[str, History]:
    """Return model -> the lengths of answers in similar batches that ended before then."""
    return ModelCost.objects.histories(report.models, project, user, before)


def price_tag(quotes: Mapping[str, Estimate]) -> str:
    """Return a hash of all prices in ``quotes``, which tells if any price changed since."""
    prices = [
        (window, line.model, line.price and str(line.price.without_origin()))
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
            unit_price=line.price,
            realtime_price=realtime.get(line.model),
            fallback_price=longer.get(line.model),
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
    windows = [batch.window, REALTIME]
    quotes = quote(report, batch.connection, windows, at, histories, project=batch.project)
    batch.estimated_cost_usd = total_cost(quotes[batch.window])
    return frozen_model_costs(batch, report, quotes)


def total_cost(quote: Estimate) -> Decimal | None:
    """Return the sum of the costs, rounded as they are stored; None if a price is missing."""
    if quote.unpriced:
        return None
    return sum((rounded(line.expected_usd or Decimal(0)) for line in quote.models), Decimal(0))


def _unit_price(row: Price, at: datetime) -> UnitPrice:
    price = row.unit_price.at(at)
    return msgspec.structs.replace(price, row=row.pk, since=row.effective_from)
