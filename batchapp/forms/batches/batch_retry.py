"""Which requests of a batch are run again, and how they change."""

import uuid
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms

from batchapp.domain.results.retry_selection import (
    ADVICE,
    FACTORS,
    MAX_TEMPERATURE,
    Ending,
    Selection,
)
from batchapp.services.results.retry_file import RetryableCounts

WHICH = "Tick at least one kind of request."
NONE_LEFT = "No request is left by this choice. Choose another error code, or tick more kinds."
SAME_LIMIT = (
    "With the same max_tokens these answers would be cut short again. Raise it, choose another "
    "model, or leave them out."
)
NO_TEMPERATURE = "Give a number from 0 to 2, or leave it empty to keep what the requests say."


class RetryForm(forms.Form):
    """What ``reach`` has to be run again; ``submission`` is made with the form: one file."""

    endings = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": WHICH, "invalid_choice": WHICH},
    )
    error_code = forms.ChoiceField(
        label="Only those with the error code",
        required=False,
        error_messages={"invalid_choice": "Choose one of the error codes that occurred."},
    )
    max_tokens_factor = forms.ChoiceField(
        label="max_tokens of those cut short",
        required=False,
        choices=[(1, "as it is"), *((each, f"{each} times as much") for each in FACTORS)],
        help_text="A request that sets no max_tokens gets none.",
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
            attrs={"inputmode": "decimal", "autocomplete": "off", "placeholder": "as it is"}
        ),
    )
    submission = forms.UUIDField(required=False)

    def __init__(
        self, *args: Any, reach: RetryableCounts, models: Sequence[str], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self._reach = reach
        choices = {
            "endings": [(each.value, ADVICE[each].label) for each in reach.endings],
            "error_code": [("", "any"), *((each, each) for each in reach.error_codes)],
            "model": [("", "as it is"), *((each, each) for each in models)],
        }
        for name, offered in choices.items():
            field = self.fields[name]
            if isinstance(field, forms.ChoiceField):
                field.choices = offered

    def clean(self) -> dict[str, Any]:
        asked = self.cleaned_data
        if not self.errors and not self._reach.total(self.choice):
            self.add_error(None, NONE_LEFT)
        is_same = asked.get("max_tokens_factor") in {"", "1"} and not asked.get("model")
        if Ending.TRUNCATED.value in asked.get("endings", []) and is_same:
            self.add_error("max_tokens_factor", SAME_LIMIT)
        return asked

    @property
    def choice(self) -> Selection:
        """What a valid form asks for."""
        asked = self.cleaned_data
        endings = frozenset(Ending(each) for each in asked["endings"])
        factor = int(asked["max_tokens_factor"] or 1)
        return Selection(
            endings,
            error_code=asked["error_code"],
            max_tokens_factor=factor if Ending.TRUNCATED in endings else 1,
            model=asked["model"],
            temperature=asked["temperature"],
        )

    @property
    def hidden_submission(self) -> str:
        return str(self["submission"].value() or uuid.uuid4())

    @property
    def sender(self) -> UUID:
        found: UUID | None = self.cleaned_data.get("submission")
        return found or uuid.uuid4()
