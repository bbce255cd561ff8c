"""The provider's prices, which a platform key can read."""

from collections.abc import Iterator
from decimal import Decimal

import httpx
import pytest

from batchapp.providers.client import connect
from batchapp.providers.errors import ProviderRejected, ProviderUnavailable, Reason
from batchapp.providers.tariffs import ModelTariffs, management_url
from batchapp.sandbox.settings import Settings
from tests.sandbox.processes import sandbox_thread

MODEL = "Qwen/Qwen3.5-9B"


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory) -> Iterator[str]:
    with sandbox_thread(Settings(data=tmp_path_factory.mktemp("sandbox"))) as url:
        yield url


def test_a_platform_key_reads_every_tariff_of_the_sandbox(sandbox: str) -> None:
    with connect(management_url(f"{sandbox}/ai/v1"), "dw-platform-1") as client:
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
        connect(management_url(sandbox), "sk-inference") as client,
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


def test_pages_are_read_until_all_models_are_listed(client_of) -> None:
    names = [f"model-{number}" for number in range(7)]
    queries = []

    def answer(request: httpx.Request) -> httpx.Response:
        queries.append(dict(request.url.params))
        skip = int(request.url.params["skip"])
        rows = [model(name, tariff()) for name in names[skip : skip + 3]]
        return httpx.Response(200, json={"data": rows, "total_count": len(names)})

    models = client_of(answer).list_tariffs()

    assert [model.model for model in models] == names
    assert [query["skip"] for query in queries] == ["0", "3", "6"]
    assert {query["include"] for query in queries} == {"pricing"}


def test_a_list_that_ends_early_is_not_complete(client_of) -> None:
    answer = {"data": [model("a", tariff())], "total_count": 2}

    with pytest.raises(ProviderUnavailable, match="ended early"):
        client_of(200, json=answer).list_tariffs()


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
def test_an_answer_without_prices_is_none(client_of, answer: object) -> None:
    with pytest.raises(ProviderUnavailable):
        client_of(200, json=answer).list_tariffs()


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
