"""The cost over time as bars, stacked by project, person or model."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from batchapp.models import Project
from batchapp.presenters.charts.axis import money_label, time_ticks
from batchapp.presenters.charts.bars import (
    MAX_COLOURS,
    OTHERS,
    Chart,
    Datum,
    Series,
    draw,
)
from batchapp.presenters.charts.sparkline import Sparkline, sparkline
from batchapp.presenters.report_text import contents_text
from batchapp.services.reports import cost_report
from batchapp.services.reports.cost_report import Group
from batchapp.services.reports.line import Line
from batchapp.services.reports.scope import Scope
from batchapp.templatetags.marks import automatic_colour
from batchapp.templatetags.words import count, short, usd

Link = Callable[[Line], str]


def spending_chart(
    scope: Scope,
    sums: cost_report.Sums | None = None,
    link: Link | None = None,
    *,
    colours: dict[str, str] | None = None,
) -> Chart | None:
    """Return None if nothing in ``scope`` cost anything.

    The bars are stacked by the groups of ``sums``, each in its colour as from ``styles``. Without
    groups ``colours`` has one under the key "". ``link`` returns the address of a bar, or "".
    """
    unit, lines = (sums.unit, sums.periods) if sums else cost_report.sum_over_time(scope)
    groups = sums.groups if sums else []
    if all(line.is_empty for line in lines):
        return None
    return cost_chart(lines, unit, groups, colours=colours, link=link)


def spending_sparkline(lines: Sequence[Line], unit: str) -> Sparkline:
    """Draw the costs of ``lines`` as one small line, for a figure beside it."""
    total = sum((line.cost_usd for line in lines), Decimal(0))
    label = f"Cost per {unit}, {lines[0].name} to {lines[-1].name}: {usd(total)} in all"
    return sparkline([line.cost_usd for line in lines], label)


def spending_sparklines(scope: Scope) -> dict[str, Sparkline]:
    """Return the line of each project with costs in ``scope``, a range of days, by its slug."""
    days = [scope.first + timedelta(days=n) for n in range((scope.last - scope.first).days + 1)]
    lines = {}
    for group in cost_report.sum_up(scope, "project").groups:
        costs = [group.costs.get(day.isoformat(), Decimal(0)) for day in days]
        total = usd(sum(costs, Decimal(0)))
        lines[group.key] = sparkline(costs, f"Cost per day, the last {len(days)} days: {total}")
    return lines


def cost_chart(
    lines: Sequence[Line],
    unit: str,
    groups: Sequence[Group] = (),
    *,
    colours: Mapping[str, str] | None = None,
    link: Link | None = None,
) -> Chart:
    """Draw a bar for every line, of the shares that ``groups`` have in it.

    ``colours`` are those of ``styles``.
    """
    total = sum((line.cost_usd for line in lines), Decimal(0))
    unpriced = sum(line.unpriced for line in lines)
    largest = max(lines, key=lambda line: line.cost_usd)
    peak = f" The most was {usd(largest.cost_usd)}, {largest.name}." if largest.cost_usd else ""
    shown = list((colours or styles(groups) or {"": "1"}).values())[: MAX_COLOURS + 1]
    shares = _shares(groups) if len(groups) > 1 else [("Cost", _costs_of(lines))]
    return draw(
        [_datum(line, [costs for _, costs in shares], link) for line in lines],
        [Series(name, style) for (name, _), style in zip(shares, shown, strict=True)],
        time_ticks(unit, [date.fromisoformat(line.key) for line in lines]),
        money_label,
        title=f"Cost per {unit}",
        label=f"Cost per {unit}, {lines[0].name} to {lines[-1].name}: "
        f"{cost_text(total, unpriced)} in all.{peak}",
        unit=unit,
        column="Cost",
    )


def cost_text(known: Decimal, unpriced: int) -> str:
    """Show a sum of which ``unpriced`` terms are unknown; they are never shown as zero."""
    if not unpriced:
        return usd(known)
    missing = f"{count(unpriced, 'cost')} without a price"
    return f"≥ {usd(known)} + {missing}" if known else missing


def stats(total: Line, *, with_sandbox: bool) -> list[tuple[str, str]]:
    """Return each figure of a report with its label; to a sandbox nothing was paid."""
    paid = f"{'≥ ' if total.unpriced else ''}{usd(total.cost_usd)}"
    missing = f", {count(total.unpriced, 'cost')} without a price" if total.unpriced else ""
    saved = "saved by batches"
    if total.saving_usd:
        saved = f"{saved}, {total.saving_percent} %"
    return [
        (paid, f"{'cost' if with_sandbox else 'paid'}{missing}"),
        (
            usd(total.saving_usd),
            saved if total.saving_usd else "saved by batches",
        ),
        (f"{total.batches:,}", "batch" if total.batches == 1 else "batches"),
        (f"{total.requests:,}", "request" if total.requests == 1 else "requests"),
    ]


def styles(groups: Sequence[Group], by: str = "") -> dict[str, str]:
    """Return the colour of each group in a chart, by its key; the smallest groups share one.

    A project has the colour of its mark, unless a larger project has the same one; then it has
    the first colour that is free, as all other groups have.
    """
    marks = _marks([group.key for group in groups[:MAX_COLOURS]]) if by == "project" else {}
    free = [str(number) for number in range(1, MAX_COLOURS + 1)]
    shown = {}
    for group in groups[:MAX_COLOURS]:
        mark = marks.get(group.key, "")
        shown[group.key] = mark if mark in free else free[0]
        free.remove(shown[group.key])
    return shown | {group.key: OTHERS for group in groups[MAX_COLOURS:]}


def _marks(slugs: Sequence[str]) -> dict[str, str]:
    """Return the colour of the mark of each project, as the style sheet calls it."""
    chosen = dict(Project.objects.filter(slug__in=slugs).values_list("slug", "colour"))
    return {slug: str(chosen.get(slug) or automatic_colour(slug)) for slug in slugs}


def _shares(groups: Sequence[Group]) -> list[tuple[str, Mapping[str, Decimal]]]:
    """Return name and costs of the largest groups, and of all others together."""
    shares: list[tuple[str, Mapping[str, Decimal]]] = [
        (short(group.name), group.costs) for group in groups[:MAX_COLOURS]
    ]
    others = groups[MAX_COLOURS:]
    if others:
        sums: defaultdict[str, Decimal] = defaultdict(Decimal)
        for group in others:
            for period, cost in group.costs.items():
                sums[period] += cost
        shares.append((count(len(others), "other"), sums))
    return shares


def _costs_of(lines: Sequence[Line]) -> Mapping[str, Decimal]:
    return {line.key: line.cost_usd for line in lines}


def _datum(line: Line, shares: Sequence[Mapping[str, Decimal]], link: Link | None) -> Datum:
    values = tuple(costs.get(line.key, Decimal(0)) for costs in shares)
    cost = cost_text(line.cost_usd, line.unpriced)
    return Datum(
        name=line.name,
        text=cost if line.is_empty else f"{cost}, {contents_text(line)}",
        values=values,
        texts=tuple(usd(value) if value else "" for value in values),
        figure=f"{'≥ ' if line.unpriced else ''}{usd(line.cost_usd)}",
        url=link(line) if link and not line.is_empty else "",
        is_unpriced=line.unpriced > 0,
    )
