"""The distribution of a column as a small chart in its head, each part of which is a filter."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from msgspec.structs import replace

from batchapp.domain.results.histogram_bins import Bin
from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.result_filter import (
    RangeFilter,
    ResultFilter,
    ResultView,
    ValueFilter,
)
from batchapp.forms.batches.results import address
from batchapp.presenters.results.result_columns import ResultColumn, label_of
from batchapp.services.results.columns.facets import DistinctTexts, Facet, Histogram, ValueCounts
from batchapp.templatetags.statuses import outcome_status
from batchapp.templatetags.words import count, usd

HEIGHT = 40  # pixels of the bars
MIN_HEIGHT = 2  # so that a rare value beside a frequent one is still seen
LONGEST_PLAIN = Decimal(10) ** 20  # larger numbers have an exponent
MAX_LABEL = 60  # characters of a value
CUT = "…"


@dataclass(frozen=True, slots=True)
class FacetBar:
    """A bar of a range; ``y`` and ``height`` are pixels."""

    url: str
    label: str
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value with its share of the results; ``width`` is that share in per cent."""

    url: str
    text: str
    label: str
    share: str
    width: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """The share of results without a value, with the address that shows them."""

    text: str
    url: str


@dataclass(frozen=True, slots=True)
class FacetChart:
    """Bars of ranges, or lines of values; ``low`` and ``high`` stand below the ends of the bars.

    ``caption`` says the rest, such as the number of different texts.
    """

    column: ResultColumn
    label: str = ""
    bars: tuple[FacetBar, ...] = ()
    values: tuple[FacetValue, ...] = ()
    low: str = ""
    high: str = ""
    caption: str = ""
    missing: Missing | None = None


def facet_chart(column: ResultColumn, facet: Facet | None, view: ResultView) -> FacetChart:
    """Return the chart of ``column`` among the results of ``view``."""
    if isinstance(facet, ValueCounts):
        return _value_chart(column, facet, view)
    if isinstance(facet, Histogram):
        return _histogram_chart(column, facet, view)
    if isinstance(facet, DistinctTexts):
        return FacetChart(column, caption=_distinct_caption(column, facet))
    return FacetChart(column)


def filtered(view: ResultView, condition: ValueFilter | RangeFilter) -> ResultView:
    """Return ``view`` with ``condition`` in place of any other on the same column."""
    chosen = without_condition(view.chosen, condition.column)
    if isinstance(condition, ValueFilter):
        chosen = replace(chosen, values=(*chosen.values, condition))
    else:
        chosen = replace(chosen, ranges=(*chosen.ranges, condition))
    return replace(view, chosen=chosen, page=1)


def without_condition(chosen: ResultFilter, column: str) -> ResultFilter:
    return replace(
        chosen,
        values=tuple(value for value in chosen.values if value.column != column),
        ranges=tuple(limits for limits in chosen.ranges if limits.column != column),
    )


def number_text(column: str) -> Callable[[Decimal], str]:
    """Return how the numbers of a column are written."""
    return _cost if column == "cost_usd" else _plain


def value_text(column: str, value: str) -> str:
    """Return a value as people read it, cut if it is long."""
    if column == "outcome" and value in Outcome.__members__.values():
        return Outcome(value).label
    text = " ".join(value.split())
    return text if len(text) <= MAX_LABEL else f"{text[:MAX_LABEL]}{CUT}"


def _value_chart(column: ResultColumn, facet: ValueCounts, view: ResultView) -> FacetChart:
    values = []
    for value, number in facet.counts:
        text = value_text(column.name, value)
        share = 100 * number / (facet.total or 1)
        shown = filtered(view, ValueFilter(column.name, value))
        if column.name == "outcome":
            chosen = replace(view.chosen, outcome=value)
            shown = replace(view, chosen=chosen, page=1)
        values.append(
            FacetValue(
                url=address(shown),
                text=text,
                label=f"{column.label} {text}: {count(number, 'result')}, {_percent(share)}",
                share=_percent(share),
                width=f"{share:.1f}",
                tone=outcome_status(value).tone if column.name == "outcome" else "",
            )
        )
    others = count(facet.others, "other value") if facet.others else ""
    return FacetChart(
        column,
        label=f"{column.label}: the most frequent values",
        values=tuple(values),
        caption=others,
        missing=_missing(column.name, facet.missing, facet.total, view),
    )


def _histogram_chart(column: ResultColumn, facet: Histogram, view: ResultView) -> FacetChart:
    show = number_text(facet.column)
    highest = max((part.number for part in facet.bins), default=0)
    bars = []
    for index, part in enumerate(facet.bins):
        is_last = index == len(facet.bins) - 1
        condition = _range_of(facet, part, is_last=is_last)
        name = _range_name(facet, part, show, is_last=is_last)
        height = HEIGHT * part.number / highest if part.number else 0
        height = max(height, MIN_HEIGHT) if part.number else 0
        bars.append(
            FacetBar(
                url=address(filtered(view, condition)) if part.number else "",
                label=f"{label_of(facet.column)} {name}: {count(part.number, 'result')}",
                y=f"{HEIGHT - height:.1f}",
                height=f"{height:.1f}",
            )
        )
    total = sum(part.number for part in facet.bins) + facet.missing
    lengths = " characters" if facet.column.endswith("_length") else ""
    return FacetChart(
        column,
        label=f"{label_of(facet.column)} in ranges",
        bars=tuple(bars),
        low=show(facet.lowest) if bars else "",
        high=f"{show(facet.highest)}{lengths}" if len(bars) > 1 else lengths.strip(),
        caption="" if bars else "no value",
        missing=_missing(facet.column, facet.missing if bars else 0, total, view),
    )


def _range_of(facet: Histogram, part: Bin, *, is_last: bool) -> RangeFilter:
    low = float(part.low)
    if is_last:
        return RangeFilter(facet.column, low)
    if facet.is_whole:
        return RangeFilter(facet.column, low, float(part.high - 1))
    return RangeFilter(facet.column, low, float(part.high), is_open=True)


def _range_name(
    facet: Histogram, part: Bin, show: Callable[[Decimal], str], *, is_last: bool
) -> str:
    if is_last and facet.highest >= part.high:
        return f"from {show(part.low)} on"
    high = part.high - 1 if facet.is_whole else part.high
    return show(part.low) if high == part.low else f"{show(part.low)} to {show(high)}"


def _missing(column: str, number: int, total: int, view: ResultView) -> Missing | None:
    if not number:
        return None
    url = address(filtered(view, ValueFilter(column, None)))
    return Missing(f"{_percent(100 * number / (total or 1))} none", url)


def _distinct_caption(column: ResultColumn, facet: DistinctTexts) -> str:
    if column.name == "custom_id":
        return "all different"
    if facet.number is None:
        return "many values"
    digits = max(0, len(str(facet.number)) - 2)
    return f"about {round(facet.number, -digits):,} different"


def _percent(share: float) -> str:
    if 0 < share < 1:
        return "<1 %"
    return ">99 %" if 99 < share < 100 else f"{share:.0f} %"


def _cost(amount: Decimal) -> str:
    return usd(amount) if abs(amount) < LONGEST_PLAIN else _plain(amount)


def _plain(number: Decimal) -> str:
    """Write a number without needless zeros, and without an exponent if that is not too long."""
    if abs(number) >= LONGEST_PLAIN:
        return f"{number:.6g}"
    whole, _, fraction = f"{number:f}".partition(".")
    fraction = fraction.rstrip("0")[:6]
    shown = f"{int(whole):,}" if whole not in {"-0", ""} else "-0" if fraction else "0"
    return f"{shown}.{fraction}" if fraction else shown
