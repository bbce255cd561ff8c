"""Forms for provider keys and webhook secrets; typed secrets are never shown again."""

import re
from base64 import b64decode
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from batchapp.forms.fields import secret_input
from batchapp.models import Connection, User

MIN_KEY_LENGTH = 8  # characters; pages show the last four, which is too much of a shorter key
WEBHOOK_PREFIX = "whsec_"
MIN_SECRET_BYTES = 16  # of a webhook secret; the standard asks for 24
PRINTABLE = re.compile(r"[\x21-\x7e]+")


class SecretForm(forms.Form):
    secret = forms.CharField(
        label="Key",
        max_length=500,
        widget=secret_input(),
        error_messages={"required": "Paste the key that the provider gave you."},
    )

    def clean_secret(self) -> str:
        secret: str = self.cleaned_data["secret"].strip()
        if not PRINTABLE.fullmatch(secret):
            raise ValidationError(
                "The key contains a blank or another character that keys do not have. Copy it "
                "again, all of it and nothing else."
            )
        if len(secret) < MIN_KEY_LENGTH:
            raise ValidationError("This is too short for a key. Copy it again, all of it.")
        return secret


class StoredSecretForm(SecretForm):
    """A provider key to store. ``store_anyway`` is shown once the provider has refused it."""

    store_anyway = forms.BooleanField(label="Store it anyway", required=False)
    is_refused = False

    def refuse(self, provider: str) -> None:
        """Say that ``provider`` refused the key, and offer to store it anyway."""
        self.is_refused = True
        self.add_error(
            "secret",
            f"{provider} refuses this key, and nothing was stored. Paste the right one. If it was "
            "made a minute ago, wait and try again, or paste it again and tick “Store it anyway”.",
        )


class OptionalSecretForm(SecretForm):
    """A key for one question to a provider; without one, the connection must have a platform key.

    A form of this kind has the field ``connection``. The key is not stored.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["secret"].required = False

    def clean_secret(self) -> str:
        return super().clean_secret() if self.cleaned_data["secret"] else ""

    def clean(self) -> None:
        super().clean()
        connection = self.cleaned_data.get("connection")
        is_empty = self.cleaned_data.get("secret") == ""
        if connection and is_empty and not connection.platform_ciphertext:
            label = str(self.fields["secret"].label).lower()
            self.add_error("secret", f"Paste a {label}: none is stored with {connection}.")


class WebhookForm(forms.Form):
    """The secret with which a provider signs its webhooks, in the form of Standard Webhooks."""

    secret = forms.CharField(
        label="Secret",
        max_length=200,
        help_text="It begins with whsec_. The provider shows it once, with the new webhook.",
        widget=secret_input(),
        error_messages={"required": "Paste the secret that the provider showed for the webhook."},
    )

    def clean_secret(self) -> str:
        secret: str = self.cleaned_data["secret"].strip()
        text = secret.removeprefix(WEBHOOK_PREFIX).rstrip("=")
        try:
            length = len(b64decode(text + -len(text) % 4 * "=", validate=True))
        except ValueError:
            length = 0
        if not secret.startswith(WEBHOOK_PREFIX) or length < MIN_SECRET_BYTES:
            raise ValidationError(
                "This is no webhook secret: it begins with whsec_, and letters, digits, +, / and "
                "= follow. Copy it again, all of it."
            )
        return secret


class KeyForm(StoredSecretForm):
    name = forms.CharField(
        max_length=100,
        required=False,
        help_text="So that you can tell it from others.",
        widget=forms.TextInput(attrs={"dir": "auto"}),
        error_messages={"max_length": "Use at most 100 characters."},
    )
    field_order = ["connection", "name", "secret", "store_anyway"]


class OwnKeyForm(KeyForm):
    """A key of one person, for any of the connections.

    A connection is preselected only if it is the only one, or if all projects of the person use
    it: a key that is sent to the wrong provider is no longer secret.
    """

    connection = forms.ModelChoiceField(
        queryset=Connection.objects.all(),
        empty_label="Choose the provider it is from",
        error_messages={"required": "Choose the provider that gave you the key."},
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        kwargs.setdefault("auto_id", "id_key_%s")
        super().__init__(*args, **kwargs)
        field = self.fields["connection"]
        if isinstance(field, forms.ModelChoiceField):
            connections = list(Connection.objects.filter(projects__members=user).distinct()[:2])
            connections = connections or list(Connection.objects.all()[:2])
            field.initial = connections[0].pk if len(connections) == 1 else None
