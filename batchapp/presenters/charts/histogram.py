"""How often values occur: one bar for each range of values."""

from collections import Counter
from collections.abc import Callable, Sequence
from decimal import ROUND_FLOOR, Decimal

from batchapp.presenters.charts.axis import Tick, count_label, round_step
from batchapp.presenters.charts.bars import Chart, Datum, Series, draw
from batchapp.templatetags.words import count

MAX_BINS = 20
LONG_TAIL = 50  # one value of so many may be beyond the last range, which takes it all the same


def histogram(
    values: Sequence[Decimal],
    noun: str,
    *,
    title: str,
    column: str,
    show: Callable[[Decimal], str],
) -> Chart | None:
    """Count ``values``, which are not negative, in at most 20 ranges of a round width.

    The few largest of many values share the last range, so that a single one does not squeeze
    the others into the first. Return None without values.
    """
    if not values:
        return None
    ordered = sorted(values)
    most = ordered[-1 - len(ordered) // LONG_TAIL]
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
    stride = -(-len(names) // 8)  # so that there are at most nine labels
    return draw(
        data,
        [Series(column, "1")],
        [
            Tick(f"{100 * n / len(names):.2f}", show(width * n), is_minor=n % (2 * stride) > 0)
            for n in range(0, len(names) + (not has_tail), stride)
        ],
        count_label,
        title=title,
        label=f"{title}, {show(ordered[0])} to {show(ordered[-1])}: {count(len(values), noun)}. "
        f"Most are at {peak.name}.",
        unit="range",
        column=column,
        is_dense=True,
    )
