"""Provider keys. What is typed here is never put on a page again."""

import re
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from batchapp.models import Connection

SHORTEST = 8
"""Characters. Four are shown afterwards, so a shorter key would be half given away."""

PRINTABLE = re.compile(r"[\x21-\x7e]+")


class SecretForm(forms.Form):
    secret = forms.CharField(
        label="Key",
        max_length=500,
        widget=forms.PasswordInput(
            render_value=False,
            attrs={"autocomplete": "off", "spellcheck": "false", "data-1p-ignore": ""},
        ),
        error_messages={"required": "Paste the key that the provider gave you."},
    )

    def clean_secret(self) -> str:
        secret: str = self.cleaned_data["secret"].strip()
        if not PRINTABLE.fullmatch(secret):
            raise ValidationError(
                "The key holds a blank or a character that keys do not have. Copy it again, all "
                "of it and nothing else."
            )
        if len(secret) < SHORTEST:
            raise ValidationError("This is too short for a key. Copy it again, all of it.")
        return secret


class KeyForm(SecretForm):
    name = forms.CharField(
        max_length=100, required=False, help_text="So that you can tell it from others."
    )
    field_order = ["connection", "name", "secret"]


class OwnKeyForm(KeyForm):
    """A key of one person, for any of the connections."""

    connection = forms.ModelChoiceField(queryset=Connection.objects.all(), empty_label=None)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", "id_key_%s")
        super().__init__(*args, **kwargs)
