"""What a person has corrected in a file, and with what."""

import uuid
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django import forms

from batchapp.domain.corrections.corrector import CORRECTION_RULES, Choice, CorrectionKind
from batchapp.domain.tokens.counting import MAX_OUTPUT

WHICH = "Tick at least one of the corrections below."
NO_MODEL = "Choose the model to write into the requests."
NO_LIMIT = "Give a number of tokens, from 1; 1,000 is about a page and a half of text."


class CorrectionForm(forms.Form):
    """Any of the repairs that a file's findings call for.

    ``submission`` is made with the form: a second click makes no second version.
    """

    corrections = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": WHICH, "invalid_choice": WHICH},
    )
    model = forms.ChoiceField(
        required=False,
        error_messages={"invalid_choice": "Choose one of the models on offer."},
    )
    every_model = forms.BooleanField(
        label="Also where the request names another model", required=False
    )
    max_tokens = forms.IntegerField(
        label="Tokens in an answer, at most",
        required=False,
        min_value=1,
        max_value=MAX_OUTPUT,
        error_messages={"invalid": NO_LIMIT, "min_value": NO_LIMIT},
        widget=forms.NumberInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
    submission = forms.UUIDField(required=False)

    def __init__(
        self, *args: Any, offered: Sequence[CorrectionKind], models: Sequence[str], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        corrections, model = self.fields["corrections"], self.fields["model"]
        if isinstance(corrections, forms.ChoiceField) and isinstance(model, forms.ChoiceField):
            corrections.choices = [(each.value, CORRECTION_RULES[each].title) for each in offered]
            model.choices = [("", "Choose a model"), *((each, each) for each in models)]

    def clean(self) -> dict[str, Any]:
        asked = self.cleaned_data
        wanted = asked.get("corrections", [])
        if (
            CorrectionKind.SET_MODEL in wanted
            and not asked.get("model")
            and "model" not in self.errors
        ):
            self.add_error("model", NO_MODEL)
        has_limit = asked.get("max_tokens") or "max_tokens" in self.errors
        if CorrectionKind.SET_MAX_TOKENS in wanted and not has_limit:
            self.add_error("max_tokens", NO_LIMIT)
        return asked

    @property
    def choice(self) -> Choice:
        """What a valid form asks for; a field of a repair that is not ticked says nothing."""
        asked = self.cleaned_data
        wanted = frozenset(CorrectionKind(each) for each in asked["corrections"])
        return Choice(
            wanted,
            model=asked["model"] if CorrectionKind.SET_MODEL in wanted else "",
            max_tokens=asked["max_tokens"] if CorrectionKind.SET_MAX_TOKENS in wanted else 0,
            every_model=asked["every_model"] and CorrectionKind.SET_MODEL in wanted,
        )

    @property
    def hidden_submission(self) -> str:
        return str(self["submission"].value() or uuid.uuid4())

    @property
    def sender(self) -> UUID:
        found: UUID | None = self.cleaned_data.get("submission")
        return found or uuid.uuid4()
