"""A form for a range of days."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

EARLIEST, LATEST = date(2000, 1, 1), date(2100, 12, 31)


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class DaysForm(forms.Form):
    """Both days are included in the range, and both are optional."""

    first = forms.DateField(label="From", required=False, widget=DayInput)
    last = forms.DateField(label="To", required=False, widget=DayInput)

    def clean(self) -> dict[str, Any]:
        first, last = self.cleaned_data.get("first"), self.cleaned_data.get("last")
        for day in (first, last):
            if day and not EARLIEST <= day <= LATEST:
                raise ValidationError("Choose days between 2000 and 2100.")
        if first and last and first > last:
            raise ValidationError("The range ends before it begins. Swap the two dates.")
        return self.cleaned_data
