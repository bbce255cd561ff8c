"""A provider's own prices, asked for with its platform key."""

from typing import Any

from batchapp.forms.keys import SecretForm
from batchapp.forms.prices.prices import ListForm


class TariffForm(SecretForm, ListForm):
    """A platform key that is typed is used once and not kept."""

    field_order = ["connection", "secret", "since", "ends_missing"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["secret"].label = "Platform key"
        self.fields["secret"].required = False
        self.fields["secret"].help_text = (
            "Used once, and not kept. Leave it empty to use the one that operators have stored "
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
