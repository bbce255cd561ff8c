"""Find models without a price that people use in files and batches."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum

from batchapp.domain.money import model_patterns
from batchapp.models import Connection, ModelCost, Price, Upload

LOOKBACK = timedelta(days=90)

RequestCounts = dict[tuple[int, str], int]  # (connection id, model) -> requests


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A model without a price in ``windows``, and the number of its requests."""

    connection: Connection
    model: str
    windows: list[str]
    file_requests: int
    batch_requests: int


def recent_unpriced_models(at: datetime) -> list[Unpriced]:
    """Return unpriced models of recent files and batches, the most requested first."""
    connections = Connection.objects.in_bulk()
    in_files, in_batches = _of_files(at - LOOKBACK), _of_batches(at - LOOKBACK)
    names = _names(at)
    unpriced = []
    for key in {*in_files, *in_batches}:
        pk, model = key
        windows = connections[pk].windows if isinstance(connections[pk].windows, list) else []
        missing = [window for window in windows if names[pk, window].best_match(model) is None]
        if missing:
            counts = in_files.get(key, 0), in_batches.get(key, 0)
            unpriced.append(Unpriced(connections[pk], model, missing, *counts))
    return sorted(
        unpriced,
        key=lambda row: (-row.file_requests - row.batch_requests, row.model, row.connection.name),
    )


def _names(at: datetime) -> defaultdict[tuple[int, str], model_patterns.ModelNames]:
    """Return (connection id, window) -> names that have a price at ``at``."""
    priced: dict[tuple[int, str], list[str]] = {}
    rows = Price.objects.in_force(at).order_by()
    for connection, window, model in rows.values_list("connection", "window", "model"):
        priced.setdefault((connection, window), []).append(model)
    names = {key: model_patterns.ModelNames(models) for key, models in priced.items()}
    return defaultdict(lambda: model_patterns.ModelNames([]), names)


def _of_files(since: datetime) -> RequestCounts:
    # Only the models are read from the reports, which may be large.
    counts: RequestCounts = defaultdict(int)
    checked = Upload.objects.filter(created_at__gte=since, report_fields__models__isnull=False)
    rows = checked.order_by().values_list("project__connection", "report_fields__models")
    for connection, models in rows.iterator(chunk_size=200):
        for model, requests in _requests(models):
            counts[connection, model] += requests
    return counts


def _requests(models: object) -> Iterator[tuple[str, int]]:
    """Yield model and requests of a report, which any version of the check may have written."""
    for model, facts in models.items() if isinstance(models, dict) else ():
        requests = facts.get("requests") if isinstance(facts, dict) else None
        if isinstance(requests, int):
            yield model, requests


def _of_batches(since: datetime) -> RequestCounts:
    model_costs = ModelCost.objects.filter(batch__created_at__gte=since).order_by()
    rows = model_costs.values_list("batch__connection", "model").annotate(total=Sum("requests"))
    return {(connection, model): total for connection, model, total in rows}
