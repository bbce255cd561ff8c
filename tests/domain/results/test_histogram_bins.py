"""Numbers in a few ranges with round ends."""

from collections import Counter
from collections.abc import Sequence
from decimal import Decimal

import pytest

from batchapp.domain.results.histogram_bins import MAX_BINS, Bin, narrow_width, round_bins


def bins_of(values: Sequence[float], *, is_whole: bool = True) -> list[Bin]:
    numbers = [Decimal(repr(value)) for value in values]
    width = narrow_width(min(numbers), max(numbers), is_whole=is_whole)
    low = min(numbers) // width * width - (width if min(numbers) < 0 else 0)
    return round_bins(low, width, Counter(int((number - low) // width) for number in numbers))


def test_whole_numbers_have_ranges_of_whole_numbers() -> None:
    assert bins_of([1, 2, 2, 3, 5]) == [
        (Decimal(1), Decimal(2), 1),
        (Decimal(2), Decimal(3), 2),
        (Decimal(3), Decimal(4), 1),
        (Decimal(4), Decimal(5), 0),
        (Decimal(5), Decimal(6), 1),
    ]


def test_the_smallest_numbers_are_parted_by_a_width_that_a_float_can_be() -> None:
    width = narrow_width(Decimal(0), Decimal("5e-324"), is_whole=False)

    assert float(width) > 0


def test_equal_numbers_are_one_range() -> None:
    (part,) = bins_of([7.25] * 3, is_whole=False)

    assert part.number == 3
    assert part.low <= Decimal("7.25") < part.high


@pytest.mark.parametrize(
    "values",
    [range(1000), [n / 7 for n in range(-50, 50)], [1e-7 * n for n in range(30)], [0, 10**15]],
)
def test_every_number_is_in_one_of_few_ranges(values: Sequence[float]) -> None:
    bins = bins_of(values, is_whole=False)

    assert len(bins) <= MAX_BINS + 1
    assert sum(part.number for part in bins) == len(values)


def test_a_few_huge_numbers_share_the_last_range() -> None:
    bins = bins_of([*range(100), 1_000_000])

    assert bins[-1].number >= 1
    assert sum(part.number for part in bins) == 101
