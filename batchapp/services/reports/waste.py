"""What was paid, or may have been paid, for nothing of use in a finished batch."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from batchapp.models import Batch, ModelCost, UnmatchedLine, Upload
from batchapp.models.fields.money_field import total_or_unknown

CSV_COLUMNS = (
    *("cut_short_answers", "cut_short_cost_usd", "repeated_requests", "unmatched_lines"),
    *("billed_answers_too_many", "retry_of"),
)


@dataclass(frozen=True, slots=True)
class Waste:
    """Each number is 0 without such a waste; an amount in USD is None if it is not known.

    ``cut_short`` answers ended at their limit, and ``repeated`` requests are answered requests
    that are equal to an earlier one of the file. Nobody can tell what ``unmatched`` lines cost.
    ``retries`` are finished batches that ran requests of this one again.
    """

    cut_short: int = 0
    cut_short_usd: Decimal | None = None
    repeated: int = 0
    repeated_usd: Decimal | None = None
    unmatched: int = 0
    retries: int = 0
    retries_usd: Decimal | None = None


def waste_of(batch: Batch, model_costs: Iterable[ModelCost]) -> Waste:
    """Return the waste of ``batch``, by at most three queries; none if it is not over."""
    if not batch.is_over:
        return Waste()
    costs = {row.model: row for row in model_costs}
    with_cut_short = [row for row in costs.values() if row.cut_short]
    repeated, repeated_usd = _repeated(batch, costs)
    retries = batch.retries.filter(status__in=Batch.OVER).aggregate(
        number=Count("pk"), known=Count("actual_cost_usd"), usd=Sum("actual_cost_usd")
    )
    return Waste(
        cut_short=sum(row.cut_short for row in with_cut_short),
        cut_short_usd=total_or_unknown([row.cut_short_usd for row in with_cut_short]),
        repeated=repeated,
        repeated_usd=repeated_usd,
        unmatched=UnmatchedLine.objects.filter(provider_batch__batch=batch).count(),
        retries=retries["number"],
        retries_usd=retries["usd"] if retries["known"] == retries["number"] else None,
    )


def with_waste(model_costs: QuerySet[ModelCost]) -> QuerySet[ModelCost]:
    """Add to each row what ``csv_values`` reads, within the query of the rows."""
    unmatched = UnmatchedLine.objects.filter(provider_batch__batch=OuterRef("batch"))
    counted = (
        unmatched.order_by().annotate(one=Value(1)).values("one").annotate(number=Count("pk"))
    )
    return model_costs.annotate(
        unmatched=Coalesce(Subquery(counted.values("number")), 0),
        stored_repeats=F("batch__upload__report_fields__repeated"),
    )


def csv_values(row: Any, *, is_first: bool) -> list[object]:
    """Return the values of ``CSV_COLUMNS`` for a row of ``with_waste``.

    Those of the whole batch are empty unless the row is the first of its batch.
    """
    amount = row.cut_short_usd if row.cut_short else Decimal(0)
    too_many = row.batch.billed_too_many() if is_first else None
    return [
        row.cut_short,
        "" if amount is None else f"{amount:f}",
        repeated_requests(row.stored_repeats, row.model),
        row.unmatched if is_first else "",
        (too_many[0] - too_many[1] if too_many else 0) if is_first else "",
        (row.batch.parent_id or "") if is_first else "",
    ]


def repeated_requests(repeated: object, model: str) -> int:
    """Return the requests to ``model`` in ``Report.repeated`` as it is stored."""
    facts = repeated.get(model) if isinstance(repeated, dict) else None
    number = facts.get("requests") if isinstance(facts, dict) else None
    return number if isinstance(number, int) else 0


def _repeated(batch: Batch, costs: dict[str, ModelCost]) -> tuple[int, Decimal | None]:
    """Return the answered repeats, in proportion, as results do not tell which request repeats."""
    uploads = Upload.objects.filter(pk=batch.upload_id)
    stored = uploads.values_list("report_fields__repeated", flat=True).first()
    number, amounts = Decimal(0), []
    for model, row in costs.items():
        share = Decimal(repeated_requests(stored, model)) / row.requests if row.requests else 0
        if share:
            number += share * row.answers
            amounts.append(None if row.cost_usd is None else row.cost_usd * share)
    return round(number), total_or_unknown(amounts)
