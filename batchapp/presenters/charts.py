"""Bar charts of costs and of estimate errors over time, with their text for screen readers."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from batchapp.services.reports import cost_report, estimate_accuracy
from batchapp.services.reports.cost_report import Line
from batchapp.templatetags.words import count, usd

WIDTH, HEIGHT = 600, 150
GAP = Decimal("0.25")  # share of each bar's slot that stays empty
MIN_HEIGHT = Decimal(2)  # so that the smallest bar beside a large one is still seen


@dataclass(frozen=True, slots=True)
class Bar:
    """One day, month or year. Numbers are in units of the drawing, ``y`` from above.

    ``is_unpriced`` means that the bar shows only the known costs; a dashed frame around its slot
    says that more was spent.
    """

    name: str
    text: str
    slot_x: str
    slot_width: str
    x: str
    y: str
    width: str
    height: str
    is_unpriced: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """``label`` says in a sentence what the bars show; ``column`` is the head of their values."""

    bars: list[Bar]
    title: str
    label: str
    unit: str
    column: str
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def first(self) -> str:
        return self.bars[0].name

    @property
    def last(self) -> str:
        return self.bars[-1].name


def spending_chart(scope: cost_report.Scope) -> Chart | None:
    """Return None if no batch finished in ``scope``."""
    unit, lines = cost_report.sum_over_time(scope)
    return cost_chart(lines, unit) if any(line.batches for line in lines) else None


def cost_chart(lines: Sequence[Line], unit: str) -> Chart:
    """Draw a bar for every line; the largest cost is as high as the drawing."""
    total = sum((line.cost_usd for line in lines), Decimal(0))
    unpriced = sum(line.unpriced for line in lines)
    largest = max(lines, key=lambda line: line.cost_usd)
    sum_text = f"{cost_text(total, unpriced)} in all"
    peak = f" The most was {usd(largest.cost_usd)}, {largest.name}." if largest.cost_usd else ""
    bars = [(line.name, line.cost_usd, cost_text(line.cost_usd, line.unpriced)) for line in lines]
    return Chart(
        bars=_bars(bars, [line.unpriced > 0 for line in lines]),
        title=f"Cost per {unit}: {sum_text}",
        label=f"Cost per {unit}, {lines[0].name} to {lines[-1].name}: {sum_text}.{peak}",
        unit=unit,
        column="Cost",
    )


def cost_text(known: Decimal, unpriced: int) -> str:
    """Show a sum of which ``unpriced`` terms are unknown; they are never shown as zero."""
    if not unpriced:
        return usd(known)
    missing = f"{count(unpriced, 'cost')} without a price"
    return f"≥ {usd(known)} + {missing}" if known else missing


def accuracy_chart(months: Sequence[tuple[date, estimate_accuracy.Line]]) -> Chart:
    """Draw a bar for every month; the largest error is as high as the drawing."""
    worst = max((line.error or 0 for _, line in months), default=0)
    bars = [
        (f"{month:%B %Y}", Decimal(line.error or 0), _error_text(line)) for month, line in months
    ]
    return Chart(
        bars=_bars(bars, [False] * len(bars)),
        title="How far estimates were off per month, in per cent of the cost",
        label=f"How far estimates were off per month, {bars[0][0]} to {bars[-1][0]}: "
        f"{worst} % at most.",
        unit="month",
        column="Off",
    )


def _error_text(line: estimate_accuracy.Line) -> str:
    if line.error is None:
        return "nothing finished"
    return f"{line.error} % off, {count(line.batches, 'estimate')}"


def _bars(bars: Sequence[tuple[str, Decimal, str]], unpriced: Sequence[bool]) -> list[Bar]:
    """Draw ``bars``, each with its name, its value and its text."""
    slot = Decimal(WIDTH) / len(bars)
    highest = max(value for _, value, _ in bars)
    drawn = []
    for number, (name, value, text) in enumerate(bars):
        height = max(HEIGHT * value / highest, MIN_HEIGHT) if value > 0 else Decimal(0)
        drawn.append(
            Bar(
                name=name,
                text=text,
                slot_x=f"{number * slot:.2f}",
                slot_width=f"{slot:.2f}",
                x=f"{(number + GAP / 2) * slot:.2f}",
                y=f"{HEIGHT - height:.2f}",
                width=f"{slot * (1 - GAP):.2f}",
                height=f"{height:.2f}",
                is_unpriced=unpriced[number],
            )
        )
    return drawn
