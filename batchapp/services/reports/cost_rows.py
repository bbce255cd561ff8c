"""Write the costs of a report as rows: of batches by model, and of single requests by day."""

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from django.db.models import BooleanField, Count, ExpressionWrapper, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from batchapp.domain.csv_list import escape_formula
from batchapp.models import DirectRequest, ModelCost, PortalKey
from batchapp.models.direct.direct_request import DirectRequestQuerySet
from batchapp.models.row_blocks import in_order
from batchapp.services.reports import waste
from batchapp.services.reports.dimensions import BATCH, DIMENSIONS, SINGLE


def csv_rows(
    model_costs: QuerySet[ModelCost], requests: DirectRequestQuerySet
) -> Iterator[list[object]]:
    """Yield a header and rows of which the sums are those of the report; unknown costs are empty.

    First come the rows of each batch and model, oldest first. Then follow those of single
    requests, one for each day, project, person, portal key, connection, window and model.
    """
    yield [*_CSV_COLUMNS, *waste.CSV_COLUMNS, "kind"]
    for row in _batch_rows(model_costs):
        yield [*row, BATCH]
    for row in _single_rows(requests):
        yield [*row, *("" for _ in waste.CSV_COLUMNS), SINGLE]


def _batch_rows(model_costs: QuerySet[ModelCost]) -> Iterator[list[object]]:
    """Yield the rows of batches; what is known of the whole batch stands in its first row."""
    rows = waste.with_waste(
        model_costs.select_related(
            *("batch__project", "batch__created_by", "batch__connection"),
            "batch__portal_key",
        )
    ).prefetch_related("batch__tags")
    last_batch = None
    for row in in_order(rows.order_by("batch__finished_at", "batch_id", "model")):
        is_first, last_batch = row.batch_id != last_batch, row.batch_id
        values = [value(row) for value in _CSV_COLUMNS.values()]
        yield [*values, *waste.csv_values(row, is_first=is_first)]


def _single_rows(requests: DirectRequestQuerySet) -> Iterator[list[object]]:
    zone = timezone.get_default_timezone()
    names = {
        "finished_at": TruncDate("ended_at", tzinfo=zone),
        "project": F("project__name"),
        "user": F("created_by__email"),
        "portal_key": F("portal_key__name"),
        "connection": F("key__connection__name"),
        "window": DIMENSIONS["window"].single[0],
        "model": F("model"),
        "unpriced": ExpressionWrapper(Q(cost_usd=None), BooleanField()),
    }
    groups = requests.order_by().values(**{f"of_{k}": v for k, v in names.items()})
    sums = groups.annotate(
        requests=Count("pk"),
        input=Sum("input_tokens"),
        output=Sum("output_tokens"),
        cached=Sum("cached_tokens"),
        cost=Sum("cost_usd"),
    )
    ordered: QuerySet[DirectRequest, Any] = sums.order_by(*(f"of_{name}" for name in names))
    for row in ordered:  # of days and not of requests, so that all fit into memory
        known: dict[str, object] = {
            name: escape_formula(str(row[f"of_{name}"] or "")) for name in names
        }
        known |= {
            "requests": row["requests"],
            "input_tokens": row["input"],
            "output_tokens": row["output"],
            "cached_tokens": row["cached"],
            "cost_usd": _plain(row["cost"]),
        }
        yield [known.get(column, "") for column in _CSV_COLUMNS]


_CSV_COLUMNS: dict[str, Callable[[ModelCost], object]] = {
    "finished_at": lambda row: row.batch.finished_at and row.batch.finished_at.isoformat(),
    "batch": lambda row: row.batch_id,
    "name": lambda row: escape_formula(row.batch.name),
    "project": lambda row: escape_formula(row.batch.project.name),
    "user": lambda row: escape_formula(row.batch.created_by.email),
    "portal_key": lambda row: escape_formula(_name(row.batch.portal_key)),
    "connection": lambda row: escape_formula(row.batch.connection.name),
    "tags": lambda row: escape_formula(", ".join(tag.name for tag in row.batch.tags.all())),
    "cost_centre": lambda row: escape_formula(row.batch.cost_centre),
    "window": lambda row: row.batch.window,
    "model": lambda row: escape_formula(row.model),
    "requests": lambda row: row.requests,
    "input_tokens": lambda row: row.input_tokens,
    "output_tokens": lambda row: row.output_tokens,
    "cached_tokens": lambda row: row.cached_tokens,
    "written_5m_tokens": lambda row: row.written_5m_tokens,
    "written_1h_tokens": lambda row: row.written_1h_tokens,
    "written_24h_tokens": lambda row: row.written_24h_tokens,
    "estimated_cost_usd": lambda row: _plain(row.estimated_cost_usd),
    "cost_usd": lambda row: _plain(row.cost_usd),
    "realtime_cost_usd": lambda row: _plain(row.realtime_cost_usd),
}


def _plain(amount: Decimal | None) -> str:
    return "" if amount is None else f"{amount:f}"


def _name(key: PortalKey | None) -> str:
    return key.name if key else ""
