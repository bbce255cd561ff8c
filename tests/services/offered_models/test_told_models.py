"""What the provider is asked of its models, and with which key."""

from datetime import UTC, datetime

import httpx
import pytest

from batchapp.domain.model_cards import ModelCard
from batchapp.models import Connection
from batchapp.providers.base import Management, Provider
from batchapp.providers.errors import ProviderRejected, ProviderUnavailable
from batchapp.services.offered_models import told_models
from tests.doubleword import connect, connect_management

AT = datetime(2026, 5, 4, tzinfo=UTC)
SOURCE = "Acme, its own list of 4 May 2026"


class Lists:
    """A provider with the lists of ``answers``, which are looked up by path."""

    def __init__(self, **answers: httpx.Response) -> None:
        self.answers, self.asked = answers, list[str]()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        name = "managed" if request.url.path.startswith("/admin") else "common"
        self.asked.append(name)
        return self.answers[name]

    def client(self) -> Provider:
        return connect("https://acme.test", "sk-1", transport=httpx.MockTransport(self))

    def management(self) -> Management:
        transport = httpx.MockTransport(self)
        client = connect_management("https://acme.test", "dw-1", transport=transport)
        assert client
        return client


@pytest.fixture
def common() -> httpx.Response:
    return httpx.Response(200, json={"data": [{"id": "acme/a", "max_model_len": 4_096}]})


def fetch(lists: Lists) -> list[ModelCard]:
    connection = Connection(name="Acme", base_url="https://acme.test")
    with lists.management() as platform, lists.client() as provider:
        return told_models.fetch(connection, platform, provider, AT)


def test_the_management_api_tells_more_and_is_asked_first(common: httpx.Response) -> None:
    rows = [{"alias": "acme/a", "model_type": "EMBEDDINGS"}]
    lists = Lists(
        managed=httpx.Response(200, json={"data": rows, "total_count": 1}), common=common
    )

    assert fetch(lists) == [ModelCard("acme/a", kind="embeddings", source=SOURCE)]
    assert lists.asked == ["managed"]


@pytest.mark.parametrize("status", [401, 403, 404, 405])
def test_without_the_management_api_the_common_list_is_read(
    common: httpx.Response, status: int
) -> None:
    lists = Lists(managed=httpx.Response(status, text="no"), common=common)

    assert fetch(lists) == [ModelCard("acme/a", context_tokens=4_096, source=SOURCE)]
    assert lists.asked == ["managed", "common"]


def test_a_provider_that_takes_the_key_nowhere_or_gives_no_answer_is_an_error(
    common: httpx.Response,
) -> None:
    with pytest.raises(ProviderRejected):
        fetch(Lists(managed=httpx.Response(401), common=httpx.Response(401)))
    with pytest.raises(ProviderUnavailable):
        fetch(Lists(managed=httpx.Response(503), common=common))
