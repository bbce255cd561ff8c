"""The form that chooses the requests of a batch to retry, and their changes."""

from collections.abc import Sequence
from typing import Any

from django import forms

from batchapp.domain.results.outcome import Outcome
from batchapp.domain.results.retry_selection import (
    MAX_TEMPERATURE,
    MAX_TOKENS_FACTORS,
    RetryScope,
    Selection,
)
from batchapp.forms.batches.results import HIGHEST_LINE
from batchapp.forms.fields import SubmissionForm
from batchapp.services.results.retry_file import RetryableCounts

NO_OUTCOME = "Tick at least one kind of request."
NONE_LEFT = "No request is left by this choice. Choose another error code, or tick more kinds."
SAME_LIMIT = (
    "With the same max_tokens these answers would be cut short again. Raise it, choose another "
    "model, or leave them out."
)
NO_TEMPERATURE = "Give a number from 0 to 2, or leave it empty to keep what the requests say."

UNCHANGED = "Unchanged"
FACTORS = {2: "Double"}  # the factors that have a word of their own


class RetryScopeForm(forms.Form):
    """The key of a problem, or a line, to which a retry is narrowed."""

    problem = forms.CharField(required=False, max_length=64)
    line = forms.IntegerField(required=False, min_value=1, max_value=HIGHEST_LINE)


class RetryForm(SubmissionForm):
    """Offer the requests of ``counts``, or those of ``scope`` alone."""

    outcomes = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": NO_OUTCOME, "invalid_choice": NO_OUTCOME},
    )
    error_code = forms.ChoiceField(
        label="Only those with the error code",
        required=False,
        error_messages={"invalid_choice": "Choose one of the error codes that occurred."},
    )
    max_tokens_factor = forms.ChoiceField(
        label="max_tokens",
        required=False,
        choices=[
            (1, UNCHANGED),
            *(
                (factor, FACTORS.get(factor, f"{factor} times as much"))
                for factor in MAX_TOKENS_FACTORS
            ),
        ],
        help_text="The longest answer, of those cut short.",
    )
    model = forms.ChoiceField(
        required=False,
        error_messages={"invalid_choice": "Choose one of the models on offer."},
    )
    temperature = forms.FloatField(
        required=False,
        min_value=0,
        max_value=MAX_TEMPERATURE,
        error_messages=dict.fromkeys(["invalid", "min_value", "max_value"], NO_TEMPERATURE),
        widget=forms.TextInput(
            attrs={"inputmode": "decimal", "autocomplete": "off", "placeholder": UNCHANGED}
        ),
    )

    def __init__(
        self,
        *args: Any,
        counts: RetryableCounts,
        models: Sequence[str],
        scope: RetryScope | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self._counts, self.scope = counts, scope
        self.offered_outcomes = [scope.outcome] if scope else counts.outcomes
        choices = {
            "outcomes": [(outcome.value, outcome.label) for outcome in self.offered_outcomes],
            "error_code": [("", "any"), *((code, code) for code in counts.error_codes)],
            "model": [("", UNCHANGED), *((model, model) for model in models)],
        }
        for name, offered in choices.items():
            field = self.fields[name]
            if isinstance(field, forms.ChoiceField):
                field.choices = offered

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        if not self.errors and not self.total:
            self.add_error(None, NONE_LEFT)
        is_same = cleaned.get("max_tokens_factor") in {"", "1"} and not cleaned.get("model")
        if Outcome.TRUNCATED.value in cleaned.get("outcomes", []) and is_same:
            self.add_error("max_tokens_factor", SAME_LIMIT)
        return cleaned

    @property
    def total(self) -> int:
        """Return how many requests the choice of a valid form covers."""
        return self.scope.number if self.scope else self._counts.total(self.choice)

    @property
    def choice(self) -> Selection:
        cleaned = self.cleaned_data
        outcomes = frozenset(Outcome(value) for value in cleaned["outcomes"])
        factor = int(cleaned["max_tokens_factor"] or 1)
        return Selection(
            outcomes,
            error_code=cleaned["error_code"],
            problem=self.scope.problem if self.scope else None,
            line=self.scope.line if self.scope else None,
            max_tokens_factor=factor if Outcome.TRUNCATED in outcomes else 1,
            model=cleaned["model"],
            temperature=cleaned["temperature"],
        )
