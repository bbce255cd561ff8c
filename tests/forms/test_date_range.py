"""The ranges of days that one click chooses."""

from datetime import date

from batchapp.forms.date_range import presets


def current(today: date, first: str, last: str) -> list[str]:
    return [preset.label for preset in presets(today, first, last) if preset.is_current]


def test_one_range_is_current_also_where_two_have_the_same_days() -> None:
    assert current(date(2026, 6, 15), "2026-06-01", "2026-06-15") == ["This month"]
    assert current(date(2027, 1, 1), "2027-01-01", "2027-01-01") == ["This month"]
    assert current(date(2026, 6, 15), "2026-01-01", "2026-06-15") == ["This year"]


def test_days_that_no_click_chooses_are_no_range() -> None:
    assert current(date(2026, 6, 15), "2020-01-01", "2020-01-02") == []
