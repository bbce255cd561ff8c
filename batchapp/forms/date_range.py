"""A form for a range of days."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

EARLIEST, LATEST = date(2000, 1, 1), date(2100, 12, 31)


@dataclass(frozen=True, slots=True)
class Preset:
    """A range of days that one click chooses; the days are as in an address, "" for no limit."""

    label: str
    first: str
    last: str
    is_current: bool


def presets(today: date, first: str, last: str) -> list[Preset]:
    """Return the ranges on offer, of which ``first`` to ``last`` is chosen.

    In January this year is this month, and the month is current.
    """
    month = today.replace(day=1)
    before = month - timedelta(days=1)
    ranges = [
        ("Any time", "", ""),
        ("This month", month.isoformat(), today.isoformat()),
        ("Last month", before.replace(day=1).isoformat(), before.isoformat()),
        ("Last 90 days", (today - timedelta(days=89)).isoformat(), today.isoformat()),
        ("This year", today.replace(month=1, day=1).isoformat(), today.isoformat()),
    ]
    current = next((days for days in ranges if days[1:] == (first, last)), None)
    return [Preset(*days, is_current=days == current) for days in ranges]


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class DaysForm(forms.Form):
    """Both days are included in the range, and both are optional."""

    days_label = "Created"  # what happened on them

    first = forms.DateField(label="From", required=False, widget=DayInput)
    last = forms.DateField(label="To", required=False, widget=DayInput)

    @property
    def presets(self) -> list[Preset]:
        first, last = self.data.get("first", ""), self.data.get("last", "")
        return presets(timezone.localdate(), first, last)

    @property
    def range_label(self) -> str:
        return next((row.label for row in self.presets if row.is_current), "Chosen days")

    @property
    def has_own_range(self) -> bool:
        """Return True if the range of days is none of those on offer."""
        return not any(preset.is_current for preset in self.presets)

    def clean(self) -> dict[str, Any]:
        first, last = self.cleaned_data.get("first"), self.cleaned_data.get("last")
        for day in (first, last):
            if day and not EARLIEST <= day <= LATEST:
                # For pages that show all days beside the error: no day follows the year 9999.
                self.cleaned_data |= {"first": None, "last": None}
                raise ValidationError("Choose days between 2000 and 2100.")
        if first and last and first > last:
            raise ValidationError("The range ends before it begins. Swap the two dates.")
        return self.cleaned_data
