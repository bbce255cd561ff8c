"""The provider's prices, which a platform key can read."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import httpx
import pytest

from batchapp.domain.money.unit_prices import UnitPrice
from batchapp.providers.errors import ProviderRejected, ProviderUnavailable, Reason
from batchapp.providers.tariffs import ModelTariffs, management_url
from batchapp.sandbox.settings import Settings
from tests.doubleword import connect_management
from tests.sandbox.processes import sandbox_thread

MODEL = "Qwen/Qwen3.5-9B"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory) -> Iterator[str]:
    with sandbox_thread(Settings(data=tmp_path_factory.mktemp("sandbox"))) as url:
        yield url


def test_a_platform_key_reads_every_tariff_of_the_sandbox(sandbox: str) -> None:
    with connect_management(f"{sandbox}/ai/v1", "dw-platform-1") as client:
        models = {model.model: model for model in client.list_tariffs()}

    assert len(models) == 12
    prices = {window: models[MODEL].price(window) for window in ("24h", "1h", "realtime", "7d")}
    assert {window: price and (price.input, price.output) for window, price in prices.items()} == {
        "24h": (Decimal("0.03"), Decimal("0.29")),
        "1h": (Decimal("0.04"), Decimal("0.35")),
        "realtime": (Decimal("0.08"), Decimal("0.70")),
        "7d": None,
    }


def test_a_key_for_batches_is_rejected(sandbox: str) -> None:
    with (
        connect_management(sandbox, "sk-inference") as client,
        pytest.raises(ProviderRejected) as caught,
    ):
        client.list_tariffs()

    assert caught.value.reason is Reason.KEY_REFUSED


def model(name: str, *tariffs: dict[str, object]) -> dict[str, object]:
    return {"alias": name, "tariffs": list(tariffs)}


def tariff(**changes: object) -> dict[str, object]:
    fields = {
        "input_price_per_token": "0.00000005",
        "output_price_per_token": "0.0000002",
        "api_key_purpose": "batch",
        "completion_window": "24h",
        "is_active": True,
    }
    return fields | changes


def test_pages_are_read_until_all_models_are_listed(management_of) -> None:
    names = [f"model-{number}" for number in range(7)]
    queries = []

    def answer(request: httpx.Request) -> httpx.Response:
        queries.append(dict(request.url.params))
        skip = int(request.url.params["skip"])
        rows = [model(name, tariff()) for name in names[skip : skip + 3]]
        return httpx.Response(200, json={"data": rows, "total_count": len(names)})

    models = management_of(answer).list_tariffs()

    assert [model.model for model in models] == names
    assert [query["skip"] for query in queries] == ["0", "3", "6"]
    assert {query["include"] for query in queries} == {"pricing"}


def test_a_list_that_ends_early_is_not_complete(management_of) -> None:
    answer = {"data": [model("a", tariff())], "total_count": 2}

    with pytest.raises(ProviderUnavailable, match="ended early"):
        management_of(200, json=answer).list_tariffs()


@pytest.mark.parametrize(
    "answer",
    [
        [],
        {"total_count": 1},
        {"data": [{"tariffs": []}], "total_count": 1},
        {"data": [model("a", tariff(input_price_per_token=None))], "total_count": 1},
        {"data": [model("a", tariff(output_price_per_token="-1"))], "total_count": 1},
    ],
)
def test_an_answer_without_prices_is_none(management_of, answer: object) -> None:
    with pytest.raises(ProviderUnavailable):
        management_of(200, json=answer).list_tariffs()


def test_the_tariff_of_the_window_counts_before_the_tariff_of_all_windows() -> None:
    tariffs = ModelTariffs.from_json(
        model(
            "a",
            tariff(completion_window=None, input_price_per_token="0.000003"),
            tariff(),
            tariff(input_price_per_token="0.000009", is_active=False),
            tariff(input_price_per_token="0.000007", api_key_purpose="playground"),
        )
    )

    prices = [tariffs.price(window) for window in ("24h", "1h", "realtime")]

    assert [price and price.input for price in prices] == [Decimal("0.05"), Decimal(3), None]


@pytest.mark.parametrize(
    ("base_url", "management"),
    [
        ("https://api.doubleword.ai", "https://app.doubleword.ai/"),
        ("https://api.doubleword.ai/v1/", "https://app.doubleword.ai/"),
        ("http://localhost:9000/ai/v1", "http://localhost:9000/"),
        ("https://proxy.test/doubleword/ai/v1", "https://proxy.test/doubleword"),
    ],
)
def test_prices_are_read_at_the_management_api(base_url, management) -> None:
    assert management_url(base_url) == management


CACHE = {
    "enabled": True,
    "write_multiplier_5m": "1.2500",
    "write_multiplier_1h": None,
    "read_multiplier": 0,
    "min_prefix_tokens": 1024,
}
MAY, JUNE = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)


def cached_price(at: datetime, **changes: object) -> UnitPrice:
    tariffs = ModelTariffs.from_json(model("a", tariff()) | {"cache_pricing": CACHE | changes})
    of_batches = tariffs.price("24h")
    assert of_batches
    return tariffs.unit_price(of_batches, at)


def test_a_cache_tariff_is_a_multiple_of_the_input_price() -> None:
    price = cached_price(JUNE)

    assert (price.cached_read, price.write_5m) == (0, Decimal("0.0625"))
    assert price.write_1h is price.write_24h is None  # not offered
    assert price.min_prefix_tokens == 1024


@pytest.mark.parametrize(
    "changes",
    [
        {"enabled": False},
        {"enabled": None},
        {"valid_from": "2026-06-01T00:00:00.001Z"},
        {"valid_until": "2026-06-01T00:00:00Z"},
        {"read_multiplier": "-1", "write_multiplier_5m": "much", "min_prefix_tokens": "x"},
    ],
)
def test_without_a_valid_cache_tariff_cached_tokens_have_no_price(
    changes: dict[str, object],
) -> None:
    assert not cached_price(JUNE, **changes).has_cache_prices


def test_a_cache_tariff_is_valid_from_its_first_moment_to_its_last() -> None:
    limits = {"valid_from": "2026-05-01T00:00:00Z", "valid_until": "2026-06-01T00:00:00Z"}

    assert cached_price(MAY, **limits).has_cache_prices
    assert not cached_price(JUNE, **limits).has_cache_prices
