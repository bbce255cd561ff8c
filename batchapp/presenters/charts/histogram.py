"""How often values occur: one bar for each range of values."""

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import ROUND_FLOOR, Decimal

from batchapp.presenters.charts.axis import Tick, count_label, round_step
from batchapp.presenters.charts.bars import Chart, Datum, Series, draw
from batchapp.templatetags.words import count

MAX_BINS = 20
MOST_LABELS = 8  # and one more at the end
LONG_TAIL = 50  # one value of so many may be beyond the last range, which takes it all the same


def histogram(
    values: Sequence[Decimal],
    noun: str,
    *,
    title: str,
    column: str,
    show: Callable[[Decimal], str],
    mark: Decimal | None = None,
) -> Chart | None:
    """Count ``values``, which are not negative, in at most 20 ranges of a round width.

    The few largest of many values share the last range, so that a single one does not squeeze
    the others into the first. ``mark`` is a value to compare with: it is always in the range that
    is shown, with a line and a label. Return None without values.
    """
    if not values:
        return None
    ordered = sorted(values)
    most = max(ordered[-1 - len(ordered) // LONG_TAIL], mark or Decimal(0))
    width = round_step(most or Decimal(1), MAX_BINS - 1)
    last = int((most / width).to_integral_value(ROUND_FLOOR))
    bins = Counter(min(int(value / width), last) for value in values)
    names = [f"{show(width * n)} to {show(width * (n + 1))}" for n in range(last + 1)]
    has_tail = ordered[-1] >= width * (last + 1)
    if has_tail:
        names[-1] = f"{show(width * last)} or more"
    data = [
        Datum(
            name=name,
            text=count(bins[number], noun),
            values=(Decimal(bins[number]),),
            texts=(f"{bins[number]:,}",),
            figure=f"{bins[number]:,}",
        )
        for number, name in enumerate(names)
    ]
    peak = max(data, key=lambda datum: datum.total)
    return draw(
        data,
        [Series(column, "1")],
        _ticks(names, width, show, mark, has_tail=has_tail),
        count_label,
        title=title,
        label=f"{title}, {show(ordered[0])} to {show(ordered[-1])}: {count(len(values), noun)}. "
        f"Most are at {peak.name}.",
        unit="range",
        column=column,
        is_dense=True,
        mark_x="" if mark is None else _place(mark / width, len(names)),
    )


def _ticks(
    names: Sequence[str],
    width: Decimal,
    show: Callable[[Decimal], str],
    mark: Decimal | None,
    *,
    has_tail: bool,
) -> list[Tick]:
    """Label at most nine edges of the bars, and ``mark`` in place of the edges next to it."""
    stride = -(-len(names) // MOST_LABELS)
    edges = range(0, len(names) + (not has_tail), stride)
    at = None if mark is None else mark / width
    ticks = [
        Tick(_place(Decimal(edge), len(names)), show(width * edge), edge % (2 * stride) > 0)
        for edge in edges
        if at is None or abs(edge - at) >= stride
    ]
    return ticks if at is None else [*ticks, Tick(_place(at, len(names)), show(width * at))]


def _place(edge: Decimal, bars: int) -> str:
    """Return where ``edge``, counted in bars, is across the chart, in per cent."""
    return f"{100 * edge / bars:.2f}"
