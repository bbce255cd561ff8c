"""What a provider charges by its own account, read from its management API. Doubleword only.

That API has a host of its own and takes platform keys, which cannot run batches.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Self

import httpx

from batchapp.providers import json_values
from batchapp.providers.errors import ProviderUnavailable
from batchapp.providers.http import MAX_PAGES, PAGE_SIZE, Exchange

REALTIME = "realtime"
BATCH = "batch"
MANAGEMENT_HOSTS = {"api.doubleword.ai": "app.doubleword.ai"}
"""Where the management API is not where batches are sent. Source: the provider's API reference."""

PER_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price in USD per million tokens.

    ``window`` is "" for all windows that have no tariff of their own; ``purpose`` is "batch",
    "realtime" or one that no batch is billed by.
    """

    purpose: str
    window: str
    input: Decimal
    output: Decimal
    is_active: bool

    @classmethod
    def from_json(cls, value: object) -> Self:
        entry = json_values.mapping(value, "a tariff")
        prices = [
            json_values.money(entry.get(f"{side}_price_per_token")) for side in ("input", "output")
        ]
        if prices[0] is None or prices[1] is None:
            raise json_values.MalformedError("a tariff without a price")
        return cls(
            purpose=json_values.text(entry.get("api_key_purpose")),
            window=json_values.text(entry.get("completion_window")),
            input=(prices[0] * PER_MILLION).normalize(),
            output=(prices[1] * PER_MILLION).normalize(),
            is_active=entry.get("is_active") is not False,
        )


@dataclass(frozen=True, slots=True)
class ModelTariffs:
    """One model, by the name that requests call it, and all that is charged for it.

    ``windows`` are those that a batch of it may have, () if nothing is said of them.
    """

    model: str
    tariffs: tuple[Tariff, ...]
    windows: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, value: object) -> Self:
        entry = json_values.mapping(value, "a model")
        model = json_values.text(entry.get("alias"))
        if not model:
            raise json_values.MalformedError("a model without a name")
        tariffs = map(Tariff.from_json, json_values.entries(entry.get("tariffs")))
        windows = map(
            json_values.text, json_values.entries(entry.get("allowed_batch_completion_windows"))
        )
        return cls(model, tuple(tariffs), tuple(filter(None, windows)))

    def price(self, window: str) -> Tariff | None:
        """What is charged now in ``window``, or "realtime"; None if nothing is said of it."""
        active = [each for each in self.tariffs if each.is_active]
        if window == REALTIME:
            return next((each for each in active if each.purpose == REALTIME), None)
        batch = {each.window: each for each in active if each.purpose == BATCH}
        return batch.get(window) or batch.get("")


@dataclass(frozen=True, slots=True)
class TariffPage:
    data: tuple[ModelTariffs, ...]
    total: int

    @classmethod
    def from_json(cls, value: object) -> Self:
        entry = json_values.mapping(value, "a list of models")
        if not isinstance(entry.get("data"), list):
            raise json_values.MalformedError("a list of models without data")
        rows = tuple(map(ModelTariffs.from_json, entry["data"]))
        return cls(rows, json_values.count(entry.get("total_count")))


def ask(exchange: Exchange) -> list[ModelTariffs]:
    """All models, page by page."""
    doing = "asking for the prices"
    found: dict[str, ModelTariffs] = {}
    for _ in range(MAX_PAGES):
        query = {"include": "pricing", "skip": str(len(found)), "limit": str(PAGE_SIZE)}
        read = TariffPage.from_json
        page = exchange.ask(doing, "GET", "/admin/api/v1/models", read, params=query)
        before = len(found)
        found |= {each.model: each for each in page.data}
        if len(found) >= page.total:
            return list(found.values())
        if len(found) == before:
            break
    raise ProviderUnavailable(f"{doing}: the list ended early", maybe_done=False)


def management_url(base_url: str) -> str:
    """Where the provider that takes batches at ``base_url`` tells its prices.

    Raises:
        ValueError: ``base_url`` is no address.
    """
    try:
        url = httpx.URL(base_url.strip())
    except httpx.InvalidURL as exc:
        raise ValueError(str(exc)) from exc
    path = url.path.rstrip("/").removesuffix("/v1").removesuffix("/ai")
    host = MANAGEMENT_HOSTS.get(url.host, url.host)
    return str(url.copy_with(host=host, path=path or "/", query=None, fragment=None))
