"""Examples of every chart on the style page, also of odd figures."""

from collections.abc import Container, Iterable, Sequence
from decimal import Decimal

from batchapp.domain.money.budgets import Limit, Use
from batchapp.presenters.budget_meter import meter_of
from batchapp.presenters.charts.histogram import histogram
from batchapp.presenters.charts.rail import rail
from batchapp.presenters.charts.spending import cost_chart, spending_sparkline
from batchapp.services.reports.cost_report import Group
from batchapp.services.reports.line import Line

NAMES = ["Qwen/Qwen3.5-4B", "Qwen/Qwen3-VL-30B", "نموذج/لغوي", f"long/{'model-' * 20}", "b", "c"]


def _month(costs: Iterable[str], unpriced: Container[int] = ()) -> list[Line]:
    """Return a line for each day of a month, with its cost in USD."""
    return [
        Line(
            key=f"2026-01-{day:02}",
            name=f"{day} Jan 2026",
            batches=1,
            requests=1,
            input_tokens=1,
            output_tokens=1,
            cached_tokens=0,
            cost_usd=Decimal(cost),
            realtime_usd=Decimal(0),
            saving_usd=Decimal(0),
            unpriced=int(day in unpriced),
        )
        for day, cost in enumerate(costs, 1)
    ]


def _groups(names: Sequence[str], lines: Sequence[Line]) -> list[Group]:
    """Share the costs of ``lines`` out among ``names``, the first of which gets the most."""
    parts = sum(range(1, len(names) + 1))
    return [
        Group(name, name, {line.key: line.cost_usd * (len(names) - n) / parts for line in lines})
        for n, name in enumerate(names)
    ]


MONTH = _month([f"{3 + day * 7 % 11}" for day in range(31)])
DAYS = MONTH[:9]
SPIKE = _month(["51.42" if day == 13 else f"0.{day * 7 % 90:02}" for day in range(31)])
CHARTS = [
    ("One series", cost_chart(MONTH, "day")),
    ("Stacked", cost_chart(DAYS, "day", _groups(NAMES[:3], DAYS))),
    (
        "40 models",
        cost_chart(DAYS, "day", _groups([*NAMES, *(f"model {n}" for n in range(34))], DAYS)),
    ),
    (
        "One giant bar, and a price that is missing",
        cost_chart(_month(["0.2", "0.7", "900"], {2}), "day"),
    ),
    ("A month with one large day", cost_chart(SPIKE, "day")),
    ("Tiny amounts", cost_chart(_month(["0.000001", "0", "0.000002"]), "day")),
    ("Large amounts", cost_chart(_month(["1000000", "400000", "650000.5"]), "day")),
    ("Nothing but costs without a price", cost_chart(_month(["0", "0"], {1}), "day")),
    ("One bar", cost_chart(_month(["12.3"]), "day")),
    (
        "Distribution",
        histogram(
            [Decimal(n * n % 97 + n % 13 * 20) for n in range(400)] + [Decimal(90_000)],
            "request",
            title="Output tokens of a request",
            column="Requests",
            show=lambda value: f"{value:,}",
        ),
    ),
    (
        "Distribution with a value to compare with",
        histogram(
            [Decimal(n * 7 % 60) for n in range(50)],
            "batch,batches",
            title="Cost as a share of the estimate",
            column="Batches",
            show=lambda value: f"{value:,} %",
            mark=Decimal(100),
        ),
    ),
]
RAILS = [
    rail(Decimal("0.0008"), Decimal("0.0066"), expected=Decimal("0.0029")),
    rail(Decimal("0.68"), Decimal("5.72"), expected=Decimal("4.88"), actual=Decimal("0.69")),
    rail(Decimal(10), Decimal(20), expected=Decimal(15), actual=Decimal(45)),
    rail(Decimal(1), None, expected=Decimal(3), actual=Decimal(2)),
    rail(Decimal("0.000001"), Decimal(1_000_000), expected=Decimal(2), actual=Decimal(400_000)),
    rail(Decimal("0.5"), Decimal("0.5"), expected=Decimal("0.5")),
]
SPARKLINES = [
    spending_sparkline(lines, "day") for lines in (MONTH, SPIKE, _month(["0", "0"]), MONTH[:1])
]
BUDGETS = [
    (label, meter_of(Limit(Decimal(100), Use(Decimal(spent), Decimal(reserved), unknown))))
    for label, spent, reserved, unknown in (
        ("Nothing used", "0", "0", 0),
        ("Half used, of which a part is reserved", "30", "20", 0),
        ("Nearly used", "82.40", "14", 0),
        ("Exceeded", "104", "31.5", 0),
        ("With a cost that is not known", "12.3", "4", 2),
    )
]
