"""What Doubleword's control layer adds to the batch API of OpenAI, and its management API.

Results can be read while a batch runs, lists can be searched, a batch that is over can be retried
in place, and the usage and cost of a batch can be asked.
"""

from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar, Self

from batchapp.domain.model_cards import ModelCard
from batchapp.domain.request_files.limits import ALLOWED_URLS
from batchapp.providers import json_values, remote_models, tariffs
from batchapp.providers.base import Capabilities
from batchapp.providers.http import Exchange
from batchapp.providers.openai import OpenAIProvider

CAPABILITIES = Capabilities(
    partial_results=True,
    retry_in_place=True,
    list_filters=True,
    analytics=True,
    tariffs=True,
    webhooks=True,
    one_model_per_file=False,
    enqueued_limits=False,
    windows=("24h", "1h"),
    endpoints=ALLOWED_URLS,
    cache_markers=True,
    reasoning_effort_only=True,
)


class DoublewordProvider(OpenAIProvider):
    """The calls of ``base.Provider``, with all capabilities."""

    _model_query: ClassVar[dict[str, str]] = {"include_reasoning_capabilities": "true"}

    def _search(self, text: str) -> dict[str, str]:
        """Return the parameter for parts of metadata, file name or id.

        ``%`` and ``_`` are wildcards.
        """
        return {"search": text}

    def _filters(
        self, *, active_first: bool, search: str | None, created_after: datetime | None
    ) -> dict[str, str]:
        """Return the parameters of a list, which ``active_first`` begins with unfinished batches.

        Doubleword answers an unknown ``after`` with the first page again.
        """
        query = {"active_first": "true"} if active_first else {}
        if search:
            query |= self._search(search)
        if created_after:
            query["created_after"] = created_after.astimezone(UTC).isoformat()
        return query


class DoublewordManagement:
    """The management API, which has an address of its own and takes platform keys alone."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @property
    def address(self) -> str:
        """Return the address below which the management API is asked."""
        return self._exchange.address

    def describe_managed_models(self) -> list[ModelCard]:
        """Return every model with what the management API tells of it."""
        action, include = "listing the models", "reasoning_capabilities"
        return tariffs.fetch_models(
            self._exchange, action, include, remote_models.read_managed_page
        )

    def list_tariffs(self) -> list[tariffs.ModelTariffs]:
        """Return every model with its current prices.

        Raises:
            ProviderUnavailable: also if the pages end before all models were listed.
        """
        return tariffs.fetch_tariffs(self._exchange)

    def balance(self) -> Decimal | None:
        """Return the account's credit in USD, which may be negative; None if it has none."""
        action, path = "asking for the balance", "/admin/api/v1/users/current"
        return self._exchange.request(action, "GET", path, _balance, params={"include": "billing"})

    def close(self) -> None:
        self._exchange.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


def _balance(value: object) -> Decimal | None:
    entry = json_values.mapping(value, "an account")
    return json_values.decimal(entry.get("credit_balance"))
