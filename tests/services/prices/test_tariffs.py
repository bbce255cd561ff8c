"""The provider's own tariffs become a list like any other."""

import time
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from django.utils import timezone

from batchapp.access import OPERATOR
from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.models import REALTIME, Connection
from batchapp.sandbox.api.catalogue import MODELS
from batchapp.sandbox.prompt_cache.tariffs import CacheSettings, CacheTariff
from batchapp.sandbox.settings import Settings
from batchapp.services.prices import price_lists, tariffs
from tests.doubleword import connect_management
from tests.make import make_connection
from tests.sandbox.processes import sandbox_thread

pytestmark = pytest.mark.django_db


PROVIDER_MODEL = "Qwen/Qwen3.5-9B"


def fetched(tmp_path: Path, connection: Connection, cache: CacheSettings) -> str:
    with (
        sandbox_thread(Settings(data=tmp_path, cache=cache)) as url,
        connect_management(url, "pk-1") as platform,
    ):
        return tariffs.fetch(connection, platform, timezone.now())


def write(connection: Connection, text: str) -> UnitPrice:
    difference = price_lists.compare(connection, text, timezone.now())
    assert difference.bad == []
    price_lists.apply(connection, OPERATOR, text, fingerprint=difference.fingerprint)
    row = connection.prices.get(model=PROVIDER_MODEL, window="24h", effective_to=None)
    return row.unit_price


def test_prices_of_cached_tokens_are_written_as_amounts(tmp_path: Path) -> None:
    connection = make_connection(windows=["24h"])

    price = write(connection, fetched(tmp_path, connection, CacheSettings.for_models(MODELS)))

    assert price == UnitPrice(
        Decimal("0.03"),
        Decimal("0.29"),
        cached_read=Decimal("0.003"),
        write_5m=Decimal("0.0375"),
        write_1h=Decimal("0.06"),
        write_24h=Decimal("0.075"),
        min_prefix_tokens=1024,
    )


def test_a_cache_tariff_that_is_over_is_no_price_and_takes_the_old_one_away(
    tmp_path: Path,
) -> None:
    connection = make_connection(windows=["24h"])
    write(connection, fetched(tmp_path, connection, CacheSettings.for_models(MODELS)))
    over = CacheTariff(valid_until=time.time() - 60)
    settings = CacheSettings(enabled=True, tariffs={PROVIDER_MODEL: (over,)})

    assert write(connection, fetched(tmp_path, connection, settings)) == UnitPrice(
        Decimal("0.03"), Decimal("0.29")
    )


def test_the_end_of_a_cache_tariff_is_told_by_the_source(tmp_path: Path) -> None:
    connection = make_connection(windows=["24h"])
    until = datetime(2090, 5, 1, tzinfo=UTC)
    ending = CacheTariff(valid_until=until.timestamp())
    settings = CacheSettings(enabled=True, tariffs={PROVIDER_MODEL: (ending,)})

    price = write(connection, fetched(tmp_path, connection, settings))

    assert price.has_cache_prices
    assert price.cached_until == until
    row = connection.prices.get(model=PROVIDER_MODEL, window="24h")
    assert row.source.endswith(", cached until 1 May 2090")


def test_tariffs_of_the_windows_on_offer_are_compared_and_written(tmp_path) -> None:
    connection = make_connection(windows=["24h"])
    now = timezone.now()
    with (
        sandbox_thread(Settings(data=tmp_path)) as url,
        connect_management(url, "pk-1") as platform,
    ):
        text = tariffs.fetch(connection, platform, now)

    difference = price_lists.compare(connection, text, timezone.now())
    price_lists.apply(connection, OPERATOR, text, fingerprint=difference.fingerprint)

    assert difference.bad == []
    assert {line.window for line in difference.new} == {"24h", REALTIME}
    row = connection.prices.get(model="Qwen/Qwen3.5-9B", window="24h")
    assert (row.input_usd, row.output_usd) == (Decimal("0.03"), Decimal("0.29"))
    assert row.source == f"{connection}, its own tariffs of {now:%-d %B %Y}"
