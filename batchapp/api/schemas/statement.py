"""A statement, in a form of the portal's own."""

from datetime import datetime
from typing import Literal

from ninja import Schema

from batchapp.api.schemas.report import RequestSum


class Counts(Schema):
    requests: int
    answers: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int


class Total(Counts):
    """Sums; ``cost_usd`` is exact, and null if no cost is known."""

    batches: int
    cost_usd: str | None
    adjustments_usd: str
    lines_without_price: int


class StatementGroup(Total):
    name: str
    single_requests: RequestSum


class Line(Counts):
    """One model of one batch; the figures of an adjustment or a credit are differences."""

    number: int | None
    kind: Literal["batch", "adjustment", "credit"]
    adjusts_month: str | None
    finished_at: datetime
    batch: str
    batch_name: str
    person: str
    cost_centre: str
    tags: list[str]
    model: str
    window: str
    cost_usd: str | None
    total_usd: str | None


class Statement(Schema):
    """A closed statement, or without ``closed_at`` the running total of its month.

    The sums of ``total`` and ``groups``, and the ``lines``, are of batches. ``single_requests``
    has what single requests have cost beside them, and ``in_all`` has both.
    """

    object: Literal["statement"]
    project: str
    name: str
    month: str
    time_zone: str
    currency: Literal["USD"]
    closed_at: datetime | None
    version: int | None
    total: Total
    single_requests: RequestSum
    in_all: RequestSum
    groups: dict[str, list[StatementGroup]]
    lines: list[Line]
    page: int
    pages: int
