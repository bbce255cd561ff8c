"""Models that people ask for and the price table does not know."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Sum

from batchapp.domain.money import model_patterns
from batchapp.models import Connection, ModelCost, Price, Upload

LOOKED_BACK = timedelta(days=90)

Asked = dict[tuple[int, str], int]
"""(connection, model) -> requests."""


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A model without a price in ``windows``, and how often it was asked for."""

    connection: Connection
    model: str
    windows: list[str]
    file_requests: int
    batch_requests: int


def recent_unpriced_models(at: datetime) -> list[Unpriced]:
    """Those of checked files and batches of the last 90 days, the most asked for first."""
    connections = Connection.objects.in_bulk()
    in_files, in_batches = _of_files(at - LOOKED_BACK), _of_batches(at - LOOKED_BACK)
    names = _names(at)
    found = []
    for key in {*in_files, *in_batches}:
        pk, model = key
        windows = connections[pk].windows if isinstance(connections[pk].windows, list) else []
        unknown = [each for each in windows if names[pk, each].best(model) is None]
        if unknown:
            asked = in_files.get(key, 0), in_batches.get(key, 0)
            found.append(Unpriced(connections[pk], model, unknown, *asked))
    return sorted(
        found,
        key=lambda each: (
            -each.file_requests - each.batch_requests,
            each.model,
            each.connection.name,
        ),
    )


def _names(at: datetime) -> defaultdict[tuple[int, str], model_patterns.Names]:
    """(connection, window) -> what is priced there at ``at``."""
    priced: dict[tuple[int, str], list[str]] = {}
    rows = Price.objects.in_force(at).order_by()
    for connection, window, model in rows.values_list("connection", "window", "model"):
        priced.setdefault((connection, window), []).append(model)
    names = {place: model_patterns.Names(models) for place, models in priced.items()}
    return defaultdict(lambda: model_patterns.Names([]), names)


def _of_files(since: datetime) -> Asked:
    """What checked files ask for; of what was found in them, only the models are read."""
    asked: Asked = defaultdict(int)
    checked = Upload.objects.filter(created_at__gte=since, report_fields__models__isnull=False)
    rows = checked.order_by().values_list("project__connection", "report_fields__models")
    for connection, models in rows.iterator(chunk_size=200):
        for model, requests in _requests(models):
            asked[connection, model] += requests
    return asked


def _requests(models: object) -> Iterator[tuple[str, int]]:
    """Model -> requests, of a report that any version of the check may have written."""
    for model, facts in models.items() if isinstance(models, dict) else ():
        requests = facts.get("requests") if isinstance(facts, dict) else None
        if isinstance(requests, int):
            yield model, requests


def _of_batches(since: datetime) -> Asked:
    model_costs = ModelCost.objects.filter(batch__created_at__gte=since).order_by()
    rows = model_costs.values_list("batch__connection", "model").annotate(asked=Sum("requests"))
    return {(connection, model): asked for connection, model, asked in rows}
