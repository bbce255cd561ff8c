"""Finding one result among many."""

from typing import Any

from django import forms

from batchapp.domain.results.outcome import FAILED, SUCCEEDED, Outcome
from batchapp.models.batches.result import ResultQuerySet

GROUPS = {"answered": SUCCEEDED, "failed": FAILED}


class ResultFilterForm(forms.Form):
    """Which results a page shows, and from where; it lives in the page's address."""

    q = forms.CharField(
        label="Search",
        required=False,
        max_length=64,
        widget=forms.SearchInput(attrs={"placeholder": "custom_id", "autocomplete": "off"}),
    )
    outcome = forms.ChoiceField(
        required=False,
        choices=[
            ("", "Any outcome"),
            ("answered", "All answers"),
            ("failed", "All failures"),
            *((outcome.value, outcome.label) for outcome in Outcome),
        ],
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
    def is_merged(self) -> bool:
        """Whether the answers of retries count as those of the batch."""
        asked = self.cleaned_data if self.is_valid() else {}
        return "attempts" in self.fields and asked.get("attempts") != "own"

    def narrow(self, results: ResultQuerySet) -> ResultQuerySet:
        """Those of ``results`` that were asked for; none while the question makes no sense."""
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
    """From where a page of lines that were set aside goes on."""

    after = forms.IntegerField(required=False, min_value=0, max_value=2**63 - 1)
