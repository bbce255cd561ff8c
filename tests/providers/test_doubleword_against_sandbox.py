"""The client against a real sandbox process: both must implement the API alike."""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from batchapp.providers.base import Provider
from batchapp.providers.errors import ProviderRejected, Reason
from batchapp.providers.remote_objects import RemoteBatch
from batchapp.providers.remote_status import RemoteStatus
from tests.doubleword import connect

MODEL = "Qwen/Qwen3-VL-30B-A3B-Instruct-FP8"
CHAT = "/v1/chat/completions"

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif("DATABASE_URL" in os.environ, reason="neither side has a database"),
]


@contextmanager
def sandbox(data: Path, *, speed: float) -> Iterator[str]:
    """Run a sandbox on a free port, which its first line names."""
    command = [sys.executable, "-m", "batchapp.sandbox", "--port", "0", "--data", str(data)]
    command += ["--speed", str(speed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            yield process.stdout.readline().split()[3].rstrip(",")
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def base_url(tmp_path_factory) -> Iterator[str]:
    with sandbox(tmp_path_factory.mktemp("sandbox"), speed=50) as url:
        yield url


@pytest.fixture
def client(base_url) -> Iterator[Provider]:
    """Connect with a new account."""
    with connect(base_url, f"sk-{uuid4().hex}") as client:
        yield client


def lines(*users: str) -> io.BytesIO:
    """Return a file with one request for each directive."""
    rows = (
        {
            "custom_id": f"row-{number}",
            "method": "POST",
            "url": CHAT,
            "body": {
                "model": MODEL,
                "user": user,
                "messages": [{"role": "user", "content": f"Question {number}"}],
            },
        }
        for number, user in enumerate(users)
    )
    return io.BytesIO("".join(json.dumps(row) + "\n" for row in rows).encode())


def run(client: Provider, *users: str) -> RemoteBatch:
    file = client.upload_file(lines(*users), name="run.jsonl")
    created = client.create_batch(
        file.id, endpoint=CHAT, window="24h", metadata={"token": "run-token"}
    )
    return until_over(client, created.id)


def until_over(client: Provider, batch_id: str) -> RemoteBatch:
    deadline = time.monotonic() + 60
    while not (batch := client.retrieve_batch(batch_id)).is_over:
        assert time.monotonic() < deadline, batch
        time.sleep(0.02)
    return batch


def ids(client: Provider, file_id: str | None, skip: int = 0) -> list[str]:
    with client.open_content(str(file_id), skip=skip) as content:
        return [json.loads(line)["custom_id"] for line in content.lines()]


def test_a_batch_runs_from_upload_to_results(client):
    started = datetime.now(UTC).replace(microsecond=0)  # the provider tells whole seconds

    batch = run(client, "", "", "sandbox:fail=400")

    assert client.is_sandbox
    assert batch.status is RemoteStatus.COMPLETED
    assert (batch.total, batch.completed, batch.failed) == (3, 2, 1)
    assert (batch.window, batch.endpoint) == ("24h", CHAT)
    assert batch.metadata["token"] == "run-token"
    assert batch.created_at
    assert started <= batch.created_at <= datetime.now(UTC)
    assert sorted(ids(client, batch.output_file_id)) == ["row-0", "row-1"]
    assert ids(client, batch.error_file_id) == ["row-2"]


def test_reading_resumes_where_it_stopped(client):
    batch = run(client, *[""] * 5)

    with client.open_content(str(batch.output_file_id)) as content:
        everything = [json.loads(line)["custom_id"] for line in content.lines()]
        assert (content.is_incomplete, content.last_line) == (False, 5)

    assert ids(client, batch.output_file_id, skip=3) == everything[3:]
    assert ids(client, batch.output_file_id, skip=5) == []


def test_a_result_file_can_be_read_before_there_is_a_result(tmp_path):
    with sandbox(tmp_path, speed=0.01) as url, connect(url, "sk-early") as client:
        file = client.upload_file(lines("sandbox:slow"), name="slow.jsonl")
        batch = client.create_batch(file.id, endpoint=CHAT, window="24h", metadata={})

        with client.open_content(str(batch.output_file_id)) as content:
            assert (list(content.lines()), content.is_incomplete) == ([], True)


def test_files_and_batches_are_found_again(client):
    since = datetime.now(UTC)
    file = client.upload_file(lines(""), name="tag-1.jsonl")
    client.upload_file(lines(""), name="tag-11.jsonl")
    batches = [
        client.create_batch(file.id, endpoint=CHAT, window="24h", metadata={"token": token})
        for token in ("abc", "abcd", "abc")
    ]

    assert [listed.id for listed in client.find_files("tag-1.jsonl")] == [file.id]
    matches = client.find_batches("token", "abc", since=since)
    assert {batch.id for batch in matches} == {batches[0].id, batches[2].id}
    assert client.find_batches("token", "other", since=since) == []
    page = client.list_batches(limit=2)
    second = client.list_batches(limit=2, after=page.last_id)
    assert [page.has_more, second.has_more] == [True, False]
    assert {batch.id for batch in (*page.data, *second.data)} == {batch.id for batch in batches}


def test_a_failed_request_can_be_retried(client):
    batch = run(client, "", "sandbox:fail-once=500")
    assert (batch.completed, batch.failed) == (1, 1)

    client.retry_batch(batch.id)
    again = until_over(client, batch.id)

    assert (again.completed, again.failed) == (2, 0)
    with pytest.raises(ProviderRejected, match="Nothing to retry"):
        client.retry_batch(batch.id)


def test_a_cancelled_batch_is_over(client):
    file = client.upload_file(lines("sandbox:slow"), name="slow.jsonl")
    batch = client.create_batch(file.id, endpoint=CHAT, window="24h", metadata={})

    # A batch that is cancelled earlier stays cancelling for ever.
    while client.retrieve_batch(batch.id).status is RemoteStatus.VALIDATING:
        time.sleep(0.005)
    client.cancel_batch(batch.id)

    assert until_over(client, batch.id).status is RemoteStatus.CANCELLED


def test_the_cost_of_a_batch_is_a_decimal(client):
    batch = run(client, "")

    deadline = time.monotonic() + 60
    while (cost := client.analytics(batch.id).total_cost) is None:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert cost > Decimal(0)


@pytest.mark.parametrize(
    ("key", "reason", "says"),
    [
        ("sk-x-revoked", Reason.KEY_REFUSED, "Authentication required"),
        ("pk-platform", Reason.KEY_REFUSED, "Authentication required"),
        ("sk-someone-else", Reason.NOT_FOUND, "Batch with ID"),
    ],
)
def test_another_accounts_key_sees_nothing(client, base_url, key, reason, says):
    batch = run(client, "")

    with connect(base_url, key) as other, pytest.raises(ProviderRejected, match=says) as caught:
        other.retrieve_batch(batch.id)

    assert caught.value.reason is reason


def test_a_batch_without_credit_is_refused(base_url):
    with connect(f"{base_url}/ai/v1", "sk-nocredit") as client:
        file = client.upload_file(lines(""), name="poor.jsonl")
        with pytest.raises(ProviderRejected, match="balance too low") as caught:
            client.create_batch(file.id, endpoint=CHAT, window="24h", metadata={})

    assert caught.value.reason is Reason.NO_CREDIT


@pytest.mark.parametrize(
    ("content", "reason", "says"),
    [
        (b"", Reason.INVALID, "no valid request templates"),
        (b'\n{"custom_id": 7}\n', Reason.INVALID, "Invalid JSON on line 1"),
        (lines("").read().replace(MODEL.encode(), b"nope"), Reason.FORBIDDEN, "Model 'nope'"),
        (lines("").read().replace(b"POST", b"GET"), Reason.INVALID, "Unsupported HTTP method"),
    ],
    ids=["empty", "no request", "unknown model", "wrong method"],
)
def test_a_bad_file_is_refused_when_it_is_uploaded(client, content, reason, says):
    with pytest.raises(ProviderRejected, match=says) as caught:
        client.upload_file(io.BytesIO(content), name="bad.jsonl")

    assert caught.value.reason is reason
    assert client.find_files("bad.jsonl") == []


def test_models_are_listed_and_a_bad_key_is_rejected(client, base_url):
    assert MODEL in client.list_models()

    with (
        connect(base_url, "sk-revoked-revoked") as other,
        pytest.raises(ProviderRejected, match="Invalid API key"),
    ):
        other.list_models()
