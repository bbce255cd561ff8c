"""Group numbers into a few ranges with round ends, from counts in many narrow ones."""

from collections.abc import Mapping
from decimal import ROUND_FLOOR, Decimal
from typing import NamedTuple

MAX_BINS = 12
LEAST_WIDTH = Decimal("1e-30")  # of a range; a float holds every multiple of this
LONG_TAIL = 50  # one number of so many may lie above the last round range, which takes it as well


class Bin(NamedTuple):
    """``number`` values from ``low`` to below ``high``; the last range has larger ones, too."""

    low: Decimal
    high: Decimal
    number: int


def narrow_width(low: Decimal, high: Decimal, *, is_whole: bool) -> Decimal:
    """Return a power of ten that parts the numbers from ``low`` to ``high`` 100 to 1,000 times.

    Whole numbers are parted by 1 at least, and others by ``LEAST_WIDTH``.
    """
    if high == low:
        return Decimal(1)
    width = Decimal(1).scaleb((high - low).adjusted() - 2)
    return max(width, Decimal(1) if is_whole else LEAST_WIDTH)


def round_bins(low: Decimal, width: Decimal, counts: Mapping[int, int]) -> list[Bin]:
    """Return at most ``MAX_BINS`` ranges of a round width, also those without a number.

    ``counts`` has the numbers in each narrow range: those in range n are from ``low + n * width``
    on, and ``low`` is a multiple of ``width``. The few largest of many numbers share the last
    range, so that a single one does not squeeze the others into the first.
    """
    ordered = sorted(counts)
    allowed = sum(counts.values()) // LONG_TAIL
    beyond, last = 0, ordered[-1]
    for index in reversed(ordered):
        beyond += counts[index]
        if beyond > allowed:
            last = index
            break
    highest = low + width * (last + 1)
    step = _round_step(highest - low, width)
    start = (low / step).to_integral_value(ROUND_FLOOR) * step
    number = int(((highest - start) / step).to_integral_value("ROUND_CEILING"))
    totals = [0] * number
    for index, count in counts.items():
        place = int((low + width * index - start) / step)
        totals[min(place, number - 1)] += count
    return [
        Bin(start + step * place, start + step * (place + 1), total)
        for place, total in enumerate(totals)
    ]


def _round_step(reach: Decimal, least: Decimal) -> Decimal:
    """Return the smallest of 1, 2 or 5 times a power of ten that needs few enough steps."""
    wanted = max(reach / (MAX_BINS - 1), least)
    power = Decimal(1).scaleb(wanted.adjusted())
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= wanted)
