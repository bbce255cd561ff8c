"""What a spending report is of."""

from datetime import date

from django import forms

from batchapp.forms.date_range import DaysForm
from batchapp.services.reports.cost_report import Scope

GROUP_NAMES = {"project": "Project", "user": "Person", "model": "Model"}


class ReportForm(DaysForm):
    """Lives in the page's address; an empty range is this month so far."""

    by = forms.ChoiceField(label="Group by", required=False, choices=list(GROUP_NAMES.items()))
    project = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)
    user = forms.CharField(required=False, max_length=254, widget=forms.HiddenInput)
    model = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)
    sandbox = forms.BooleanField(required=False, label="With sandbox batches")

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
