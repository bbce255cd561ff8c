"""The left axis of a chart, with lines at round values, and the labels below its bars."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal

MAX_LINES = 3  # above the base line
MIN_WIDTH = 48  # pixels that the labels of the axis take at least
WIDTH_OF_CHARACTER = Decimal("7.4")  # pixels of a digit in the labels' size
ALL_MONTHS, QUARTERS = 12, 36  # most months of a range that has a label at each month, or quarter
ZERO = "0"

Label = Callable[[Decimal, Decimal], str]


@dataclass(frozen=True, slots=True)
class Tick:
    """A label below the bars at ``x`` per cent; a narrow chart leaves out minor ones."""

    x: str
    text: str
    is_minor: bool = False


def round_step(highest: Decimal, lines: int = MAX_LINES) -> Decimal:
    """Return the smallest of 1, 2 or 5 times a power of ten that needs at most ``lines`` steps."""
    least = highest / lines
    power = Decimal(1).scaleb(least.adjusted())
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= least)
    return Decimal(f"{step:f}")  # 20 and not 2E+1, so that a label shows it as people write it


def lines_up_to(highest: Decimal, least_step: Decimal = Decimal(0)) -> list[Decimal]:
    """Return the values with a line, from zero to the first that is not below ``highest``."""
    if highest <= 0:
        return [Decimal(0)]
    step = max(round_step(highest), least_step)
    number = int((highest / step).to_integral_value(ROUND_CEILING))
    return [step * count for count in range(number + 1)]


def money_label(value: Decimal, step: Decimal) -> str:
    """Show an amount on an axis whose lines are ``step`` apart: "$0.50", "$2,000", "$50k"."""
    return f"${_shortened(value, step, cents=True)}" if value else ZERO


def count_label(value: Decimal, step: Decimal) -> str:
    return _shortened(value, step, cents=False) if value else ZERO


def _shortened(value: Decimal, step: Decimal, *, cents: bool) -> str:
    """Write ``value`` with the unit and the decimals that its neighbours on the axis have."""
    for unit, power in (("B", 9), ("M", 6), ("k", 3)):
        if step >= 5 * Decimal(10) ** (power - (power > 3)):
            return f"{_fixed(value.scaleb(-power), step.scaleb(-power))}{unit}"
    return f"{value:,.2f}" if cents and step.adjusted() == -1 else _fixed(value, step)


def _fixed(value: Decimal, step: Decimal) -> str:
    return f"{value:,.{max(0, -step.adjusted())}f}"


def width_of(labels: Sequence[str]) -> int:
    """Return the pixels that ``labels`` and the space beside them need."""
    longest = max(len(label) for label in labels)
    return max(MIN_WIDTH, round(10 + longest * WIDTH_OF_CHARACTER))


def time_ticks(unit: str, first_days: Sequence[date]) -> list[Tick]:
    """Label the first and then each seventh day, each month, or each year.

    Many months have a label for each quarter or each year, many years one for each tenth.
    """
    label = {"day": _day_tick, "month": _month_tick, "year": _year_tick}[unit]
    ticks = []
    for number, day in enumerate(first_days):
        text, is_minor = label(number, day, first_days)
        if text:
            ticks.append(Tick(middle_of(number, len(first_days)), text, is_minor))
    return ticks


def middle_of(number: int, total: int) -> str:
    """Return where the middle of a bar is, in per cent of the width of all bars."""
    return f"{100 * (number + Decimal('0.5')) / total:.2f}"


def _day_tick(number: int, day: date, days: Sequence[date]) -> tuple[str, bool]:
    if number % 7:
        return "", False
    is_new_month = not number or days[number - 7].month != day.month
    return f"{day:%-d %b}" if is_new_month else f"{day.day}", number % 14 > 0 and len(days) > 35


def _month_tick(number: int, day: date, days: Sequence[date]) -> tuple[str, bool]:
    if day.month == 1:
        return f"{day.year}", False
    if len(days) <= ALL_MONTHS:
        return f"{day:%b}", day.month % 3 != 1 and len(days) > ALL_MONTHS / 2
    is_quarter = len(days) <= QUARTERS and day.month % 3 == 1
    return f"{day:%b}" if is_quarter else "", True


def _year_tick(number: int, day: date, days: Sequence[date]) -> tuple[str, bool]:
    if len(days) <= 10:
        return f"{day.year}", number % 2 > 0 and len(days) > 5
    return f"{day.year}" if day.year % 10 == 0 else "", False
