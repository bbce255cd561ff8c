"""The kinds of providers: found by address or answer, and each asked only what it promises."""

import httpx
import pytest

from batchapp.providers import kinds
from batchapp.providers.errors import ProviderUnavailable
from batchapp.providers.http import api_url, tidy_url
from tests.providers.doubles import KEY, NOW, Listing, Recorder, batch

BATCH_ID_IS_NONE = {"text": "Invalid batch ID format"}
NO_SUCH_BATCH = {
    "json": {"error": {"message": f"No batch found with id '{kinds.UNUSED_ID}'.", "code": None}}
}


def client_of(kind: kinds.Kind, handler: object, base_url: str = "https://acme.test"):
    return kinds.connect(kind, base_url, KEY, transport=httpx.MockTransport(handler))


@pytest.mark.parametrize(
    ("base_url", "asked"),
    [
        ("https://acme.test", "https://acme.test/v1"),
        ("https://acme.test/v1/", "https://acme.test/v1"),
        ("https://acme.test/ai", "https://acme.test/ai/v1"),
        ("https://acme.test/openai/v1", "https://acme.test/openai/v1"),
        ("https://api.groq.com/openai", "https://api.groq.com/openai/v1"),
        ("https://acme.test/v1beta/openai/", "https://acme.test/v1beta/openai"),
        ("https://acme.test/v1/openai", "https://acme.test/v1/openai"),
        ("https://acme.test/api/paas/v4", "https://acme.test/api/paas/v4"),
        ("https://acme.test/V2.1-preview/batch", "https://acme.test/V2.1-preview/batch"),
        ("https://acme.test/v2/proxy/v1", "https://acme.test/v2/proxy/v1"),
        ("https://acme.test/vllm", "https://acme.test/vllm/v1"),
    ],
)
def test_v1_is_appended_unless_the_path_names_a_version(base_url: str, asked: str) -> None:
    recorder = Recorder(200, json={"data": []})

    with client_of(kinds.UNKNOWN, recorder, base_url) as client:
        client.list_models()

    assert str(recorder.requests[0].url) == f"{asked}/models"
    assert client.address == str(api_url(base_url)) == asked
    assert api_url(tidy_url(base_url)) == api_url(base_url)


@pytest.mark.parametrize(
    ("base_url", "name"),
    [
        ("https://api.doubleword.ai/v1", "doubleword"),
        ("https://eu.doubleword.ai", "doubleword"),
        ("https://notdoubleword.ai", ""),
        ("https://api.openai.com", "openai"),
        ("https://api.openai.com.acme.test", ""),
        ("https://api.groq.com/openai", "groq"),
        ("https://[", ""),
        ("", ""),
    ],
)
def test_a_documented_address_names_its_kind_and_no_other_does(base_url: str, name: str) -> None:
    assert kinds.kind_at(base_url).name == name


@pytest.mark.parametrize(
    ("status", "answer", "name"),
    [
        (400, BATCH_ID_IS_NONE, "doubleword"),
        (404, NO_SUCH_BATCH, "openai"),
        (404, BATCH_ID_IS_NONE, ""),
        (404, {"text": "Not found"}, ""),
        (401, {"text": "Authentication required"}, ""),
        (200, {"json": batch(1)}, ""),
    ],
)
def test_a_kind_is_recognised_by_an_answer_that_it_alone_gives(
    status: int, answer: dict, name: str
) -> None:
    recorder = Recorder(status, **answer)

    with client_of(kinds.UNKNOWN, recorder) as client:
        kind = kinds.recognise(client)

    assert kind.name == name
    assert recorder.request_lines == [f"GET /v1/batches/{kinds.UNUSED_ID}"]


def test_a_silent_provider_shows_no_kind() -> None:
    with client_of(kinds.UNKNOWN, Recorder(502)) as client, pytest.raises(ProviderUnavailable):
        kinds.recognise(client)


def test_a_provider_that_is_not_known_gets_no_parameter_beyond_the_api_of_openai() -> None:
    rows = [batch(1, metadata={"token": "t1"}, created_at=int(NOW.timestamp()))]
    listing = Listing(rows, size=100)

    with client_of(kinds.UNKNOWN, listing) as client:
        found = client.find_batches("token", "t1", since=NOW)
        client.list_batches(active_first=True, search="x", created_after=NOW, after="b1")

    assert [remote.id for remote in found] == ["b1"]
    assert listing.queries == [{"limit": "100"}, {"limit": "100", "after": "b1"}]


def test_nothing_is_assumed_of_a_provider_whose_kind_is_not_known() -> None:
    unknown, doubleword = kinds.UNKNOWN.capabilities, kinds.DOUBLEWORD.capabilities

    names = (
        *("partial_results", "retry_in_place", "pause", "list_filters", "analytics", "tariffs"),
        *("webhooks", "cache_markers", "reasoning_effort_only", "idempotency"),
    )
    assert not any(getattr(unknown, name) for name in names)
    assert all(getattr(doubleword, name) for name in names[:-1])
    assert kinds.kind_named("of a later version") is kinds.UNKNOWN


@pytest.mark.parametrize(
    "kind", [*kinds.KINDS.values(), kinds.UNKNOWN], ids=lambda kind: kind.label
)
def test_only_a_kind_with_a_management_api_tells_tariffs(kind: kinds.Kind) -> None:
    assert kind.capabilities.tariffs == (kind.management is not None)
    assert kind.capabilities.windows
    assert kind.capabilities.pause == kind.capabilities.retry_in_place


def test_only_kinds_with_a_management_api_give_a_client_of_it() -> None:
    assert kinds.connect_management(kinds.OPENAI, "https://acme.test", KEY) is None
    platform = kinds.connect_management(kinds.DOUBLEWORD, "https://api.doubleword.ai/v1", KEY)
    assert platform
    with platform:
        assert platform.address == "https://app.doubleword.ai"
