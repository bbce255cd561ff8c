"""The form that fetches the prices of a provider with its platform key."""

from typing import Any

from batchapp.forms.keys import SecretForm
from batchapp.forms.prices.prices import ListForm


class TariffForm(SecretForm, ListForm):
    """A typed platform key is used once and not stored."""

    field_order = ["connection", "secret", "since", "ends_missing"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["secret"].label = "Platform key"
        self.fields["secret"].required = False
        self.fields["secret"].help_text = (
            "Used once, and not stored. Leave it empty to use the key that operators have stored "
            "with the connection. Batches run on other keys."
        )

    def clean_secret(self) -> str:
        return super().clean_secret() if self.cleaned_data["secret"] else ""

    def clean(self) -> None:
        super().clean()
        connection = self.cleaned_data.get("connection")
        is_empty = self.cleaned_data.get("secret") == ""
        if connection and is_empty and not connection.platform_ciphertext:
            self.add_error("secret", f"Paste a platform key: none is stored with {connection}.")
