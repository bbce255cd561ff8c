"""The form that chooses the results of a batch for a table."""

from collections.abc import Mapping
from typing import Any

from django import forms

from batchapp.domain.results.outcome import SUCCEEDED, Outcome
from batchapp.forms.fields import SubmissionForm

ANSWERED = "answered"  # the group of outcomes, as filters name it
EVERY = "every"


class AnswerTableForm(SubmissionForm):
    """Offer the results of ``counts``: the usable answers first, and those that were looked at."""

    rows = forms.ChoiceField(
        widget=forms.RadioSelect,
        error_messages=dict.fromkeys(["required", "invalid_choice"], "Choose the results."),
    )

    def __init__(
        self, *args: Any, counts: Mapping[Outcome, int], looked_at: str = "", **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        answers = sum(counts.get(outcome, 0) for outcome in SUCCEEDED)
        usable, requests = counts.get(Outcome.OK, 0), sum(counts.values())
        choices = {Outcome.OK.value: ("Usable answers", usable)}
        if answers != usable:
            choices[ANSWERED] = ("All answers, also doubtful ones", answers)
        if requests != answers:
            choices[EVERY] = ("All requests, also without an answer", requests)
        if looked_at in {outcome.value for outcome in counts} - choices.keys():
            outcome = Outcome(looked_at)
            choices[looked_at] = (outcome.label, counts[outcome])
        self.choices = [(value, label, number) for value, (label, number) in choices.items()]
        field = self.fields["rows"]
        if isinstance(field, forms.ChoiceField):
            field.choices = [(value, label) for value, label, _ in self.choices]
        field.initial = looked_at if looked_at in choices else Outcome.OK.value

    @property
    def outcome(self) -> str:
        """Return the outcome or group of the rows, "" for all; of a valid form."""
        chosen: str = self.cleaned_data["rows"]
        return "" if chosen == EVERY else chosen
