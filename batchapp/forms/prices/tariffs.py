"""The form that fetches the prices of a provider with its platform key."""

from typing import Any

from batchapp.forms.keys import OptionalSecretForm
from batchapp.forms.prices.prices import ListForm


class TariffForm(OptionalSecretForm, ListForm):
    """A typed platform key is used once and not stored."""

    field_order = ["connection", "secret", "since", "ends_missing"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["secret"].label = "Platform key"
        self.fields["secret"].help_text = (
            "Used once, and not stored. Leave it empty to use the key that administrators have "
            "stored with the connection. Batches run on other keys."
        )
