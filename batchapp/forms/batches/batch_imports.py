"""Which of a provider's batches to bring in: ticked in a list, or named by their ids."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

MOST = 100
"""At once; a page of the provider's list has fewer."""

UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
OTHER = re.compile(r"(?=.*\w)[\w.:-]{1,200}", re.ASCII)


class BatchImportForm(forms.Form):
    """``batches`` are the ticked ones, ``ids`` whatever somebody copied from elsewhere."""

    batches = forms.Field(required=False, widget=forms.MultipleHiddenInput)
    ids = forms.CharField(
        label="Or by id",
        required=False,
        max_length=10_000,
        widget=forms.TextInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Of batches that are not on the list; several with blanks between them.",
        error_messages={"max_length": "These are too many at once. Send some of them first."},
    )

    def clean_batches(self) -> list[str]:
        return [read_id(each) for each in self.cleaned_data["batches"] or []]

    def clean_ids(self) -> list[str]:
        return [read_id(each) for each in re.split(r"[\s,;]+", self.cleaned_data["ids"]) if each]

    def clean(self) -> None:
        super().clean()
        if not self.errors and not self.chosen:
            raise ValidationError("Tick a batch first, or type its id.")
        if len(self.chosen) > MOST:
            raise ValidationError(f"Bring in at most {MOST} batches at once.")

    @property
    def chosen(self) -> list[str]:
        """Each id once."""
        known: dict[str, Any] = self.cleaned_data
        return list(dict.fromkeys([*known.get("batches", []), *known.get("ids", [])]))


def read_id(text: str) -> str:
    """The id as the provider's API knows it: pages and webhooks put something before it.

    Raises:
        ValidationError: there is none in ``text``.
    """
    if found := UUID.search(text):
        return found[0].lower()
    if OTHER.fullmatch(text):
        return text
    raise ValidationError(
        "This is no id of a batch. Copy it from the provider's console or from what `dw` printed, "
        "and nothing else."
    )
