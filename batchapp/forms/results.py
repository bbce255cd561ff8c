"""Finding one result among many."""

from django import forms
from django.db.models import QuerySet

from batchapp.domain.results.outcome import FAILED, SUCCEEDED, Outcome
from batchapp.models import Result

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
    after = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)
    before = forms.IntegerField(required=False, min_value=0, max_value=2**31 - 1)

    def narrow(self, results: "QuerySet[Result]") -> "QuerySet[Result]":
        """Those of ``results`` that were asked for; none while the question makes no sense."""
        if not self.is_valid():
            return results.none()
        if text := self.cleaned_data["q"]:
            results = results.filter(custom_id__icontains=text)
        outcome = self.cleaned_data["outcome"]
        if outcome in GROUPS:
            return results.filter(outcome__in=GROUPS[outcome])
        return results.filter(outcome=outcome) if outcome else results
