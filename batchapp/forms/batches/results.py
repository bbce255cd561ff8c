"""The filters of a list of results."""

from typing import Any

from django import forms

from batchapp.domain.results.outcome import GROUPS, Outcome
from batchapp.models.batches.result import ResultQuerySet


class ResultFilterForm(forms.Form):
    """The filters and the start line of a page of results, taken from its address."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=64,
        widget=forms.SearchInput(attrs={"placeholder": "Search by id", "autocomplete": "off"}),
    )
    outcome = forms.ChoiceField(
        required=False,
        choices=[("", ""), *((value, value) for value in (*GROUPS, *Outcome))],
        widget=forms.HiddenInput,
    )
    attempts = forms.ChoiceField(
        required=False, choices=[("", "With retries"), ("own", "This batch alone")]
    )
    after = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    before = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)

    def __init__(self, *args: Any, has_retries: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not has_retries:
            del self.fields["attempts"]

    @property
    def shown_fields(self) -> list[forms.BoundField]:
        """Return the fields of the row of filters; the outcome is chosen with chips."""
        names = ["q", "attempts", *(["outcome"] if self.data.get("outcome") else [])]
        return [self[name] for name in names if name in self.fields]

    @property
    def is_merged(self) -> bool:
        """Return True if the answers of retries count as answers of the batch."""
        cleaned = self.cleaned_data if self.is_valid() else {}
        return "attempts" in self.fields and cleaned.get("attempts") != "own"

    def narrow(self, results: ResultQuerySet) -> ResultQuerySet:
        """Filter ``results``; an invalid form leaves none."""
        if not self.is_valid():
            return results.none()
        field = "outcome"
        if self.is_merged:
            results, field = results.with_retries(), "merged"
        if text := self.cleaned_data["q"]:
            results = results.filter(custom_id__icontains=text)
        outcome = self.cleaned_data["outcome"]
        if outcome in GROUPS:
            return results.filter(**{f"{field}__in": GROUPS[outcome]})
        return results.filter(**{field: outcome}) if outcome else results


class UnmatchedLinePageForm(forms.Form):
    after = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1)
