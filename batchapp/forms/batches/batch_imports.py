"""The form that imports batches of a provider: ticked in a list, or given by id."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

MAX_IMPORTS = 100  # batches at once; a page of the provider's list has fewer
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
OTHER_ID = re.compile(r"(?=.*\w)[\w.:-]{1,200}", re.ASCII)


class BatchImportForm(forms.Form):
    """``batches`` are the ids that were ticked, ``ids`` the text that a person typed."""

    batches = forms.Field(required=False, widget=forms.MultipleHiddenInput)
    ids = forms.CharField(
        label="Or by id",
        required=False,
        max_length=10_000,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "spellcheck": "false", "form": "import"}
        ),
        help_text="Of batches that are not on the list; several with blanks between them.",
        error_messages={"max_length": "Import fewer batches at once."},
    )

    def clean_batches(self) -> list[str]:
        return [read_id(text) for text in self.cleaned_data["batches"] or []]

    def clean_ids(self) -> list[str]:
        return [read_id(text) for text in re.split(r"[\s,;]+", self.cleaned_data["ids"]) if text]

    def clean(self) -> None:
        super().clean()
        if not self.errors and not self.chosen:
            raise ValidationError("Tick a batch first, or type its id.")
        if len(self.chosen) > MAX_IMPORTS:
            raise ValidationError(f"Import at most {MAX_IMPORTS} batches at once.")

    @property
    def chosen(self) -> list[str]:
        """The ids, each once."""
        cleaned: dict[str, Any] = self.cleaned_data
        return list(dict.fromkeys([*cleaned.get("batches", []), *cleaned.get("ids", [])]))


def read_id(text: str) -> str:
    """Return the id that the provider's API knows: pages and webhooks add a prefix.

    Raises:
        ValidationError: ``text`` has no id.
    """
    if match := UUID.search(text):
        return match[0].lower()
    if OTHER_ID.fullmatch(text):
        return text
    raise ValidationError(
        "This is no batch id. Copy it from the provider's console or from what `dw` printed, "
        "and nothing else."
    )
