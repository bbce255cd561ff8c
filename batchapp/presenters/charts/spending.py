"""The cost of batches over time as bars, stacked by project, person or model."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

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
from batchapp.services.reports import cost_report
from batchapp.services.reports.cost_report import Group, Line
from batchapp.templatetags.marks import project_colour
from batchapp.templatetags.words import count, short, usd

Link = Callable[[Line], str]


def spending_chart(
    scope: cost_report.Scope,
    groups: Sequence[Group] = (),
    link: Link | None = None,
    *,
    by: str = "",
) -> Chart | None:
    """Return None if no batch finished in ``scope``.

    The bars are stacked by ``groups``, each a value of ``by``. Without groups they have the
    colour of the project of ``scope``. ``link`` returns the address of a bar, "" for none.
    """
    unit, lines = cost_report.sum_over_time(scope)
    if not any(line.batches for line in lines):
        return None
    colours = styles(groups, by)
    if scope.project and not groups:
        colours = {"": str(project_colour(scope.project))}
    return cost_chart(lines, unit, groups, colours=colours, link=link)


def spending_sparkline(lines: Sequence[Line], unit: str) -> Sparkline:
    """Draw the costs of ``lines`` as one small line, for a figure beside it."""
    total = sum((line.cost_usd for line in lines), Decimal(0))
    label = f"Cost per {unit}, {lines[0].name} to {lines[-1].name}: {usd(total)} in all"
    return sparkline([line.cost_usd for line in lines], label)


def spending_sparklines(scope: cost_report.Scope) -> dict[str, Sparkline]:
    """Return the line of each project with costs in ``scope``, a range of days, by its slug."""
    days = [scope.first + timedelta(days=n) for n in range((scope.last - scope.first).days + 1)]
    lines = {}
    for group in cost_report.groups_over_time(scope, "project"):
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
    """Return each figure of a report with its label; of sandbox batches nothing was paid."""
    paid = f"{'≥ ' if total.unpriced else ''}{usd(total.cost_usd)}"
    missing = f", {count(total.unpriced, 'cost')} without a price" if total.unpriced else ""
    saved = f"saved against realtime, {total.saving_percent} %"
    return [
        (paid, f"{'cost' if with_sandbox else 'paid'}{missing}"),
        (usd(total.saving_usd), saved if total.saving_usd else "saved against realtime"),
        (f"{total.batches:,}", "batch" if total.batches == 1 else "batches"),
        (f"{total.requests:,}", "request" if total.requests == 1 else "requests"),
    ]


def styles(groups: Sequence[Group], by: str = "") -> dict[str, str]:
    """Return the colour of each group in a chart, by its key; the smallest groups share one.

    A project has the colour of its mark, unless a larger project has the same one; then it has
    the first colour that is free, as all other groups have.
    """
    free = [str(number) for number in range(1, MAX_COLOURS + 1)]
    shown = {}
    for group in groups[:MAX_COLOURS]:
        mark = str(project_colour(group.key)) if by == "project" else ""
        shown[group.key] = mark if mark in free else free[0]
        free.remove(shown[group.key])
    return shown | {group.key: OTHERS for group in groups[MAX_COLOURS:]}


def _shares(groups: Sequence[Group]) -> list[tuple[str, Mapping[str, Decimal]]]:
    """Return name and costs of the largest groups, and of all others together."""
    shares: list[tuple[str, Mapping[str, Decimal]]] = [
        (short(group.name), group.costs) for group in groups[:MAX_COLOURS]
    ]
    others = groups[MAX_COLOURS:]
    if others:
        periods = {period for group in others for period in group.costs}
        sums = {
            period: sum((group.costs.get(period, Decimal(0)) for group in others), Decimal(0))
            for period in periods
        }
        shares.append((count(len(others), "other"), sums))
    return shares


def _costs_of(lines: Sequence[Line]) -> Mapping[str, Decimal]:
    return {line.key: line.cost_usd for line in lines}


def _datum(line: Line, shares: Sequence[Mapping[str, Decimal]], link: Link | None) -> Datum:
    values = tuple(costs.get(line.key, Decimal(0)) for costs in shares)
    cost = cost_text(line.cost_usd, line.unpriced)
    return Datum(
        name=line.name,
        text=f"{cost}, {count(line.batches, 'batch,batches')}" if line.batches else cost,
        values=values,
        texts=tuple(usd(value) if value else "" for value in values),
        figure=f"{'≥ ' if line.unpriced else ''}{usd(line.cost_usd)}",
        url=link(line) if link and line.batches else "",
        is_unpriced=line.unpriced > 0,
    )
