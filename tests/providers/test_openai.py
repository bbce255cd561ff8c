import io
import json
from decimal import Decimal

import httpx
import pytest

from batchapp import __version__
from batchapp.providers.errors import ProviderUnavailable
from tests.doubleword import connect
from tests.providers.doubles import KEY, Recorder, batch


@pytest.mark.parametrize(
    ("base_url", "url"),
    [
        ("https://api.test", "https://api.test/v1/models"),
        ("https://api.test/", "https://api.test/v1/models"),
        ("https://api.test/v1", "https://api.test/v1/models"),
        (" https://api.test/v1/ ", "https://api.test/v1/models"),
        ("http://localhost:8080/ai", "http://localhost:8080/ai/v1/models"),
        ("http://localhost:8080/ai/v1/?x=1#y", "http://localhost:8080/ai/v1/models"),
        ("http://[::1]:8080/v1", "http://[::1]:8080/v1/models"),
    ],
)
def test_a_base_url_may_end_as_people_write_it(base_url, url):
    recorder = Recorder(json={"data": []})

    connect(base_url, "sk-x", transport=httpx.MockTransport(recorder)).list_models()

    assert str(recorder.requests[0].url) == url


def test_every_request_carries_the_key_and_our_name(client_of):
    recorder = Recorder(json={"data": [{"id": "m"}, {"id": 7}, {}, 8, {"id": "Org/Model"}]})

    assert client_of(recorder).list_models() == ["m", "Org/Model"]

    headers = recorder.requests[0].headers
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["User-Agent"] == f"batchapp/{__version__}"


@pytest.mark.parametrize("body", [[], {}, {"data": {}}, {"models": []}])
def test_a_malformed_list_of_models_is_reported(client_of, body):
    with pytest.raises(ProviderUnavailable, match="listing the models"):
        client_of(200, json=body).list_models()


def test_the_sandbox_is_recognised(client_of):
    client = client_of(404, headers={"X-Batchapp-Sandbox": "true"}, text="no")
    assert client.is_sandbox is None

    with pytest.raises(Exception, match="no"):
        client.list_models()

    assert client.is_sandbox is True


def test_another_provider_is_no_sandbox(client_of):
    client = client_of(200, json={"data": []})

    client.list_models()

    assert client.is_sandbox is False


def test_an_upload_sends_the_whole_file_and_reports_progress(client_of):
    recorder = Recorder(201, json={"id": "f1", "filename": "t.jsonl", "bytes": 200_000})
    content, progress = io.BytesIO(b"x" * 200_000), []
    content.seek(77)

    file = client_of(recorder).upload_file(content, name="t.jsonl", on_progress=progress.append)

    assert (file.id, file.name, file.bytes) == ("f1", "t.jsonl", 200_000)
    [request] = recorder.requests
    assert b'name="purpose"\r\n\r\nbatch\r\n' in request.content
    assert b'filename="t.jsonl"' in request.content
    assert request.content.count(b"x" * 200_000) == 1
    assert int(request.headers["Content-Length"]) == len(request.content)
    assert progress == sorted(progress)
    assert progress[-1] == 200_000


def test_a_batch_is_created_with_its_metadata(client_of):
    recorder = Recorder(201, json=batch(1, request_counts={"total": 3}))

    created = client_of(recorder).create_batch(
        "f1", endpoint="/v1/embeddings", window="1h", metadata={"token": "abc"}
    )

    assert (created.id, created.total) == ("b1", 3)
    assert recorder.request_lines == ["POST /v1/batches"]
    assert json.loads(recorder.requests[0].content) == {
        "input_file_id": "f1",
        "endpoint": "/v1/embeddings",
        "completion_window": "1h",
        "metadata": {"token": "abc"},
    }


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_no_call_is_repeated(client_of, status):
    recorder = Recorder(status, text="no")

    with pytest.raises(ProviderUnavailable):
        client_of(recorder).create_batch("f", endpoint="/v1/x", window="24h", metadata={})

    assert len(recorder.requests) == 1


def test_creating_and_uploading_wait_longer_than_other_calls(client_of):
    recorder = Recorder(json=batch(1) | {"data": []})
    client = client_of(recorder)

    client.list_models()
    client.create_batch("f", endpoint="/v1/x", window="24h", metadata={})
    client.upload_file(io.BytesIO(b"x"), name="x")

    timers = [request.extensions["timeout"]["read"] for request in recorder.requests]
    assert [round(timer.left(TimeoutError)) for timer in timers] == [60, 300, 300]
    assert {timer.left(TimeoutError, is_connect=True) for timer in timers} == {10}


@pytest.mark.parametrize(
    ("method", "request_line"),
    [
        ("retrieve_batch", "GET /v1/batches/b1"),
        ("cancel_batch", "POST /v1/batches/b1/cancel"),
        ("retry_batch", "POST /v1/batches/b1/retry"),
    ],
)
def test_a_batch_can_be_retrieved_cancelled_and_retried(client_of, method, request_line):
    recorder = Recorder(json=batch(1))

    assert getattr(client_of(recorder), method)("b1").id == "b1"

    assert recorder.request_lines == [request_line]


def test_an_id_stays_one_segment_of_the_path(client_of):
    recorder = Recorder(json=batch(1))

    client_of(recorder).retrieve_batch("../files/a?b#c%2F d")

    assert recorder.request_lines == ["GET /v1/batches/..%2Ffiles%2Fa%3Fb%23c%252F%20d"]


@pytest.mark.parametrize("name", ["", ".", "..", " "])
def test_an_id_that_would_lead_elsewhere_is_our_bug(client_of, name):
    with pytest.raises(ValueError, match="no id"):
        client_of(Recorder()).retrieve_batch(name)


def test_money_is_exact(client_of):
    number = Recorder(content=b'{"total_cost": 0.1, "total_requests": 3}')
    text = Recorder(json={"total_cost": "0.00000150", "total_requests": 3})

    costs = [client_of(recorder).analytics("b1").total_cost for recorder in (number, text)]

    assert costs == [Decimal("0.1"), Decimal("0.00000150")]
    assert number.request_lines == ["GET /v1/batches/b1/analytics"]


def test_a_client_closes_its_connections(client_of):
    with client_of(200, json={"data": []}) as client:
        client.list_models()

    with pytest.raises(RuntimeError, match="closed"):
        client.list_models()
