"""Numbers, money and times as the pages say them."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from batchapp.templatetags import words
from tests.fixtures import Clock


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        (None, "no price"),
        ("0", "$0.00"),
        ("1234.5", "$1,234.50"),
        ("0.125", "$0.13"),
        ("0.01", "$0.01"),
        ("0.00999", "$0.0100"),
        ("0.0042", "$0.0042"),
        ("0.0001", "$0.0001"),
        ("0.000042", "$0.000042"),
        ("0.00000001", "<$0.000001"),
        ("-0.5", "-$0.50"),
    ],
)
def test_money_keeps_the_digits_that_say_something(amount: str | None, shown: str) -> None:
    assert words.usd(None if amount is None else Decimal(amount)) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, "0"), (999_999, "999,999"), (59_292_000, "59.3 M"), (4_000_000_000, "4.0 B")],
)
def test_a_large_count_is_short_in_a_column(number: int, shown: str) -> None:
    assert words.in_column(number) == shown


@pytest.mark.parametrize(
    ("low", "high", "shown"),
    [
        ("0.002", "0.01", ("$0.0020", "$0.0100")),
        ("0.9", "1234", ("$0.90", "$1,234.00")),
        ("0.0042", "5123.5", ("$0.0042", "$5,123.50")),
        ("0", "0.0042", ("$0.00", "$0.0042")),
        ("0.00000001", "0.01", ("<$0.000001", "$0.01")),
    ],
)
def test_both_ends_of_a_range_have_the_same_decimals_unless_one_grew_too_long(
    low: str, high: str, shown: tuple[str, str]
) -> None:
    assert words.usd_range(Decimal(low), Decimal(high)) == shown


@pytest.mark.parametrize(
    ("amount", "sign", "shown"),
    [
        ("0", "~", "~$0.00"),
        ("0.00004", "~", "<$0.0001"),
        ("0.00004", "≥ ", "≥ $0.000040"),
        ("0.0042", "~", "~$0.0042"),
        ("9999.994", "~", "~$9,999.99"),
        ("1000000", "~", "~$1,000,000"),
    ],
)
def test_money_in_a_column_is_short_and_never_less_than_it_is(
    amount: str, sign: str, shown: str
) -> None:
    assert words.usd_in_column(Decimal(amount), sign) == shown


def test_an_amount_beside_another_has_as_many_decimals() -> None:
    assert words.usd_like(Decimal("0.0131"), Decimal("0.0092")) == "$0.0131"
    assert words.usd_like(Decimal("1234"), Decimal("0.9")) == "$1,234.00"


def test_a_window_has_a_space_before_its_unit() -> None:
    assert words.window("24h") == "24 h"
    assert words.window("flex") == "flex"


@pytest.mark.parametrize(
    ("moment", "shown"),
    [
        (datetime(2026, 11, 28, 23, 5, tzinfo=UTC), "today, 23:05"),
        (datetime(2026, 11, 29, 0, 0, tzinfo=UTC), "tomorrow, 00:00"),
        (datetime(2026, 12, 6, 13, 35, tzinfo=UTC), "Sun 6 Dec, 13:35"),
        (datetime(2027, 1, 2, 13, 35, tzinfo=UTC), "2 Jan 2027, 13:35"),
    ],
)
def test_a_due_time_names_its_day(
    moment: datetime, shown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)

    assert f">{shown}</time>" in words.clock(moment)
    assert f'datetime="{moment:%Y-%m-%dT%H:%M:%S}+00:00"' in words.clock(moment)


@pytest.mark.parametrize(
    ("price", "shown"),
    [("0.05", "$0.05"), ("2", "$2.00"), ("0.0375", "$0.0375"), ("1200.5", "$1,200.50")],
)
def test_a_rate_shows_all_its_decimals(price: str, shown: str) -> None:
    assert words.rate(Decimal(price)) == shown


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1536, "1.5 KiB"),
        (200 * 1024**2, "200 MiB"),
        (3 * 1024**3, "3.0 GiB"),
    ],
)
def test_sizes_read_as_in_a_file_manager(number: int, shown: str) -> None:
    assert words.size(number) == shown


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=47), "47 min ago"),
        (timedelta(hours=3), "3 h ago"),
        (timedelta(days=2), "2 d ago"),
    ],
)
def test_a_column_shows_an_age_in_few_letters(length: timedelta, shown: str) -> None:
    assert f">{shown}</time>" in words.age(timezone.now() - length)


def test_a_column_shows_an_old_moment_as_its_day_or_its_month() -> None:
    old = timezone.now() - timedelta(days=800)

    assert f">{timezone.localtime(old):%b %Y}</time>" in words.age(old)


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (timedelta(seconds=20), "1 min"),
        (timedelta(minutes=59, seconds=30), "60 min"),
        (timedelta(hours=23, minutes=10), "23 h"),
        (timedelta(days=3), "3 d"),
    ],
)
def test_a_column_shows_the_time_left_in_few_letters(
    length: timedelta, shown: str, clock: Clock
) -> None:
    clock.stop()

    assert words.left(timezone.now() + length) == shown


@pytest.mark.parametrize(
    ("age", "shown"),
    [
        (timedelta(seconds=5), "just now"),
        (timedelta(minutes=1, seconds=5), "1 minute ago"),
        (timedelta(hours=3), "3 hours ago"),
        (timedelta(days=2), "2 days ago"),
        (timedelta(hours=-23, seconds=-5), "in 23 hours"),
    ],
)
def test_times_are_relative_with_the_exact_one_beside(age: timedelta, shown: str) -> None:
    moment = timezone.now() - age

    html = words.ago(moment)

    assert f">{shown}<" in html
    assert f'datetime="{moment.isoformat(timespec="seconds")}"' in html


def test_what_never_happened_has_no_time() -> None:
    assert words.ago(None) == "never"


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "under 1 s"),
        (75, "1 min 15 s"),
        (2_845, "47 min"),
        (7_260, "2 h 1 min"),
        (-3, "under 1 s"),
    ],
)
def test_spans_are_short(seconds: int, shown: str) -> None:
    assert words.span(timedelta(seconds=seconds)) == shown
