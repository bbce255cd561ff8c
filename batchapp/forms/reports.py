"""The filters of the cost report."""

from collections.abc import Mapping
from datetime import date
from itertools import combinations
from typing import Any, Self

from django import forms

from batchapp.domain.batch_labels import MAX_COST_CENTRE_LENGTH, MAX_TAG_LENGTH
from batchapp.forms.date_range import DaysForm, Preset
from batchapp.models import User
from batchapp.services.reports.cross_tab import TIME
from batchapp.services.reports.dimensions import BATCH, DIMENSIONS, SINGLE
from batchapp.services.reports.scope import Scope

GROUP_NAMES = {
    "project": "Project",
    "model": "Model",
    "user": "Person",
    "key": "Provider key",
    "portal_key": "Portal key",
    "tag": "Tag",
    "cost_centre": "Cost centre",
    "window": "Window",
    "connection": "Connection",
    "kind": "Kind",
}
ACROSS_NAMES = {TIME: "Month"} | GROUP_NAMES
ONLY_NAMES = {
    "failed": "with failed requests",
    "late": "late",
    "cut_short": "with answers cut short",
    "retries": "retries",
    "unpriced": "with a missing price",
}
WITHOUT_NAMES = {
    "tag": "No tag",
    "cost_centre": "No cost centre",
    "portal_key": "No portal key",
}
WITHOUT_CHOICES = [
    (",".join(names), ", ".join(WITHOUT_NAMES[name] for name in names))
    for number in range(1, len(WITHOUT_NAMES) + 1)
    for names in combinations(WITHOUT_NAMES, number)
]
BY = "project"  # unless the address says otherwise
MAX_WINDOW_LENGTH = 20
MAX_CONNECTION = 2**31 - 1  # the largest id that every database compares


class ReportForm(DaysForm):
    """Filters taken from the page's address; an empty range means this month so far."""

    by = forms.ChoiceField(
        required=False, choices=list(GROUP_NAMES.items()), widget=forms.HiddenInput
    )
    project = forms.CharField(required=False, max_length=60, widget=forms.HiddenInput)
    user = forms.CharField(required=False, max_length=254, widget=forms.HiddenInput)
    model = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)
    tag = forms.CharField(required=False, max_length=MAX_TAG_LENGTH, widget=forms.HiddenInput)
    cost_centre = forms.CharField(
        required=False, max_length=MAX_COST_CENTRE_LENGTH, widget=forms.HiddenInput
    )
    key = forms.UUIDField(required=False, widget=forms.HiddenInput)
    portal_key = forms.UUIDField(required=False, widget=forms.HiddenInput)
    window = forms.CharField(
        required=False, max_length=MAX_WINDOW_LENGTH, widget=forms.HiddenInput
    )
    connection = forms.IntegerField(
        required=False, min_value=1, max_value=MAX_CONNECTION, widget=forms.HiddenInput
    )
    kind = forms.ChoiceField(
        required=False,
        choices=[(BATCH, "Batches"), (SINGLE, "Single requests")],
        widget=forms.HiddenInput,
    )
    across = forms.ChoiceField(
        required=False, choices=list(ACROSS_NAMES.items()), widget=forms.HiddenInput
    )
    without = forms.ChoiceField(
        required=False,
        choices=WITHOUT_CHOICES,
        widget=forms.HiddenInput,
    )
    only = forms.ChoiceField(
        required=False, choices=list(ONLY_NAMES.items()), widget=forms.HiddenInput
    )
    sandbox = forms.BooleanField(required=False, widget=forms.HiddenInput)

    @classmethod
    def from_address(cls, parameters: Mapping[str, str], today: date) -> Self:
        """Return the form of the parameters; without days it is about the month so far."""
        month = {"first": today.replace(day=1).isoformat(), "last": today.isoformat()}
        return cls(month | {name: value for name, value in parameters.items() if value})

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        if cleaned.get("across") and cleaned["across"] == (cleaned.get("by") or BY):
            self.add_error("across", "Choose two different groups for rows and columns.")
        return cleaned

    @property
    def presets(self) -> list[Preset]:
        """Return the ranges on offer, without that of any time."""
        return super().presets[1:]

    def scope(self, today: date, viewer: User) -> Scope:
        """Return the scope of the report; an invalid form means this month so far."""
        cleaned = self.cleaned_data if self.is_valid() else {}
        last = cleaned.get("last") or today
        groups: dict[str, Any] = {name: str(cleaned.get(name) or "") for name in DIMENSIONS}
        return Scope(
            first=cleaned.get("first") or last.replace(day=1),
            last=last,
            viewer=viewer,
            without=cleaned.get("without", ""),
            only=cleaned.get("only", ""),
            with_sandbox=cleaned.get("sandbox", False),
            **groups,
        )
