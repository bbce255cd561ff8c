"""The contract of ``base.Provider``, run with each kind against the sandbox in its guise."""

import io
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from batchapp.providers import kinds
from batchapp.providers.base import Provider
from batchapp.providers.errors import ProviderRejected, Reason
from batchapp.providers.remote_objects import RemoteBatch
from batchapp.sandbox.settings import Settings
from tests.make import request_line
from tests.sandbox.processes import sandbox_thread

MODEL = "Qwen/Qwen3-14B-FP8"  # which the sandbox offers
PATIENCE = 120  # seconds until a batch of three requests must be over
LINES = "\n".join(request_line(number, model=MODEL) for number in (1, 2, 3)).encode()
GUISES = {"doubleword": kinds.DOUBLEWORD, "openai": kinds.OPENAI}


@pytest.fixture(scope="module", params=GUISES)
def provider(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Provider]:
    """A client of each kind, and a sandbox in the guise of that kind."""
    data = tmp_path_factory.mktemp(request.param)
    settings = Settings(data=data, guise=request.param, speed=1000)
    with (
        sandbox_thread(settings) as url,
        kinds.connect(GUISES[request.param], url, "sk-contract") as client,
    ):
        yield client


def create(provider: Provider, token: str) -> RemoteBatch:
    file = provider.upload_file(io.BytesIO(LINES), name=f"{token}.jsonl")
    return provider.create_batch(
        file.id, endpoint="/v1/chat/completions", window="24h", metadata={"token": token}
    )


def end(provider: Provider, batch: RemoteBatch) -> RemoteBatch:
    until = time.monotonic() + PATIENCE
    while not batch.is_over:
        assert time.monotonic() < until
        batch = provider.retrieve_batch(batch.id)
    return batch


def test_the_kind_is_recognised(provider: Provider, request: pytest.FixtureRequest) -> None:
    assert provider.list_models()
    assert kinds.recognise(provider) is GUISES[request.node.callspec.params["provider"]]


def test_a_file_is_found_by_its_name_alone(provider: Provider) -> None:
    file = provider.upload_file(io.BytesIO(LINES), name="found.jsonl")

    assert [found.id for found in provider.find_files("found.jsonl")] == [file.id]
    assert provider.find_files("foun") == []
    assert provider.retrieve_file(file.id).name == "found.jsonl"


def test_a_batch_is_found_by_its_token_and_listed(provider: Provider) -> None:
    batch = create(provider, "tok-1")
    since = datetime.now(UTC) - timedelta(minutes=5)

    assert [found.id for found in provider.find_batches("token", "tok-1", since=since)] == [
        batch.id
    ]
    assert provider.find_batches("token", "tok", since=since) == []
    listed = provider.list_batches(active_first=True, limit=100)
    assert batch.id in [row.id for row in listed.data]


def test_the_results_of_a_batch_that_is_over_are_read(provider: Provider) -> None:
    batch = end(provider, create(provider, "tok-2"))

    assert (batch.total, batch.completed, batch.failed) == (3, 3, 0)
    assert batch.output_file_id
    with provider.open_content(batch.output_file_id) as content:
        assert len(list(content.lines())) == 3


def test_a_batch_is_cancelled(provider: Provider) -> None:
    batch = provider.cancel_batch(create(provider, "tok-3").id)

    assert batch.status_word in {"cancelling", "cancelled"}


def test_what_is_not_known_is_rejected_with_a_reason(provider: Provider) -> None:
    unknown = "00000000-0000-4000-8000-000000000000"
    for call in (provider.retrieve_batch, provider.cancel_batch, provider.retrieve_file):
        with pytest.raises(ProviderRejected) as caught:
            call(unknown)
        assert caught.value.reason is Reason.NOT_FOUND
        assert "{" not in caught.value.message


def test_what_a_kind_offers_the_sandbox_offers_in_its_guise(
    provider: Provider, request: pytest.FixtureRequest
) -> None:
    offered = GUISES[request.node.callspec.params["provider"]].capabilities
    batch = create(provider, "tok-4")

    assert bool(batch.output_file_id) is offered.partial_results
    batch = end(provider, provider.cancel_batch(batch.id))
    for is_offered, call in (
        (offered.retry_in_place, provider.retry_batch),
        (offered.analytics, provider.analytics),
    ):
        if is_offered:
            continue
        with pytest.raises(ProviderRejected):
            call(batch.id)
