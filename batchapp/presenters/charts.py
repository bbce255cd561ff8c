"""Spending over time as bars: what is drawn, what is said of it, and the same as a table."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from batchapp.services.reports import cost_report
from batchapp.services.reports.cost_report import Line
from batchapp.templatetags.words import count, usd

WIDTH, HEIGHT = 600, 150
GAP = Decimal("0.25")
"""Of a bar's place that stays empty."""

SHORTEST = Decimal(2)
"""A bar that is anything at all is seen."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One day, month or year. Numbers are in units of the drawing, ``y`` from above.

    ``is_unpriced`` means that something in it has no price: the bar is what is known, and a
    dashed frame around its place says that it was more.
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
    """``label`` says in a sentence what the bars show, ``caption`` what they add up to."""

    bars: list[Bar]
    unit: str
    label: str
    caption: str
    width: int = WIDTH
    height: int = HEIGHT

    @property
    def first(self) -> str:
        return self.bars[0].name

    @property
    def last(self) -> str:
        return self.bars[-1].name


def spending(scope: cost_report.Scope) -> Chart | None:
    """What the scope cost over time; None if nothing finished in it."""
    unit, lines = cost_report.over_time(scope)
    return chart(lines, unit) if any(line.batches for line in lines) else None


def chart(lines: Sequence[Line], unit: str) -> Chart:
    """A bar for every line, the dearest as high as the drawing."""
    total = sum((line.cost_usd for line in lines), Decimal(0))
    unpriced = sum(line.unpriced for line in lines)
    dearest = max(lines, key=lambda line: line.cost_usd)
    caption = f"{money(total, unpriced)} in all"
    peak = f" The most was {usd(dearest.cost_usd)}, {dearest.name}." if dearest.cost_usd else ""
    return Chart(
        bars=[
            _bar(line, number, len(lines), dearest.cost_usd) for number, line in enumerate(lines)
        ],
        unit=unit,
        label=f"Cost per {unit}, {lines[0].name} to {lines[-1].name}: {caption}.{peak}",
        caption=caption,
    )


def money(known: Decimal, unpriced: int) -> str:
    """A sum of which ``unpriced`` terms are unknown: never shown as if they were nothing."""
    if not unpriced:
        return usd(known)
    missing = f"{count(unpriced, 'cost')} without a price"
    return f"≥ {usd(known)} + {missing}" if known else missing


def _bar(line: Line, number: int, bars: int, highest: Decimal) -> Bar:
    slot = Decimal(WIDTH) / bars
    height = HEIGHT * line.cost_usd / highest if highest else Decimal(0)
    if line.cost_usd > 0:
        height = max(height, SHORTEST)
    return Bar(
        name=line.name,
        text=money(line.cost_usd, line.unpriced),
        slot_x=_plain(number * slot),
        slot_width=_plain(slot),
        x=_plain((number + GAP / 2) * slot),
        y=_plain(HEIGHT - height),
        width=_plain(slot * (1 - GAP)),
        height=_plain(height),
        is_unpriced=line.unpriced > 0,
    )


def _plain(number: Decimal) -> str:
    return f"{number:.2f}"
