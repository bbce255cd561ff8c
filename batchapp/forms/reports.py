"""The filters of the cost report."""

from datetime import date

from django import forms

from batchapp.forms.date_range import DaysForm, Preset
from batchapp.models import User
from batchapp.services.reports.cost_report import Scope

GROUP_NAMES = {"project": "Project", "user": "Person", "model": "Model"}


class ReportForm(DaysForm):
    """Filters taken from the page's address; an empty range means this month so far."""

    by = forms.ChoiceField(
        required=False, choices=list(GROUP_NAMES.items()), widget=forms.HiddenInput
    )
    project = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)
    user = forms.CharField(required=False, max_length=254, widget=forms.HiddenInput)
    model = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)
    sandbox = forms.BooleanField(required=False, widget=forms.HiddenInput)

    @property
    def presets(self) -> list[Preset]:
        """Return the ranges on offer, without that of any time."""
        return super().presets[1:]

    def scope(self, today: date, viewer: User) -> Scope:
        """Return the scope of the report; an invalid form means this month so far."""
        cleaned = self.cleaned_data if self.is_valid() else {}
        last = cleaned.get("last") or today
        return Scope(
            first=cleaned.get("first") or last.replace(day=1),
            last=last,
            viewer=viewer,
            project=cleaned.get("project", ""),
            user=cleaned.get("user", ""),
            model=cleaned.get("model", ""),
            with_sandbox=cleaned.get("sandbox", False),
        )
