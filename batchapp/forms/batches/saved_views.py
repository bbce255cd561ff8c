"""The form of a saved view of the list of batches."""

import unicodedata
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from batchapp.domain.batch_labels import INVISIBLE_CATEGORIES
from batchapp.models.batches.saved_view import NAME_LENGTH


class SavedViewForm(forms.Form):
    """Name and sharing of a view; ``with_filter`` gives it the filter that the list has now."""

    name = forms.CharField(
        max_length=NAME_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off", "dir": "auto"}),
        error_messages={
            "required": "Give the view a name.",
            "max_length": "A name has at most %(limit_value)d characters. Shorten it.",
        },
    )
    is_shared = forms.BooleanField(label="Everybody in the project sees it", required=False)
    with_filter = forms.BooleanField(label="Use the filter of the list as it is", required=False)

    def __init__(self, *args: Any, may_share: bool, has_filter: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_share:
            del self.fields["is_shared"]
        if not has_filter:
            del self.fields["with_filter"]

    def clean_name(self) -> str:
        name: str = " ".join(self.cleaned_data["name"].split())
        if any(unicodedata.category(char) in INVISIBLE_CATEGORIES for char in name):
            raise ValidationError("The name has invisible characters. Type it again.")
        return name
