"""The form that chooses the corrections of a file."""

from collections.abc import Sequence
from typing import Any

from django import forms

from batchapp.domain.corrections.correction_rules import (
    CORRECTION_RULES,
    URL_WRITERS,
    Choice,
    CorrectionKind,
)
from batchapp.domain.tokens.counting import MAX_OUTPUT
from batchapp.forms.fields import SubmissionForm

NO_CORRECTION = "Tick at least one of the corrections below."
NO_MODEL = "Choose the model to write into the requests."
NO_LIMIT = "Give a number of tokens, from 1; 1,000 is about a page and a half of text."


class CorrectionForm(SubmissionForm):
    """The ``offered`` corrections."""

    corrections = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": NO_CORRECTION, "invalid_choice": NO_CORRECTION},
    )
    model = forms.ChoiceField(
        required=False,
        error_messages={"invalid_choice": "Choose one of the models on offer."},
    )
    url = forms.ChoiceField(
        label="Endpoint, where a request does not tell its own or leaves a choice",
        required=False,
        error_messages={"invalid_choice": "Choose one of the endpoints on offer."},
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

    def __init__(
        self,
        *args: Any,
        offered: Sequence[CorrectionKind],
        models: Sequence[str],
        urls: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        choices = {
            "corrections": [(kind.value, CORRECTION_RULES[kind].title) for kind in offered],
            "model": [("", "Choose a model"), *((name, name) for name in models)],
            "url": [("", "As each request tells"), *((url, url) for url in urls)],
        }
        for name, options in choices.items():
            field = self.fields[name]
            if isinstance(field, forms.ChoiceField):
                field.choices = options

    def clean(self) -> dict[str, Any]:
        cleaned = self.cleaned_data
        kinds = cleaned.get("corrections", [])
        has_model = cleaned.get("model") or "model" in self.errors
        if CorrectionKind.SET_MODEL in kinds and not has_model:
            self.add_error("model", NO_MODEL)
        has_limit = cleaned.get("max_tokens") or "max_tokens" in self.errors
        if CorrectionKind.SET_MAX_TOKENS in kinds and not has_limit:
            self.add_error("max_tokens", NO_LIMIT)
        return cleaned

    @property
    def choice(self) -> Choice:
        """The choice of a valid form; fields of corrections that are not ticked are ignored."""
        cleaned = self.cleaned_data
        kinds = frozenset(CorrectionKind(value) for value in cleaned["corrections"])
        return Choice(
            kinds,
            model=cleaned["model"] if CorrectionKind.SET_MODEL in kinds else "",
            max_tokens=cleaned["max_tokens"] if CorrectionKind.SET_MAX_TOKENS in kinds else 0,
            every_model=cleaned["every_model"] and CorrectionKind.SET_MODEL in kinds,
            url=cleaned["url"] if kinds & URL_WRITERS else "",
        )
