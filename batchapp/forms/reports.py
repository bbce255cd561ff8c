"""What a spending report is of."""

from datetime import date
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from batchapp.services.reporting import Scope

EARLIEST, LATEST = date(2000, 1, 1), date(2100, 12, 31)


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


class ReportForm(forms.Form):
    """Lives in the page's address; an empty range is this month so far."""

    first = forms.DateField(label="From", required=False, widget=DayInput)
    last = forms.DateField(label="To", required=False, widget=DayInput)
    by = forms.ChoiceField(
        label="Group by",
        required=False,
        choices=[("project", "Project"), ("user", "Person"), ("model", "Model")],
    )
    project = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)
    user = forms.CharField(required=False, max_length=254, widget=forms.HiddenInput)
    model = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)
    sandbox = forms.BooleanField(required=False, label="With sandbox batches")

    def clean(self) -> dict[str, Any]:
        first, last = self.cleaned_data.get("first"), self.cleaned_data.get("last")
        for day in (first, last):
            if day and not EARLIEST <= day <= LATEST:
                raise ValidationError("Choose days between 2000 and 2100.")
        if first and last and first > last:
            raise ValidationError("The range ends before it begins. Swap the two dates.")
        return self.cleaned_data

    def scope(self, today: date) -> Scope:
        """What to add up; the whole form must be valid, or it is this month."""
        asked = self.cleaned_data if self.is_valid() else {}
        last = asked.get("last") or today
        return Scope(
            first=asked.get("first") or last.replace(day=1),
            last=last,
            project=asked.get("project", ""),
            user=asked.get("user", ""),
            model=asked.get("model", ""),
            with_sandbox=asked.get("sandbox", False),
        )
