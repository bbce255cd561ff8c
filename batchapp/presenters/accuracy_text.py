"""How close estimates came to costs: the sentences, and the charts beside them."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from batchapp.presenters.charts.bars import Chart
from batchapp.presenters.charts.histogram import histogram
from batchapp.presenters.charts.rail import Rail, rail
from batchapp.services.reports import estimate_accuracy
from batchapp.services.reports.estimate_accuracy import Line
from batchapp.templatetags.settlement import compared
from batchapp.templatetags.words import count, usd

NONE = Decimal(0)  # also where nothing was estimated
FAR_OFF = Decimal("0.2")  # share of the estimate; a larger difference is marked
AS_ESTIMATED = Decimal(100)  # per cent of the estimate
FROM_TIMES = Decimal("1.95")  # a larger ratio is said as "3.7 times", a smaller one in per cent


@dataclass(frozen=True, slots=True)
class Summary:
    """The answer in two sentences: ``inside`` the range or not, and all amounts ``together``."""

    inside: str
    together: str


def summary(lines: Sequence[Line], batches: int, inside: int) -> Summary | None:
    """Return None without batches to compare."""
    if not lines:
        return None
    return Summary(
        _inside(batches, inside),
        f"Taken together, they cost {_comparison(estimate_accuracy.overall(lines))}.",
    )


def together(total: Line | None) -> str:
    """Return one sentence on all batches of a report; "" if none can be compared."""
    return f"Answered requests cost {_comparison(total)}." if total else ""


def _comparison(total: Line) -> str:
    ratio = _ratio(total.estimated_usd, total.cost_usd)
    return f"{ratio}: {usd(total.cost_usd)} against {usd(total.estimated_usd)}"


def rails(lines: Sequence[Line]) -> list[tuple[Line, Rail | None]]:
    """Return each line with its range, None where a batch had no lower end of it."""
    return [(line, _rail(line)) for line in lines]


def by_difference(lines: Sequence[Line]) -> list[tuple[Line, str, bool]]:
    """Return each line with its difference in words, and whether that is far; the furthest first.

    The difference is "" where nothing was estimated.
    """
    shares = [(abs(_share_off(line)), line) for line in lines]
    ordered = sorted(shares, key=lambda pair: -pair[0])
    return [(line, _difference(line), share > FAR_OFF) for share, line in ordered]


def distribution(percentages: Sequence[Decimal]) -> Chart | None:
    return histogram(
        percentages,
        "batch,batches",
        title="Cost as a share of the estimate",
        column="Batches",
        show=lambda percent: f"{percent:,.0f} %",
        mark=AS_ESTIMATED,
    )


def _share_off(line: Line) -> Decimal:
    """Return how far the cost is from the estimate, as a share of the estimate."""
    return (
        (line.cost_usd - line.estimated_usd) / line.estimated_usd if line.estimated_usd else NONE
    )


def _difference(line: Line) -> str:
    ratio = line.cost_usd / line.estimated_usd if line.estimated_usd else NONE
    if ratio >= FROM_TIMES:
        return f"{ratio:,.1f} times"
    return compared(line.estimated_usd, line.cost_usd)


def _inside(batches: int, inside: int) -> str:
    if inside < batches:
        return f"{inside:,} of {count(batches, 'batch,batches')} stayed inside the range shown"
    if batches == 1:
        return "The one batch stayed inside the range shown"
    return f"All {batches:,} batches stayed inside the range shown"


def _ratio(estimated: Decimal, cost: Decimal) -> str:
    """Say how ``cost`` compares with ``estimated``, as the column of differences does."""
    if not estimated:
        return "more than estimated" if cost else "as much as estimated"
    ratio = cost / estimated
    if ratio >= FROM_TIMES:
        return f"{ratio:,.1f} times the estimates"
    percent = round(100 * (ratio - 1))
    if not percent:
        return "as much as estimated"
    return f"{abs(percent)} % {'more' if percent > 0 else 'less'} than estimated"


def _rail(line: Line) -> Rail | None:
    if line.low_usd is None:
        return None
    return rail(line.low_usd, line.high_usd, expected=line.estimated_usd, actual=line.cost_usd)
