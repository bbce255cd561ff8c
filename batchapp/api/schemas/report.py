"""The report, in a form of the portal's own."""

from datetime import date
from typing import Literal

from ninja import Schema


class Figures(Schema):
    """Sums; ``cost_usd`` is exact, and null if no cost is known."""

    batches: int
    requests: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    cost_usd: str | None
    realtime_usd: str
    saving_usd: str
    costs_without_price: int


class ReportGroup(Figures):
    key: str
    name: str


class ReportRow(ReportGroup):
    """A row; ``cells`` has the sums by the keys of their columns."""

    cells: dict[str, Figures]


class RequestSum(Schema):
    """A number of requests and their cost; ``cost_usd`` is as in ``Figures``."""

    requests: int
    cost_usd: str | None
    costs_without_price: int


class Report(Schema):
    """A cross-tab; ``single_requests`` are a part of its total."""

    object: Literal["report"]
    first: date
    last: date
    time_zone: str
    currency: Literal["USD"]
    with_sandbox: bool
    by: str
    across: str
    rows_overlap: bool
    columns_overlap: bool
    columns: list[ReportGroup]
    rows: list[ReportRow]
    total: Figures
    single_requests: RequestSum
