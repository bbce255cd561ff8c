"""Bars with an axis, stacked by series: what the template needs to draw them.

Across, a bar is placed by the style sheet and stays at most 32 pixels wide; heights are pixels.
So no text is ever stretched, whatever the width of the screen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

from batchapp.presenters.charts.axis import Label, Tick, lines_up_to, middle_of, width_of

HEIGHT = 160  # pixels from the base line to the highest line
HEAD = 22  # pixels above the highest line for the value of the highest bar
BEYOND = 26  # pixels by which a broken bar ends above the highest line
MAX_RATIO = 4  # a bar that is more times as high as the next one is broken
MIN_HEIGHT = Decimal(2)  # so that the smallest bar beside a large one is still seen
MAX_COLOURS = 6
OTHERS = "other"


@dataclass(frozen=True, slots=True)
class Series:
    """One colour of the bars: ``style`` is "1" to "6", or ``OTHERS``."""

    name: str
    style: str


@dataclass(frozen=True, slots=True)
class Datum:
    """The facts of one bar; ``values`` and ``texts`` have an entry for each series.

    ``is_unpriced`` means that the bar shows only the known costs.
    """

    name: str
    text: str
    values: tuple[Decimal, ...]
    texts: tuple[str, ...]
    figure: str
    url: str = ""
    is_unpriced: bool = False

    @property
    def is_empty(self) -> bool:
        return not self.total and not self.is_unpriced and not self.url

    @property
    def total(self) -> Decimal:
        return sum(self.values, Decimal(0))


@dataclass(frozen=True, slots=True)
class Part:
    """The share of one series in a bar: ``y`` from above and ``height`` in pixels."""

    series: Series
    text: str
    y: str
    height: str


@dataclass(frozen=True, slots=True)
class Bar:
    """``figure`` is its value if it is the highest.

    ``side`` is "start" or "end" where a tooltip goes to that side of the bar, and ``edge``
    likewise for its figure, which needs less room.
    """

    datum: Datum
    parts: list[Part]
    y: str
    height: str
    figure: str
    side: str
    edge: str
    is_broken: bool

    @property
    def label(self) -> str:
        return f"{self.datum.name}: {self.datum.text}"

    @property
    def figure_x(self) -> str:
        return {"start": "0", "end": "100%"}.get(self.edge, "50%")

    @property
    def figure_y(self) -> str:
        return f"{Decimal(self.y) - 6:.1f}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line across the chart at a round value."""

    label: str
    y: str


@dataclass(frozen=True, slots=True)
class Chart:
    """``label`` says in a sentence what the bars show; ``column`` is the head of their values.

    ``mark_x`` is where a line marks a value to compare with, in per cent; "" without one.
    """

    title: str
    label: str
    unit: str
    column: str
    bars: list[Bar]
    series: list[Series]
    lines: list[Line]
    ticks: list[Tick]
    axis_width: int
    top: int
    base: int
    is_dense: bool
    mark_x: str = ""

    @property
    def label_x(self) -> int:
        return self.axis_width - 8

    @property
    def filled_bars(self) -> list[Bar]:
        """The bars of the table: a year has many days on which nothing was spent."""
        return [bar for bar in self.bars if not bar.datum.is_empty]

    @property
    def is_linked(self) -> bool:
        return any(bar.datum.url for bar in self.bars)

    @property
    def has_unpriced(self) -> bool:
        return any(bar.datum.is_unpriced for bar in self.bars)

    @property
    def plot_height(self) -> int:
        return self.base - self.top

    @property
    def break_y(self) -> int:
        return self.top - BEYOND // 2


def draw(
    data: Sequence[Datum],
    series: list[Series],
    ticks: list[Tick],
    axis_label: Label,
    *,
    title: str,
    label: str,
    unit: str,
    column: str,
    height: int = HEIGHT,
    is_dense: bool = False,
    mark_x: str = "",
) -> Chart:
    """Draw ``data``; one bar of more than four times the next is broken, to keep the others.

    The bars of a dense chart are counts, stand side by side without space, and are not broken.
    """
    totals = sorted((datum.total for datum in data), reverse=True)
    highest, second = totals[0], next(iter(totals[1:]), Decimal(0))
    is_broken = not is_dense and 0 < MAX_RATIO * second < highest
    values = lines_up_to(second if is_broken else highest, Decimal(int(is_dense)))
    top = HEAD + BEYOND * is_broken
    base = top + height
    step = values[1] if len(values) > 1 else Decimal(1)
    labels = [axis_label(value, step) for value in values]
    scale = Decimal(height) / (values[-1] or 1)
    return Chart(
        title=title,
        label=label,
        unit=unit,
        column=column,
        bars=[
            _bar(datum, number, data, series, scale=scale, base=base, highest=highest)
            for number, datum in enumerate(data)
        ],
        series=series,
        lines=[
            Line(text, f"{base - value * scale:.1f}")
            for text, value in zip(labels, values, strict=True)
        ],
        ticks=ticks,
        axis_width=width_of(labels),
        top=top,
        base=base,
        is_dense=is_dense,
        mark_x=mark_x,
    )


def _bar(
    datum: Datum,
    number: int,
    data: Sequence[Datum],
    series: Sequence[Series],
    *,
    scale: Decimal,
    base: int,
    highest: Decimal,
) -> Bar:
    room = Decimal(base - HEAD)
    is_broken = datum.total * scale > room
    height = min(max(datum.total * scale, MIN_HEIGHT), room) if datum.total > 0 else Decimal(0)
    ends = accumulate(height * value / (datum.total or 1) for value in datum.values)
    parts, below = [], Decimal(0)
    for one, text, value, end in zip(series, datum.texts, datum.values, ends, strict=True):
        if value > 0:
            parts.append(Part(one, text, f"{base - end:.1f}", f"{end - below:.1f}"))
        below = end
    place = float(middle_of(number, len(data)))
    is_highest = datum.total == highest > 0 and not any(
        earlier.total == highest for earlier in data[:number]
    )
    return Bar(
        datum=datum,
        parts=parts,
        y=f"{base - height:.1f}",
        height=f"{height:.1f}",
        figure=datum.figure if is_highest else "",
        side=_side(place, 22),
        edge=_side(place, 10),
        is_broken=is_broken,
    )


def _side(place: float, margin: int) -> str:
    if place < margin:
        return "start"
    return "end" if place > 100 - margin else "middle"
