"""Ask a provider what it tells of its models."""

from datetime import datetime

import msgspec

from batchapp.domain.model_cards import ModelCard
from batchapp.models import Connection
from batchapp.providers.base import Management, Provider
from batchapp.providers.errors import ProviderRejected


def fetch(
    connection: Connection, platform: Management | None, provider: Provider, at: datetime
) -> list[ModelCard]:
    """Return the models of the management API, which tells more; else those of the common list.

    ``platform`` is the management API. Kinds without it (None), servers without it, and keys that
    it does not take are asked for the list that every provider has.

    Raises:
        ProviderError: neither list can be read with the key.
    """
    cards = _managed_models(platform) if platform else None
    if cards is None:
        cards = provider.describe_models()
    source = f"{connection}, its own list of {at:%-d %B %Y}"[:200]
    return [msgspec.structs.replace(card, source=source) for card in cards]


def _managed_models(platform: Management) -> list[ModelCard] | None:
    try:
        return platform.describe_managed_models()
    except ProviderRejected:
        return None
