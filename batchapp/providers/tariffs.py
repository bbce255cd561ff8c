"""Read the provider's own prices from its management API. Doubleword only.

The management API has its own host, and takes platform keys, which cannot run batches.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol, Self, TypeVar

import httpx

from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.providers import json_values
from batchapp.providers.errors import ProviderUnavailable
from batchapp.providers.http import MAX_PAGES, PAGE_SIZE, Exchange

REALTIME = "realtime"
BATCH = "batch"
# Host for batches -> host of the management API. Source: the provider's API reference.
MANAGEMENT_HOSTS = {"api.doubleword.ai": "app.doubleword.ai"}

PER_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Tariff:
    """A price in USD per million tokens.

    ``window`` is "" for all windows without their own tariff; ``purpose`` is "batch", "realtime"
    or a purpose that does not apply to batches.
    """

    purpose: str
    window: str
    input: Decimal
    output: Decimal
    is_active: bool
    currency: str = ""

    @classmethod
    def from_json(cls, value: object) -> Self:
        entry = json_values.mapping(value, "a tariff")
        input_price = json_values.money(entry.get("input_price_per_token"))
        output_price = json_values.money(entry.get("output_price_per_token"))
        if input_price is None or output_price is None:
            raise json_values.MalformedError("a tariff without a price")
        return cls(
            purpose=json_values.text(entry.get("api_key_purpose")),
            window=json_values.text(entry.get("completion_window")),
            input=(input_price * PER_MILLION).normalize(),
            output=(output_price * PER_MILLION).normalize(),
            is_active=entry.get("is_active") is not False,
            currency=json_values.text(entry.get("currency")),
        )


@dataclass(frozen=True, slots=True)
class CacheTariff:
    """The prices of cached tokens as multiples of the input price, None for one not offered.

    ``min_prefix_tokens`` is the shortest prefix that is cached. The prices are valid from one
    moment until another; None is without a limit.
    """

    read: Decimal | None
    write_5m: Decimal | None
    write_1h: Decimal | None
    write_24h: Decimal | None
    min_prefix_tokens: int | None
    valid_from: datetime | None
    valid_until: datetime | None

    @classmethod
    def from_json(cls, value: object) -> Self | None:
        """Return the tariff, or None if the model has none."""
        entry = value if isinstance(value, dict) else {}
        if entry.get("enabled") is not True:
            return None
        return cls(
            read=json_values.money(entry.get("read_multiplier")),
            write_5m=json_values.money(entry.get("write_multiplier_5m")),
            write_1h=json_values.money(entry.get("write_multiplier_1h")),
            write_24h=json_values.money(entry.get("write_multiplier_24h")),
            min_prefix_tokens=json_values.count(entry.get("min_prefix_tokens")) or None,
            valid_from=json_values.iso_moment(entry.get("valid_from")),
            valid_until=json_values.iso_moment(entry.get("valid_until")),
        )

    def is_valid(self, at: datetime) -> bool:
        is_early = self.valid_from is not None and at < self.valid_from
        return not is_early and (self.valid_until is None or at < self.valid_until)


@dataclass(frozen=True, slots=True)
class ModelTariffs:
    """One model by its name in requests, with all its tariffs.

    ``windows`` are the completion windows of its batches, () if the provider names none.
    ``cache`` is None if cached tokens cost as much as others.
    """

    model: str
    tariffs: tuple[Tariff, ...]
    windows: tuple[str, ...] = ()
    cache: CacheTariff | None = None

    @classmethod
    def from_json(cls, value: object) -> Self:
        entry = json_values.mapping(value, "a model")
        model = json_values.text(entry.get("alias"))
        if not model:
            raise json_values.MalformedError("a model without a name")
        tariffs = map(Tariff.from_json, json_values.entries(entry.get("tariffs")))
        windows = json_values.entries(entry.get("allowed_batch_completion_windows"))
        return cls(
            model,
            tuple(tariffs),
            tuple(filter(None, map(json_values.text, windows))),
            CacheTariff.from_json(entry.get("cache_pricing")),
        )

    def price(self, window: str) -> Tariff | None:
        """Return the current tariff of ``window``, or of "realtime"; None if there is none."""
        active = [tariff for tariff in self.tariffs if tariff.is_active]
        if window == REALTIME:
            return next((tariff for tariff in active if tariff.purpose == REALTIME), None)
        batch = {tariff.window: tariff for tariff in active if tariff.purpose == BATCH}
        return batch.get(window) or batch.get("")

    def unit_price(self, tariff: Tariff, at: datetime) -> UnitPrice:
        """Return ``tariff`` as a price, with the prices of cached tokens that are valid then."""
        cache = self.cache if self.cache and self.cache.is_valid(at) else None
        if cache is None:
            return UnitPrice(tariff.input, tariff.output)

        def times_input(multiplier: Decimal | None) -> Decimal | None:
            return None if multiplier is None else tariff.input * multiplier

        return UnitPrice(
            tariff.input,
            tariff.output,
            cached_read=times_input(cache.read),
            write_5m=times_input(cache.write_5m),
            write_1h=times_input(cache.write_1h),
            write_24h=times_input(cache.write_24h),
            min_prefix_tokens=cache.min_prefix_tokens,
            cached_until=cache.valid_until,
        )


class Named(Protocol):
    @property
    def model(self) -> str: ...


Row = TypeVar("Row", bound=Named)


def fetch_tariffs(exchange: Exchange) -> list[ModelTariffs]:
    """Return all models with their tariffs, in the time of one slow call."""
    return fetch_models(exchange, "asking for the prices", "pricing", _models_and_total)


def fetch_models(
    exchange: Exchange,
    action: str,
    include: str,
    read: Callable[[object], tuple[list[Row], int]],
) -> list[Row]:
    """Return all models of the management API, read page by page, in the time of one slow call.

    ``read`` returns the models of a page, and the number of all models.
    """
    until = time.monotonic() + exchange.slow_seconds
    models: dict[str, Row] = {}
    for _ in range(MAX_PAGES):
        query = {"include": include, "skip": str(len(models)), "limit": str(PAGE_SIZE)}
        page, total = exchange.request(
            action, "GET", "/admin/api/v1/models", read, params=query, until=until
        )
        before = len(models)
        models |= {model.model: model for model in page}
        if len(models) >= total:
            return list(models.values())
        if len(models) == before:
            break
    raise ProviderUnavailable(f"{action}: the list ended early", maybe_done=False)


def _models_and_total(value: object) -> tuple[list[ModelTariffs], int]:
    entry, rows = json_values.listing(value, "a list of models")
    return [*map(ModelTariffs.from_json, rows)], json_values.count(entry.get("total_count"))


def management_url(base_url: str) -> str:
    """Return the management API's address of the provider that takes batches at ``base_url``.

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
